"""Pieces of sequence that go through a model, each knowing where it came from."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError

if TYPE_CHECKING:
    from genolm.models.model import Model
    from genolm.tokens.tokenizer import Tokens

Spans = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of sequence for one pass through the model.

    Attributes:
        sequence: the bases.
        origin: whatever the task wants back with the output: an item, an interval, the indices of many variants.
        start: 0-based offset of the first base in the sequence that it was cut from.
        tokens: tokens that the pass costs, for batching; None when it follows from the number of bases.
        encoded: the tokens of the sequence, where they are known already.
        again: tokens at its beginning that the window before it has too.
    """

    sequence: str
    origin: Any = None
    start: int = 0
    tokens: int | None = None
    encoded: Tokens | None = None
    again: int = 0

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
    return [Window(sequence[start : start + length], origin, start, again=overlap if start else 0) for start in starts]


def cut(
    sequence: str, model: Model, bases: int, *, overlap: float = 0.0, origin: Any = None, quiet: bool = False
) -> list[Window]:
    """Cuts a sequence into windows that a model can read: of ``bases`` bases, fewer where its tokens are many.

    Tokens of several bases fill the model's context where ``bases`` is all that it reads (``model.max_bases``, which
    is a mean): such a window may then have more of them, as it has where one token alone, a run of N, is longer.

    Warns when a sequence of longer tokens goes beyond one window, since its length in tokens is not to be seen.

    Args:
        sequence: the bases.
        model: decides where it can be cut.
        bases: most bases of a window.
        overlap: part of a full window that the next one repeats, below 1.
        origin: kept in every window.
        quiet: do not warn, where it goes without saying that a sequence is read in windows.
    """
    if model.tokenizer.bases_per_token == 1.0 and not model.begin_ids and not model.end_ids:
        return tile(sequence, bases, overlap=int(bases * overlap), origin=origin)
    limit = bases if bases < model.max_bases else None
    windows = tile_tokens(sequence, model, bases=limit, overlap=overlap, origin=origin)
    if len(windows) > 1 and not quiet:
        # The same words for every sequence, so that they are said once.
        around = round(model.max_tokens * model.tokenizer.bases_per_token)
        most = f"{model.max_tokens:,} tokens of a sequence at once, about {around:,} bases"
        text = f"{most}; longer ones go through in windows"
        warnings.warn(f"{model.card.name} reads {text}", stacklevel=2)
    return windows


def tile_tokens(
    sequence: str, model: Model, *, bases: int | None = None, overlap: float = 0.0, origin: Any = None
) -> list[Window]:
    """Cuts a sequence at the borders of its tokens into windows that fill the model's context.

    The sequence is encoded once, and every window keeps its share of these tokens. Each has tokens that those before it
    lack; together they have all.

    Args:
        sequence: the bases.
        model: its tokenizer, and how many tokens it reads.
        bases: most bases of a window, unless it is one token that is longer; None for as many as the tokens hold.
        overlap: how much of a full window the next one repeats, as a part of its tokens, below 1; less where the tokens
            that follow would not fit beside so many.
        origin: kept in every window.

    Raises:
        InputError: an overlap that is no such part.
    """
    if not 0 <= overlap < 1:
        raise InputError("an overlap is a part of a window, from 0 to below 1", value=overlap)
    tokens = model.tokenizer.tokens(sequence)
    around = len(model.begin_ids) + len(model.end_ids)
    starts_T, ends_T = (np.ascontiguousarray(column) for column in tokens.spans_T2.T)
    windows: list[Window] = []
    first = done = 0
    while not windows or done < len(tokens.ids):
        stop = _stop(starts_T, ends_T, first, model.max_tokens, bases)
        if windows and stop <= done:  # a long token follows: repeat less until it fits
            first += 1
            continue
        windows.append(_token_window(sequence, tokens, first, stop, done - first, around, origin))
        done = stop
        first = max(first + 1, stop - int((stop - first) * overlap))
    return windows


def _stop(starts_T: Spans, ends_T: Spans, first: int, room: int, bases: int | None) -> int:
    """The token after the last of a window: ``room`` tokens on, or that which ends beyond ``bases`` of its start."""
    stop = min(first + room, len(ends_T))
    if bases is None or first >= len(ends_T):
        return stop
    return min(stop, max(first + 1, int(ends_T.searchsorted(starts_T[first] + bases, side="right"))))


def _token_window(sequence: str, tokens: Tokens, first: int, stop: int, again: int, around: int, origin: Any) -> Window:
    spans = tokens.spans_T2[first:stop]
    start, end = (int(spans[0, 0]), int(spans[-1, 1])) if len(spans) else (0, 0)
    encoded = type(tokens)(tokens.ids[first:stop], spans - start)
    return Window(sequence[start:end], origin, start, stop - first + around, encoded, again)
