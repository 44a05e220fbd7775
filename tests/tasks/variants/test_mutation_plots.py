"""Plots of saturation mutagenesis: values of logo and heat map, and rejected input."""

import sys

import numpy as np
import polars as pl
import pytest

from genolm.errors import GenolmError, InputError
from genolm.tasks.variants.mutation_plots import Landscape, draw, plot_mutations

COLUMN = "llr_alt_minus_ref_site_nats"


def table(refs, score=lambda place, alt: -1.0, start=101):
    rows = [
        ("chr2", start + place, ref, alt, score(place, alt))
        for place, ref in enumerate(refs)
        for alt in "ACGT"
        if ref != "N" and alt != ref
    ]
    return pl.DataFrame(
        rows,
        schema={"chrom": pl.String, "pos": pl.Int64, "ref": pl.String, "alt": pl.String, COLUMN: pl.Float32},
        orient="row",
    )


def test_a_landscape_has_zero_at_the_reference_and_nothing_at_n():
    found = Landscape.of(table("ANT", lambda place, alt: {"A": 1, "C": 2, "G": 3, "T": 4}[alt]))
    expected = [[0, 2, 3, 4], [np.nan] * 4, [1, 2, 3, 0]]
    np.testing.assert_array_equal(found.scores_P4, expected)
    assert found.reference_P.tolist() == [0, -1, 3]
    assert (len(found), found.title) == (3, "chr2:101–103")


def test_information_is_two_bits_for_certainty_and_none_for_indifference():
    certain, indifferent, half = -50.0, 0.0, {"A": 0.0, "C": -50.0, "G": 0.0, "T": -50.0}
    found = Landscape.of(table("CCCA", lambda place, alt: (certain, indifferent, None, half[alt])[place]))
    np.testing.assert_allclose(found.information(), [[0, 2, 0, 0], [0] * 4, [0] * 4, [0.5, 0, 0.5, 0]], atol=1e-6)


def test_the_colour_scale_is_symmetric_and_ignores_the_reference():
    found = Landscape.of(table("ACGT" * 50, lambda place, alt: -2.0 if place != 7 else 90.0))
    assert found.limit() == pytest.approx(2.0, abs=0.1)
    assert Landscape.of(table("A", lambda *_: None)).limit() == 1.0


@pytest.mark.parametrize(("length", "rows"), [(7, 1), (60, 1), (61, 2), (121, 3), (300, 5)])
def test_long_intervals_are_broken_into_rows(length, rows):
    figure = draw(Landscape.of(table("ACGTT" * (length // 5) + "A" * (length % 5))))
    maps = [axes for axes in figure.axes if axes.images]
    assert len(maps) == rows and len(figure.axes) == 2 * rows + 1  # logo and map of every row, one colour bar
    assert sum(axes.images[0].get_array().shape[1] for axes in maps) == length
    assert all(axes.images[0].norm.vmin == -axes.images[0].norm.vmax for axes in maps)
    widths = [axes.images[0].get_array().shape[1] for axes in maps]
    assert max(widths) <= 60 and max(widths) - min(widths) < rows  # balanced: no base stands alone in the last row
    first = maps[-1].get_xticklabels()[0].get_text()
    assert first == str(101 + sum(widths[:-1]))


def test_axes_name_sign_and_unit():
    texts = [text.get_text() for text in draw(Landscape.of(table("ACGT")), "toy, full").texts]
    assert texts[:2] == ["chr2:101–104", "toy, full"]
    caption = " ".join(texts[2].split())
    assert "Red, negative: less likely under the model" in caption and "2 bits minus the entropy" in caption
    labels = [axes.get_ylabel() for axes in draw(Landscape.of(table("ACGT"))).axes]
    assert labels == ["bits", "", "log p(ALT) − log p(REF), nats"]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_pictures_are_written_whole(tmp_path, suffix):
    out = tmp_path / f"plot{suffix}"
    plot_mutations(table("GATTACA"), out)
    assert out.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml", b"%PDF-")
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (table("ACGT").drop(COLUMN), "not a table of genolm mutate"),
        (table(""), "with at least one row"),
        (table("A" * 3001), "a plot is limited to 3,000 bases, not 3,001"),
    ],
)
def test_tables_that_cannot_be_drawn(tmp_path, bad, message):
    with pytest.raises(InputError, match=message):
        plot_mutations(bad, tmp_path / "plot.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["matplotlib", "logomaker"])
def test_missing_packages_are_named_with_the_extra(tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        GenolmError, match=rf"a plot requires {missing}, which is not installed; pip install 'genolm\[plots\]'"
    ):
        plot_mutations(table("ACGT"), tmp_path / "plot.png")
