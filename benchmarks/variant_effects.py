"""Separation of (likely) pathogenic from (likely) benign variants by zero-shot scores of genolm-nano.

    GENOLM_DATA=folder python -m benchmarks.variant_effects runs/variant-effects

Variants with clinical classifications (``variants/vkgl.GRCh38.slices.vcf.gz``, INFO/CLS: LP, LB, VUS) are scored by
both methods on both strands. Baselines: a Markov model of the training bases of genolm-nano, an untrained model, CpG,
the kind of change, and the region of the gene. Nothing is fitted to the classes. AUROCs are computed from the negated
score: above 0.5, pathogenic variants are less likely than benign ones.

Scores are kept in the folder, one file per class, so that an interrupted run can continue. ``--benign`` restricts the
slow part (the method ``full`` and the untrained model) to a fixed random subset of the benign SNVs. Writes
results/variant_effects.json.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pysam
from numpy.typing import NDArray

import genolm
from benchmarks.record import write
from benchmarks.variant_baselines import GeneMap, cpg_transition, frameshift, length_change, markov, transversion
from benchmarks.variant_statistics import compare
from genolm.genome.interval import Interval
from genolm.statistics.markov import MarkovModel
from genolm.tasks.reading.random_model import untrained_copy
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import load_corpus
from genolm.training.recipes.pretrain_recipe import Recipe

Float64 = NDArray[np.float64]
FILES = {
    "variants": "variants/vkgl.GRCh38.slices.vcf.gz",
    "genome": "human/GRCh38.slices.fa.gz",
    "genes": "human/genes/gencode_v48.slices.gff3.gz",
}
CLASSES = ("LP", "LB")
KEY = ("chrom", "pos", "ref", "alt")
COLUMN = {"full": "llr_alt_minus_ref_sum_nats", "conditional": "llr_alt_minus_ref_site_nats"}
HORIZON, ORDER, TWIN_SEED = 512, 12, 0
JOBS = (  # variants to score with each method
    ("genolm-nano", "conditional", "SNV"),
    ("genolm-nano", "full", "indel"),
    ("random weights", "full", "indel"),
    ("random weights", "conditional", "SNV"),
    ("genolm-nano", "full", "SNV"),
)
PAIRS = (
    ("genolm-nano full", "Markov full"),
    ("genolm-nano full", "random weights full"),
    ("genolm-nano full", "region"),
    ("genolm-nano full", "frameshift"),
    ("genolm-nano conditional", "Markov conditional"),
    ("genolm-nano conditional", "random weights conditional"),
    ("genolm-nano conditional", "region"),
)


def read(path: Path) -> pl.DataFrame:
    """Return the ALT alleles of a VCF with their class: ``chrom, pos, ref, alt, cls, kind``."""
    with pysam.VariantFile(str(path)) as file:
        rows = [(one.chrom, one.pos, one.ref, alt, one.info["CLS"]) for one in file for alt in one.alts or ()]
    table = pl.DataFrame(rows, schema=[*KEY, "cls"], orient="row")
    return table.with_columns(kind=pl.struct("ref", "alt").map_elements(_kind, return_dtype=pl.String))


def _kind(alleles: dict[str, str]) -> str:
    ref, alt = alleles["ref"], alleles["alt"]
    if not set(ref + alt) <= set("ACGT"):
        return "not ACGT"
    if len(ref) == len(alt):
        return "SNV" if len(ref) == 1 else "MNV"
    return "insertion" if len(ref) < len(alt) else "deletion"


def indels(table: pl.DataFrame) -> pl.DataFrame:
    """Return the insertions and deletions."""
    return table.filter(pl.col("kind").is_in(["insertion", "deletion"]))


def score(table: pl.DataFrame, data: Path, folder: Path, benign: int | None) -> dict[str, pl.DataFrame]:
    """Return the scores of all jobs by ``MODEL METHOD``, before their sign is changed."""
    nano = genolm.load("genolm-nano")
    models = {"genolm-nano": nano, "random weights": untrained_copy(nano, TWIN_SEED)}
    found: dict[str, list[pl.DataFrame]] = {}
    for model, method, kind in JOBS:
        chosen = table.filter(pl.col("kind") == "SNV") if kind == "SNV" else indels(table)
        for cls in CLASSES:
            own = chosen.filter(pl.col("cls") == cls)
            few = (kind, cls) == ("SNV", "LB") and (model, method) != ("genolm-nano", "conditional")
            own = _subset(own, benign) if few else own
            suffix = f".{benign}" if few and benign is not None else ""
            name = f"{model.replace(' ', '-')}.{method}.{kind}.{cls}{suffix}.parquet"
            scored = _scored(models[model], own.select(KEY), folder / name, data / FILES["genome"], method)
            found.setdefault(f"{model} {method}", []).append(scored)
    return {name: pl.concat(parts) for name, parts in found.items()}


def _subset(table: pl.DataFrame, count: int | None) -> pl.DataFrame:
    if count is None or count >= len(table):
        return table
    return table[np.sort(np.random.default_rng(0).permutation(len(table))[:count])]


def _scored(model: genolm.Model, table: pl.DataFrame, out: Path, genome: Path, method: Any) -> pl.DataFrame:
    if not out.exists():
        genolm.variants(model, table, out, genome=genome, method=method, horizon=HORIZON, rc=True, resume=True)
        print(out.name, len(table), flush=True)
    columns = {"both": COLUMN[method], "forward": f"{COLUMN[method]}_forward"}
    return pl.read_parquet(out).select(*KEY, **{name: pl.col(column) for name, column in columns.items()})


def baseline(highest: int) -> MarkovModel:
    """Return the interpolated Markov model of genolm-nano's training bases, fitted as in benchmarks.nano."""
    tokenizer = NucleotideTokenizer(iupac="N")
    corpus = load_corpus(Recipe.load("genolm-nano").corpus, tokenizer)
    digit = np.zeros(256, np.int64)
    digit[list(tokenizer.base_ids)] = range(4)
    train = [digit[run.ids] for run in corpus.splits["train"]]
    return MarkovModel.fit(train, [digit[run.ids[:300_000]] for run in corpus.splits["validation"]], highest)


