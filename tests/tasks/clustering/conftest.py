"""Toy genomes of known composition."""

import random

import pytest

SPECIES = {"atrich": (4, 1, 1, 4), "gcrich": (1, 4, 4, 1), "skewed": (4, 4, 1, 1)}


@pytest.fixture(scope="session")
def genomes(tmp_path_factory):
    """Three genomes of 6,000 bases whose letters have other frequencies; the first has a stretch of N."""
    folder = tmp_path_factory.mktemp("genomes")
    for number, (name, weights) in enumerate(SPECIES.items()):
        source = random.Random(number)
        bases = "".join(source.choices("ACGT", weights, k=6000))
        if number == 0:
            bases = bases[:1000] + "N" * 600 + bases[1600:]
        (folder / f"{name}.fna").write_text(f">{name}_1\n{bases[:4000]}\n>{name}_2\n{bases[4000:]}\n")
    return [folder / f"{name}.fna" for name in SPECIES]
