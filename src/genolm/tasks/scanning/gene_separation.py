"""Surprisal of coding and intergenic sequence: a table of genes, and the separation of the two classes by windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.errors import InputError
from genolm.genome.annotation.gene_map import CodingGene, GeneMap
from genolm.genome.interval import Interval
from genolm.genome.kmers import letters
from genolm.genome.sequences import SequenceRecord
from genolm.genome.spans import true_runs
from genolm.statistics.bootstrap import block_sums, estimate, ratio
from genolm.statistics.separation import separations
from genolm.tasks.reading.seeds import check_seed
from genolm.tasks.scanning.base_values import Combine, Tracks
from genolm.tasks.scanning.held_out_markov import HeldOutMarkov

BLOCK = 10_000
"""Length in bases of the blocks that are resampled for confidence intervals."""

_MAX_ORDER = 9
_GC = np.zeros(256, np.float32)
_GC[[ord("G"), ord("C")]] = 1.0
_GC[ord("N")] = np.nan


@dataclass(frozen=True, slots=True)
class GeneSettings:
    """Settings of the comparison of coding and intergenic sequence.

    Attributes:
        file: annotation file.
        window: length of the compared windows in bases.
        order: order of the Markov model.
        seed: random seed of the resampling.

    Raises:
        InputError: if a setting is out of range.
    """

    file: Path
    window: int = 100
    order: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.window < 1:
            raise InputError("gene_window must be at least 1 base", value=self.window)
        if not 0 <= self.order <= _MAX_ORDER:
            raise InputError(f"order must be from 0 to {_MAX_ORDER}", value=self.order)
        check_seed(self.seed)


def gene_table(genes: GeneMap, tracks: Tracks, combine: Combine) -> pl.DataFrame:
    """Return a row for each coding gene: the mean of the track over its coding bases, and of each strand.

    ``sense`` is the strand of the gene; ``strand`` is ``.`` if its parts are on both strands. Positions are 0-based and
    half-open.
    """
    rows = [_gene_row(gene, tracks, combine) for gene in genes.coding]
    return pl.DataFrame(rows, schema=_COLUMNS)


_COLUMNS = {
    **dict.fromkeys(("id", "chrom"), pl.String),
    **dict.fromkeys(("start", "end"), pl.Int64),
    "strand": pl.String,
    **dict.fromkeys(("coding_bases", "scored_bases"), pl.Int64),
    **dict.fromkeys(("mean_nats_per_base", "sense_nats_per_base", "antisense_nats_per_base"), pl.Float64),
}


def _gene_row(gene: CodingGene, tracks: Tracks, combine: Combine) -> dict[str, Any]:
    interval = gene.interval
    positions = _inside(gene.parts, tracks.lengths[interval.chrom])
    values = tracks.combined(interval.chrom, combine)[positions]
    sense, antisense = (_strand_mean(gene, tracks, opposite) for opposite in (False, True))
    numbers = (len(positions), int(np.count_nonzero(~np.isnan(values))), _mean(values), sense, antisense)
    strand = interval.strand if len({part.strand for part in gene.parts}) == 1 else "."
    return dict(zip(_COLUMNS, (gene.id, interval.chrom, interval.start, interval.end, strand, *numbers)))


def _strand_mean(gene: CodingGene, tracks: Tracks, opposite: bool) -> float | None:
    """Return the mean over the strand of each part, or over the opposite strand; None if a strand was not read."""
    chrom, values = gene.interval.chrom, list[Float32]()
    for part in gene.parts:
        reverse = (part.strand == "-") != opposite
        if reverse not in tracks.strands:
            return None
        values.append(tracks.strand(chrom, reverse)[_inside([part], tracks.lengths[chrom])])
    return _mean(np.concatenate(values))


def _inside(parts: Iterable[Interval], length: int) -> NDArray[np.int64]:
    """Return the positions of intervals, without those beyond the contig."""
    return np.concatenate([np.arange(part.start, max(part.start, min(part.end, length))) for part in parts])


def _mean(values: Float32) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean(dtype=np.float64)) if known.size else None


@dataclass(slots=True)
class _Windows:
    """Means of coding and intergenic windows by signal."""

    signals: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    coding: list[NDArray[np.bool_]] = field(default_factory=list)
    blocks: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, values: Mapping[str, Float32], starts: NDArray[np.int64], width: int, coding: bool, at: int) -> None:
        """Add windows of one contig, without those in which a signal is missing, so that all signals have the same."""
        means = {name: _window_means(signal, starts, width) for name, signal in values.items()}
        complete = np.all([~np.isnan(signal) for signal in means.values()], axis=0)
        for name, signal in means.items():
            self.signals.setdefault(name, []).append(signal[complete])
        self.coding.append(np.full(int(complete.sum()), coding))
        self.blocks.append(at + starts[complete] // BLOCK)


def _window_means(values: Float32, starts: NDArray[np.int64], width: int) -> NDArray[np.float64]:
    """Return the means of windows, NaN if a value is missing."""
    missing = np.isnan(values)
    sums = np.concatenate(([0.0], np.cumsum(np.where(missing, 0, values), dtype=np.float64)))
    gaps = np.concatenate(([0], np.cumsum(missing)))
    means = (sums[starts + width] - sums[starts]) / width
    return np.where(gaps[starts + width] > gaps[starts], np.nan, means)


def separation(
    genes: GeneMap, settings: GeneSettings, contigs: Iterable[SequenceRecord], tracks: Tracks, combine: Combine
) -> dict[str, Any]:
    """Compare coding with intergenic sequence: means of the track, and AUROC of windows of equal length.

    Windows are consecutive within coding and within intergenic spans. Signals that are lower in coding sequence (all
    surprisals) are negated, so that an AUROC above 0.5 always means what ``direction`` states.

    Args:
        genes: genes of the contigs.
        settings: settings of the comparison.
        contigs: the contigs.
        tracks: values of the contigs.
        combine: combination of the strands in the track.
    """
    records = list(contigs)
    markov = HeldOutMarkov(settings.order)
    for record in records:
        markov.add(record.id, record.sequence)
    classes = _by_contig(part for gene in genes.coding for part in gene.parts), _by_contig(genes.genic)
    windows, sums, at, others = _Windows(), list[NDArray[np.float64]](), 0, 0
    for record in records:
        coding, genic = (_covered(parts.get(record.id, ()), record) for parts in classes)
        others += int(np.count_nonzero(genic & ~coding))
        values = _signals(record, tracks, combine, markov)
        sums.append(_class_sums(tracks.combined(record.id, combine), coding, ~genic))
        for label, mask in ((True, coding), (False, ~genic)):
            windows.add(values, _starts(mask, settings.window), settings.window, label, at)
        at += -(-len(record.sequence) // BLOCK)
    sums_NK = np.concatenate(sums)
    return {
        "coding_genes": len(genes.coding),
        "other_gene_bases": others,
        "window_bases": settings.window,
        "block_bases": BLOCK,
        "mean_nats_per_base": {
            "coding": estimate(sums_NK, ratio(0, 1), settings.seed)._asdict(),
            "intergenic": estimate(sums_NK, ratio(2, 3), settings.seed)._asdict(),
            "coding_less_intergenic": estimate(
                sums_NK, lambda x: ratio(0, 1)(x) - ratio(2, 3)(x), settings.seed
            )._asdict(),
        },
        **_separations(windows, settings, f"markov{settings.order}"),
    }


def _separations(windows: _Windows, settings: GeneSettings, baseline: str) -> dict[str, Any]:
    coding = np.concatenate(windows.coding)
    counts = {"coding": int(coding.sum()), "intergenic": int((~coding).sum())}
    if not all(counts.values()):
        return {"windows": counts, "separation": None}
    signals = {name: np.concatenate(means) for name, means in windows.signals.items()}
    oriented = {name: means if name == "gc" else -means for name, means in signals.items()}
    results = separations(oriented, coding, np.concatenate(windows.blocks), baseline, settings.seed)
    for name, result in results.items():
        result["direction"] = f"{'higher' if name == 'gc' else 'lower'} in coding"
    return {"windows": counts, "separation": results}


def _signals(record: SequenceRecord, tracks: Tracks, combine: Combine, markov: HeldOutMarkov) -> dict[str, Float32]:
    """Return the signals of a contig: the track, other combinations of the strands, and the baselines."""
    others: tuple[Combine, ...] = ("mean", "min", "forward", "reverse") if len(tracks.strands) == 2 else ()
    untrained = {"random_weights": tracks.of(record.id, "twin", combine)} if "twin" in tracks.roles else {}
    return {
        "track": tracks.combined(record.id, combine),
        **{f"strands_{how}": tracks.combined(record.id, how) for how in others if how != combine},
        **untrained,
        "gc": _GC[letters(record.sequence)],
        f"markov{markov.order}": markov.surprisal(record.id, record.sequence),
    }


def _by_contig(parts: Iterable[Interval]) -> dict[str, list[Interval]]:
    by_contig: dict[str, list[Interval]] = {}
    for part in parts:
        by_contig.setdefault(part.chrom, []).append(part)
    return by_contig


def _covered(parts: Iterable[Interval], record: SequenceRecord) -> NDArray[np.bool_]:
    """Return a mask of the bases of a contig that are covered by intervals."""
    mask = np.zeros(len(record.sequence), bool)
    for part in parts:
        mask[max(0, part.start) : part.end] = True
    return mask


def _class_sums(values: Float32, coding: NDArray[np.bool_], intergenic: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return for each block the sum and number of coding bases, then those of intergenic bases."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0).astype(np.float64)
    classes = (coding & known, intergenic & known)
    columns = [column for mask in classes for column in (np.where(mask, filled, 0), mask.astype(np.float64))]
    return block_sums(np.stack(columns, 1), BLOCK)


def _starts(mask: NDArray[np.bool_], width: int) -> NDArray[np.int64]:
    """Return the starts of consecutive windows within the runs where the mask is True."""
    starts = [np.arange(first, last - width + 1, width) for first, last in true_runs(mask).tolist()]
    return np.concatenate([*starts, np.empty(0, np.int64)]).astype(np.int64)
