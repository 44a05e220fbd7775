"""Letters of genomes that a tokenizer has no token for."""

from __future__ import annotations

from genolm.errors import InputError
from genolm.tokens.tokenizer import Tokenizer

_LETTERS = "ACGTNRYSWKMBDHV"


def unreadable_letters(tokenizer: Tokenizer) -> str:
    """Letters of genomes, N and ambiguity codes, that the tokenizer has no token for."""
    return "".join(letter for letter in _LETTERS if not _reads(tokenizer, letter))


def _reads(tokenizer: Tokenizer, letter: str) -> bool:
    try:
        tokenizer.encode(letter)
    except InputError:
        return False
    return True
