"""Bases to ids and back, with the bases that every token covers."""

from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.nucleotide import GENOS, NucleotideTokenizer
from genolm.tokens.tokenizer import Ids, Tokenizer, Tokens

__all__ = ["GENOS", "BpeTokenizer", "Ids", "NucleotideTokenizer", "Tokenizer", "Tokens"]
