import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolm.errors import InputError
from genolm.genome.interval import Interval

intervals = st.builds(
    lambda chrom, start, length, strand: Interval(chrom, start, start + length, strand),
    st.sampled_from(["chr1", "22", "HLA-A*01:01:01:01", "chr1_KI270706v1_random"]),
    st.integers(-5000, 300_000_000), st.integers(1, 100_000), st.sampled_from("+-"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected", "printed"),
    [
        ("chr22:1,001-2,000", Interval("chr22", 1000, 2000), "chr22:1001-2000"),
        ("chr22:1001-2000:+", Interval("chr22", 1000, 2000), "chr22:1001-2000"),
        (" chr22:1001-2000:- ", Interval("chr22", 1000, 2000, "-"), "chr22:1001-2000:-"),
        ("X:7-7", Interval("X", 6, 7), "X:7-7"),
        ("chr1:-4-10", Interval("chr1", -5, 10), "chr1:-4-10"),
        ("HLA-A*01:01:01:01:1-5", Interval("HLA-A*01:01:01:01", 0, 5), "HLA-A*01:01:01:01:1-5"),
    ],
)
def test_parse_and_print(text, expected, printed):
    assert Interval.parse(text) == expected
    assert str(Interval.parse(text)) == printed


@given(intervals)
def test_what_is_printed_is_parsed(interval):
    assert Interval.parse(str(interval)) == interval


@pytest.mark.parametrize("text", ["", "chr1", "chr1:100", "chr1:a-b", "chr1:1-2:x", "chr 1:1-2", "1-2"])
def test_other_texts_are_refused(text):
    with pytest.raises(InputError, match=r"invalid interval: expected e\.g\. chr22:1,001-2,000 \(1-based, inclusive\)"):
        Interval.parse(text)


def test_parse_backwards():
    with pytest.raises(InputError, match=r"ends before it starts \(value 'chr1:10-5'\)"):
        Interval.parse("chr1:10-5")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", 0, 1), "one word without white space"),
        (("chr 1", 0, 1), "one word without white space"),
        ((7, 0, 1), "one word without white space"),
        (("chr1", 5, 5), "end must be greater than start"),
        (("chr1", 5, 4), r"\(value 'chr1 5 4'\)"),
        (("chr1", 1.5, 4), "start must be a whole number"),
        (("chr1", 1, "4"), "end must be a whole number"),
        (("chr1", 1, 4, "."), r"'\+' or '-'"),
    ],
)
def test_validation(arguments, message):
    with pytest.raises(InputError, match=message):
        Interval(*arguments)


def test_numpy_integers_become_plain_ones():
    interval = Interval("chr1", np.int64(3), np.uint8(9))
    assert type(interval.start) is int and type(interval.end) is int and len(interval) == 6


def test_is_a_value():
    assert sorted([Interval("b", 0, 1), Interval("a", 5, 6), Interval("a", 2, 9)])[0] == Interval("a", 2, 9)
    assert {Interval("a", 0, 1), Interval("a", 0, 1)} == {pickle.loads(pickle.dumps(Interval("a", 0, 1)))}
    with pytest.raises(AttributeError):
        Interval("a", 0, 1).start = 4


@pytest.mark.parametrize(
    ("length", "expected"), [(1, (15, 16)), (2, (14, 16)), (10, (10, 20)), (11, (10, 21)), (40, (-5, 35))]
)
def test_resize_around_the_centre(length, expected):
    resized = Interval("a", 10, 20, "-").resize(length)
    assert (resized.start, resized.end, resized.strand) == (*expected, "-")


@given(intervals, st.integers(1, 5000))
def test_resize_keeps_the_centre_and_sets_the_length(interval, length):
    assert interval.resize(length).center == interval.center
    assert len(interval.resize(length)) == length
    assert interval.resize(len(interval)) == interval


def test_resize_to_nothing():
    with pytest.raises(InputError, match=r"empty interval: end must be greater than start \(0-based, half-open\)"):
        Interval("a", 1, 9).resize(0)


def test_shift_ignores_and_expand_follows_the_strand():
    assert Interval("a", 10, 20, "-").shift(-3) == Interval("a", 7, 17, "-")
    assert Interval("a", 10, 20).expand(1, 5) == Interval("a", 9, 25)
    assert Interval("a", 10, 20, "-").expand(1, 5) == Interval("a", 5, 21, "-")
    assert Interval("a", 10, 20).expand(-2, -3) == Interval("a", 12, 17)


def test_overlaps_and_contains():
    here = Interval("a", 10, 20)
    assert here.overlaps(Interval("a", 19, 30, "-")) and not here.overlaps(Interval("a", 20, 30))
    assert not here.overlaps(Interval("b", 10, 20))
    assert here.contains(Interval("a", 10, 20, "-")) and not here.contains(Interval("a", 10, 21))
    assert not here.contains(Interval("b", 12, 13))


@given(intervals)
def test_reverse_twice_is_nothing(interval):
    assert interval.reverse() != interval and interval.reverse().reverse() == interval


@pytest.mark.parametrize("make", [lambda: Interval("chr1", False, 5), lambda: Interval("chr1", 0, True)])
def test_true_and_false_are_no_coordinates(make):
    with pytest.raises(InputError, match="must be a whole number"):
        make()
