"""Real genomes: species separate by tetranucleotides, native fragments contain genes, strains are related."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import genolm
from genolm.genome.kmers import distinct, letters, sampled_kmers
from genolm.genome.labelled.fragments import Pieces, matched_pieces, read_genome
from genolm.tasks.detection.detector_samples import SAMPLED, GenomeFacts
from genolm.tasks.detection.genome_folds import related_genomes

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def species(data_dir):
    """The smallest genome of each of three genera, in files named Genus_species_strain."""
    files = sorted((data_dir / "bacteria").glob("*_*_*.f*a.gz"), key=lambda path: path.stat().st_size)
    genera = {path.name.partition("_")[0]: path for path in reversed(files)}
    return sorted(genera.values(), key=lambda path: path.stat().st_size)[:3]


@pytest.fixture(scope="module")
def strains(data_dir):
    """The two smallest genomes of one species."""
    kin = defaultdict(list)
    for path in sorted((data_dir / "bacteria").glob("*_*_*.f*a.gz"), key=lambda path: path.stat().st_size):
        kin["_".join(path.name.split("_")[:2])].append(path)
    pairs = [tuple(paths[:2]) for paths in kin.values() if len(paths) > 1]
    return min(pairs, key=lambda pair: sum(path.stat().st_size for path in pair))


def test_tetranucleotides_separate_real_species(species):
    pytest.importorskip("sklearn")
    words = {
        "length": 2000,
        "per_genome": 12,
        "reduce": "pca",
        "repeats": 1,
        "twin": False,
        "device": "cpu",
        "context": 64,
    }
    rows = genolm.cluster("tiny-random-dense", species, **words).agreement
    found = rows.filter((pl.col("features") == "tetranucleotides") & (pl.col("method") == "kmeans"))
    assert found["ari"][0] > 0.5 > abs(found["ari_shuffled"][0])


def test_natural_pieces_are_full_of_genes_and_markov_ones_are_not(strains, tmp_path):
    pytest.importorskip("pyrodigal")
    pytest.importorskip("edlib")
    path = strains[0]
    pieces = matched_pieces([Pieces("s", read_genome(path), np.random.default_rng(0))], [2000] * 8)
    fasta = tmp_path / "natural.fa"
    fasta.write_text("".join(f">{number}\n{piece.sequence}\n" for number, piece in enumerate(pieces)))
    report = genolm.check(fasta, reference=path, order=1)
    told = {figure["name"]: figure for figure in report.figures}
    assert told["coding_density"]["generated"]["value"] > told["coding_density"]["markov"]["value"]
    # Given as generated, pieces of the genome itself are copies, and it shows.
    assert told["shared_kmers"]["generated"]["value"] == 1.0 and told["identity"]["generated"]["value"] == 1.0
    assert told["shared_kmers"]["natural"]["value"] is None


def test_strains_are_related_and_species_are_not(species, strains):
    facts = {path.name: facts_of(path) for path in dict.fromkeys((*species, *strains))}
    assert [set(pair) for pair in related_genomes(facts)] == [{path.name for path in strains}]


def facts_of(path: Path) -> GenomeFacts:
    kmers = [sampled_kmers(letters(record.sequence), SAMPLED) for record in read_genome(path)]
    return GenomeFacts(path, path.name, None, distinct(kmers))
