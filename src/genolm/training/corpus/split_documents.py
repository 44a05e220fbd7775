"""Documents of a split in the form that rows are cut from: arrays of positions in buffers, in memory or mapped."""

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
    """Document: a contiguous stretch of sequence.

    Attributes:
        interval: its interval, 0-based and half-open.
        ids: token ids, (length,).
        assembly: name of its assembly; empty if unknown.
    """

    interval: Interval
    ids: Ids
    assembly: str = ""


@dataclass(frozen=True, slots=True)
class Mixing:
    """Mixing of sources and strands in an epoch.

    Attributes:
        sources: names of the groups of documents.
        weights: relative share of each source in an epoch; None to show every document once.
        strand: ``random``, ``forward``, ``both``, or the probability of the reverse complement.
    """

    sources: tuple[str, ...] = ("all",)
    weights: tuple[float, ...] | None = None
    strand: str | float = "random"

    @property
    def reverse_probability(self) -> float:
        """Probability that a piece is read on the reverse strand (unless both strands are shown)."""
        return {"random": 0.5, "forward": 0.0, "both": 0.0}.get(self.strand, self.strand)  # type: ignore


@dataclass(frozen=True, slots=True)
class Names:
    """Names of many documents, stored as distinct names and codes.

    Attributes:
        names: the distinct names.
        code_N: index of each document's name.
    """

    names: tuple[str, ...]
    code_N: NDArray[np.int32]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Names:
        """Encode the names of documents, one per document."""
        numbers: dict[str, int] = {}
        codes = [numbers.setdefault(text, len(numbers)) for text in texts]
        return cls(tuple(numbers), np.array(codes, np.int32))

    def __getitem__(self, index: int) -> str:
        return self.names[self.code_N[index]]

    def __len__(self) -> int:
        return len(self.code_N)

    def select(self, index: slice | NDArray[np.int64]) -> Names:
        """Return the names of some documents."""
        return Names(self.names, self.code_N[index])


@dataclass(frozen=True, slots=True, eq=False)
class DocumentSpans(Sequence[DocumentSpan]):
    """Sequence of `DocumentSpan` that is stored in arrays, at about forty bytes per document.

    Attributes:
        buffers: token ids, as arrays in memory or mapped files.
        buffer_N: index of each document's buffer.
        offset_N: first token of each document in its buffer.
        length_N: number of tokens of each document.
        start_N: position of each document's first base, 0-based.
        contigs: contig of each document.
        assemblies: assembly of each document.
        sources: source of each document, coded in the order of ``mixing.sources``.
        mixing: mixing of sources and strands in an epoch.
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
    def of(cls, documents: Sequence[DocumentSpan]) -> DocumentSpans:
        """Convert documents into this form; the mixing is the default one unless they have it already."""
        if isinstance(documents, DocumentSpans):
            return documents
        return cls(
            buffers=tuple(document.ids for document in documents),
            buffer_N=np.arange(len(documents), dtype=np.int32),
            offset_N=np.zeros(len(documents), np.int64),
            length_N=np.array([len(document.ids) for document in documents], np.int64),
            start_N=np.array([document.interval.start for document in documents], np.int64),
            contigs=Names.of(document.interval.chrom for document in documents),
            assemblies=Names.of(document.assembly for document in documents),
            sources=Names(("all",), np.zeros(len(documents), np.int32)),
        )

    def mixed(self, sources: Sequence[str], mixing: Mixing) -> DocumentSpans:
        """Return the documents with a source each, and their mixing."""
        number = {name: code for code, name in enumerate(mixing.sources)}
        codes = np.array([number[name] for name in sources], np.int32)
        return replace(self, sources=Names(mixing.sources, codes), mixing=mixing)

    @property
    def bases(self) -> int:
        """Bases of all documents."""
        return int(self.length_N.sum())

    def ids(self, index: int) -> Ids:
        """Return the token ids of a document, (length,)."""
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
            raise IndexError(f"document {index} of {len(self)}")
        start, length = int(self.start_N[index]), int(self.length_N[index])
        interval = Interval(self.contigs[index], start, start + length)
        return DocumentSpan(interval, self.ids(index), self.assemblies[index])

    def select(self, index: slice | NDArray[np.int64]) -> DocumentSpans:
        """Return some of the documents."""
        names = (column.select(index) for column in (self.contigs, self.assemblies, self.sources))
        numbers = (column[index] for column in (self.buffer_N, self.offset_N, self.length_N, self.start_N))
        return DocumentSpans(self.buffers, *numbers, *names, self.mixing)  # type: ignore
