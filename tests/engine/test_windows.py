"""Windows: what they cost and how they cover a sequence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolm.engine.windows import Window, tile
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
