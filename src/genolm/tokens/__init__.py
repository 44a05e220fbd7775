"""Tokenizers: sequences to token ids and back, with the span of every token."""

from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.bpe_vocabulary import Vocabulary
from genolm.tokens.nucleotide import GENOS, NucleotideTokenizer
from genolm.tokens.published import PUBLISHED, published
from genolm.tokens.token_spans import base_to_token, token_to_base
from genolm.tokens.tokenizer import Ids, Tokenizer, Tokens

__all__ = [
    "GENOS",
    "PUBLISHED",
    "BpeTokenizer",
    "Ids",
    "NucleotideTokenizer",
    "Tokenizer",
    "Tokens",
    "Vocabulary",
    "base_to_token",
    "published",
    "token_to_base",
]
