"""Toy natural genomes with codons, and Markov sequences of each as what a model generated."""

import random

import numpy as np
import pytest

from genolm.tasks.generation.novelty.check_baselines import MarkovChain

NAMES = ("ash", "birch", "cedar", "elm", "fir", "holly")


def toy_genome(seed: int, length: int = 9000) -> str:
    """Codons that all genomes use and two of its own, in words that a Markov model of order 1 cannot hold."""
    source = random.Random(seed)
    own = ["".join(source.choices("ACGT", k=3)) for _ in range(2)]
    return "".join(source.choices([*own, "GAA", "CTG", "GCC", "AAA", "GAT", "ATC"], k=length // 3))


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """``NAME.fa`` for each genome; ``markov.fa`` with its header's provenance; ``other.fa`` without any."""
    folder = tmp_path_factory.mktemp("detect")
    lines = []
    for number, name in enumerate(NAMES):
        genome = toy_genome(number)
        (folder / f"{name}.fa").write_text(f">c\n{genome}\n")
        chain = MarkovChain(1)
        chain.add([genome])
        drawn = chain.draw([400] * 12, np.random.default_rng(number))
        for place, bases in enumerate(drawn):
            how = "temperature=1.0" if place % 2 else "temperature=0.5"
            lines.append(f">{name}_{place} model=markov{place % 3} {how} genome={name}.fa\n{bases}\n")
    (folder / "markov.fa").write_text("".join(lines))
    (folder / "other.fa").write_text(">x\nACGTACGTAA\n")
    return folder


@pytest.fixture(scope="session")
def natural(files):
    return [files / f"{name}.fa" for name in NAMES]
