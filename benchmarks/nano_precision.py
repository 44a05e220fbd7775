"""Deviation of genolm-nano in bf16, its default on CPUs that multiply it, from fp32.

    GENOLM_DATA=folder python -m benchmarks.nano_precision

On held-out bases of chromosome 22 and on real single-base variants: log-likelihood per base, variant scores of both
methods, and mean embeddings. Writes results/nano_precision.json.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import pysam
from numpy.typing import NDArray

import genolm
from benchmarks.record import write

VARIANTS, GENOME = "variants/vkgl.GRCh38.slices.vcf.gz", "human/GRCh38.slices.fa.gz"
REGION, WINDOW = ("chr22", 46_000_000), 1024
Values = NDArray[np.float64]


def windows(genome: Path, count: int) -> list[str]:
    """Return consecutive windows of the reference without N."""
    chrom, start = REGION
    with pysam.FastaFile(str(genome)) as file:
        bases = file.fetch(chrom, start, start + 2 * count * WINDOW).upper()
    cut = (bases[at : at + WINDOW] for at in range(0, len(bases), WINDOW))
    return [window for window in cut if set(window) <= set("ACGT")][:count]


def snvs(path: Path, count: int) -> list[genolm.Variant]:
    """Return single-base variants, spread over the file."""
    records = [one for one in pysam.VariantFile(str(path)) if one.alts and len(one.ref) == len(one.alts[0]) == 1]
    chosen = records[:: max(1, len(records) // count)][:count]
    return [genolm.Variant(one.chrom, one.pos, one.ref, one.alts[0]) for one in chosen if one.alts]


def numbers(precision: str, rows: list[str], variants: list[genolm.Variant], genome: Path) -> dict[str, Values]:
    """Return all numbers in one precision."""
    model = genolm.load("genolm-nano", dtype=precision)
    found = {"bits per base": genolm.score(model, rows).table["bits_per_base"].to_numpy()}
    for method in ("conditional", "full"):
        table = genolm.variants(model, variants, genome=genome, method=method).table
        found[f"variants, {method}"] = table[SCORES[method]].to_numpy()
    found["embeddings"] = np.asarray(genolm.embed(model, rows).table["embedding"].to_numpy())
    return {name: np.asarray(values, np.float64) for name, values in found.items()}


SCORES = {"conditional": "llr_alt_minus_ref_site_nats", "full": "llr_alt_minus_ref_sum_nats"}
"""Column of the scores of each method."""


def deviation(exact: Values, rounded: Values) -> dict[str, float]:
    """Return the deviation of scalar values: mean and largest, beside their standard deviation; correlations."""
    real = np.isfinite(exact) & np.isfinite(rounded)
    exact, rounded = exact[real], rounded[real]
    ranks = [values.argsort().argsort() for values in (exact, rounded)]
    differences = np.abs(exact - rounded)
    return {
        "values": len(exact),
        "standard_deviation": _short(exact.std()),
        "mean_difference": _short(differences.mean()),
        "largest_difference": _short(differences.max()),
        "pearson": round(float(np.corrcoef(exact, rounded)[0, 1]), 6),
        "spearman": round(float(np.corrcoef(*ranks)[0, 1]), 6),
        "same_sign": round(float((np.sign(exact) == np.sign(rounded)).mean()), 5),
    }


def vector_deviation(exact: Values, rounded: Values) -> dict[str, float]:
    """Return the deviation of vectors: smallest and mean cosine, largest relative distance, and nearest neighbours."""
    norms = [np.linalg.norm(values, axis=1) for values in (exact, rounded)]
    cosines = (exact * rounded).sum(1) / (norms[0] * norms[1])
    nearest = [_nearest(values) for values in (exact, rounded)]
    return {
        "vectors": len(exact),
        "mean_cosine": round(float(cosines.mean()), 6),
        "smallest_cosine": round(float(cosines.min()), 6),
        "largest_relative_distance": _short((np.linalg.norm(exact - rounded, axis=1) / norms[0]).max()),
        "same_nearest_neighbour": round(float((nearest[0] == nearest[1]).mean()), 4),
    }


def _nearest(vectors: Values) -> NDArray[np.intp]:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -1)
    return similar.argmax(1)


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=500)
    parser.add_argument("--variants", type=int, default=1000)
    words = parser.parse_args()
    data = Path(os.environ["GENOLM_DATA"])
    rows, variants = windows(data / GENOME, words.windows), snvs(data / VARIANTS, words.variants)
    exact, rounded = (numbers(name, rows, variants, data / GENOME) for name in ("float32", "bfloat16"))
    told: dict[str, Any] = {name: deviation(exact[name], rounded[name]) for name in exact if name != "embeddings"}
    told["embeddings"] = vector_deviation(exact["embeddings"], rounded["embeddings"])
    write("nano_precision", {"model": "genolm-nano", "region": REGION, "window": WINDOW, "deviation": told})


if __name__ == "__main__":
    main()
