"""Byte-pair encoding of bodies of any length, in time linear in the length and with the same ids as in one piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers.models import BPE

CHUNK = 8192
"""Letters encoded at once; the library's time per letter grows with the length."""

TAIL = 512
"""Letters at the end of a chunk whose tokens are left to the next chunk, because what follows may change them."""


def encode_body(model: BPE, lengths: NDArray[np.int64], text: str, chunk: int = CHUNK) -> NDArray[np.int32]:
    """Ids of ``text``, shape (tokens,): those of ``model`` applied to the whole text at once.

    A sequence of tokens is the encoding of its text when each two neighbours are the encoding of theirs: joining two
    pieces goes by rank, so the first join across a border would happen between the two neighbours alone as well. So
    a text may be encoded in chunks. Each begins at a border of the one before, and must begin with the token that
    stood there; the pair across the border is then one that the chunk before has proved. Where it does not, letters
    further off than :data:`TAIL` decide, and the chunk before is encoded again with twice the length.

    Args:
        model: the merges.
        lengths: letters of every id.
        text: letters of the vocabulary; others become its unknown token, one each.
        chunk: letters per chunk, more than a token has.
    """
    done: list[tuple[int, int, NDArray[np.int32]]] = []  # start, expected first id, ids of every chunk
    start, expected, size = 0, -1, chunk
    while True:
        ids = _encoded(model, text[start : start + size])
        if done and (not ids.size or ids[0] != expected):
            size = 2 * (start - done[-1][0] + chunk)
            start, expected, _ = done.pop()
            continue
        if start + size >= len(text):
            return np.concatenate([*(part for _, _, part in done), ids])
        ends = np.cumsum(lengths[ids])
        kept = int(np.searchsorted(ends, size - min(TAIL, chunk // 2), side="right"))
        if kept == 0:
            size *= 2
            continue
        done.append((start, expected, ids[:kept]))
        start, expected, size = start + int(ends[kept - 1]), int(ids[kept]), chunk


def _encoded(model: BPE, text: str) -> NDArray[np.int32]:
    # tokenize, unlike Tokenizer.encode, knows no special tokens that could be parsed out of the text.
    return np.fromiter((token.id for token in model.tokenize(text)), np.int32)
