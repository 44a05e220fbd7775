"""The study of microbes: its species stand where the recipe has them, its page shows its results."""

import json

import pytest

pytest.importorskip("sklearn")

from studies.microbes import genomes, report
from studies.microbes.run import DECODINGS, PARTS, RESULTS

from genolm.training.recipe import Recipe


@pytest.fixture(scope="module")
def told():
    return json.loads(RESULTS.read_text("utf-8"))


def test_no_species_is_on_both_sides():
    genomes.check_split()
    assert not set(genomes.TRAINED.values()) & set(genomes.HELD_OUT.values())


def test_a_genome_on_the_wrong_side_is_seen(monkeypatch):
    monkeypatch.setitem(genomes.TRAINED, "Escherichia coli W", "Escherichia_coli_W.fasta.gz")
    with pytest.raises(SystemExit, match="Escherichia_coli_W"):
        genomes.check_split()


def test_both_models_hold_out_the_same():
    one, other = (Recipe.load(name).corpus for name in ("genolm-mini-bert", "genolm-mini-ocean"))
    assert one.held_out == other.held_out and one.fasta == other.fasta


def test_the_page_shows_the_results(told):
    page = report.PAGE.read_text("utf-8")
    assert report.filled(page, told) == page
    assert all(f"<!-- {name} table: begin -->" in page for name in report.TABLES)


def test_every_part_is_there_for_all_species(told):
    assert set(told["parts"]) == set(PARTS)
    assert set(told["parts"]["likelihood"]) == set(genomes.HELD_OUT)
    assert set(told["parts"]["checks"]) == set(DECODINGS)
