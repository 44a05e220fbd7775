"""Real genomes: tetranucleotides tell species apart, natural pieces are full of genes, strains of a species are kin."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import genolm
from genolm.genome.kmers import distinct, letters, sampled_kmers
from genolm.tasks.detection.folds import related_genomes
from genolm.tasks.detection.samples import SAMPLED, GenomeFacts
from genolm.tasks.fragments import Pieces, matched_pieces, read_genome

pytestmark = pytest.mark.data

SPECIES = (
    "Mycoplasma_genitalium_G37.fa.gz",
    "Akkermansia_muciniphila_first500kb.fa.gz",
    "Blochmannia_vafer_BVAF.fna.gz",
)
STRAINS = ("Shewanella_baltica_OS185_first500kb.fa.gz", "Shewanella_baltica_OS223_first500kb.fa.gz")


def test_tetranucleotides_separate_real_species(data_dir):
    pytest.importorskip("sklearn")
    paths = [data_dir / "bacteria" / name for name in SPECIES]
    words = {
        "length": 2000,
        "per_genome": 12,
        "reduce": "pca",
        "repeats": 1,
        "twin": False,
        "device": "cpu",
        "context": 64,
    }
    rows = genolm.cluster("tiny-random-dense", paths, **words)["agreement"]
    found = rows.filter((pl.col("features") == "tetranucleotides") & (pl.col("method") == "kmeans"))
    assert found["ari"][0] > 0.9 and abs(found["ari_shuffled"][0]) < 0.2


def test_natural_pieces_are_full_of_genes_and_markov_ones_are_not(data_dir, tmp_path):
    pytest.importorskip("pyrodigal")
    pytest.importorskip("edlib")
    path = data_dir / "bacteria" / STRAINS[0]
    pieces = matched_pieces([Pieces("s", read_genome(path), np.random.default_rng(0))], [2000] * 8)
    fasta = tmp_path / "natural.fa"
    fasta.write_text("".join(f">{number}\n{piece.sequence}\n" for number, piece in enumerate(pieces)))
    report = genolm.check_generated(fasta, path, order=1)
    told = {figure["name"]: figure for figure in report["figures"]}
    assert told["coding_density"]["generated"]["value"] > 0.75 > 0.6 > told["coding_density"]["markov"]["value"]
    # Given as generated, pieces of the genome itself are copies, and it shows.
    assert told["shared_kmers"]["generated"]["value"] == 1.0 and told["identity"]["generated"]["value"] == 1.0
    assert told["shared_kmers"]["natural"]["value"] is None


def test_strains_are_related_and_species_are_not(data_dir):
    names = (*SPECIES, *STRAINS)
    facts = {name: facts_of(data_dir / "bacteria" / name) for name in names}
    assert list(related_genomes(facts)) == [STRAINS]


def facts_of(path: Path) -> GenomeFacts:
    kmers = [sampled_kmers(letters(record.sequence), SAMPLED) for record in read_genome(path)]
    return GenomeFacts(path, path.name, None, distinct(kmers))
