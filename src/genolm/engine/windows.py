"""Pieces of sequence that go through a model, each knowing where it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from genolm.errors import InputError


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of sequence for one pass through the model.

    Attributes:
        sequence: the bases.
        origin: whatever the task wants back with the output: an item, an interval, the indices of many variants.
        start: 0-based offset of the first base in the sequence that it was cut from.
        tokens: tokens that the pass costs, for batching; None when it follows from the number of bases.
    """

    sequence: str
    origin: Any = None
    start: int = 0
    tokens: int | None = None

    def __len__(self) -> int:
        """Bases."""
        return len(self.sequence)

    def token_count(self, bases_per_token: float) -> int:
        """Tokens that the pass costs: what the task said, else the bases over ``bases_per_token``, rounded up."""
        return self.tokens if self.tokens is not None else math.ceil(len(self.sequence) / bases_per_token)


def tile(sequence: str, length: int, *, overlap: int = 0, origin: Any = None) -> list[Window]:
    """Cuts a sequence into windows of ``length`` bases, each beginning ``overlap`` bases before the last one's end.

    The last window is as long as what is left. Together they cover every base; without overlap exactly once.

    Raises:
        InputError: when ``length`` is not positive or ``overlap`` is not below it.
    """
    if length < 1 or not 0 <= overlap < length:
        raise InputError(f"windows of {length} bases cannot overlap by {overlap}")
    last = max(1, len(sequence) - overlap)
    starts = range(0, last, length - overlap)
    return [Window(sequence[start : start + length], origin, start) for start in starts]
