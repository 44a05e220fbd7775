"""Study run: a small genolm-mini-ocean is trained, trained further on gene clusters, and both are compared by a scan.

    GENOLM_DATA=folder python -m studies.gene_clusters.run       # about a quarter of an hour on one core
    python -m studies.gene_clusters.report                       # tables of docs/studies/gene_clusters.md

Finished parts are in ``runs/`` and are not repeated. The scan is drawn to docs/assets/gene-clusters.png.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.record import machine
from numpy.typing import NDArray

import genolm
from genolm.genome.bigwig import BigWig
from genolm.genome.interval import Interval
from genolm.training.recipes.pretrain_recipe import Recipe
from studies.gene_clusters.records import HELD_OUT, TRAINED, annotated_clusters, source, write_fasta

HERE = Path(__file__).parent
RUNS, RESULTS = HERE / "runs", HERE / "results.json"
FIGURE = HERE.parents[1] / "docs" / "assets" / "gene-clusters.png"
BASE_STEPS = 240
SHIFTS = 1000
_BLOCK = 100  # bases averaged into one value for the comparison of regions


def main() -> None:
    """Run the study."""
    torch.set_num_threads(1)
    os.environ["GENOLM_CLUSTERS"], os.environ["GENOLM_VOCABULARY"] = str(RUNS / "fasta"), str(RUNS / "vocabulary")
    write_fasta(RUNS / "fasta")
    for part in (_vocabulary, _base, _further, _scan):
        part()
    results = {"machine": machine(), "base_steps": BASE_STEPS, "training": _training(), **_results()}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(RESULTS.read_text())


def _vocabulary() -> None:
    if not (RUNS / "vocabulary").exists():
        genomes = [os.path.expandvars(path) for path in Recipe.load("genolm-mini-ocean").corpus.fasta]
        held_out = {text.split("/")[0] for texts in _held_out().values() for text in texts}
        training = [path for path in genomes if Path(path).name.split(".")[0] not in held_out]
        genolm.tokenizer.train(training, RUNS / "vocabulary", vocab_size=4096, strands="both", max_length=12)


def _held_out() -> dict[str, Any]:
    return dict(Recipe.load("genolm-mini-ocean").corpus.held_out)


def _base() -> None:
    recipe = replace(Recipe.load("genolm-mini-ocean"), steps=BASE_STEPS, evaluate_every=BASE_STEPS // 2)
    if not (RUNS / "base/model").exists():
        genolm.pretrain(recipe, RUNS / "base", resume=(RUNS / "base/checkpoints").exists())


def _further() -> None:
    os.environ["GENOLM_START"] = str(RUNS / "base/model")
    if not (RUNS / "clusters/model").exists():
        resume = (RUNS / "clusters/checkpoints").exists()
        genolm.pretrain(HERE / "continued.yaml", RUNS / "clusters", resume=resume)


def _training() -> dict[str, Any]:
    """Return the held-out nats per token of the scaffold during continued pretraining, and the bases that were read."""
    lines = [json.loads(line) for line in (RUNS / "clusters/log.jsonl").read_text().splitlines()]
    curve = {line["step"]: line["held_out_bits_per_base"]["test"] for line in lines if "held_out_bits_per_base" in line}
    card = genolm.load(RUNS / "clusters/model").card
    return {
        "records": len(TRAINED),
        "bases": lines[0]["bases"],
        "bits_per_base": curve,
        "released_step": card.training["steps"],
        "base": dict(genolm.load(RUNS / "base/model").card.metrics),
    }


def _scan() -> None:
    """Scan the held-out scaffold by the base model minus the one that was trained further."""
    if not (RUNS / "scan.json").exists():
        base, further = (genolm.load(RUNS / name / "model") for name in ("base", "clusters"))
        genes = source(HELD_OUT[1])
        genolm.scan(base, _scaffold(), RUNS / "scan", minus=further, genes=genes, plot=FIGURE)


def _results() -> dict[str, Any]:
    """Return bits per base of the scaffold by both models, and the difference within and outside of clusters."""
    letters = "".join(line for line in _scaffold().read_text().splitlines() if not line.startswith(">"))
    stretches = [stretch for stretch in letters.split("N") if len(stretch) > _BLOCK]
    bits = {}
    for name in ("base", "clusters"):
        table = genolm.score(genolm.load(RUNS / name / "model"), stretches).table
        bits[name] = float(-table["log_likelihood_sum_nats"].sum() / table["scored_bases"].sum() / np.log(2))
    with BigWig(RUNS / "scan.bw") as track:
        ((name, length),) = track.lengths.items()
        values = np.asarray(track.values(Interval(name, 0, length)), np.float64)
    inside = np.zeros(length, bool)
    for start, end in annotated_clusters():
        inside[start:end] = True
    return {
        "scaffold_bases": length,
        "clusters": annotated_clusters(),
        "bits_per_base": bits,
        "called": sum(not line.startswith("#") for line in (RUNS / "scan.bed").read_text().splitlines()),
        "difference_nats": compared(values, inside),
    }


def _scaffold() -> Path:
    return RUNS / "fasta" / f"{HELD_OUT[0]}.fa"


def compared(values_L: NDArray[np.float64], inside_L: NDArray[np.bool_]) -> dict[str, float]:
    """Return the mean difference inside and outside of clusters, and how often a shifted annotation differs as much.

    Args:
        values_L: difference of each base, NaN where there is none.
        inside_L: whether each base lies in a cluster.
    """
    blocks = len(values_L) // _BLOCK
    values = values_L[: blocks * _BLOCK].reshape(blocks, _BLOCK)
    known = ~np.isnan(values)
    inside = inside_L[: blocks * _BLOCK].reshape(blocks, _BLOCK).mean(1) > 0.5
    sums, counts = np.where(known, values, 0).sum(1), known.sum(1)

    def mean(chosen: NDArray[np.bool_]) -> float:
        return float(sums[chosen].sum() / counts[chosen].sum())

    observed = mean(inside) - mean(~inside)
    shifts = np.random.default_rng(0).integers(1, blocks, SHIFTS)
    null = np.array([mean(one) - mean(~one) for one in (np.roll(inside, shift) for shift in shifts)])
    return {
        "inside": mean(inside),
        "outside": mean(~inside),
        "inside_minus_outside": observed,
        "p_of_shifts": float((1 + (null >= observed).sum()) / (1 + SHIFTS)),
    }


if __name__ == "__main__":
    main()
