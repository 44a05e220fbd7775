"""Figures of the guides: docs/assets/*.png.

    GENOLM_DATA=folder python -m benchmarks.figures runs/figures [mutate check scan cluster embed effects training]

The first five are made by the verbs with genolm-nano on real DNA, which is not in the repository: small runs that show
what an output looks like, not measurements. ``effects`` and ``training`` show the committed results and training log.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

import genolm
from benchmarks import effects_page, page
from genolm.genome.sequences import read_sequences

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ASSETS = Path(__file__).resolve().parents[1] / "docs" / "assets"
MODEL = "genolm-nano"
GENOME = "human/GRCh38.slices.fa.gz"
BRCA1 = "chr17:43,104,201-43,104,260"
BACTERIA = {
    "E. coli": "Escherichia_coli_K12_MG1655.fna.gz",
    "M. genitalium": "Mycoplasma_genitalium_G37.fa.gz",
    "C. crescentus": "Caulobacter_crescentus_CB15.fna.gz",
    "A. aeolicus": "Aquifex_aeolicus_VF5.fna.gz",
}


def mutate(data: Path, folder: Path) -> None:
    """Plot all single-base substitutions in an exon of BRCA1."""
    genolm.mutate(MODEL, BRCA1, folder / "mutate.tsv", genome=data / GENOME, plot=ASSETS / "mutate.png", overwrite=True)


def check(data: Path, folder: Path) -> None:
    """Plot continuations of human DNA next to natural sequence."""
    reference = _piece(data, folder, "chr22:45,000,001-45,200,000")
    prompts = [("".join(text), f"p{i}") for i, text in enumerate(_windows(reference, 64, 12, seed=1))]
    (folder / "prompts.fa").write_text("".join(f">{name}\n{text}\n" for text, name in prompts))
    generated = folder / "generated.fa"
    genolm.generate(MODEL, folder / "prompts.fa", generated, n=1, length=600, seed=1, overwrite=True)
    genolm.check([generated], folder / "check", reference=[reference], overwrite=True)
    shutil.copyfile(folder / "check" / "check.png", ASSETS / "check.png")


def cluster(data: Path, folder: Path) -> None:
    """Plot fragments of four bacteria."""
    genomes = [data / "bacteria" / name for name in BACTERIA.values()]
    settings: dict[str, Any] = {"length": [1000], "per_genome": 25, "repeats": 1, "overwrite": True}
    genolm.cluster(MODEL, genomes, folder / "cluster", **settings)
    shutil.copyfile(folder / "cluster" / "clusters.png", ASSETS / "cluster.png")


def embed(data: Path, folder: Path) -> None:
    """Plot principal components of the embeddings of 500-base windows."""
    sources = {"human": _piece(data, folder, "chr22:45,000,001-45,200,000")}
    sources |= {name: data / "bacteria" / file for name, file in list(BACTERIA.items())[:3]}
    figure, axes = plt.subplots(figsize=(5.6, 4.2), layout="constrained")
    pieces = {name: list(_windows(path, 500, 50, seed=2)) for name, path in sources.items()}
    vectors = genolm.embed(MODEL, [text for texts in pieces.values() for text in texts]).table["embedding"].to_numpy()
    centred = vectors - vectors.mean(0)
    _, sizes, axes_of = np.linalg.svd(centred, full_matrices=False)
    places, shares = centred @ axes_of[:2].T, sizes**2 / (sizes**2).sum()
    for number, name in enumerate(pieces):
        own = places[number * 50 : (number + 1) * 50]
        axes.scatter(own[:, 0], own[:, 1], s=16, alpha=0.8, label=name)
    axes.set_xlabel(f"first principal component ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"second ({shares[1]:.0%})")
    axes.set_title("Embeddings of 500-base windows, genolm-nano, mean of the last layer", fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(ASSETS / "embed.png", dpi=130)


def scan(data: Path, folder: Path) -> None:
    """Plot surprisal along a gene cluster of Streptomyces coelicolor, with genes and called intervals."""
    record = data / "bacteria" / "bgc" / "NC_003888.3.cluster027.gbk.gz"
    out, picture = folder / "scan", ASSETS / "scan.png"
    genolm.scan(MODEL, record, out, genes=record, call="both", fdr=0.2, plot=picture, overwrite=True)
    with Image.open(picture) as image:
        image.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(picture, optimize=True)


def effects(data: Path, folder: Path) -> None:
    """AUROC of genolm-nano and of baselines on clinically classified SNVs."""
    measured = page.read(page.ROOT, "variant_effects")
    if measured is None:
        raise FileNotFoundError("benchmarks/results/variant_effects.json")
    areas = measured["groups"]["SNV"]["all"]["auroc"]
    names = [name for name in effects_page.SHOWN if name in areas][::-1]
    figure, axes = plt.subplots(figsize=(6.6, 3.4), layout="constrained")
    for row, name in enumerate(names):
        low, high = areas[name]["interval_loci"]
        colour = "tab:blue" if name.startswith("genolm-nano") else "0.45"
        axes.plot([low, high], [row, row], color=colour, linewidth=1.5)
        axes.plot(areas[name]["value"], row, "o", color=colour, markersize=5)
    axes.set_yticks(range(len(names)), [effects_page.SHOWN[name].replace("`", "") for name in names], fontsize=8)
    axes.axvline(0.5, color="0.7", linewidth=0.8, linestyle="--")
    axes.set_xlim(0.35, 0.75)
    axes.set_xlabel(
        "AUROC, pathogenic against benign SNVs (0.5 is chance; bars: 95 % intervals over genes)", fontsize=8
    )
    figure.savefig(ASSETS / "variant-effects.png", dpi=130)


def training(data: Path, folder: Path) -> None:
    """Held-out bits per base of genolm-nano during training, and the best Markov model."""
    log = [json.loads(line) for line in (page.ROOT / page.LOG).read_text("utf-8").splitlines()]
    evaluations = [line for line in log if "held_out_bits_per_base" in line]
    measured = page.read(page.ROOT, "nano")
    if measured is None:
        raise FileNotFoundError("benchmarks/results/nano.json")
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for split, label, colour in (
        ("validation", "chr9, chr21 (validation)", "tab:orange"),
        ("test", "chr22 (test)", "tab:blue"),
    ):
        values = [line["held_out_bits_per_base"][split] for line in evaluations]
        axes.plot([line["step"] for line in evaluations], values, color=colour, label=f"genolm-nano, {label}")
        markov = measured["splits"][split]["best_markov"]["bits_per_base"]
        axes.axhline(markov, color=colour, linewidth=1, linestyle="--", label=f"best Markov model, {label}")
    axes.set_xlabel("training step")
    axes.set_ylabel("held-out bits per base")
    axes.legend(frameon=False, fontsize=7)
    figure.savefig(ASSETS / "training.png", dpi=130)


def _piece(data: Path, folder: Path, region: str) -> Path:
    """Write a FASTA of one region."""
    interval = genolm.Interval.parse(region)
    path = folder / f"{interval.chrom}-{interval.start}.fa"
    with genolm.Genome(data / GENOME) as genome:
        path.write_text(f">{interval.chrom}\n{genome[interval]}\n")
    return path


def _windows(path: Path, length: int, count: int, seed: int) -> list[str]:
    """Write random pieces without N from the longest contig of a FASTA."""
    random = np.random.default_rng(seed)
    longest = max((record.sequence for record in read_sequences(path, iupac="N")), key=len)
    found: list[str] = []
    while len(found) < count:
        start = int(random.integers(len(longest) - length))
        text = longest[start : start + length]
        if set(text) <= set("ACGT"):
            found.append(text)
    return found


FIGURES: dict[str, Callable[[Path, Path], None]] = {
    "mutate": mutate,
    "check": check,
    "scan": scan,
    "cluster": cluster,
    "embed": embed,
    "effects": effects,
    "training": training,
}


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder for intermediate files")
    parser.add_argument("names", nargs="*", default=list(FIGURES), help="figures to plot; default all")
    chosen = parser.parse_args(words)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for name in chosen.names:
        FIGURES[name](Path(os.environ.get("GENOLM_DATA", "data")), chosen.folder)


if __name__ == "__main__":
    main()
