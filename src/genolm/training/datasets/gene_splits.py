"""Division of genes between the splits by chromosome or region, and removal of homologues from training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.kmers import Codes, distinct, distinct_kmers, is_in, letters
from genolm.training.corpus.corpus_regions import TRAIN, Division, is_interval
from genolm.training.datasets.coding_genes import Gene

CDS_KMER = 15
"""Length of the k-mers by which coding sequences are compared."""
VALID, TEST = "valid", "test"
SPLITS = (TRAIN, VALID, TEST)
_EXCLUDED, _CHOSEN = "excluded", "chosen"


class Regions:
    """Regions of the splits.

    Args:
        genome: genome with the contigs.
        train: regions for training; without any, all that is in no other split.
        valid: regions for validation.
        test: regions for testing.
        exclude: regions that belong to no split, also where another list names them.

    Raises:
        InputError: a region is on no contig of the genome, or in several lists.
    """

    def __init__(
        self,
        genome: Genome,
        train: Sequence[str],
        valid: Sequence[str],
        test: Sequence[str],
        exclude: Sequence[str],
    ) -> None:
        named = {_EXCLUDED: exclude, TEST: test, VALID: valid, _CHOSEN: train}
        texts = [text for items in named.values() for text in items]
        for text in texts:
            genome.resolve(Interval.parse(text).chrom if is_interval(text) and text not in genome.lengths else text)
            if texts.count(text) > 1:
                raise InputError("a region is given twice", value=text)
        self._division = Division(named, (), (), {"": genome.synonyms})
        self._rest = "" if train else TRAIN

    def split(self, interval: Interval) -> str | None:
        """Return the split that contains an interval, empty for none; None if it extends over several."""
        pieces = self._division.divide("", interval.chrom, max(interval.start, 0), interval.end)
        names = {_CHOSEN: TRAIN, TRAIN: self._rest, _EXCLUDED: ""}
        found = {names.get(split, split) for _, _, split in pieces}
        return found.pop() if len(found) == 1 else None


def divided(genes: Sequence[Gene], regions: Regions, margin: int, counts: Counter[str]) -> dict[str, list[Gene]]:
    """Divide genes between the splits.

    Args:
        genes: the genes.
        regions: regions of the splits.
        margin: bases on both sides of a gene that must be in its split as well.
        counts: receives the number of genes in no split and across the border of a split.
    """
    splits: dict[str, list[Gene]] = {name: [] for name in SPLITS}
    for gene in genes:
        split = regions.split(gene.interval.expand(margin, margin))
        if split:
            splits[split].append(gene)
        else:
            counts["genes across borders" if split is None else "genes in no split"] += 1
    return splits


def without_homologues(splits: Mapping[str, Sequence[Gene]], genome: Genome, above: float) -> list[Gene]:
    """Return the training genes whose coding sequence is unlike those of all held-out genes.

    A gene is removed if more than the fraction ``above`` of the distinct 15-mers of its coding sequences, on either
    strand, occur in the coding sequences of validation and test genes. K-mers with N are not compared.
    """
    held_out = distinct([_coding_kmers(gene, genome) for name in (VALID, TEST) for gene in splits[name]])
    return [gene for gene in splits[TRAIN] if shared(_coding_kmers(gene, genome), held_out) <= above]


def shared(codes: Codes, known: Codes) -> float:
    """Return the fraction of codes that are known; 0 without any."""
    return float(is_in(codes, known).mean()) if len(codes) and len(known) else 0.0


def _coding_kmers(gene: Gene, genome: Genome) -> Codes:
    """Return the distinct 15-mers of the coding sequences of a gene."""
    blocks = []
    for transcript in gene.transcripts:
        coding = "".join(bases(genome, part.chrom, part.start, part.end) for part in transcript.coding_exons)
        blocks += list(distinct_kmers(letters(coding), k=CDS_KMER))
    return distinct(blocks)


def bases(genome: Genome, chrom: str, start: int, end: int) -> str:
    """Return the bases ``[start, end)`` of the forward strand, 0-based; N beyond the contig, also for all of them."""
    if start >= genome.lengths[chrom] or end <= 0:
        return "N" * (end - start)
    return genome.fetch(chrom, start, end)
