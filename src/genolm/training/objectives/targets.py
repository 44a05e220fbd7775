"""Which tokens a network is asked to predict, and how many bases each of them is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.tokenizer import Tokenizer


def target_tokens(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """Whether each id is a piece of A, C, G and T alone, (vocab_size,): nothing else is ever a target of a loss."""
    targets_V = np.zeros(tokenizer.vocab_size, bool)
    if isinstance(tokenizer, BpeTokenizer):
        pieces = tokenizer.vocabulary.pieces
        targets_V[[number for piece, number in pieces.items() if not set(piece) - set("ACGT")]] = True
    else:
        targets_V[list(tokenizer.base_ids)] = True
    return targets_V


def target_bases(tokenizer: Tokenizer, rows: int) -> NDArray[np.int64]:
    """Bases of each target, 0 for everything else, for the so many rows of an embedding."""
    bases_V = np.zeros(rows, np.int64)
    targets_V = target_tokens(tokenizer)
    bases_V[: len(targets_V)] = np.where(targets_V, tokenizer.lengths, 0)
    return bases_V
