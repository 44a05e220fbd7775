"""A small model and a small genome for the verbs."""

import random

import pytest
import torch

from genolm.models.loading import load


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny():
    """A dense decoder with random weights, on the CPU."""
    return load("tiny-random-dense", device="cpu")


@pytest.fixture(scope="session")
def contigs():
    """Two contigs of 300 and 120 bases; an N run in the first."""
    source = random.Random(11)
    one, two = ("".join(source.choices("ACGT", k=count)) for count in (300, 120))
    return {"chr1": one[:100] + "NNNN" + one[104:], "chr2": two}


@pytest.fixture(scope="session")
def genome_path(contigs, tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in contigs.items()))
    return path


@pytest.fixture
def fasta(tmp_path):
    """Five short sequences in a file."""
    source = random.Random(2)
    path = tmp_path / "genes.fa"
    lengths = enumerate((12, 40, 1, 33, 25))
    path.write_text("".join(f">gene{n}\n{''.join(source.choices('ACGT', k=size))}\n" for n, size in lengths))
    return path


@pytest.fixture
def bed(tmp_path):
    """Four intervals, neither sorted nor overlapping, both strands; one hangs over the end of its contig."""
    path = tmp_path / "regions.bed"
    path.write_text("chr2\t10\t40\tb\t0\t-\n1\t95\t130\ta\t0\t+\nchr2\t100\t140\td\t0\t+\nchr1\t0\t20\tc\t0\t-\n")
    return path
