"""Windows of genes with splice sites per base, in the layout of SpliceAI (Jaganathan et al. 2019).

A gene is read on its strand, from its first to its last transcribed base, in windows of equal length. Each has a flank
on both sides, whose bases are context and are not counted. An acceptor is the first base of an exon, a donor the last
base of an exon; the ends of transcripts are neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.labelled.dataset_folder import LabelledRow
from genolm.genome.sequence import reverse_complement
from genolm.training.datasets.coding_genes import Gene
from genolm.training.datasets.gene_splits import bases

LABELS = ("none", "acceptor", "donor")
ACCEPTOR, DONOR = 1, 2
LOWEST_GT_AG = 0.8
"""Smallest fraction of introns with GT and AG: it is about 0.99 in animals and plants, and 1 in 256 by chance."""
FEWEST_INTRONS = 10
"""Smallest number of introns for that check."""
_NONE, _POINT, _N = ord("0"), ord("."), ord("N")

Sites = Mapping[tuple[str, str], tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Positions (0-based, ascending) and classes of splice sites, by contig and strand."""


def splice_sites(genes: Iterable[Gene]) -> Sites:
    """Return the splice sites of all genes; a base that is both is a donor."""
    found: dict[tuple[str, str], dict[int, int]] = {}
    for gene in genes:
        for intron in gene.introns():
            first, second = (DONOR, ACCEPTOR) if intron.strand == "+" else (ACCEPTOR, DONOR)
            sites = found.setdefault((intron.chrom, intron.strand), {})
            for position, label in ((intron.start - 1, first), (intron.end, second)):
                sites[position] = max(label, sites.get(position, 0))
    return {
        key: (np.array(sorted(sites), np.int64), np.array([sites[one] for one in sorted(sites)], np.int64))
        for key, sites in found.items()
    }


def gt_ag_fraction(genes: Sequence[Gene], genome: Genome, annotation: Path) -> float | None:
    """Return the fraction of introns that begin with GT and end with AG; None without introns.

    Introns with an N at these bases are not counted.

    Raises:
        InputError: there are `FEWEST_INTRONS` or more, and the fraction is below `LOWEST_GT_AG`.
    """
    ends = [_ends(intron, genome) for gene in genes for intron in gene.introns() if len(intron) >= 4]
    read = [one for one in ends if "N" not in one]
    if not read:
        return None
    fraction = sum(one == "GTAG" for one in read) / len(read)
    if len(read) >= FEWEST_INTRONS and fraction < LOWEST_GT_AG:
        raise InputError(
            f"only {100 * fraction:.1f} % of {len(read):,} introns begin with GT and end with AG: the annotation "
            f"belongs to another genome or assembly than {genome.path.name}",
            file=annotation,
        )
    return fraction


def gene_windows(
    gene: Gene, genome: Genome, sites: Sites, window: int, flank: int, counts: Counter[str]
) -> Iterator[LabelledRow]:
    """Yield the windows of a gene from its 5' end; windows in which no base counts are left out.

    Bases that are N, in a flank, or behind the 3' end of the gene in the last window are not counted. Splice sites of
    other genes on the same strand are labelled too.

    Args:
        gene: the gene.
        genome: its genome.
        sites: splice sites of all genes.
        window: bases of a window without its flanks.
        flank: bases of each flank.
        counts: receives the number of windows without a counted base, and of counted bases and sites.
    """
    span = gene.interval
    for number, begin in enumerate(range(0, len(span), window), start=1):
        core = _core(span, begin, window)
        whole = core.expand(flank, flank)
        forward = bases(genome, whole.chrom, whole.start, whole.end)
        labels = _labels(whole, forward, core, span, sites)
        if not (labels != _POINT).any():
            counts["windows of N"] += 1
            continue
        _count(labels, counts)
        if whole.strand == "-":
            forward, labels = reverse_complement(forward), labels[::-1]
        text = labels.tobytes().decode("ascii")
        place = (whole.chrom, whole.start, whole.end, whole.strand)
        yield LabelledRow(f"{gene.id}:{number}", *place, gene.id, forward, text)


def _core(span: Interval, begin: int, window: int) -> Interval:
    """Return the window that begins ``begin`` bases downstream of the 5' end; the last extends beyond the 3' end."""
    start = span.start + begin if span.strand == "+" else span.end - begin - window
    return Interval(span.chrom, start, start + window, span.strand)


def _labels(whole: Interval, forward: str, core: Interval, span: Interval, sites: Sites) -> NDArray[np.uint8]:
    """Return the label of every base by ascending coordinate, as characters."""
    labels = np.full(len(whole), _POINT, np.uint8)
    first, last = max(core.start, span.start), min(core.end, span.end)
    labels[first - whole.start : last - whole.start] = _NONE
    positions, classes = sites.get((whole.chrom, whole.strand), (np.empty(0, np.int64), np.empty(0, np.int64)))
    left, right = np.searchsorted(positions, (first, last))
    labels[positions[left:right] - whole.start] = _NONE + classes[left:right]
    labels[np.frombuffer(forward.encode("ascii"), np.uint8) == _N] = _POINT
    return labels


def _count(labels: NDArray[np.uint8], counts: Counter[str]) -> None:
    counts["windows"] += 1
    counts["counted bases"] += int((labels != _POINT).sum())
    for label in (ACCEPTOR, DONOR):
        counts[f"{LABELS[label]}s"] += int((labels == _NONE + label).sum())


def _ends(intron: Interval, genome: Genome) -> str:
    """Return the first and last two bases of an intron on its strand."""
    ends = (
        bases(genome, intron.chrom, intron.start, intron.start + 2),
        bases(genome, intron.chrom, intron.end - 2, intron.end),
    )
    return "".join(ends) if intron.strand == "+" else reverse_complement("".join(ends))
