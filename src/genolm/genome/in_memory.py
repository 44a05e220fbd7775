"""Normalising sequences in memory: the many forms that users have become the few forms that are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from genolm.errors import InputError
from genolm.files.lines import locate_errors
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.tabular import SEQUENCE_LETTERS, is_table
from genolm.genome.variant import Variant


class Frame(Protocol):
    """A table in memory, of polars or pandas."""

    @property
    def columns(self) -> Any:
        """Names of the columns."""

    def __getitem__(self, key: Any, /) -> Any:
        """A column."""


Sequences = str | os.PathLike[str] | Genome | Interval | Variant | Frame | pl.LazyFrame | Iterable[object]
"""What a function that reads sequences takes: the path of a file, a table, a dict of names and sequences, or a list of
sequences, of pairs (name, sequence), or of intervals or variants."""

Variants = str | os.PathLike[str] | Variant | Frame | Iterable[object]
"""What a function that scores variants takes: the path of a file, a table, or a list of variants."""

_LONGEST_NAME = 255  # of a file, in bytes; what is longer is no name on any system


@dataclass(frozen=True, slots=True)
class Named:
    """A sequence, an interval or a variant with a name that the user chose.

    Attributes:
        name: becomes the record's id.
        value: letters, an `Interval` or a `Variant`.
    """

    name: str
    value: Any


def hold_sequences(inputs: Any) -> Any:
    """Bring sequences to a form that can be read again and again; what has that form comes back unchanged.

    Args:
        inputs: a path; a `Genome` (its FASTA); a table of polars, pandas or PyRanges; a dict of names and sequences; or
            an iterable of sequences, of pairs ``(name, sequence)``, of `Interval`, `Variant` or records of Biopython
            and pysam. Sequences are texts, bytes or ``Bio.Seq``; in a dict or a pair they can be an `Interval` or a
            `Variant` too.

    Returns:
        A path, a table, or a tuple of texts, `Named`, `Interval`, `Variant` and records.

    Raises:
        InputError: DNA or FASTA text where a path is expected, or a value that holds no sequences in an order:
            an open file, bytes, a set, an array of numbers, paths in a list.
    """
    if isinstance(inputs, str | os.PathLike):
        return _path(inputs)
    if isinstance(inputs, Genome):
        return inputs.path
    if isinstance(inputs, pl.LazyFrame):
        return inputs.collect()
    if hasattr(inputs, "as_df"):  # PyRanges, whose columns are not found by their names
        return inputs.as_df()
    if is_table(inputs):
        return inputs
    if _is_single(inputs):
        return (_element(inputs),)
    return _elements(inputs)


def _path(given: str | os.PathLike[str]) -> Path:
    """The path, unless a text is DNA, or a FASTA, rather than the name of a file."""
    text = os.fspath(given)
    if _exists(text):
        return Path(given)
    if text.startswith(">") or "\n" in text:
        raise InputError("text where a path is expected; write it to a FASTA file, and pass its path", value=text)
    if text and SEQUENCE_LETTERS.issuperset(text):
        raise InputError("no such file; pass DNA in a list (in Python) or in a FASTA file", value=text)
    if len(text) > _LONGEST_NAME and "/" not in text:
        raise InputError("too long for the name of a file; pass sequences in a list or in a file", value=text)
    return Path(given)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except OSError:  # a name that is too long for the system
        return False


def _is_single(value: object) -> bool:
    """Whether it is one sequence, which Biopython lets one iterate over as letters."""
    if isinstance(value, Interval | Variant | Named) or _is_seq(value):
        return True
    of_many = isinstance(value, tuple) or hasattr(value, "__array__")  # a Series has attributes of its index's names
    return not of_many and any(hasattr(value, name) for name in ("seq", "sequence"))


def _is_seq(value: object) -> bool:
    """Whether it is a ``Seq`` of Biopython, which genolm need not import to know it."""
    return any(f"{kind.__module__}.{kind.__name__}" == "Bio.Seq._SeqAbstractBaseClass" for kind in type(value).__mro__)


def _elements(inputs: Any) -> tuple[Any, ...]:
    if isinstance(inputs, Mapping):
        return tuple(_placed(number, _named, *item) for number, item in enumerate(inputs.items(), start=1))
    _refuse_unlistable(inputs)
    try:
        values = tuple(inputs)
    except TypeError:
        raise InputError("inputs are a path, a table, or a list of sequences or intervals", value=inputs) from None
    return tuple(_placed(number, _element, value) for number, value in enumerate(values, start=1))


def _placed(number: int, read: Callable[..., Any], *given: Any) -> Any:
    """A value, with its number in the message where it is refused."""
    with locate_errors("inputs", number):
        return read(*given)


def _refuse_unlistable(inputs: Any) -> None:
    """Refuse what can be iterated over, but not as sequences."""
    if hasattr(inputs, "read") or hasattr(inputs, "readline"):
        raise InputError("an open file; pass its path instead", value=getattr(inputs, "name", inputs))
    if isinstance(inputs, bytes | bytearray | memoryview):
        raise InputError("bytes are neither a path nor a list; pass a list of sequences: [b'ACGT…']", value=inputs)
    if isinstance(inputs, set | frozenset):
        raise InputError("a set has no order; pass a list, or a dict of names and sequences", value=inputs)
    if isinstance(inputs, np.ndarray) and (inputs.ndim != 1 or inputs.dtype.kind not in "OSUT"):
        shown = f"{inputs.dtype} array of shape {inputs.shape}"
        raise InputError("an array of sequences must have one dimension and hold one text per sequence", value=shown)


def _element(value: Any) -> Any:
    """A value of a list in the form that is read."""
    if isinstance(value, tuple) and len(value) == 2:
        return _named(*value)
    if isinstance(value, tuple | list):
        raise InputError("in a list a tuple is a pair (name, sequence), and an interval an Interval", value=value)
    if isinstance(value, os.PathLike) or (isinstance(value, str) and "." in value and _exists(value)):
        raise InputError("a path in a list; pass one path instead of a list", value=str(value))
    if hasattr(value, "seq"):  # Biopython, pyfaidx
        return _named(getattr(value, "id", None) or getattr(value, "name", None), value.seq)
    if hasattr(value, "sequence") and hasattr(value, "name"):  # pysam
        return _named(value.name, value.sequence)
    return _letters(value)


def _named(name: Any, value: Any) -> Named:
    if isinstance(name, bool) or not isinstance(name, str | int | np.integer):
        raise InputError("the name of a sequence must be text", value=name)
    if isinstance(value, list | tuple | dict | pl.Series | np.ndarray):
        raise InputError(
            f"{name!r} must have one sequence; of whole columns make a table: polars.DataFrame({{'id': …, 'sequence':"
            " …})",
            value=value,
        )
    return Named(str(name), _letters(value))


def _letters(value: Any) -> Any:
    """Bytes and ``Bio.Seq`` as text; everything else as it is."""
    if isinstance(value, bytes | bytearray):
        return value.decode("latin-1")  # a letter that is no base is refused as such when it is read
    if _is_seq(value):
        return str(value)
    return value


__all__ = ["Frame", "Named", "Sequences", "Variants", "hold_sequences"]
