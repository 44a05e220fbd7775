"""A group of models that read the same windows in one run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from genolm.models.model import Model


class ModelGroup(Model):
    """Several models that act as one; the engine sizes batches by the first.

    Args:
        models: two or more models.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        first = models[0]
        super().__init__(first.network, first.tokenizer, first.card)
        self.models = tuple(models)

    def __reduce__(self) -> tuple[type[ModelGroup], tuple[tuple[Model, ...]]]:
        return ModelGroup, (self.models,)

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the fingerprints, tokenizers and precisions of all models."""
        parts = ((model.fingerprint, model.tokenizer.to_json(), str(model.dtype)) for model in self.models)
        return hashlib.sha256("\n".join(text for part in parts for text in part).encode()).hexdigest()

    @property
    def weight_bytes(self) -> int:
        """Size of the weights of all models in bytes."""
        return sum(model.weight_bytes for model in self.models)


def group_models(models: Sequence[Model]) -> Model:
    """Return the only model, or all models as a group."""
    return ModelGroup(models) if len(models) > 1 else models[0]


def models_of(model: Model) -> tuple[Model, ...]:
    """Return the models of a group, or a single model."""
    return model.models if isinstance(model, ModelGroup) else (model,)
