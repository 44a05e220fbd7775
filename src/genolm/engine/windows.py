"""Windows: pieces of sequence that pass through a model, with their origin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.notes import note

if TYPE_CHECKING:
    from genolm.models.model import Model
    from genolm.tokens.tokenizer import Tokens

Spans = NDArray[np.int64]
Origin = TypeVar("Origin", covariant=True)
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Window(Generic[Origin]):
    """A piece of sequence for one pass through the model.

    Attributes:
        sequence: the bases.
        origin: what the task needs with the output, such as an item, an interval or indices of variants.
        start: 0-based offset of the first base in the sequence that the window was cut from.
        tokens: tokens of the pass, for batching; None to derive them from the number of bases.
        encoded: tokens of the sequence, if already known.
        again: number of leading tokens that the previous window contains as well.
    """

    sequence: str
    origin: Origin = None  # type: ignore[assignment]
    start: int = 0
    tokens: int | None = None
    encoded: Tokens | None = None
    again: int = 0

    def __len__(self) -> int:
        """Return the number of bases."""
        return len(self.sequence)

    def with_origin(self, origin: Kept) -> Window[Kept]:
        """Return the window with another origin."""
        return Window(self.sequence, origin, self.start, self.tokens, self.encoded, self.again)

    def token_count(self, bases_per_token: float) -> int:
        """Return the tokens of the pass: ``tokens`` if set, else bases divided by ``bases_per_token``, rounded up."""
        return self.tokens if self.tokens is not None else math.ceil(len(self.sequence) / bases_per_token)


def tile(sequence: str, length: int, *, overlap: int = 0, origin: Kept = None) -> list[Window[Kept]]:  # type: ignore[assignment]
    """Cut a sequence into windows of ``length`` bases; consecutive windows overlap by ``overlap`` bases.

    The last window may be shorter. The windows cover every base, exactly once without overlap.

    Raises:
        InputError: ``length`` is not positive, or ``overlap`` is not below it.
    """
    if length < 1 or not 0 <= overlap < length:
        raise InputError(f"windows of {length} bases cannot overlap by {overlap}")
    last = max(1, len(sequence) - overlap)
    starts = range(0, last, length - overlap)
    return [Window(sequence[start : start + length], origin, start, again=overlap if start else 0) for start in starts]


def cut(
    sequence: str,
    model: Model,
    bases: int,
    *,
    overlap: float = 0.0,
    origin: Kept = None,  # type: ignore[assignment]
    quiet: bool = False,
) -> list[Window[Kept]]:
    """Cut a sequence into windows that fit the model: of at most ``bases`` bases, fewer if they have too many tokens.

    With multi-base tokens, if ``bases`` is the model's mean capacity (``model.max_bases``), windows fill the context
    in tokens instead and may be longer than ``bases``. So may a window of a single long token, such as a run of N.

    A note is made if a sequence of multi-base tokens needs several windows, since its length in tokens is not obvious.

    Args:
        sequence: the bases.
        model: model whose context and tokens determine the cuts.
        bases: maximum bases of a window.
        overlap: fraction of a full window that the next one repeats, from 0 to below 1.
        origin: origin of every window.
        quiet: suppress the note, where reading in windows is expected.
    """
    if model.tokenizer.bases_per_token == 1.0 and not model.begin_ids and not model.end_ids:
        return tile(sequence, bases, overlap=int(bases * overlap), origin=origin)
    limit = bases if bases < model.max_bases else None
    windows = tile_tokens(sequence, model, bases=limit, overlap=overlap, origin=origin)
    if len(windows) > 1 and not quiet:
        # The text is the same for every sequence, so that the note is shown once.
        around = round(model.max_tokens * model.tokenizer.bases_per_token)
        reads = f"{model.max_tokens:,} tokens of a sequence at once, about {around:,} bases"
        text = f"{reads}; longer ones go through in windows"
        note(f"{model.card.name} reads {text}")
    return windows


def tile_tokens(
    sequence: str,
    model: Model,
    *,
    bases: int | None = None,
    overlap: float = 0.0,
    origin: Kept = None,  # type: ignore[assignment]
) -> list[Window[Kept]]:
    """Cut a sequence at token boundaries into windows that fill the model's context.

    The sequence is encoded once, and each window keeps its tokens. Every window adds at least one new token, and
    together they contain all tokens.

    Args:
        sequence: the bases.
        model: model whose tokenizer and context are used.
        bases: maximum bases of a window, except for a single longer token; None for no limit in bases.
        overlap: fraction of a full window's tokens that the next one repeats, from 0 to below 1; less where the
            following token would not fit otherwise.
        origin: origin of every window.

    Raises:
        InputError: ``overlap`` is out of range.
    """
    if not 0 <= overlap < 1:
        raise InputError("overlap must be at least 0 and below 1", value=overlap)
    tokens = model.tokenizer.tokens(sequence)
    around = len(model.begin_ids) + len(model.end_ids)
    starts_T, ends_T = (np.ascontiguousarray(column) for column in tokens.spans_T2.T)
    windows: list[Window[Kept]] = []
    first = done = 0
    while not windows or done < len(tokens.ids):
        stop = _stop(starts_T, ends_T, first, model.max_tokens, bases)
        if windows and stop <= done:  # a long token follows: reduce the overlap until it fits
            first += 1
            continue
        windows.append(_token_window(sequence, tokens, first, stop, done - first, around, origin))
        done = stop
        first = max(first + 1, stop - int((stop - first) * overlap))
    return windows


def _stop(starts_T: Spans, ends_T: Spans, first: int, room: int, bases: int | None) -> int:
    """Return the end of a window, exclusive: after ``room`` tokens, or before the first token past ``bases`` bases."""
    stop = min(first + room, len(ends_T))
    if bases is None or first >= len(ends_T):
        return stop
    return min(stop, max(first + 1, int(ends_T.searchsorted(starts_T[first] + bases, side="right"))))


def _token_window(
    sequence: str, tokens: Tokens, first: int, stop: int, again: int, around: int, origin: Kept
) -> Window[Kept]:
    spans = tokens.spans_T2[first:stop]
    start, end = (int(spans[0, 0]), int(spans[-1, 1])) if len(spans) else (0, 0)
    encoded = type(tokens)(tokens.ids[first:stop], spans - start)
    return Window(sequence[start:end], origin, start, stop - first + around, encoded, again)
