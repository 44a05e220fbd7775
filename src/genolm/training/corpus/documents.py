"""From FASTA to documents: contigs are read one at a time, divided between the splits and cleaned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.genome.interval import Interval
from genolm.genome.kmers import KmerSet
from genolm.genome.sequence import upper_dna
from genolm.genome.sequence_files import read_sequence_file
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import masked_bases as quality
from genolm.training.corpus.corpus_recipe import Assembly, CorpusRecipe
from genolm.training.corpus.corpus_regions import SKIPPED, TRAIN, Division
from genolm.training.corpus.duplicates import ExactDuplicates, NearDuplicates, leaking_pieces
from genolm.training.corpus.masked_bases import Spans, Tally
from genolm.training.corpus.near_genes import NearGenes

Ids = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Contig:
    """A record of a FASTA file.

    Attributes:
        assembly: the file it is from.
        name: as the file writes it.
        ids_L: its token ids.
        soft_L: which letters are lower case.
    """

    assembly: Assembly
    name: str
    ids_L: Ids
    soft_L: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A stretch of a contig that is learned from, or evaluated on, as one text.

    Attributes:
        assembly: the file it is from.
        split: ``train`` or the name of a held-out split.
        interval: where it stands, 0-based half-open.
        ids: its token ids, (length,).
        soft_L: which of its letters are lower case.
    """

    assembly: Assembly
    split: str
    interval: Interval
    ids: Ids
    soft_L: NDArray[np.bool_]

    @property
    def soft_masked(self) -> float:
        """Share of lower case."""
        return float(self.soft_L.mean())

    def part(self, start: int, end: int) -> Document:
        """A stretch of it, 0-based half-open from its first base."""
        place = Interval(self.interval.chrom, self.interval.start + start, self.interval.start + end)
        return replace(self, interval=place, ids=self.ids[start:end], soft_L=self.soft_L[start:end])


def read_contigs(assembly: Assembly, tokenizer: NucleotideTokenizer) -> Iterator[Contig]:
    """The contigs of a FASTA file, plain, gzip or bgzip, one in memory at a time; ambiguous letters read N.

    Raises:
        InputError: with file and line, what :func:`genolm.genome.sequence_files.read_sequence_file` refuses.
    """
    for record in read_sequence_file(assembly.path, _checked):
        letters = np.frombuffer(record.sequence.encode(), np.uint8)
        yield Contig(assembly, record.id, np.asarray(tokenizer.encode(record.sequence)), letters >= ord("a"))


def _checked(letters: str) -> str:
    upper_dna(letters, iupac="N")
    return letters


