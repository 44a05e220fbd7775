"""Whatever text is parsed, the only error is InputError."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from genolm.errors import InputError
from genolm.genome.interval import Interval
from genolm.genome.tabular import whole
from genolm.genome.variant import Variant
from genolm.genome.vcf.vcf_records import read_variants

PIECES = st.sampled_from(
    ["chr1", "1", ":", "-", "_", ">", ",", "A", "C", "0", "9" * 5000, "٣", "²", " ", "+", "b38", "nan"]
)
TEXT = st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=8).map("".join))


@given(TEXT)
@example("chr1:,-5")
@example("chr1:1-,")
@example("chr1:-,--,")
@example(f"chr1:{'9' * 5000}-{'9' * 5001}")
def test_an_interval_or_an_input_error(text):
    try:
        interval = Interval.parse(text)
    except InputError:
        return
    assert Interval.parse(str(interval)) == interval


@given(TEXT)
@example("chr1:,:A>C")
@example(f"chr1:{'9' * 5000}:A>C")
@example("chr1-²-A-C")
def test_a_variant_or_an_input_error(text):
    try:
        variant = Variant.parse(text)
    except InputError:
        return
    assert Variant.parse(str(variant)) == variant


@given(TEXT)
def test_a_whole_number_or_an_input_error(text):
    try:
        number = whole(text, "pos")
    except InputError:
        return
    assert abs(number) < 10**18


@pytest.mark.parametrize("parse", [Interval.parse, Variant.parse])
@pytest.mark.parametrize("value", [None, 5, b"chr1:1-2", float("nan")])
def test_what_is_no_text_is_an_input_error(parse, value):
    with pytest.raises(InputError, match=r"invalid (interval|variant): expected"):
        parse(value)


VALUES = st.one_of(
    TEXT, st.none(), st.floats(), st.tuples(TEXT, st.one_of(st.integers(), TEXT), TEXT, TEXT), st.lists(TEXT)
)


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_a_list_of_variants_or_an_input_error(values):
    try:
        list(read_variants(values))
    except InputError as error:
        assert str(error).startswith("variants:")
