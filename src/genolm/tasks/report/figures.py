"""What a report says about scores, likelihoods and embeddings: comparisons, and the sections with their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.genes import Transcript
from genolm.genome.interval import Interval
from genolm.genome.tracks import BigWig
from genolm.tasks.report import plots
from genolm.tasks.report.discrimination import Auroc, auroc, composition_scores
from genolm.tasks.report.profiles import average_profiles
from genolm.tasks.report.scored_variants import ScoredAllele, ScoredFile
from genolm.tasks.report.sections import FigurePart, Section, figure_section, tiles

_FEWEST = 5  # alternatives of one effect for a row of its own
_NEIGHBOURS = 5


class Compared(NamedTuple):
    """How well positives of one kind are told from all negatives.

    Attributes:
        name: ``all`` or an effect.
        model: with the model's score.
        composition: with the score of a Markov chain of the same genome.
    """

    name: str
    model: Auroc
    composition: Auroc


class _Judged(NamedTuple):
    allele: ScoredAllele
    model: float
    composition: float


def compare(
    genome: Genome, scored: ScoredFile, regions: Sequence[Interval], classes: Mapping[str, str]
) -> list[Compared]:
    """AUROC of all positives and of each of their effects against all negatives; empty without both classes.

    Args:
        genome: the genome.
        scored: the variants.
        regions: where the Markov chain is counted.
        classes: ``positive`` or ``negative`` for values of the truth.
    """
    baseline = composition_scores(genome, scored.alleles, regions)
    rows: dict[str, list[_Judged]] = {"positive": [], "negative": []}
    for allele, other in zip(scored.alleles, baseline):
        if allele.score is not None and other is not None and allele.truth in classes:
            rows[classes[allele.truth]].append(_Judged(allele, allele.score, other))
    if not rows["negative"] or not rows["positive"]:
        return []
    groups = {"all": rows["positive"], **_by_effect(rows["positive"])}
    return [_compared(name, group, rows["negative"]) for name, group in groups.items()]


def headline(
    genome: Genome, transcripts: Sequence[Transcript], scored: ScoredFile | None, compared: Sequence[Compared]
) -> str:
    """The large numbers on top."""
    facts = [("Genome", f"{sum(genome.lengths.values()):,}", f"bases in {len(genome.lengths)} contigs")]
    if transcripts:
        facts.append(("Transcripts", f"{len(transcripts):,}", f"of {len({one.gene for one in transcripts}):,} genes"))
    if scored:
        done = sum(allele.score is not None for allele in scored.alleles)
        facts.append(("Scored", f"{done:,}", f"of {len(scored.alleles):,} alternatives"))
    for name, area in (("AUROC, model", 1), ("AUROC, composition alone", 2)):
        if compared:
            value: Auroc = compared[0][area]  # type: ignore[assignment]
            facts.append((name, f"{value.value:.3f}", f"95 % {value.low:.3f} to {value.high:.3f}"))
    return tiles(facts)


def effects_section(scored: ScoredFile, compared: Sequence[Compared], classes: Mapping[str, str]) -> list[Section]:
    """Distributions of the scores and the AUROCs; nothing when no alternative has a score."""
    groups = _by_truth(scored)
    if not groups:
        return []
    by_class = {kind: [name for name, own in classes.items() if own == kind] for kind in ("positive", "negative")}
    colours = plots.class_colours(list(groups), by_class["positive"], by_class["negative"])
    label = f"{scored.field} (nats; negative: ALT less likely)"
    figures = [FigurePart("Scores by truth", plots.score_histogram(groups, colours, label), _histogram_text(compared))]
    if compared:
        figures.append(FigurePart("How well scores tell the classes apart", plots.auroc_rows(compared), _AUROC_TEXT))
    if any(allele.effect and allele.score is not None for allele in scored.alleles):
        strips = plots.score_strips(scored.alleles, colours, label)
        figures.append(FigurePart("Scores by effect", strips, _STRIPS_TEXT, wide=True))
    return [figure_section("effects", "Variant effects", scored.description, figures)]


def signals_section(scores: Path, transcripts: Sequence[Transcript]) -> list[Section]:
    """The likelihood around the signals of genes; nothing when too few have data.

    Raises:
        InputError: `scores` is no bigWig.
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
    """The first two principal components, and how often near neighbours are of one kind; of several layers the last.

    Raises:
        InputError: no parquet with the columns `id` and `embedding`, or fewer than 3 rows.
    """
    ids, vectors = _read_embeddings(path)
    kinds = [name.split(":", 1)[0] for name in ids]
    points, shares = _principal_components(vectors)
    agreement, chance = _neighbour_agreement(vectors, kinds)
    caption = (
        f"{len(ids)} sequences, {vectors.shape[1]} dimensions. Of the {_NEIGHBOURS} nearest neighbours "
        f"{agreement:.0%} are of the same kind; {chance:.0%} would be by chance."
    )
    figure = FigurePart("Principal components", plots.embedding_scatter(points, kinds, shares), caption, wide=True)
    return figure_section("embeddings", "Embeddings", _EMBEDDINGS_TEXT, [figure])


