"""Log-probabilities of overlapping windows as values of a whole sequence: every token, and every base, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.engine.windows import Window


@dataclass(frozen=True, slots=True)
class Scored:
    """The tokens of a stretch of sequence.

    Attributes:
        values_T: log-probability of each in nats, NaN where it has none.
        lengths_T: its bases.
    """

    values_T: Float32
    lengths_T: NDArray[np.int64]

    def per_base(self) -> Float32:
        """A token's log-probability shared out evenly over its bases, so that their sum stays."""
        return np.repeat((self.values_T / self.lengths_T).astype(np.float32), self.lengths_T)


def own_tokens(windows: Sequence[Window], *, masked: bool) -> list[slice]:
    """The tokens of each window that are taken from it, so that together they are all tokens once.

    Of what two windows of one origin share a decoder's later one is taken from none, as it has less on its left; an
    encoder's (``masked``) half from each, so that no token is near a border that the sequence does not have.
    """
    slices = []
    for window, after in zip(windows, [*windows[1:], None]):
        tokens = len(token_lengths(window))
        shared = after.again if after is not None and after.origin == window.origin and after.start else 0
        slices.append(
            slice(window.again - window.again // 2, tokens - shared // 2) if masked else slice(window.again, tokens)
        )
    return slices


def token_lengths(window: Window) -> NDArray[np.int64]:
    """Bases of every token of a window."""
    if window.encoded is None:
        return np.ones(len(window), np.int64)
    return window.encoded.spans_T2[:, 1] - window.encoded.spans_T2[:, 0]


def joined_stretches(pieces: Sequence[Scored]) -> Scored:
    """Consecutive stretches as one."""
    return Scored(
        np.concatenate([piece.values_T for piece in pieces]), np.concatenate([piece.lengths_T for piece in pieces])
    )


def mean_of_strands(forward: Float32, reverse: Float32) -> Float32:
    """Base by base the mean of two strands, both in forward order; where one has no value, the other's."""
    both = (forward + reverse) / np.float32(2)
    return np.where(np.isnan(forward), reverse, np.where(np.isnan(reverse), forward, both)).astype(np.float32)
