"""Complements of token ids, which give the reverse complement of a tokenised sequence. Requires one base per token."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genolm.errors import ModelError
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import Tokenizer

_PAIRS = str.maketrans("ACGTRYKMBVDHacgtrykmbvdh", "TGCAYRMKVBHDtgcayrmkvbhd")
_LETTER_LIKE = ("mask", "unk")  # special tokens that stand for a base, and are their own complement


def complement_ids(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Return the id of the complement of each token, shape (vocab_size,).

    N and the tokens for a masked or an unknown base are their own complement. Tokens that stand for no base, such as
    padding and separators, are -1, as are unused ids.

    Raises:
        ModelError: tokens have several bases, so that the reverse complement has other tokens at other positions; or
            the alphabet has a letter without its complement.
    """
    if not isinstance(tokenizer, NucleotideTokenizer):
        raise ModelError(
            "tokens of several bases have no complement: the reverse complement is cut into other tokens",
            code="unsupported-by-model",
        )
    complements = np.full(tokenizer.vocab_size, -1, np.int64)
    for symbol, number in tokenizer.symbols.items():
        if len(symbol) == 1:
            partner = symbol.translate(_PAIRS)
            if partner not in tokenizer.symbols:
                raise ModelError(f"the alphabet has {symbol} but not its complement {partner}")
            complements[number] = tokenizer.symbols[partner]
        elif symbol.strip("[]<>").lower() in _LETTER_LIKE:
            complements[number] = number
    return complements
