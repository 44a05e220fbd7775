"""Values that verbs read: their types as users pass them, and as runs hold them."""

from __future__ import annotations

import os
from collections.abc import ItemsView, Iterator, Mapping, Sequence, ValuesView
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.tabular import Frame
from genolm.genome.variant import Variant


@dataclass(frozen=True, slots=True)
class SequenceRecord:
    """A named sequence.

    Attributes:
        id: name.
        sequence: upper-case letters, at least one.
        interval: interval of the genome, for an ALT allele that of the reference; None if not from a genome.
        about: rest of a FASTA header, after the name.
        row: index of the row of a table, 0-based; None for other sources.
        further: values of the further columns of that row, if kept; see `genolm.genome.further_columns`.

    Raises:
        InputError: the name or the sequence is empty, or the name has several lines.
    """

    id: str
    sequence: str
    interval: Interval | None = None
    about: str = ""
    row: int | None = field(default=None, compare=False, repr=False)
    further: tuple[Any, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.id:
            raise InputError("a sequence must have a name", value=self.sequence[:20])
        if "\n" in self.id or "\r" in self.id:
            raise InputError("the name of a sequence must be a single line", value=self.id)
        if not self.sequence:
            raise InputError("the sequence is empty", value=self.id)

    @property
    def named(self) -> str:
        """Name for messages, with coordinates unless the name contains them."""
        place = "" if self.interval is None or str(self.interval) in self.id else f" ({self.interval})"
        return f"sequence {self.id!r}{place}"


@dataclass(frozen=True, slots=True)
class Named:
    """A sequence, interval or variant with a name given by the user.

    Attributes:
        name: id of the record.
        value: letters of a sequence, an `Interval` or a `Variant`.
    """

    name: str
    value: str | Interval | Variant


class ArrowTable(Protocol):
    """A table of pyarrow, or of another library that exports the Arrow format."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the columns as an Arrow stream."""


class BiopythonRecord(Protocol):
    """A record with letters in ``seq``, as of Biopython and pyfaidx."""

    @property
    def seq(self) -> object:
        """The letters."""


class PysamRecord(Protocol):
    """A record with ``name`` and ``sequence``, as of pysam."""

    @property
    def name(self) -> object:
        """Name of the sequence."""

    @property
    def sequence(self) -> object:
        """The letters."""


Tabular: TypeAlias = pl.DataFrame | pl.LazyFrame | Frame | ArrowTable
"""A table of polars, pandas or pyarrow."""

_Letters: TypeAlias = str | bytes | bytearray | Interval | Variant
_Element: TypeAlias = _Letters | SequenceRecord | Named | BiopythonRecord | PysamRecord | tuple[str, _Letters]
_Texts: TypeAlias = pl.Series | NDArray[np.str_] | NDArray[np.bytes_] | NDArray[np.object_]

Sequences: TypeAlias = (
    str
    | os.PathLike[str]
    | Genome
    | Interval
    | Variant
    | SequenceRecord
    | Named
    | BiopythonRecord
    | PysamRecord
    | Tabular
    | Mapping[str, _Letters]
    | Sequence[_Element]
    | Iterator[_Element]
    | ItemsView[str, _Letters]
    | ValuesView[_Letters]
    | _Texts
)
"""Inputs of functions on sequences.

A path; text that is a file, a variant (``chr22:1024:A>C``), an interval (``chr22:1,001-2,000``) or a sequence; a
`Genome` (its FASTA); a table; a mapping from names to sequences; or a list of sequences, pairs ``(name, sequence)``,
intervals or variants.
"""

_OneVariant: TypeAlias = str | Variant
_VariantElement: TypeAlias = _OneVariant | Named | tuple[str, int, str, str] | tuple[str, _OneVariant]

Variants: TypeAlias = (
    str
    | os.PathLike[str]
    | Variant
    | Named
    | Tabular
    | Mapping[str, _OneVariant]
    | Sequence[_VariantElement]
    | Iterator[_VariantElement]
    | ItemsView[str, _OneVariant]
    | ValuesView[_OneVariant]
    | _Texts
)
"""Inputs of functions on variants.

A path; text that is a file or a variant (``chr22:1024:A>C``); a table; a mapping from ids to variants; or a list of
variants, of tuples ``(chrom, pos, ref, alt)`` or of pairs ``(id, variant)``.
"""

Value: TypeAlias = str | Named | Interval | Variant | SequenceRecord
"""A sequence in memory as runs hold it; text is letters."""

HeldSequences: TypeAlias = Path | Frame | tuple[Value, ...]
"""Sequences that can be read repeatedly: a file, a table, or values in memory."""

HeldVariants: TypeAlias = Path | Frame | tuple[Variant | Named, ...]
"""Variants that can be read repeatedly: a file, a table, or values in memory."""
