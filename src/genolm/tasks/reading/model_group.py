"""Several models that read the same windows, as one model of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from genolm.models.model import Model


class ModelGroup(Model):
    """The first model, which the engine sizes batches by, with others beside it.

    Args:
        models: two or more.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        first = models[0]
        super().__init__(first.network, first.tokenizer, first.card)
        self.models = tuple(models)

    @property
    def fingerprint(self) -> str:
        """sha256, in hex, of every model's fingerprint, tokenizer and precision."""
        parts = ((one.fingerprint, one.tokenizer.to_json(), str(one.dtype)) for one in self.models)
        return hashlib.sha256("\n".join(text for part in parts for text in part).encode()).hexdigest()

    @property
    def weight_bytes(self) -> int:
        """Memory of the weights of all models, in bytes."""
        return sum(one.weight_bytes for one in self.models)


def together(models: Sequence[Model]) -> Model:
    """One model for a run: the only one, or all of them as a group."""
    return ModelGroup(models) if len(models) > 1 else models[0]


def models_of(model: Model) -> tuple[Model, ...]:
    """The models behind the one of a run."""
    return model.models if isinstance(model, ModelGroup) else (model,)
