"""Documents from FASTA files: contigs are read one at a time, divided between the splits, and cleaned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.genome.contig_names import SynonymIndex, chrom_aliases
from genolm.genome.interval import Interval
from genolm.genome.kmers import KmerSet
from genolm.genome.sequence import upper_dna
from genolm.genome.sequence_files import read_sequence_file
from genolm.genome.spans import true_runs
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
    """Record of a FASTA file.

    Attributes:
        assembly: assembly that it belongs to.
        name: name in the file.
        ids_L: token ids.
        soft_L: True for lower-case letters.
    """

    assembly: Assembly
    name: str
    ids_L: Ids
    soft_L: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """Contiguous stretch of a contig for training or evaluation.

    Attributes:
        assembly: assembly that it belongs to.
        split: ``train`` or the name of a held-out split.
        interval: its interval, 0-based and half-open.
        ids: token ids, (length,).
        soft_L: True for lower-case letters.
    """

    assembly: Assembly
    split: str
    interval: Interval
    ids: Ids
    soft_L: NDArray[np.bool_]

    @property
    def soft_masked(self) -> float:
        """Fraction of lower case."""
        return float(self.soft_L.mean())

    def part(self, start: int, end: int) -> Document:
        """Return a part of the document, 0-based and half-open from its first base."""
        interval = Interval(self.interval.chrom, self.interval.start + start, self.interval.start + end)
        return replace(self, interval=interval, ids=self.ids[start:end], soft_L=self.soft_L[start:end])


def read_contigs(assembly: Assembly, tokenizer: NucleotideTokenizer) -> Iterator[Contig]:
    """Yield the contigs of a FASTA file (plain, gzip or bgzip), one at a time; ambiguity codes become N.

    Raises:
        InputError: as in :func:`genolm.genome.sequence_files.read_sequence_file`, with file and line.
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
        recipe: corpus recipe with the rules.
        tokenizer: tokenizer, for the id of N.

    Raises:
        InputError: a file does not exist or cannot be read.
    """

    def __init__(self, recipe: CorpusRecipe, tokenizer: NucleotideTokenizer) -> None:
        self._recipe, self._n_id = recipe, tokenizer.n_id
        self.assemblies = recipe.assemblies()
        names = [assembly.name for assembly in self.assemblies]
        self.synonyms = {assembly.name: chrom_aliases(assembly.path) for assembly in self.assemblies}
        self._division = Division(recipe.regions(), recipe.skip, names, self.synonyms)
        self._genes = {name: self._genes_of(name) for name in names}

    def _genes_of(self, assembly: str) -> NearGenes | None:
        files = self._recipe.gene_files(assembly)
        distance = self._recipe.gene_distance or 0
        return NearGenes(files, distance, self.synonyms[assembly]) if files else None

    def aliases(self, assembly: str) -> list[tuple[str, ...]]:
        """Return the groups of contig names in the assembly's alias file that the recipe's regions refer to."""
        index = SynonymIndex(self.synonyms[assembly])
        return list(dict.fromkeys(group for name in self._division.contig_names() for group in index.of(name)))

    def documents(self, contig: Contig, tally: Tally) -> list[Document]:
        """Return the documents of a contig, of all splits, in order of position."""
        length = len(contig.ids_L)
        tally.read += length
        tally.contigs_read += 1
        pieces: dict[str, list[tuple[int, int]]] = {}
        for start, end, split in self._division.divide(contig.assembly.name, contig.name, 0, length):
            pieces.setdefault(split, []).append((start, end))
        spans = {split: np.array(bounds, np.int64) for split, bounds in pieces.items()}
        tally.add("skip", quality.size(spans.pop(SKIPPED, np.empty((0, 2), np.int64))))
        return sorted(self._documents(contig, spans, tally), key=lambda document: document.interval.start)

    def _documents(self, contig: Contig, spans: dict[str, Spans], tally: Tally) -> Iterator[Document]:
        dropped = dict.fromkeys(quality.RULES, 0)
        for split, split_spans in spans.items():
            kept = self._clean(contig, split, split_spans, dropped)
            for start, end in quality.pairs(kept):
                interval = Interval(contig.name, start, end)
                ids, soft = contig.ids_L[start:end], contig.soft_L[start:end]
                document = Document(contig.assembly, split, interval, ids, soft)
                if split == TRAIN and document.soft_masked > self._recipe.max_soft_masked:
                    dropped["soft_masked_document"] += len(interval)
                else:
                    yield document
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
        n_runs = true_runs(contig.ids_L == self._n_id)
        longest = self._recipe.longest_n_run if training else 0
        spans = keep("n_run", quality.without(spans, quality.longer(n_runs, longest)))
        if training and self._recipe.longest_soft_masked is not None:
            holes = quality.longer(true_runs(contig.soft_L), self._recipe.longest_soft_masked)
            spans = keep("soft_masked_stretch", quality.without(spans, holes))
        genes = self._genes[contig.assembly.name]
        if training and genes is not None:
            spans = keep("far_from_genes", quality.common(spans, genes.spans(contig.name)))
        spans = keep("n_run", _without_edges(spans, n_runs))
        return keep("short_run", quality.longer(spans, self._recipe.min_run - 1))

    def check_regions(self) -> None:
        """Raise an InputError for a region of the recipe without any contig of the corpus.

        A typo would otherwise leak held-out sequence into training.
        """
        self._division.check_names()
        if unmatched := self._division.unmatched():
            raise InputError("no contig of the corpus lies in this region of held_out or skip", value=unmatched[0])


def _without_edges(spans: Spans, n_runs: Spans) -> Spans:
    """Return the spans without N at their ends."""
    inside = quality.common(n_runs, spans)
    at_edge = np.isin(inside[:, 0], spans[:, 0]) | np.isin(inside[:, 1], spans[:, 1])
    return quality.without(spans, inside[at_edge])


class Sieve:
    """Filter that drops duplicates, and training sequence that repeats held-out sequence.

    Args:
        recipe: corpus recipe with the rules.
        tokenizer: tokenizer, for base ids and complements.
        held_out: 28-mers of all held-out splits.
    """

    def __init__(self, recipe: CorpusRecipe, tokenizer: NucleotideTokenizer, held_out: KmerSet) -> None:
        self._recipe, self._held_out = recipe, held_out
        self._exact = ExactDuplicates(complement_table(tokenizer)) if recipe.drop_duplicates else None
        near = recipe.near_duplicates < 1
        self._near = NearDuplicates(tokenizer.base_ids, recipe.near_duplicates) if near else None

    def keep(self, documents: Sequence[Document], tally: Tally) -> list[Document]:
        """Return the training documents of a contig that are kept."""
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
    """Return the complement of every token id, (256,); other tokens are their own complement."""
    a, c, g, t = tokenizer.base_ids
    table = np.arange(256, dtype=np.uint8)
    table[[a, c, g, t]] = [t, g, c, a]
    return table
