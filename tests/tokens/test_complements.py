"""Complements of token ids."""

import pytest
from tests.tokens.toy_vocabularies import toy_tokenizer

from genolm.errors import ModelError
from genolm.tokens.complements import complement_ids
from genolm.tokens.nucleotide import GENOS, NucleotideTokenizer


def test_complements_of_the_genos_alphabet():
    tokenizer = NucleotideTokenizer()
    complements = complement_ids(tokenizer)
    assert complements.shape == (18,)
    assert tokenizer.decode(complements[tokenizer.encode("ACGTN")]) == "TGCAN"
    for name in ("[MASK]", "<MASK>", "[UNK]", "<UNK>"):
        assert complements[GENOS[name]] == GENOS[name]
    for name in ("[PAD]", "[CLS]", "[SEP]", "<EOD>", "<s>"):
        assert complements[GENOS[name]] == -1


def test_ambiguity_codes_and_lower_case_have_complements():
    letters = "ACGTacgtRYSWKMBDHV"
    tokenizer = NucleotideTokenizer(
        {"<PAD>": 0, "<EOD>": 1, **{letter: number for number, letter in enumerate(letters, start=2)}}, case="keep"
    )
    assert tokenizer.decode(complement_ids(tokenizer)[2:]) == "TGCAtgcaYRSWMKVHDB"


def test_unused_ids_stand_for_no_base():
    assert complement_ids(NucleotideTokenizer({**GENOS, "#": 30}))[18:30].tolist() == [-1] * 12


def test_a_letter_without_complement_is_an_error():
    with pytest.raises(ModelError, match="the alphabet has R but not its complement Y"):
        complement_ids(NucleotideTokenizer({**GENOS, "R": 20}))


def test_tokens_of_several_bases_have_none():
    with pytest.raises(ModelError, match="tokens of several bases have no complement"):
        complement_ids(toy_tokenizer(merges=["A C"]))
