"""Heads that belong to a network: described by its config and stored with its weights. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BuiltInName = Literal["language", "masked", "pooler", "sentence", "labels"]


@dataclass(frozen=True, slots=True)
class BuiltInHead:
    """Description of a head of a network.

    Attributes:
        kind: ``language`` (next token), ``masked`` (masked token), ``pooler`` (vector of the sequence), ``sentence``
            (order of two sentences) or ``labels`` (fine-tuned classifier); also its name.
        of: what its outputs describe.
        outputs: number of outputs.
    """

    kind: BuiltInName
    of: Literal["sequence", "token"]
    outputs: int
