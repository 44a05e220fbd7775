"""Drawn RNA coverage: reads of spliced transcripts on the strand of their gene, and a little noise."""

from __future__ import annotations

import numpy as np

from genolm.arrays import Float32
from genolm.genome.simulation.simulated_contigs import Contig, PlacedGene
from genolm.genome.simulation.simulated_genes import Sampler

READ_LENGTH = 75
EXPRESSION = (np.log(20.0), 1.0)  # mean and sigma of the logarithm of a gene's mean coverage
UNSPLICED_SHARE = 0.03  # of a gene's reads come from transcripts that still have their introns
NOISE_READS = 20  # per 100,000 bases and strand, anywhere
UNEXPRESSED_SHARE = 0.15  # of the genes


def draw_coverage(sampler: Sampler, contig: Contig) -> dict[str, Float32]:
    """Reads over every base of a contig, on each strand: ``{"+": (bases,), "-": (bases,)}``."""
    tracks = {strand: np.zeros(len(contig.text), np.float32) for strand in "+-"}
    for gene in contig.genes:
        if not sampler.chance(UNEXPRESSED_SHARE):
            _add_gene(sampler, tracks[gene.strand], gene)
    for strand in "+-":
        reads = int(sampler.random.poisson(NOISE_READS * len(contig.text) / 100_000))
        tracks[strand] += _pile(sampler, len(contig.text), reads)
    return tracks


def _add_gene(sampler: Sampler, track: Float32, gene: PlacedGene) -> None:
    mean = float(sampler.random.lognormal(*EXPRESSION))
    spliced = np.concatenate([np.arange(*exon) for exon in gene.draft.exons])
    whole = np.arange(gene.draft.exons[0][0], gene.draft.exons[-1][1])
    for offsets, coverage in ((spliced, mean), (whole, UNSPLICED_SHARE * mean)):
        reads = int(sampler.random.poisson(coverage * len(offsets) / READ_LENGTH))
        positions = [gene.position(0), gene.position(1)]
        track[positions[0] + offsets * (positions[1] - positions[0])] += _pile(sampler, len(offsets), reads)


def _pile(sampler: Sampler, length: int, reads: int) -> Float32:
    """How many reads of `READ_LENGTH` with random starts cover each of `length` bases."""
    if length < READ_LENGTH:
        return np.zeros(length, np.float32)
    starts = sampler.random.integers(0, length - READ_LENGTH + 1, size=reads)
    steps = np.zeros(length + 1, np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + READ_LENGTH, -1)
    return np.cumsum(steps[:-1]).astype(np.float32)
