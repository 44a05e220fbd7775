"""Statistics of scores, likelihoods and embeddings, and the sections of a report that show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.genome.annotation.genes import Transcript
from genolm.genome.bigwig import BigWig
from genolm.genome.fasta import Genome
from genolm.statistics.principal_components import principal_components
from genolm.tasks.report import report_plots as plots
from genolm.tasks.report.discrimination import Auroc, auroc, composition_scores
from genolm.tasks.report.page_sections import FigurePart, Section, figure_section, tiles
from genolm.tasks.report.report_regions import Regions
from genolm.tasks.report.scored_variants import ScoredAllele, ScoredFile
from genolm.tasks.report.signal_profiles import average_profiles

_MIN_SCORES = 5  # ALT alleles per figure or row
_NEIGHBOURS = 5
_NO_LABEL = "no label"
_KINDS = {"SNV": "SNVs", "indel": "indels", "MNV": "MNVs", "other": "other variants"}


class Compared(NamedTuple):
    """Separation of positives of one kind from negatives.

    Attributes:
        name: ``all``, a kind of variants or an effect.
        model: AUROC of the model's score.
        composition: AUROC of a Markov chain fitted to the same genome.
    """

    name: str
    model: Auroc
    composition: Auroc


_Scores = tuple[str, str, dict[str, list[float]]]
"""A kind of variants, its plural, and its scores by label."""


class _LabelledScore(NamedTuple):
    allele: ScoredAllele
    model: float
    composition: float


def compare(genome: Genome, scored: ScoredFile, regions: Regions) -> list[Compared]:
    """Return the AUROC of positive against negative labels; empty unless the label names both.

    The rows are: all variants; each kind of variant, if there are several (SNVs among SNVs); and each effect of the
    positives against all negatives.

    Args:
        genome: the genome.
        scored: the variants.
        regions: regions on which the Markov chain is counted.
    """
    label = scored.label
    if label is None or not label.positive:
        return []
    baseline = composition_scores(genome, scored.alleles, regions.intervals)
    rows: dict[str, list[_LabelledScore]] = {"positive": [], "negative": []}
    for allele, other in zip(scored.alleles, baseline):
        kind = label.kind(allele.truth)
        if allele.score is not None and other is not None and kind:
            rows[kind].append(_LabelledScore(allele, allele.score, other))
    positives, negatives = rows["positive"], rows["negative"]
    if not negatives or not positives:
        return []
    by_effect = [_compared(name, group, negatives) for name, group in _by_effect(positives).items()]
    return [_compared("all", positives, negatives), *_by_kind(positives, negatives), *by_effect]


def headline(
    genome: Genome, transcripts: Sequence[Transcript], scored: ScoredFile | None, compared: Sequence[Compared]
) -> str:
    """Return the key numbers at the top of the page."""
    facts = list[tuple[str, str, str]]()
    if scored:
        facts += _scored_facts(scored)
    for name, column in (("AUROC, model", 1), ("AUROC, composition alone", 2)):
        if compared:
            value: Auroc = compared[0][column]  # type: ignore[assignment]
            facts.append((name, f"{value.value:.3f}", f"95 % {value.low:.3f} to {value.high:.3f}"))
    facts.append(("Genome", f"{sum(genome.lengths.values()):,}", f"bases in {len(genome.lengths)} contigs"))
    if transcripts:
        facts.append(("Transcripts", f"{len(transcripts):,}", f"of {len({one.gene for one in transcripts}):,} genes"))
    return tiles(facts)


def _scored_facts(scored: ScoredFile) -> list[tuple[str, str, str]]:
    run, alleles = scored.run, scored.alleles
    done = sum(allele.score is not None for allele in alleles)
    facts = [("Scored", f"{done:,}", f"of {len(alleles):,} ALT alleles")]
    if "model" in run:
        strands = {"both": "both strands", "forward": "forward strand"}.get(run.get("strands", ""), "")
        facts.insert(0, ("Model", run["model"], ", ".join(filter(None, (run.get("method", ""), strands)))))
    return facts


def effects_section(scored: ScoredFile, compared: Sequence[Compared]) -> list[Section]:
    """Return the section of score distributions, by kind of variant, and AUROCs; empty without a score."""
    if not any(allele.score is not None for allele in scored.alleles):
        return []
    label = scored.label
    truths = sorted({allele.truth or _NO_LABEL for allele in scored.alleles if allele.score is not None})
    sides = ((), ()) if label is None else (label.positive, label.negative)
    colours = plots.class_colours(truths, *sides)
    axis = f"{scored.field} (nats; negative: ALT less likely)"
    kinds, rare = _enough(list(_by_kind_and_truth(scored)))
    by_label = "" if label is None else f" by {label.field}"
    figures = [
        FigurePart(f"Scores of {names}{by_label}", plots.score_histogram(groups, colours, axis, kind), _medians(groups))
        for kind, names, groups in kinds
    ]
    if compared:
        figures.append(FigurePart("Separation of the labels", plots.auroc_rows(compared), _AUROC_TEXT))
    if any(allele.effect and allele.score is not None for allele in scored.alleles):
        strips = plots.score_strips(scored.alleles, colours, axis)
        figures.append(FigurePart("Scores by effect", strips, _STRIPS_TEXT, wide=True))
    about = f"{scored.description} Too few for a figure: {', '.join(rare)}." if rare else scored.description
    return [figure_section("effects", "Variant effects", about, figures)]


def signals_section(scores: Path, transcripts: Sequence[Transcript]) -> list[Section]:
    """Return the section of likelihoods around gene signals; empty if too few have data.

    Raises:
        InputError: `scores` is not a bigWig file.
    """
    with BigWig(scores) as track:
        profiles = average_profiles(track, transcripts)
    if not profiles:
        return []
    caption = "; ".join(f"{profile.name}: {profile.sites} sites" for profile in profiles) + "."
    drawing = plots.profile_panels(profiles, "nats per base")
    figure = FigurePart("Averages over all genes", drawing, caption, wide=True)
    return [figure_section("signals", "Likelihood around signals", _SIGNALS_TEXT, [figure])]


def embeddings_section(path: Path) -> Section:
    """Return the section of the first two principal components and the agreement of neighbours; of layers the last.

    Raises:
        InputError: the file is not a parquet file with the columns `id` and `embedding`, or has fewer than 3 rows.
    """
    ids, vectors = _read_embeddings(path)
    kinds = [name.split(":", 1)[0] for name in ids]
    points, shares = principal_components(vectors, 2)
    agreement, chance = _neighbour_agreement(vectors, kinds)
    caption = (
        f"{len(ids)} sequences, {vectors.shape[1]} dimensions. Of the {_NEIGHBOURS} nearest neighbours "
        f"{agreement:.0%} are of the same kind ({chance:.0%} expected by chance)."
    )
    figure = FigurePart("Principal components", plots.embedding_scatter(points, kinds, shares), caption, wide=True)
    return figure_section("embeddings", "Embeddings", _EMBEDDINGS_TEXT, [figure])


_AUROC_TEXT = (
    "Area under the ROC curve with its 95 % bootstrap interval: the probability that a positive variant scores lower "
    "than a negative one; 0.5 is chance. Kinds of variants are compared among themselves, effects with all negatives. "
    "Open marks: an order-3 Markov chain fitted to the same genome, a baseline of base composition."
)
_STRIPS_TEXT = (
    "Each point is an ALT allele (at max_rows 250 per row); bars are medians, numbers of alleles are in brackets."
)
_EDGE_TEXT = "Values outside the central 99 % are drawn at the edge."
_SIGNALS_TEXT = (
    "Mean and standard error of the log-likelihood per base; higher values: the model expected the base. The dashed "
    "line marks the start of the signal's first base. Genes on the reverse strand are mirrored; the track itself is "
    "computed on the forward strand."
)
_EMBEDDINGS_TEXT = "Each point is a sequence, coloured by the kind of region at the start of its name."


def _by_effect(rows: Sequence[_LabelledScore]) -> dict[str, list[_LabelledScore]]:
    effects = sorted({row.allele.effect for row in rows if row.allele.effect})
    groups = {effect: [row for row in rows if row.allele.effect == effect] for effect in effects}
    return {effect: group for effect, group in groups.items() if len(group) >= _MIN_SCORES}


def _compared(name: str, positives: Sequence[_LabelledScore], negatives: Sequence[_LabelledScore]) -> Compared:
    """Return the AUROCs of positives, which are expected to score lower than negatives."""
    model = auroc([-row.model for row in positives], [-row.model for row in negatives])
    composition = auroc([-row.composition for row in positives], [-row.composition for row in negatives])
    return Compared(name, model, composition)


def _by_kind(positives: Sequence[_LabelledScore], negatives: Sequence[_LabelledScore]) -> list[Compared]:
    """Compare each kind of variant separately, if several have both labels."""
    rows_by_kind = []
    for kind, names in _KINDS.items():
        sides = [[row for row in rows if row.allele.kind == kind] for rows in (positives, negatives)]
        if all(len(side) >= _MIN_SCORES for side in sides):
            rows_by_kind.append(_compared(names, *sides))
    return rows_by_kind if len(rows_by_kind) > 1 else []


def _by_kind_and_truth(scored: ScoredFile) -> Iterator[_Scores]:
    """Yield each kind with scores: its name, its plural, and the scores by label."""
    for kind, names in _KINDS.items():
        groups: dict[str, list[float]] = {}
        for allele in scored.alleles:
            if allele.score is not None and allele.kind == kind:
                groups.setdefault(allele.truth or (_NO_LABEL if scored.label else names), []).append(allele.score)
        if groups:
            yield kind, names, dict(sorted(groups.items()))


def _enough(kinds: Sequence[_Scores]) -> tuple[list[_Scores], list[str]]:
    """Return the kinds with enough scores for a figure, or the largest one; and descriptions of the others."""
    counts = [sum(map(len, groups.values())) for _, _, groups in kinds]
    minimum = min(_MIN_SCORES, max(counts))
    shown = [one for one, count in zip(kinds, counts) if count >= minimum]
    return shown, [f"{count} {one[1]}" for one, count in zip(kinds, counts) if count < minimum]


def _medians(groups: Mapping[str, Sequence[float]]) -> str:
    medians = "; ".join(f"{name} {np.median(scores):.3f}" for name, scores in groups.items())
    return f"Medians: {medians}. {_EDGE_TEXT}" if len(groups) > 1 else f"Median: {medians}. {_EDGE_TEXT}"


def _read_embeddings(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    try:
        frame = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"not a readable parquet file: {error}", file=path) from error
    missing = {"id", "embedding"} - set(frame.columns)
    if missing:
        raise InputError(f"no column {', '.join(sorted(missing))}", file=path, value=frame.columns)
    if "layer" in frame.columns:
        frame = frame.filter(pl.col("layer") == pl.col("layer").max())
    if len(frame) < 3:
        raise InputError("fewer than 3 embeddings", file=path, value=len(frame))
    vectors = np.array(frame["embedding"].to_list(), np.float64)
    return [str(name) for name in frame["id"]], vectors


def _neighbour_agreement(
    vectors: NDArray[np.float64], kinds: Sequence[str], max_rows: int = 2000
) -> tuple[float, float]:
    """Return the share of nearest neighbours (Euclidean) of the same kind, and that expected by chance."""
    vectors, labels = vectors[:max_rows], np.unique(np.asarray(kinds[:max_rows]), return_inverse=True)[1]
    squares = (vectors**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T
    np.fill_diagonal(distances, np.inf)
    near = np.argsort(distances, axis=1)[:, : min(_NEIGHBOURS, len(vectors) - 1)]
    counts = np.bincount(labels)
    chance = float((counts * (counts - 1)).sum() / (len(labels) * (len(labels) - 1)))
    return float((labels[near] == labels[:, None]).mean()), chance
