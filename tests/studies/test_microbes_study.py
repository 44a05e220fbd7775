"""The study of microbes: its genomes are those that were trained on, its page shows its results, its sentences hold."""

import json

import pytest

pytest.importorskip("sklearn")

from studies.microbes import genomes, report
from studies.microbes.run import DECODINGS, PARTS, RESULTS

from genolm.training.recipe import Recipe


@pytest.fixture(scope="module")
def told():
    return json.loads(RESULTS.read_text("utf-8"))


@pytest.fixture
def trained():
    """Bases of each genome, were training what the study says."""
    files = (*genomes.TRAINED.values(), *genomes.FURTHER_STRAINS.values())
    return {name.split(".")[0]: 1000 for name in files}


@pytest.mark.data
def test_the_genomes_of_training_are_those_of_the_corpus(data_dir, monkeypatch):
    monkeypatch.setenv("GENOLM_DATA", str(data_dir))
    bases = genomes.trained_bases(genomes.corpus())
    genomes.check_split(bases)
    assert sum(bases.values()) == 28_015_102
    assert genomes.corpus().dropped == 0


def test_no_species_is_on_both_sides(trained):
    genomes.check_split(trained)
    assert not set(genomes.TRAINED.values()) & set(genomes.HELD_OUT.values())


@pytest.mark.parametrize("change", [{"Enterococcus_faecalis_YI6-1": 5}, {"CoverM_MAG_genome_4": 0}])
def test_a_genome_that_only_training_or_only_the_study_has_is_seen(trained, change):
    with pytest.raises(SystemExit, match=next(iter(change))):
        genomes.check_split(trained | change)


def test_a_held_out_genome_in_training_is_seen(trained, monkeypatch):
    monkeypatch.setitem(genomes.TRAINED, "Escherichia coli W", "Escherichia_coli_W.fasta.gz")
    with pytest.raises(SystemExit, match="not held out: Escherichia_coli_W"):
        genomes.check_split(trained | {"Escherichia_coli_W": 1000})


def test_both_models_hold_out_the_same():
    one, other = (Recipe.load(name).corpus for name in ("genolm-mini-bert", "genolm-mini-ocean"))
    assert one.held_out == other.held_out and one.fasta == other.fasta


def test_the_page_shows_the_results(told):
    page = report.PAGE.read_text("utf-8")
    assert report.filled(page, told) == page
    assert all(f"<!-- {name} table: begin -->" in page for name in report.TABLES)


def test_every_part_is_there_for_all_species(told):
    assert set(told["parts"]) == set(told["machines"]) == set(PARTS)
    assert set(told["parts"]["likelihood"]) == set(told["parts"]["markov"]["bits_per_base"]) == set(genomes.HELD_OUT)
    assert set(told["parts"]["checks"]) == set(DECODINGS)