_AUROC_TEXT = (
    "Each row: its positives (how many) against all negatives. The open marks are an order-3 Markov chain counted on "
    "the same genome, which knows composition but no position: what it reaches needs no model."
)
_STRIPS_TEXT = "Each point is an alternative (at most 250 a row), the bar its row's median; in brackets the number."
_EDGE_TEXT = "Values beyond the outer half per cent are drawn at the edge."
_SIGNALS_TEXT = (
    "Mean and standard error of the log-likelihood per base; higher: the model expected what stands there. The dashed "
    "line is the border before the signal's first base. Genes on the reverse strand are mirrored; the track itself is "
    "told along the forward strand."
)
_EMBEDDINGS_TEXT = "Every point is one sequence; the colour is the kind of region that its name begins with."


def _by_effect(rows: Sequence[_Judged]) -> dict[str, list[_Judged]]:
    effects = sorted({row.allele.effect for row in rows if row.allele.effect})
    groups = {effect: [row for row in rows if row.allele.effect == effect] for effect in effects}
    return {effect: group for effect, group in groups.items() if len(group) >= _FEWEST}


def _compared(name: str, positives: Sequence[_Judged], negatives: Sequence[_Judged]) -> Compared:
    """A low score speaks for a positive."""
    model = auroc([-row.model for row in positives], [-row.model for row in negatives])
    composition = auroc([-row.composition for row in positives], [-row.composition for row in negatives])
    return Compared(name, model, composition)


def _by_truth(scored: ScoredFile) -> dict[str, list[float]]:
    groups: dict[str, list[float]] = {}
    for allele in scored.alleles:
        if allele.score is not None:
            groups.setdefault(allele.truth or "no statement", []).append(allele.score)
    return dict(sorted(groups.items()))


def _histogram_text(compared: Sequence[Compared]) -> str:
    if not compared:
        return _EDGE_TEXT
    areas = f"model {compared[0].model}, composition alone {compared[0].composition}"
    return f"AUROC with its 95 % bootstrap interval: {areas}. {_EDGE_TEXT}"


def _read_embeddings(path: Path) -> tuple[list[str], NDArray[np.float64]]:
    try:
        frame = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"cannot be read as parquet: {error}", file=path) from error
    missing = {"id", "embedding"} - set(frame.columns)
    if missing:
        raise InputError(f"no column {', '.join(sorted(missing))}", file=path, value=frame.columns)
    if "layer" in frame.columns:
        frame = frame.filter(pl.col("layer") == pl.col("layer").max())
    if len(frame) < 3:
        raise InputError("fewer than 3 embeddings", file=path, value=len(frame))
    vectors = np.array(frame["embedding"].to_list(), np.float64)
    return [str(name) for name in frame["id"]], vectors


def _principal_components(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The first two components of every vector, ``(n, 2)``, and their shares of the variance; signs are fixed."""
    centred = vectors - vectors.mean(axis=0)
    left, values, right = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(right[np.arange(2), np.abs(right[:2]).argmax(axis=1)])
    return left[:, :2] * values[:2] * signs, values[:2] ** 2 / max(float((values**2).sum()), 1e-12)


def _neighbour_agreement(vectors: NDArray[np.float64], kinds: Sequence[str], most: int = 2000) -> tuple[float, float]:
    """How often a near neighbour (Euclidean) is of the same kind, and how often a random other one would be."""
    vectors, labels = vectors[:most], np.unique(np.asarray(kinds[:most]), return_inverse=True)[1]
    squares = (vectors**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T
    np.fill_diagonal(distances, np.inf)
    near = np.argsort(distances, axis=1)[:, : min(_NEIGHBOURS, len(vectors) - 1)]
    counts = np.bincount(labels)
    chance = float((counts * (counts - 1)).sum() / (len(labels) * (len(labels) - 1)))
    return float((labels[near] == labels[:, None]).mean()), chance