def measures(table: pl.DataFrame, scores: dict[str, pl.DataFrame], data: Path, chain: MarkovModel) -> pl.DataFrame:
    """Return one column per measure, higher for variants predicted to be more damaging, and ``locus``."""
    rows = [genolm.Variant(*row) for row in table.select(KEY).iter_rows()]
    with genolm.Genome(data / FILES["genome"]) as genome:
        genes = GeneMap(data / FILES["genes"], dict(genome.lengths))
        columns = {
            "Markov full": markov(chain, genome, rows, HORIZON),
            "Markov conditional": markov(chain, genome, rows, 1),
            "CpG transition": cpg_transition(genome, rows),
        }
    columns |= {
        "transversion": transversion(rows),
        "frameshift": frameshift(rows),
        "length change": length_change(rows),
    }
    columns |= {"region": np.array([float(genes.region(row)) for row in rows])}
    told = table.with_columns(locus=pl.Series([genes.locus(row) for row in rows]), **columns)
    for name, scored in scores.items():
        own = scored.unique(KEY).select(
            *KEY, (-pl.col("both")).alias(name), (-pl.col("forward")).alias(f"{name}, one strand")
        )
        told = told.join(own, on=KEY, how="left", maintain_order="left")
    return told


SNV_ONLY = (
    "genolm-nano conditional",
    "random weights conditional",
    "Markov conditional",
    "CpG transition",
    "transversion",
)
INDEL_ONLY = ("random weights full", "frameshift", "length change")


