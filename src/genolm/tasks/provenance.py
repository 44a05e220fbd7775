"""Where a result comes from: written into every artefact, and the same for the same run whenever it is made."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import genolm
from genolm.engine.summary import provenance_path

if TYPE_CHECKING:
    from genolm.models.model import Model


@dataclass(frozen=True, slots=True)
class Provenance:
    """The model behind a result.

    Attributes:
        model: its name.
        fingerprint: sha256, in hex, of its config and weights as they were computed with.
        precision: of the weights, as ``float32``.
        version: of genolm.
    """

    model: str
    fingerprint: str
    precision: str
    version: str

    @classmethod
    def of(cls, model: Model) -> Provenance:
        """What there is to say about a model."""
        precision = str(model.dtype).removeprefix("torch.")
        return cls(model.card.name, model.fingerprint, precision, genolm.__version__)

    def described(self, **settings: object) -> dict[str, str]:
        """Name and text of everything to write down: the model's, then the task's own settings."""
        written = {"genolm_version": self.version, "model": self.model, "model_fingerprint": self.fingerprint}
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
        return {**written, "precision": self.precision, **texts}

    def to_dict(self) -> dict[str, str]:
        """The four values."""
        return asdict(self)


__all__ = ["Provenance", "provenance_path"]
