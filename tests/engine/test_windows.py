"""Windows: what they cost and how they cover a sequence."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.noted import no_notes, noted

import genolm
from genolm.engine.windows import Window, cut, tile, tile_tokens
from genolm.errors import InputError


def test_tiles_by_hand():
    assert tile("ACGTACG", 3, origin="x") == [Window("ACG", "x", 0), Window("TAC", "x", 3), Window("G", "x", 6)]
    assert [window.sequence for window in tile("ACGTACG", 4, overlap=2)] == ["ACGT", "GTAC", "ACG"]
    assert [window.start for window in tile("ACGTACG", 4, overlap=2)] == [0, 2, 4]


@pytest.mark.parametrize(
    ("sequence", "pieces"), [("", [""]), ("AC", ["AC"]), ("ACGT", ["ACGT"]), ("ACGTA", ["ACGT", "A"])]
)
def test_short_sequences(sequence, pieces):
    assert [window.sequence for window in tile(sequence, 4)] == pieces


@given(st.text("ACGT", max_size=60), st.integers(1, 20), st.data())
def test_tiles_cover_every_base(sequence, length, data):
    overlap = data.draw(st.integers(0, length - 1))
    windows = tile(sequence, length, overlap=overlap)
    joined = windows[0].sequence + "".join(window.sequence[overlap:] for window in windows[1:])
    assert joined == sequence
    assert all(sequence[w.start : w.start + len(w)] == w.sequence for w in windows)
    assert all(len(w) <= length for w in windows)


@pytest.mark.parametrize(("length", "overlap"), [(0, 0), (4, 4), (4, 5), (4, -1)])
def test_impossible_tiles(length, overlap):
    with pytest.raises(InputError, match=f"windows of {length} bases cannot overlap by {overlap}"):
        tile("ACGT", length, overlap=overlap)


def test_token_count():
    assert Window("ACGTA").token_count(1.0) == 5
    assert Window("ACGTA").token_count(4.0) == 2
    assert Window("ACGTA", tokens=90).token_count(1.0) == 90
    assert len(Window("ACGTA", tokens=90)) == 5


BERT, OCEAN, BASES = (genolm.load(f"tiny-random{kind}", device="cpu") for kind in ("-bert", "-ocean", ""))
texts = st.lists(
    st.one_of(
        st.text("ACGT", max_size=80), st.integers(0, 60).map("N".__mul__), st.sampled_from(["A" * 40, "CA" * 30])
    ),
    max_size=8,
).map("".join)


def dna(length, seed=0):
    return "".join(random.Random(seed).choices("ACGT", k=length))


def joined(windows):
    """The ids and the bases that windows have beyond what those before them had."""
    ids, bases = [], ""
    for window in windows:
        new = window.encoded.spans_T2[window.again :]
        ids += window.encoded.ids[window.again :].tolist()
        bases += window.sequence[new[0, 0] :] if len(new) else ""
    return ids, bases


@settings(deadline=None)
@given(texts, st.sampled_from([None, 1, 7, 30, 90]), st.sampled_from([0.0, 0.3, 0.5, 0.9, 0.99]))
def test_windows_of_tokens_cover_a_sequence_and_each_has_something_new(sequence, bases, overlap):
    for model in (BERT, OCEAN):
        windows = tile_tokens(sequence, model, bases=bases, overlap=overlap, origin="x")
        assert joined(windows) == (model.tokenizer.encode(sequence).tolist(), sequence)
        for window in windows:
            ids, spans_T2 = window.encoded
            assert window.sequence == sequence[window.start : window.start + len(window)]
            assert [0, *spans_T2[:, 1]] == [*spans_T2[:, 0], len(window)]
            assert (window.tokens, window.origin) == (len(ids) + 2, "x")
            assert 0 <= window.again < max(1, len(ids)) and len(ids) <= model.max_tokens
            assert bases is None or len(ids) <= 1 or len(window) <= bases
        assert windows[0].again == 0


def test_windows_repeat_the_part_that_is_asked_for():
    windows = tile_tokens(dna(9000), BERT, overlap=0.5)
    assert len(windows) > 4
    assert [window.again for window in windows[1:]] == [BERT.max_tokens // 2] * (len(windows) - 1)
    starts = [window.start for window in windows]
    assert starts == sorted(set(starts))


def test_a_long_token_is_a_window_of_its_own():
    windows = tile_tokens("ACGT" + "N" * 300 + "ACGT", BERT, bases=20, overlap=0.5)
    assert [window.sequence for window in windows] == ["ACGT", "N" * 300, "ACGT"]


@pytest.mark.parametrize("run", [100, 1500, 100_000])
def test_a_run_of_n_longer_than_a_window_is_one_token_where_no_context_is_asked_for(run):
    sequence = dna(400) + "N" * run + dna(400)
    (window,) = cut(sequence, BERT, BERT.max_bases)
    assert (window.sequence, window.tokens) == (sequence, len(BERT.tokenizer.encode(sequence)) + 2)
    assert joined(cut(sequence, BERT, 300, quiet=True))[1] == sequence


def test_windows_of_asked_bases_are_no_longer():
    with noted("510 tokens of a sequence at once, about 1,430 bases; longer ones go through"):
        windows = cut(dna(3000), BERT, 100)
    assert max(map(len, windows)) <= 100 and joined(windows)[1] == dna(3000)


def test_a_window_of_all_that_a_model_reads_is_full_of_tokens():
    sequence = dna(6000)
    windows = cut(sequence, BERT, BERT.max_bases, quiet=True)
    assert {len(window.encoded.ids) for window in windows[:-1]} == {BERT.max_tokens}


def test_single_bases_are_cut_as_tiles():
    with no_notes():
        assert cut("ACGTACGTAC", BASES, 4, overlap=0.5) == tile("ACGTACGTAC", 4, overlap=2)


@pytest.mark.parametrize("overlap", [-0.1, 1.0])
def test_impossible_overlaps(overlap):
    with pytest.raises(InputError, match="overlap must be at least 0 and below 1"):
        tile_tokens("ACGT", BERT, overlap=overlap)
