"""Speed of the nucleotide tokenizer on one core, and its share of the time of an embedding run.

python -m benchmarks.tokenizing
"""

from __future__ import annotations

import cProfile
import pstats
import time

import torch

import genolm
from benchmarks.genos_weights import random_bases
from benchmarks.record import write
from genolm.tokens.nucleotide import NucleotideTokenizer


def megabytes_per_second(bases: int, rounds: int = 7) -> float:
    """Return the best speed of several rounds over a sequence of this length."""
    sequence, tokenizer = random_bases(bases), NucleotideTokenizer()
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        tokenizer.encode(sequence)
        best = min(best, time.perf_counter() - start)
    return bases / best / 1e6


def embedding_profile(count: int = 256, bases: int = 1024) -> dict[str, float]:
    """Return the seconds of encoding, collating and windowing, and in total, of embedding with genolm-nano."""
    model = genolm.load("genolm-nano")
    sequences = [random_bases(bases, seed) for seed in range(count)]
    profile = cProfile.Profile()
    profile.runcall(genolm.embed, model, sequences)
    stats = pstats.Stats(profile)
    shares = {"total": round(stats.total_tt, 4)}  # type: ignore[attr-defined]
    for (file, _, name), (_, _, _, cumulative, _) in stats.stats.items():  # type: ignore[attr-defined]
        if name in ("encode", "collate", "windows") and "genolm" in file:
            shares[name] = round(shares.get(name, 0.0) + cumulative, 4)
    return shares


def main() -> None:
    """Run the command line."""
    torch.set_num_threads(1)
    speeds = {str(bases): round(megabytes_per_second(bases)) for bases in (1_000, 100_000, 10_000_000)}
    write("tokenizing", {"megabytes_per_second": speeds, "embedding_profile_seconds": embedding_profile()})


if __name__ == "__main__":
    main()