def compare_group(table: pl.DataFrame, kind: str) -> dict[str, Any]:
    """Return the measures that are defined for a kind of variant."""
    absent = INDEL_ONLY if kind == "SNV" else SNV_ONLY
    columns = [name for name in table.columns if name not in (*KEY, "cls", "kind", "locus", "held_out")]
    values = {
        name: table[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in columns
        if not name.startswith(absent)
    }
    positive = (table["cls"] == "LP").to_numpy()
    counts = {cls: int((table["cls"] == cls).sum()) for cls in CLASSES}
    most = table.filter(pl.col("cls") == "LP")["locus"].value_counts(sort=True).head(2)
    loci = {"loci": table["locus"].n_unique(), "most_pathogenic_loci": dict(most.iter_rows())}
    return {**counts, **loci, **compare(values, positive, table["locus"].to_list(), PAIRS)}


def groups(table: pl.DataFrame) -> dict[str, Any]:
    """Yield kinds of variants: all, and those that genolm-nano has and has not seen in training."""
    kinds = {"SNV": table.filter(pl.col("kind") == "SNV"), "indel": indels(table)}
    kinds |= {kind: table.filter(pl.col("kind") == kind) for kind in ("insertion", "deletion")}
    told = {}
    for kind, own in kinds.items():
        parts = {"all": own, "held out": own.filter("held_out"), "seen in training": own.filter(~pl.col("held_out"))}
        told[kind] = {name: compare_group(part, kind) for name, part in parts.items()}
    return told


def held_out(table: pl.DataFrame) -> pl.Series:
    """Return whether each variant is in a region that genolm-nano's recipe holds out of training."""
    regions = [text for split in Recipe.load("genolm-nano").corpus.held_out.values() for text in split]
    contigs = {text for text in regions if ":" not in text}
    places = [Interval.parse(text) for text in regions if ":" in text]
    rows = table.select("chrom", "pos").iter_rows()
    return pl.Series([chrom in contigs or _within(places, chrom, pos - 1) for chrom, pos in rows])


def _within(places: Sequence[Interval], chrom: str, at: int) -> bool:
    return any(one.chrom == chrom and one.start <= at < one.end for one in places)


def medians(table: pl.DataFrame) -> dict[str, Any]:
    """Return the median score of each class in nats (negative: the ALT allele is less likely)."""
    names = ("genolm-nano full", "genolm-nano conditional")
    kinds = {"SNV": table.filter(pl.col("kind") == "SNV"), "indel": indels(table)}
    return {
        kind: {name: {cls: _median(own.filter(pl.col("cls") == cls)[name]) for cls in CLASSES} for name in names}
        for kind, own in kinds.items()
    }


def _median(damage: pl.Series) -> float | None:
    middle = damage.drop_nulls().median()
    return None if middle is None else round(-float(middle), 4)  # type: ignore[arg-type]


def digests(data: Path) -> dict[str, str]:
    """Return the SHA-256 digests of the inputs."""
    return {path: hashlib.sha256((data / path).read_bytes()).hexdigest() for path in FILES.values()}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder for scores; created if it does not exist")
    parser.add_argument(
        "--benign", type=int, help="number of benign SNVs for `full` and the untrained model; default all"
    )
    words = parser.parse_args()
    data = Path(os.environ["GENOLM_DATA"])
    words.folder.mkdir(parents=True, exist_ok=True)
    everything = read(data / FILES["variants"])
    table = everything.filter(pl.col("kind").is_in(["SNV", "insertion", "deletion"]) & pl.col("cls").is_in(CLASSES))
    scores = score(table, data, words.folder, words.benign)
    chain = baseline(ORDER)
    table = measures(table, scores, data, chain).with_columns(held_out=held_out(table))
    counts = everything.group_by("kind", "cls").len().sort("kind", "cls").rows()
    write(
        "variant_effects",
        {
            "model": "genolm-nano",
            "inputs_sha256": digests(data),
            "records": {f"{kind} {cls}": count for kind, cls, count in counts},
            "benign_snvs_of_full": words.benign,
            "horizon": HORIZON,
            "markov": {"order": chain.order, "strengths": chain.strengths},
            "median_score_nats": medians(table),
            "groups": groups(table),
        },
    )


if __name__ == "__main__":
    main()