class Cleaner:
    """Divides contigs into documents by the rules of a recipe.

    Args:
        recipe: the rules.
        tokenizer: for the id of N.

    Raises:
        InputError: for a file that is not there or cannot be read.
    """

    def __init__(self, recipe: CorpusRecipe, tokenizer: NucleotideTokenizer) -> None:
        self._recipe, self._n_id = recipe, tokenizer.n_id
        self.assemblies = recipe.assemblies()
        names = [assembly.name for assembly in self.assemblies]
        self._division = Division(recipe.regions(), recipe.skip, names)
        self._genes = {name: self._genes_of(name) for name in names}

    def _genes_of(self, assembly: str) -> NearGenes | None:
        files = self._recipe.gene_files(assembly)
        return NearGenes(files, self._recipe.gene_distance or 0) if files else None

    def documents(self, contig: Contig, tally: Tally) -> list[Document]:
        """The documents of a contig, of all splits, in its order."""
        length = len(contig.ids_L)
        tally.read += length
        tally.contigs_read += 1
        pieces: dict[str, list[tuple[int, int]]] = {}
        for start, end, split in self._division.divide(contig.assembly.name, contig.name, 0, length):
            pieces.setdefault(split, []).append((start, end))
        spans = {split: np.array(places, np.int64) for split, places in pieces.items()}
        tally.add("skip", quality.size(spans.pop(SKIPPED, np.empty((0, 2), np.int64))))
        return sorted(self._documents(contig, spans, tally), key=lambda document: document.interval.start)

    def _documents(self, contig: Contig, spans: dict[str, Spans], tally: Tally) -> Iterator[Document]:
        dropped = dict.fromkeys(quality.RULES, 0)
        for split, places in spans.items():
            kept = self._clean(contig, split, places, dropped)
            for start, end in quality.pairs(kept):
                place = Interval(contig.name, start, end)
                one = Document(contig.assembly, split, place, contig.ids_L[start:end], contig.soft_L[start:end])
                if split == TRAIN and one.soft_masked > self._recipe.max_soft_masked:
                    dropped["soft_masked_document"] += len(place)
                else:
                    yield one
        for rule, bases in dropped.items():
            if rule not in ("skip", "duplicate", "near_duplicate", "leak"):
                tally.add(rule, bases)

    def _clean(self, contig: Contig, split: str, spans: Spans, dropped: dict[str, int]) -> Spans:
        training = split == TRAIN

        def keep(rule: str, kept: Spans) -> Spans:
            dropped[rule] += quality.size(spans) - quality.size(kept)
            return kept

        if training and len(contig.ids_L) < self._recipe.min_contig:
            spans = keep("short_contig", spans[:0])
        n_runs = quality.runs_of(contig.ids_L == self._n_id)
        longest = self._recipe.longest_n_run if training else 0
        spans = keep("n_run", quality.without(spans, quality.longer(n_runs, longest)))
        if training and self._recipe.longest_soft_masked is not None:
            holes = quality.longer(quality.runs_of(contig.soft_L), self._recipe.longest_soft_masked)
            spans = keep("soft_masked_stretch", quality.without(spans, holes))
        genes = self._genes[contig.assembly.name]
        if training and genes is not None:
            spans = keep("far_from_genes", quality.common(spans, genes.spans(contig.name)))
        spans = keep("n_run", _without_edges(spans, n_runs))
        return keep("short_run", quality.longer(spans, self._recipe.min_run - 1))

    def check_regions(self) -> None:
        """Raises an InputError for a region of the recipe that no contig of the corpus lies in: a slip of the pen
        would otherwise let held-out sequence into training."""
        if unmet := self._division.unmatched():
            raise InputError("no contig of the corpus lies in this region of held_out or skip", value=unmet[0])


def _without_edges(spans: Spans, n_runs: Spans) -> Spans:
    """The spans without N at their ends."""
    inside = quality.common(n_runs, spans)
    at_edge = np.isin(inside[:, 0], spans[:, 0]) | np.isin(inside[:, 1], spans[:, 1])
    return quality.without(spans, inside[at_edge])


class Sieve:
    """Drops what training may not hold twice, and what repeats held-out sequence.

    Args:
        recipe: the rules.
        tokenizer: for bases and complements.
        held_out: the 28-mers of all held-out splits.
    """

    def __init__(self, recipe: CorpusRecipe, tokenizer: NucleotideTokenizer, held_out: KmerSet) -> None:
        self._recipe, self._held_out = recipe, held_out
        self._exact = ExactDuplicates(complement_table(tokenizer)) if recipe.drop_duplicates else None
        near = recipe.near_duplicates < 1
        self._near = NearDuplicates(tokenizer.base_ids, recipe.near_duplicates) if near else None

    def keep(self, documents: Sequence[Document], tally: Tally) -> list[Document]:
        """What stays of the training documents of one contig."""
        ids = [document.ids for document in documents]
        bases = sum(map(len, ids))
        if ids and self._exact and self._exact.seen_before(ids):
            tally.add("duplicate", bases)
            return []
        if ids and self._near and self._near.seen_before(ids):
            tally.add("near_duplicate", bases)
            return []
        kept = [part for document in documents for part in self._without_leaks(document)]
        tally.add("leak", bases - sum(len(document.ids) for document in kept))
        return kept

    def _without_leaks(self, document: Document) -> Iterable[Document]:
        for start, stop, leaks in leaking_pieces(document.ids, self._held_out, self._recipe.leak_fraction):
            if not leaks and stop - start >= self._recipe.min_run:
                yield document.part(start, stop)


def complement_table(tokenizer: NucleotideTokenizer) -> Ids:
    """The complement of every token id, (256,); what is no base is its own."""
    a, c, g, t = tokenizer.base_ids
    table = np.arange(256, dtype=np.uint8)
    table[[a, c, g, t]] = [t, g, c, a]
    return table
