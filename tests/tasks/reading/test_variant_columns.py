"""Columns and header lines state sign, unit, sum or site, and strands."""

import polars as pl
import pytest

from genolm.errors import InputError
from genolm.tasks.reading.allele_tiles import Tiling
from genolm.tasks.reading.variant_columns import Columns


def columns(method="full", rc=False, horizon=512):
    return Columns.of_tiles(method, Tiling(4096, 8192, horizon), rc)


def test_the_parts_columns():
    assert list(columns().schema) == [
        "record", "chrom", "pos", "id", "ref", "alt", "llr_alt_minus_ref_sum_nats", "status", "left_context",
        "uncounted_ref", "uncounted_alt",
    ]  # fmt: skip
    site = "llr_alt_minus_ref_site_nats"
    assert list(columns("conditional", rc=True).schema) == [
        "record", "chrom", "pos", "id", "ref", "alt", site, f"{site}_forward", f"{site}_reverse", "status",
        "left_context", "right_context",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("made", "ids"),
    [
        (columns(), ["LLR_SUM", "STATUS", "UNCOUNTED_REF", "UNCOUNTED_ALT"]),
        (columns(rc=True), ["LLR_SUM", "LLR_SUM_FWD", "LLR_SUM_REV", "STATUS", "UNCOUNTED_REF", "UNCOUNTED_ALT"]),
        (columns("conditional"), ["LLR_SITE", "STATUS"]),
        (columns("conditional", rc=True), ["LLR_SITE", "LLR_SITE_FWD", "LLR_SITE_REV", "STATUS"]),
    ],
)
def test_info_fields_have_a_value_for_every_alternative(made, ids):
    assert [field.id for field in made.info] == [f"GENOLM_{name}" for name in ids]
    assert {field.number for field in made.info} == {"A"}
    assert all(field.type == "Float" for field in made.info if "LLR" in field.id)


def test_header_lines_say_formula_sign_unit_bases_and_strands():
    full, forward, *_ = (field.description for field in columns(rc=True).info)
    assert "log p(ALT) - log p(REF) in nats; negative: ALT is less likely" in full
    assert "the 512 bases from the variant on with either allele, summed" in full
    assert "renormalised over A, C, G and T" in full
    assert "given 4096 to 12287 bases before the variant (after it on the reverse strand)" in full
    assert full.endswith("Mean of both strands.")
    assert forward == "GENOLM_LLR_SUM as read on the forward strand: context before the variant"
    site = columns("conditional", horizon=1).info[0].description
    assert "probability of the base at the site" in site and "summed" not in site
    assert site.endswith("Forward strand only.")


def test_annotations_put_the_alternatives_of_a_record_together():
    made = columns()
    rows = [
        (4, "c", 1, ".", "A", "C", -1.5, "scored", 9, 0, 0),
        (4, "c", 1, ".", "A", "*", None, "star", None, None, None),
        (5, "c", 2, ".", "A", "C", 0.5, "scored", 9, 3, 0),
        (6, "c", 2, ".", "A", ".", None, "missing", None, None, None),
    ]
    frame = pl.DataFrame(rows, schema=made.schema, orient="row")
    expected = [
        {"GENOLM_LLR_SUM": (-1.5, None), "GENOLM_STATUS": ("scored", "star")},
        {
            "GENOLM_LLR_SUM": (0.5,), "GENOLM_STATUS": ("scored",),
            "GENOLM_UNCOUNTED_REF": (3,), "GENOLM_UNCOUNTED_ALT": (0,),
        },
        {"GENOLM_STATUS": ("missing",)},
    ]  # fmt: skip
    # One uncounted base of either allele shows both numbers; a record's rows never span two frames.
    assert list(made.annotations([frame[:3], frame[:0], frame[3:]])) == expected


def test_an_unknown_method_is_refused():
    with pytest.raises(InputError, match=r"method must be full or conditional \(value 'site'\)"):
        columns("site")
