"""Tiles: each base once per strand, symmetric strands, runs of N."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolm import InputError
from genolm.genome.sequence import reverse_complement
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.scanning.genome_tiles import Span, Tiling

tilings = st.tuples(st.integers(1, 30), st.integers(0, 10), st.integers(0, 10), st.integers(1, 5)).map(
    lambda values: Tiling(values[0] + values[1] + values[2], *values[1:])
)


def test_the_first_and_the_last_tile_reach_to_the_ends():
    assert list(Tiling(10, 3, 2, 1).spans(20)) == [
        Span(0, 0, 8, 10),
        Span(5, 8, 13, 15),
        Span(10, 13, 20, 20),
    ]
    assert list(Tiling(10, 3, 0, 1).spans(11)) == [Span(0, 0, 10, 10), Span(7, 10, 11, 11)]
    assert list(Tiling(10, 3, 2, 1).spans(0)) == []


@given(tilings, st.text("ACGTN", max_size=120))
def test_every_base_outside_long_runs_is_some_tiles_own_once(tiling, text):
    covered = {False: [0] * len(text), True: [0] * len(text)}
    for tile in tiling.tiles(SequenceRecord("c", text + "N"), (False, True)):
        for place in range(tile.start, tile.end):
            covered[tile.reverse][place] += 1
        own = text[tile.start : tile.end]
        own = reverse_complement(own) if tile.reverse else own
        assert tile.sequence[tile.before : tile.before + len(own)] == own
        assert len(tile.sequence) <= tiling.window
    for counts in covered.values():
        assert set(counts) <= {0, 1}
        assert all(count for count, base in zip(counts, text) if base != "N")


@given(tilings, st.text("ACGTN", min_size=1, max_size=120))
def test_the_other_strand_of_a_text_is_tiled_as_its_reverse_complement(tiling, text):
    there = list(tiling.tiles(SequenceRecord("c", text), (True,)))
    back = list(tiling.tiles(SequenceRecord("c", reverse_complement(text)), (False,)))
    mirrored = {(len(text) - tile.end, len(text) - tile.start, tile.sequence, tile.before) for tile in back}
    assert {(tile.start, tile.end, tile.sequence, tile.before) for tile in there} == mirrored


@given(tilings, st.integers(1, 200))
def test_a_tile_has_what_it_needs_before_and_after(tiling, length):
    for span in tiling.spans(length):
        assert span.start - span.first == (min(tiling.before, span.start))
        assert span.last == length or span.last - span.end == tiling.after


def test_runs_begin_and_end_with_a_base():
    tiling = Tiling(10, 0, 0, 3)
    assert list(tiling.runs("NNACNNGTNNNAANNNNNNTN")) == [(2, 8), (11, 13), (19, 20)]
    assert list(tiling.runs("NNNN")) == list(tiling.runs("NN")) == []
    assert list(tiling.runs("ACGT")) == [(0, 4)]


@pytest.mark.parametrize("values", [(10, 10, 0), (10, 6, 4), (0, 0, 0), (5, -1, 0)])
def test_something_of_a_window_is_its_own(values):
    with pytest.raises(InputError, match="leave nothing to score"):
        Tiling(*values, 1)
