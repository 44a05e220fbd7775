"""Conversion between token and base positions by spans. Shapes: T tokens, B bases."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)


def token_to_base(values_T: NDArray[Value], spans_T2: NDArray[np.int64]) -> NDArray[Value]:
    """Return, for every base, the value of its token: (T, ...) becomes (B, ...).

    Spans are used rather than the lengths of token texts, so that a gap token fills its complete run of N.

    Args:
        values_T: one value or row per token, along the first axis.
        spans_T2: the tokens' spans, which tile the sequence.

    Raises:
        ValueError: the numbers of values and tokens differ.
    """
    if len(values_T) != len(spans_T2):
        raise ValueError(f"{len(values_T)} values for {len(spans_T2)} tokens")
    return np.repeat(values_T, spans_T2[:, 1] - spans_T2[:, 0], axis=0)


def base_to_token(positions: NDArray[Any], spans_T2: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index of the token that covers each base.

    Args:
        positions: 0-based positions in the sequence, any shape.
        spans_T2: the tokens' spans, which tile the sequence.

    Raises:
        ValueError: a position is not covered by any token.
    """
    positions = np.asarray(positions)
    if positions.size and (not len(spans_T2) or positions.min() < spans_T2[0, 0] or positions.max() >= spans_T2[-1, 1]):
        raise ValueError("a position is not covered by any token")
    return np.searchsorted(spans_T2[:, 1], positions, side="right").astype(np.int64)
