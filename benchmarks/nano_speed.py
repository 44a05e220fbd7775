"""Speed of genolm-nano with its defaults on a CPU, and that of an earlier version of genolm on the same work.

    GENOLM_DATA=folder python -m benchmarks.nano_speed --before WORKTREE

``WORKTREE`` is a checkout of the earlier version, which runs with the same packages. Each measurement is a process of
its own, and the two versions alternate: ``score`` on rows of 1,024 random bases in batches of 8, ``variants --method
full`` on real single-base variants, and steps of the recipe's training on random bases. Writes results/nano_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.record import write

ROOT = Path(__file__).resolve().parents[1]
ROWS, CONTEXT, STEPS = 64, 1024, 24
VARIANTS, GENOME = "variants/vkgl.GRCh38.slices.vcf.gz", "human/GRCh38.slices.fa.gz"


def score_rate() -> float:
    """Return the tokens per second of ``score``."""
    import genolm
    from benchmarks.genos_weights import random_bases

    model = genolm.load("genolm-nano")
    _select_kernels(model.network, training=False)
    bases = random_bases(ROWS * CONTEXT)
    rows = [bases[start : start + CONTEXT] for start in range(0, len(bases), CONTEXT)]
    genolm.score(model, rows, batch_tokens=8 * CONTEXT)
    started = time.perf_counter()
    for _ in range(3):
        genolm.score(model, rows, batch_tokens=8 * CONTEXT)
    return 3 * len(bases) / (time.perf_counter() - started)


def variant_rate(count: int) -> float:
    """Return the variants per second of ``variants`` with the method ``full``."""
    import pysam

    import genolm

    data = Path(os.environ["GENOLM_DATA"])
    records = [
        one for one in pysam.VariantFile(str(data / VARIANTS)) if one.alts and len(one.ref) == len(one.alts[0]) == 1
    ]
    chosen = records[:: len(records) // count][:count]
    variants = [genolm.Variant(one.chrom, one.pos, one.ref, one.alts[0]) for one in chosen if one.alts]
    model = genolm.load("genolm-nano")
    _select_kernels(model.network, training=False)
    genolm.variants(model, variants[:4], genome=data / GENOME, method="full")
    started = time.perf_counter()
    genolm.variants(model, variants, genome=data / GENOME, method="full")
    return len(variants) / (time.perf_counter() - started)


def training_rate() -> float:
    """Return the tokens per second of ``pretrain``, median over the steps."""
    import tempfile

    import numpy as np
    import torch

    from benchmarks.pretraining import our_rate
    from genolm.models.networks.network import make_network
    from genolm.training.recipes.pretrain_recipe import Recipe

    recipe = Recipe.load("genolm-nano")
    _select_kernels(make_network(recipe.model), training=True, dtype=torch.bfloat16)
    with tempfile.TemporaryDirectory() as name:
        fasta = Path(name) / "random.fa"
        fasta.write_text(">chr1\n" + "".join(np.random.default_rng(0).choice(list("ACGT"), 2_000_000)) + "\n")
        return our_rate(recipe, STEPS, Path(name) / "run", fasta)


def _select_kernels(network: Any, training: bool, dtype: Any = None) -> None:
    """Time the kernels as a long run does; earlier versions have none."""
    try:
        from benchmarks.record import selected_kernels
    except ImportError:
        return
    selected_kernels(network, [CONTEXT], dtype=dtype, training=training)


def measured(root: Path, what: str, count: int) -> float:
    """Return a rate of the version in ``root``, measured in a process of its own."""
    program = (
        "import runpy, sys; sys.path[:0] = sys.argv[1:3]\n"
        "module = runpy.run_path(sys.argv[3])\n"
        "print(module[sys.argv[4]](*map(int, sys.argv[5:])))"
    )
    words = [
        sys.executable,
        "-c",
        program,
        str(root / "src"),
        str(root),
        __file__,
        what,
        *([str(count)] if count else []),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=root)
    return float(done.stdout.split()[-1])


def compare(before: Path, variants: int, rounds: int) -> dict[str, Any]:
    """Measure both versions, alternating."""
    units = {
        "score_rate": "tokens per second",
        "variant_rate": "variants per second",
        "training_rate": "tokens per second",
    }
    told: dict[str, Any] = {}
    for what, unit in units.items():
        rates: dict[str, list[float]] = {"before": [], "now": []}
        for _ in range(rounds):
            for side, root in (("before", before), ("now", ROOT)):
                rates[side].append(round(measured(root, what, variants if what == "variant_rate" else 0), 1))
                print(what, side, rates[side][-1], flush=True)
        middle = {side: median(values) for side, values in rates.items()}
        ratios = [round(now / old, 3) for old, now in zip(rates["before"], rates["now"], strict=True)]
        told[what] = {
            "unit": unit,
            "rates": rates,
            "speedup": round(middle["now"] / middle["before"], 3),
            "ratios": ratios,
        }
    return told


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="checkout of the earlier version")
    parser.add_argument("--variants", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    words = parser.parse_args()
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=words.before
    ).stdout.strip()
    told = compare(words.before.resolve(), words.variants, words.rounds)
    write(
        "nano_speed",
        {"model": "genolm-nano", "before": commit, "variants": words.variants, **json.loads(json.dumps(told))},
    )


if __name__ == "__main__":
    main()
