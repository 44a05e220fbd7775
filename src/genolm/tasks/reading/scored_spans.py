"""Scores of overlapping windows, joined so that every token and base of a sequence has one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.engine.windows import Window

StrandOrigin = tuple[int, bool]
"""Origin of a window: number of the sequence in its part, and whether the window is reverse-complemented."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of the tokens of a span of sequence.

    Attributes:
        values_T: log-probability of each token in nats; NaN if it has no score.
        lengths_T: length of each token in bases.
    """

    values_T: Float32
    lengths_T: NDArray[np.int64]

    def per_base(self) -> Float32:
        """Return one value per base; the log-probability of a token is divided evenly among its bases."""
        return np.repeat((self.values_T / self.lengths_T).astype(np.float32), self.lengths_T)


def kept_tokens(windows: Sequence[Window[object]], *, masked: bool) -> list[slice]:
    """Return the slice of tokens to keep from each window, so that every token is kept once.

    Where two windows of the same origin overlap, a decoder's scores are taken from the earlier window, which has more
    context on the left. An encoder's (``masked``) are taken half from each, so that no token is near a window border.
    """
    slices = []
    for window, after in zip(windows, [*windows[1:], None]):
        tokens = len(token_lengths(window))
        shared = after.again if after is not None and after.origin == window.origin and after.start else 0
        slices.append(
            slice(window.again - window.again // 2, tokens - shared // 2) if masked else slice(window.again, tokens)
        )
    return slices


def token_lengths(window: Window[object]) -> NDArray[np.int64]:
    """Return the length of each token of a window in bases."""
    if window.encoded is None:
        return np.ones(len(window), np.int64)
    return window.encoded.spans_T2[:, 1] - window.encoded.spans_T2[:, 0]


def joined_spans(pieces: Sequence[Scored]) -> Scored:
    """Concatenate consecutive spans."""
    return Scored(
        np.concatenate([piece.values_T for piece in pieces]), np.concatenate([piece.lengths_T for piece in pieces])
    )


def mean_of_strands(forward: Float32, reverse: Float32) -> Float32:
    """Return the mean of two strands per base, both in forward order; if one has no value, that of the other."""
    both = (forward + reverse) / np.float32(2)
    return np.where(np.isnan(forward), reverse, np.where(np.isnan(reverse), forward, both)).astype(np.float32)
