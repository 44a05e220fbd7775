"""Normalisation of inputs in memory: sequences, intervals, variants and tables."""

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
    """A polars or pandas table."""

    @property
    def columns(self) -> Any:
        """Names of the columns."""

    def __getitem__(self, key: Any, /) -> Any:
        """A column."""


Sequences = str | os.PathLike[str] | Genome | Interval | Variant | Frame | pl.LazyFrame | Iterable[object]
"""Inputs of functions on sequences: the path of a file, a table, a dict of names and sequences, or a list of sequences,
pairs (name, sequence), intervals or variants."""

Variants = str | os.PathLike[str] | Variant | Frame | Iterable[object]
"""Inputs of functions on variants: the path of a file, a table, or a list of variants."""

_LONGEST_NAME = 255  # maximum length of a file name in bytes on any system


@dataclass(frozen=True, slots=True)
class Named:
    """A sequence, interval or variant with a name given by the user.

    Attributes:
        name: id of the record.
        value: a string of letters, an `Interval` or a `Variant`.
    """

    name: str
    value: Any


def hold_sequences(inputs: Any) -> Any:
    """Normalise inputs to a form that can be read repeatedly; normalised inputs are returned unchanged.

    Args:
        inputs: a path; a `Genome` (its FASTA); a table of polars, pandas or PyRanges; a dict of names and sequences; or
            an iterable of sequences, pairs ``(name, sequence)``, `Interval`, `Variant`, or records of Biopython and
            pysam. Sequences are strings, bytes or ``Bio.Seq``; in a dict or a pair also an `Interval` or `Variant`.

    Returns:
        A path, a table, or a tuple of strings, `Named`, `Interval`, `Variant` and records.

    Raises:
        InputError: DNA or FASTA text instead of a path, or a value that is not an ordered collection of sequences:
            an open file, bytes, a set, an array of numbers, a list of paths.
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
    """Return the path; raise `InputError` for DNA or FASTA text."""
    text = os.fspath(given)
    if _exists(text):
        return Path(given)
    if text.startswith(">") or "\n" in text:
        raise InputError("expected a path, found text; write it to a FASTA file and pass its path", value=text)
    if text and SEQUENCE_LETTERS.issuperset(text):
        raise InputError(
            "no such file; pass DNA in a list (in Python) or in a FASTA file", value=text, code="file-not-found"
        )
    if len(text) > _LONGEST_NAME and "/" not in text:
        raise InputError("too long for a file name; pass sequences in a list or in a file", value=text)
    return Path(given)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except OSError:  # the name is too long for the system
        return False


def _is_single(value: object) -> bool:
    """Whether a value is a single sequence (a ``Seq`` of Biopython is iterable)."""
    if isinstance(value, Interval | Variant | Named) or _is_seq(value):
        return True
    of_many = isinstance(value, tuple) or hasattr(value, "__array__")  # a Series has attributes of its index's names
    return not of_many and any(hasattr(value, name) for name in ("seq", "sequence"))


def _is_seq(value: object) -> bool:
    """Whether a value is a ``Seq`` of Biopython, without importing Biopython."""
    return any(f"{kind.__module__}.{kind.__name__}" == "Bio.Seq._SeqAbstractBaseClass" for kind in type(value).__mro__)


def _elements(inputs: Any) -> tuple[Any, ...]:
    if isinstance(inputs, Mapping):
        return tuple(_placed(number, _named, *item) for number, item in enumerate(inputs.items(), start=1))
    _refuse_unlistable(inputs)
    try:
        values = tuple(inputs)
    except TypeError:
        message = "expected a path, a table, or a list of sequences or intervals"
        raise InputError(message, value=inputs) from None
    return tuple(_placed(number, _element, value) for number, value in enumerate(values, start=1))


def _placed(number: int, read: Callable[..., Any], *given: Any) -> Any:
    """Normalise a value; errors name its number."""
    with locate_errors("inputs", number):
        return read(*given)


def _refuse_unlistable(inputs: Any) -> None:
    """Raise `InputError` for iterables that are not ordered collections of sequences."""
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
    """Normalise an element of a list."""
    if isinstance(value, tuple) and len(value) == 2:
        return _named(*value)
    if isinstance(value, tuple | list):
        message = "invalid element of a list: a tuple must be a pair (name, sequence), an interval an Interval"
        raise InputError(message, value=value)
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
            f"{name!r} must have one sequence; for columns use a table: polars.DataFrame({{'id': …, 'sequence': …}})",
            value=value,
        )
    return Named(str(name), _letters(value))


def _letters(value: Any) -> Any:
    """Convert bytes and ``Bio.Seq`` to a string; return other values unchanged."""
    if isinstance(value, bytes | bytearray):
        return value.decode("latin-1")  # invalid letters raise an error when the sequence is read
    if _is_seq(value):
        return str(value)
    return value


__all__ = ["Frame", "Named", "Sequences", "Variants", "hold_sequences"]
