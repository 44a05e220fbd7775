"""From tokens to bases: what the spans of a tokenised sequence are for. T is tokens, B bases."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)


def token_to_base(values_T: NDArray[Value], spans_T2: NDArray[np.int64]) -> NDArray[Value]:
    """The value of every base's token: (T, ...) becomes (B, ...).

    By the spans, not by the lengths of the pieces' names, so that a gap token fills its whole run of N.

    Args:
        values_T: one value or row for each token, along the first axis.
        spans_T2: the tokens' spans, which tile the sequence.

    Raises:
        ValueError: the two have different numbers of tokens.
    """
    if len(values_T) != len(spans_T2):
        raise ValueError(f"{len(values_T)} values for {len(spans_T2)} tokens")
    return np.repeat(values_T, spans_T2[:, 1] - spans_T2[:, 0], axis=0)


def base_to_token(positions: NDArray[Any], spans_T2: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of the token that covers each base.

    Args:
        positions: 0-based positions in the sequence, any shape.
        spans_T2: the tokens' spans, which tile the sequence.

    Raises:
        ValueError: a position that no token covers.
    """
    positions = np.asarray(positions)
    if positions.size and (not len(spans_T2) or positions.min() < spans_T2[0, 0] or positions.max() >= spans_T2[-1, 1]):
        raise ValueError("a position that no token covers")
    return np.searchsorted(spans_T2[:, 1], positions, side="right").astype(np.int64)
