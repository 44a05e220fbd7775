"""The documents of a split as rows are cut from them: arrays of places in a few buffers, in memory or on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from genolm.genome.interval import Interval

Ids = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class DocumentSpan:
    """A document: a stretch of sequence without a break.

    Attributes:
        interval: where it stands, 0-based half-open.
        ids: its token ids, (length,).
        assembly: the assembly it is from; empty where that was not said.
    """

    interval: Interval
    ids: Ids
    assembly: str = ""


@dataclass(frozen=True, slots=True)
class Mixing:
    """How an epoch shows its documents.

    Attributes:
        sources: names of the groups that documents belong to.
        weights: share of each in what an epoch shows, relative to one another; None shows every document alike.
        strand: ``random``, ``forward``, ``both``, or the probability of the reverse complement.
    """

    sources: tuple[str, ...] = ("all",)
    weights: tuple[float, ...] | None = None
    strand: str | float = "random"

    @property
    def reverse_probability(self) -> float:
        """Chance that a piece is read on the other strand (where not both are shown)."""
        return {"random": 0.5, "forward": 0.0, "both": 0.0}.get(self.strand, self.strand)  # type: ignore


@dataclass(frozen=True, slots=True)
class Names:
    """Names that many documents share, and the number of each document's own.

    Attributes:
        names: distinct names.
        code_N: which of them each document has.
    """

    names: tuple[str, ...]
    code_N: NDArray[np.int32]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Names:
        """The names of documents, one for each."""
        numbers: dict[str, int] = {}
        codes = [numbers.setdefault(text, len(numbers)) for text in texts]
        return cls(tuple(numbers), np.array(codes, np.int32))

    def __getitem__(self, index: int) -> str:
        return self.names[self.code_N[index]]

    def __len__(self) -> int:
        return len(self.code_N)

    def select(self, index: slice | NDArray[np.int64]) -> Names:
        """Those of some documents."""
        return Names(self.names, self.code_N[index])


@dataclass(frozen=True, slots=True, eq=False)
class DocumentSpans(Sequence[DocumentSpan]):
    """A sequence of `DocumentSpan` that keeps numbers instead of objects: a document costs some forty bytes.

    Attributes:
        buffers: token ids; arrays in memory or mapped files.
        buffer_N: buffer of each document.
        offset_N: first token of each document in its buffer.
        length_N: tokens of each document.
        start_N: position of its first base, 0-based.
        contigs: contig of each document.
        assemblies: assembly of each document.
        sources: source of each document, by the order of ``mixing.sources``.
        mixing: how an epoch shows them.
    """

    buffers: tuple[Ids, ...]
    buffer_N: NDArray[np.int32]
    offset_N: NDArray[np.int64]
    length_N: NDArray[np.int64]
    start_N: NDArray[np.int64]
    contigs: Names
    assemblies: Names
    sources: Names
    mixing: Mixing = field(default_factory=Mixing)

    @classmethod
    def of(cls, runs: Sequence[DocumentSpan]) -> DocumentSpans:
        """Any sequence of runs in this form; their mixing is the default one unless they have it already."""
        if isinstance(runs, DocumentSpans):
            return runs
        lengths = np.array([len(run.ids) for run in runs], np.int64)
        return cls(
            buffers=tuple(run.ids for run in runs),
            buffer_N=np.arange(len(runs), dtype=np.int32),
            offset_N=np.zeros(len(runs), np.int64),
            length_N=lengths,
            start_N=np.array([run.interval.start for run in runs], np.int64),
            contigs=Names.of(run.interval.chrom for run in runs),
            assemblies=Names.of(run.assembly for run in runs),
            sources=Names(("all",), np.zeros(len(runs), np.int32)),
        )

    def mixed(self, sources: Sequence[str], mixing: Mixing) -> DocumentSpans:
        """The same runs, each with its source."""
        number = {name: code for code, name in enumerate(mixing.sources)}
        codes = np.array([number[name] for name in sources], np.int32)
        return replace(self, sources=Names(mixing.sources, codes), mixing=mixing)

    @property
    def bases(self) -> int:
        """Length of all together."""
        return int(self.length_N.sum())

    def ids(self, index: int) -> Ids:
        """Token ids of one document, (length,)."""
        start = int(self.offset_N[index])
        return self.buffers[self.buffer_N[index]][start : start + int(self.length_N[index])]

    def __len__(self) -> int:
        return len(self.length_N)

    def __iter__(self) -> Iterator[DocumentSpan]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> DocumentSpan: ...

    @overload
    def __getitem__(self, index: slice) -> DocumentSpans: ...

    def __getitem__(self, index: int | slice) -> DocumentSpan | DocumentSpans:
        if isinstance(index, slice):
            return self.select(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"run {index} of {len(self)}")
        start, length = int(self.start_N[index]), int(self.length_N[index])
        return DocumentSpan(
            Interval(self.contigs[index], start, start + length), self.ids(index), self.assemblies[index]
        )

    def select(self, index: slice | NDArray[np.int64]) -> DocumentSpans:
        """Some of them."""
        names = (one.select(index) for one in (self.contigs, self.assemblies, self.sources))
        numbers = (one[index] for one in (self.buffer_N, self.offset_N, self.length_N, self.start_N))
        return DocumentSpans(self.buffers, *numbers, *names, self.mixing)  # type: ignore
