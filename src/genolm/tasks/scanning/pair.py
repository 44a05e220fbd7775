"""Two models that read the same windows, as one model of a run."""

from __future__ import annotations

import hashlib

from genolm.models.model import Model


class ModelPair(Model):
    """The first model, which the engine sizes batches by, with a second beside it.

    Args:
        first: the model.
        second: what is taken from it.
    """

    def __init__(self, first: Model, second: Model) -> None:
        super().__init__(first.network, first.tokenizer, first.card)
        self.first, self.second = first, second

    @property
    def fingerprint(self) -> str:
        """sha256, in hex, of both models' fingerprints, of the second's tokenizer and of its precision."""
        second = self.second
        parts = (self.first.fingerprint, second.fingerprint, second.tokenizer.to_json(), str(second.dtype))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def models_of(model: Model) -> tuple[Model, ...]:
    """The models behind one of a run: two of a pair, else the one."""
    return (model.first, model.second) if isinstance(model, ModelPair) else (model,)
