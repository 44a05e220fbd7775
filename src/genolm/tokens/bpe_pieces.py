"""Byte-pair encoding of sequences of any length in linear time, with the same ids as without chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers.models import BPE

CHUNK = 8192
"""Letters per chunk; the library's time per letter grows with the length of its input."""

TAIL = 512
"""Letters at the end of a chunk whose tokens the next chunk determines, because the following letters matter."""


def encode_body(model: BPE, lengths: NDArray[np.int64], text: str, chunk: int = CHUNK) -> NDArray[np.int32]:
    """Return the ids of ``text``, shape (tokens,), identical to those of ``model`` applied to the complete text.

    A sequence of tokens is the encoding of its text if every pair of neighbours is the encoding of theirs: merges
    are applied by rank, so the first merge across a boundary would also occur between the two neighbours alone. A text
    may therefore be encoded in chunks. Each chunk starts at a token boundary of the previous chunk and must start with
    the same token as there, so that the previous chunk has verified the pair at the boundary. Otherwise, letters beyond
    :data:`TAIL` matter: the previous chunk is encoded again with twice the length, as are all later ones.

    Args:
        model: byte-pair model.
        lengths: number of letters of every id.
        text: letters of the vocabulary; each other letter becomes an unknown token.
        chunk: letters per chunk; fastest if longer than any token.
    """
    done: list[tuple[int, int, NDArray[np.int32]]] = []  # start, expected first id, ids of every chunk
    start, expected, size = 0, -1, chunk
    while True:
        ids = _encoded(model, text[start : start + size])
        if done and (not ids.size or ids[0] != expected):
            chunk *= 2  # of all chunks from here on, so that the number of repetitions is bounded
            size = 2 * (start - done[-1][0]) + chunk
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
    # Unlike Tokenizer.encode, tokenize does not parse special tokens.
    return np.fromiter((token.id for token in model.tokenize(text)), np.int32)
