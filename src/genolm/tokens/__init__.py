"""Bases to ids and back, with the bases that every token covers."""

from genolm.tokens.nucleotide import GENOS, NucleotideTokenizer
from genolm.tokens.tokenizer import Ids, Tokenizer, Tokens

__all__ = ["GENOS", "Ids", "NucleotideTokenizer", "Tokenizer", "Tokens"]
