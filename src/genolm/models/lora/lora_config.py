"""Config of a low-rank adapter. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from genolm.errors import ModelError
from genolm.models.config_json import from_json

TARGETS = (
    "attention.query",
    "attention.key",
    "attention.value",
    "attention.output",
    "ffn.gate",
    "ffn.up",
    "ffn.down",
)
"""Linear layers of a block that may be adapted; gated and expert blocks have others than plain ones."""


@dataclass(frozen=True, slots=True)
class LoraConfig:
    """Low-rank adapter (Hu et al. 2021): linear layers get the update ``alpha / rank * B A``.

    Attributes:
        rank: rank of the updates.
        alpha: numerator of their scale.
        dropout: probability of dropout before ``A`` in training.
        targets: linear layers to adapt in every block, among :data:`TARGETS`.
        modules_to_save: modules of the backbone that are trained in full and stored with the adapter, by their names in
            the network: ``head``, ``embedding``, ``norm``, ``pooler``, ``classifier`` and so on.

    Raises:
        ModelError: a value is invalid.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ("attention.query", "attention.value")
    modules_to_save: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ModelError(f"rank must be at least 1, not {self.rank}")
        if not 0 < self.alpha < math.inf:
            raise ModelError(f"alpha must be positive and finite, not {self.alpha}")
        if not 0 <= self.dropout < 1:
            raise ModelError(f"dropout must be in 0..1, not {self.dropout}")
        if not self.targets:
            raise ModelError("targets must name at least one linear layer")
        if wrong := [name for name in self.targets if name not in TARGETS]:
            raise ModelError(f"targets must be among {', '.join(TARGETS)}, not {wrong[0]!r}")

    @property
    def scale(self) -> float:
        """Factor of the updates."""
        return self.alpha / self.rank

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LoraConfig:
        """Read the values that :meth:`to_dict` returned; an unknown key is a ModelError."""
        return from_json(cls, values, what="lora")

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
