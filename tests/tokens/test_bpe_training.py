"""Vocabularies trained here: order of ids, limits, the same bytes, Ctrl-C."""

import json
import os
import random
import signal
import threading
import time

import pytest
from tokenizers import Tokenizer as Library

from genolm.errors import InputError, ModelError
from genolm.tokens import BpeTokenizer, Vocabulary
from genolm.tokens.bpe_training import train_vocabulary

SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]


def chunks(count=60, length=200, seed=0):
    source = random.Random(seed)
    return ["".join(source.choices("ACGT", weights=[4, 2, 1, 3], k=length)) for _ in range(count)]


@pytest.mark.parametrize(("n", "first"), [("none", [*"ACGT"]), ("letter", [*"ACGNT"]), ("gap", ["-", *"ACGNT"])])
def test_ids_in_their_order(n, first):
    vocabulary = train_vocabulary(chunks(), 40, n=n)
    names = sorted(vocabulary.pieces, key=vocabulary.pieces.__getitem__)
    assert names[: 5 + len(first)] == SPECIAL + first
    assert [vocabulary.pieces[name] for name in names] == list(range(40))
    assert all(set(name) <= set("ACGT") for name in names[5 + len(first) :])
    assert vocabulary.gap_run == (10 if n == "gap" else 0)


def test_merges_are_the_most_frequent_pairs_first():
    vocabulary = train_vocabulary(["AACAACAAC", "AAGAAG"], 12)  # AA 5 times, then AAC 3, AAG 2
    assert vocabulary.merges[:3] == (("A", "A"), ("AA", "C"), ("AA", "G"))


def test_the_same_chunks_give_the_same_bytes():
    first, second = train_vocabulary(chunks(), 80), train_vocabulary(iter(chunks()), 80)
    assert first.content == second.content
    assert first.content != train_vocabulary(chunks(seed=1), 80).content


def test_no_piece_is_longer_than_asked():
    repeats = [*chunks(), *["A" * 200] * 50]
    lengths = {size: BpeTokenizer(train_vocabulary(repeats, 24, max_length=size)).lengths.max() for size in (3, 64)}
    assert lengths[3] <= 3
    assert lengths[64] > 3


def test_a_trained_tokenizer_reads_what_it_should():
    tokenizer = BpeTokenizer(train_vocabulary(chunks(), 60, n="gap"))
    assert tokenizer.decode(tokenizer.encode("acgtnACGT" + "N" * 12)) == "ACGTNACGT-"
    with pytest.raises(
        InputError, match="letter 'N' at position 3 is not in the vocabulary; remove it, or use unknown='unk'"
    ):
        BpeTokenizer(train_vocabulary(chunks(), 60)).encode("ACN")


def test_the_library_reads_the_file_as_we_do():
    for n in ("none", "gap"):
        vocabulary = train_vocabulary(chunks(), 60, n=n)
        library, ours = Library.from_str(vocabulary.content.decode()), BpeTokenizer(vocabulary)
        text = "gattACA" * 9 + ("" if n == "none" else "NNN" + "A" + "N" * 11)
        assert library.encode(text).ids == [1, *ours.encode(text).tolist(), 2]


def test_the_file_is_read_back_and_has_no_newline_among_its_letters():
    vocabulary = train_vocabulary(chunks(), 60)
    assert Vocabulary.parse(vocabulary.content, "again") == vocabulary
    assert "\n" not in "".join(json.loads(vocabulary.content)["model"]["vocab"])


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"vocab_size": 5000},
            InputError,
            "not enough sequence for 5,000 tokens: only 79 tokens of at most 64 bases occur at least twice",
        ),
        (
            {"vocab_size": 9},
            ModelError,
            "invalid vocab_size 9: must be more than 9, the number of special tokens and letters",
        ),
        ({"vocab_size": 40, "max_length": 1}, ModelError, "invalid max_length 1: must be at least 2"),
        ({"vocab_size": 40, "n": "some"}, ModelError, "invalid n 'some': expected one of none, letter, gap"),
    ],
)
def test_sizes_that_cannot_be(settings, error, message):
    with pytest.raises(error, match=message):
        train_vocabulary(chunks(5), **settings)


def test_no_sequence():
    with pytest.raises(InputError, match="no sequence to train on"):
        train_vocabulary([], 40)


def test_ctrl_c_ends_the_training_at_once():
    long = chunks(4000, 500)  # a second or more of work
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    threading.Thread(target=_interrupt_once_it_trains, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            train_vocabulary(long, 4000)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert _trains()  # it has not ended by itself


def _interrupt_once_it_trains():
    while not _trains():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGALRM)


def _trains():
    return "byte-pair training" in {thread.name for thread in threading.enumerate()}
