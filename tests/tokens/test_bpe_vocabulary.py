"""What is read out of a tokenizer.json, what is refused, and what is written again."""

import gzip
import json
import sys

import pytest
from tests.tokens.toy_vocabularies import SPECIAL, toy_bytes, toy_file

from genolm.errors import ModelError
from genolm.tokens import Vocabulary, published
from genolm.tokens.published import published_vocabulary

UPPER = {"type": "Replace", "pattern": {"String": "a"}, "content": "A"}


def parsed(**changes):
    return Vocabulary.parse(toy_bytes(**changes), "toy.json")


def in_model(**changes):
    values = toy_file(merges=["A C"])
    return json.dumps({**values, "model": {**values["model"], **changes}}).encode()


def test_what_a_file_says():
    vocabulary = parsed(merges=["A C", "AC G"], gap_run=7)
    assert vocabulary.pieces["ACG"] == 12
    assert vocabulary.merges == (("A", "C"), ("AC", "G"))
    assert dict(vocabulary.special) == {name: number for number, name in enumerate(SPECIAL)}
    assert (vocabulary.unknown, vocabulary.gap, vocabulary.gap_run, vocabulary.strips) == ("[UNK]", "-", 7, False)


def test_forms_of_the_same_vocabulary_are_equal():
    values = toy_file(merges=["A C"])
    pairs = json.dumps({**values, "model": {**values["model"], "merges": [["A", "C"]]}}, indent=3).encode()
    assert Vocabulary.parse(pairs, "pairs") == parsed(merges=["A C"])
    assert parsed(merges=["A C"]) != parsed(merges=["A G"])
    vocab = {piece: number for number, piece in enumerate([*SPECIAL, *"ACGT", "AC", "CG"])}
    orders = ["A C", "C G"], ["C G", "A C"]
    one, other = (Vocabulary.parse(in_model(vocab=vocab, merges=merges), "x") for merges in orders)
    assert one != other
    assert parsed(gap_run=7) == parsed(gap_run=10)  # which runs are gaps is the tokenizer's to say


def test_special_tokens_are_known_by_their_form_where_nothing_is_added():
    assert dict(parsed(added_tokens=[]).special) == {name: number for number, name in enumerate(SPECIAL)}


def test_upper_casing_and_white_space_rules_are_nothing_to_us():
    rules = {"type": "Sequence", "normalizers": [UPPER, {"type": "Strip", "strip_left": True, "strip_right": True}]}
    assert parsed(normalizer=rules, pre_tokenizer={"type": "WhitespaceSplit"}).strips


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a tokenizer.json of a byte-pair vocabulary"),
        (b"\xff\xfe", "not a tokenizer.json of a byte-pair vocabulary"),
        (b"[1]", "not a tokenizer.json of a byte-pair vocabulary"),
        (b"{}", "not a tokenizer.json of a byte-pair vocabulary: 'model'"),
        (in_model(type="WordPiece"), "unsupported model type WordPiece: expected BPE"),
        (in_model(dropout=0.1), "vocabularies with dropout are not supported"),
        (in_model(byte_fallback=True), "vocabularies with byte_fallback are not supported"),
        (in_model(end_of_word_suffix="</w>"), "vocabularies with end_of_word_suffix are not supported"),
        (in_model(merges=["A C", "AC G"]), "invalid merge of 'AC' and 'G': a part or the result is not a token"),
        (in_model(merges=["A C G"]), "not a tokenizer.json of a byte-pair vocabulary"),
        (toy_bytes(letters="ACG"), "missing bases in the vocabulary: T"),
        (in_model(unk_token="<unk>"), "unk_token '<unk>' is not in the vocabulary"),
        (
            toy_bytes(added_tokens=[{"id": 20, "content": "[PAD]"}]),
            r"conflicting ids of '\[PAD\]': 3 in vocab and 20 in added_tokens",
        ),
        (in_model(vocab={"A": 5, "C": 5, "G": 6, "T": 7}), "duplicate or negative token id"),
        (toy_bytes(added_tokens=[{"id": 20, "content": "CAT"}]), "invalid special token 'CAT': it looks like sequence"),
        (toy_bytes(normalizer={"type": "NFC"}), r'unsupported normalizer rule \{"type": "NFC"\}'),
        (
            toy_bytes(normalizer={**UPPER, "content": "T"}),
            r'unsupported normalizer rule \{"type": "Replace", "pattern": \{"String": "a"\}, "content": "T"\}',
        ),
        (toy_bytes(pre_tokenizer={"type": "ByteLevel"}), r'unsupported pre_tokenizer rule \{"type": "ByteLevel"\}'),
        (
            toy_bytes(normalizer={"type": "Replace", "pattern": {"Regex": "N{5,}"}, "content": "[GAP]"}),
            r"the replacement of runs of N, '\[GAP\]', is not in the vocabulary",
        ),
    ],
)
def test_files_that_are_refused(content, message):
    with pytest.raises(ModelError, match=f"toy.json: .*{message}"):
        Vocabulary.parse(content, "toy.json")


def test_no_such_file(tmp_path):
    with pytest.raises(ModelError, match=r"none\.json: cannot be read: No such file"):
        Vocabulary.read(tmp_path / "none.json")


def test_the_rule_about_runs_is_written_as_asked():
    vocabulary = parsed(gap_run=10)
    assert vocabulary.with_run(10) is vocabulary.content
    for run in (0, 20):
        again = Vocabulary.parse(vocabulary.with_run(run), "again")
        assert (again, again.gap_run) == (vocabulary, run)
    t2t = published("t2t_1000h_multi_32k").vocabulary
    assert Vocabulary.parse(t2t.with_run(0), "again").strips  # the other rules stay


def test_no_other_vocabulary_is_published():
    with pytest.raises(
        ModelError, match="unknown published vocabulary 'gpt2'; expected one of t2t_1000h_multi_32k, BPE_32k"
    ):
        published("gpt2")


def test_a_shipped_file_that_was_changed_is_refused(monkeypatch, tmp_path):
    (tmp_path / "vocabularies").mkdir()
    file = tmp_path / "vocabularies" / "BPE_32k.json.gz"
    monkeypatch.setattr(sys.modules[published.__module__], "files", lambda package: tmp_path)
    published_vocabulary.cache_clear()
    file.write_bytes(gzip.compress(toy_bytes()))
    with pytest.raises(
        ModelError, match=r"BPE_32k\.json\.gz: the file differs from the published one; reinstall genolm"
    ):
        published("BPE_32k")
    file.write_bytes(b"cut")
    with pytest.raises(ModelError, match=r"BPE_32k\.json\.gz: cannot be read"):
        published("BPE_32k")
