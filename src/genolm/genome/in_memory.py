"""The rule for inputs: what a path, a text, a table, a mapping, a list or an object stands for.

In this order: objects of genolm stand for themselves; a path is a file; a table has rows; a mapping names its values; a
text is a file if it exists, contains a path separator or has a known extension, else a variant, an interval or DNA.
Anything else raises an `InputError` that lists the accepted forms.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from genolm.errors import InputError
from genolm.files.kinds import is_packed
from genolm.files.lines import locate_errors
from genolm.genome.fasta import Genome
from genolm.genome.formats import known_format
from genolm.genome.input_values import HeldSequences, HeldVariants, Named, SequenceRecord, Sequences, Value, Variants
from genolm.genome.interval import Interval
from genolm.genome.tabular import SEQUENCE_LETTERS, Frame, present
from genolm.genome.variant import Variant

_VARIANT, _INTERVAL = "a variant (chr22:1024:A>C)", "an interval (chr22:1,001-2,000)"
_SEQUENCES = (
    f"a file, {_VARIANT}, {_INTERVAL}, a sequence of DNA letters, a table, a mapping from names to sequences, "
    "or a list of sequences, intervals or variants"
)
_VARIANTS = f"a file (VCF, BCF or a table), {_VARIANT}, a table, a mapping from ids to variants, or a list of variants"

_LETTERS = "".join(SEQUENCE_LETTERS).encode()
_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))
_OTHER_SIGNS = frozenset("0123456789:_")  # a text with one of these is not meant as a sequence

Held = TypeVar("Held")


def hold_sequences(inputs: Sequences) -> HeldSequences:
    """Normalise inputs to a form that can be read repeatedly; normalised inputs are returned unchanged.

    Args:
        inputs: a path; text that is a file, a variant, an interval or DNA; a `Genome` (its FASTA); a table of polars,
            pandas, pyarrow or PyRanges; a mapping from names to sequences; or an iterable of sequences, pairs ``(name,
            sequence)``, `Interval`, `Variant`, or records of Biopython and pysam. Sequences are strings, bytes or
            ``Bio.Seq``; texts in a list, mapping or pair may also be intervals and variants.

    Returns:
        A path (``-`` is standard input), a table, or a tuple of strings of letters, `Named`, `Interval`, `Variant` and
        `SequenceRecord`.

    Raises:
        InputError: a file without a known extension does not exist; FASTA text instead of a path; a value that is not
            an ordered collection of sequences: an open file, bytes, a set, an array of numbers, a list of paths; or
            another value, with a list of the accepted forms.
    """
    if isinstance(inputs, str):
        held = _text(inputs)
        return held if isinstance(held, Path) else (held,)
    if isinstance(inputs, os.PathLike):
        return _file(Path(inputs))
    if isinstance(inputs, Genome):
        return inputs.path
    if (table := _table(inputs)) is not None:
        return table
    if _is_single(inputs):
        return (_element(inputs),)
    if isinstance(inputs, Mapping):
        return _numbered("inputs", _named, inputs.items())
    return _numbered("inputs", _element, _listed(inputs, _SEQUENCES))


def hold_variants(inputs: Variants) -> HeldVariants:
    """Normalise variants to a form that can be read repeatedly; normalised variants are returned unchanged.

    Args:
        inputs: a path; text that is a file or a variant; a table; a mapping from ids to variants; or an iterable of
            `Variant`, texts, tuples ``(chrom, pos, ref, alt)`` and pairs ``(id, variant)``.

    Returns:
        A path (``-`` is standard input), a table, or a tuple of `Variant` and `Named`.

    Raises:
        InputError: as :func:`hold_sequences`; errors of lists name the number of the variant.
    """
    if isinstance(inputs, str):
        return _variant_text(inputs)
    if isinstance(inputs, os.PathLike):
        return _file(Path(inputs))
    if (table := _table(inputs)) is not None:
        return table
    if isinstance(inputs, Variant | Named):
        return (_variant(inputs),)
    if isinstance(inputs, Mapping):
        return _numbered("variants", _variant, inputs.items())
    return _numbered("variants", _variant, _listed(inputs, _VARIANTS))


# Texts and files


def _text(text: str) -> Path | Variant | Interval | str:
    """Return what a text stands for: a file, a variant, an interval or a sequence, in this order."""
    if _is_file(text):
        return _file(Path(text))
    if text.startswith(">") or "\n" in text:
        raise InputError("expected a path, found text; write it to a FASTA file and pass its path", value=text)
    held = _letters(text) if _is_dna(text) else _located(text)
    if held is None:
        problem = f"no such file, and not {_VARIANT}, {_INTERVAL} or DNA letters"
        raise InputError(problem + _why_not_dna(text), value=text)
    return held


def _variant_text(text: str) -> HeldVariants:
    if _is_file(text):
        return _file(Path(text))
    if not Variant.is_text(text):
        raise InputError(f"no such file, and not {_VARIANT}", value=text)
    return (Variant.parse(text),)


def _located(text: str) -> Variant | Interval | None:
    """Return the variant or interval that a text stands for; None for other texts."""
    if Variant.is_text(text):
        return Variant.parse(text)
    return Interval.parse(text) if Interval.is_text(text) else None


def _is_file(text: str) -> bool:
    """Whether a text is meant as a file: it exists, has a path separator or a known extension, or is ``-``."""
    if _exists(text):
        return bool(text)
    if text.startswith(">") or "\n" in text:
        return False
    path = Path(text)
    named = known_format(path) is not None or is_packed(path)
    return text == "-" or named or any(separator in text for separator in _SEPARATORS)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # the name is too long for the system, or contains a null character
        return False


def _file(path: Path) -> Path:
    """Return the path of a file; raise `InputError` if it is missing and no reader would say so."""
    if str(path) != "-" and known_format(path) is None and not _exists(str(path)):
        raise InputError("no such file", file=path)
    return path


def _is_dna(text: str) -> bool:
    return bool(text) and not text.encode("ascii", "replace").translate(None, _LETTERS)


def _why_not_dna(text: str) -> str:
    """Return the first letter that is not of DNA, with its position, as a remark; empty for an empty text."""
    foreign = ((number, letter) for number, letter in enumerate(text, start=1) if letter not in SEQUENCE_LETTERS)
    return next((f" ({letter!r} at position {number} is not a base)" for number, letter in foreign), "")


# Collections


def _table(inputs: Any) -> Frame | None:
    """Return a table as a table of polars or pandas; None for other inputs."""
    if isinstance(inputs, pl.LazyFrame):
        return inputs.collect()
    if hasattr(inputs, "as_df"):  # PyRanges, whose columns are not found by their names
        frame: Frame = inputs.as_df()
        return frame
    if hasattr(inputs, "__arrow_c_stream__") and hasattr(inputs, "schema") and not isinstance(inputs, pl.DataFrame):
        return pl.DataFrame(inputs)
    return inputs if isinstance(inputs, Frame) else None


def _listed(inputs: Any, forms: str) -> Iterable[Any]:
    """Return an iterable of values; raise `InputError` for others, and for iterables without an order."""
    if hasattr(inputs, "read") or hasattr(inputs, "readline"):
        raise InputError("an open file; pass its path instead", value=getattr(inputs, "name", inputs))
    if isinstance(inputs, bytes | bytearray | memoryview):
        raise InputError("bytes are neither a path nor a list; pass a list of sequences: [b'ACGT…']", value=inputs)
    if isinstance(inputs, set | frozenset):
        raise InputError("a set has no order; pass a list, or a dict of names and sequences", value=inputs)
    if isinstance(inputs, np.ndarray) and (inputs.ndim != 1 or inputs.dtype.kind not in "OSUT"):
        shown = f"{inputs.dtype} array of shape {inputs.shape}"
        raise InputError("an array of sequences must have one dimension and hold one text per sequence", value=shown)
    if hasattr(inputs, "to_pylist"):  # an array of pyarrow
        inputs = inputs.to_pylist()
    try:
        iter(inputs)
    except TypeError:
        raise InputError(f"expected {forms}", value=inputs) from None
    values: Iterable[Any] = inputs
    return values


def _numbered(name: str, read: Callable[[Any], Held], values: Iterable[Any]) -> tuple[Held, ...]:
    """Normalise values; errors name the number of the value."""
    held = []
    for number, value in enumerate(values, start=1):
        with locate_errors(name, number):
            held.append(read(value))
    return tuple(held)


# Sequences


def _is_single(value: object) -> bool:
    """Whether a value is a single sequence (a ``Seq`` of Biopython is iterable)."""
    if isinstance(value, Interval | Variant | Named | SequenceRecord) or _is_seq(value):
        return True
    of_many = isinstance(value, tuple) or hasattr(value, "__array__")  # a Series has attributes of its index's names
    return not of_many and any(hasattr(value, name) for name in ("seq", "sequence"))


def _is_seq(value: object) -> bool:
    """Whether a value is a ``Seq`` of Biopython, without importing Biopython."""
    return any(f"{kind.__module__}.{kind.__name__}" == "Bio.Seq._SeqAbstractBaseClass" for kind in type(value).__mro__)


def _element(value: Any) -> Value:
    """Normalise an element of a list."""
    if isinstance(value, Named | SequenceRecord):
        return value
    if isinstance(value, tuple) and len(value) == 2:
        return _named(value)
    if isinstance(value, tuple | list):
        message = "invalid element of a list: a tuple must be a pair (name, sequence), an interval an Interval"
        raise InputError(message, value=value)
    if hasattr(value, "seq"):  # Biopython, pyfaidx
        return _named((getattr(value, "id", None) or getattr(value, "name", None), value.seq))
    if hasattr(value, "sequence") and hasattr(value, "name"):  # pysam
        return _named((value.name, value.sequence))
    return _letters(value)


def _named(pair: tuple[Any, Any]) -> Named:
    name, value = pair
    if isinstance(value, list | tuple | dict | pl.Series | np.ndarray):
        raise InputError(
            f"{name!r} must have one sequence; for columns use a table: polars.DataFrame({{'id': …, 'sequence': …}})",
            value=value,
        )
    return Named(_name(name, "sequence"), _letters(value))


def _name(name: object, of: str) -> str:
    if isinstance(name, bool) or not isinstance(name, str | int | np.integer):
        raise InputError(f"the name of a {of} must be text", value=name)
    return str(name)


def _letters(value: Any) -> str | Interval | Variant:
    """Normalise a single sequence: letters, an interval or a variant, or text for one of these."""
    if isinstance(value, Interval | Variant):
        return value
    if isinstance(value, str):
        return _text_in_list(value)
    if isinstance(value, bytes | bytearray):
        return value.decode("latin-1")  # invalid letters raise an error when the sequence is read
    if _is_seq(value):
        return str(value)
    if isinstance(value, os.PathLike):
        raise InputError("a path in a list; pass one path instead of a list", value=str(value))
    _refuse_missing(value)
    raise InputError("expected DNA, an Interval, a Variant or a SequenceRecord", value=value)


def _text_in_list(text: str) -> str | Interval | Variant:
    """Return what a text in a list stands for; text that may be meant as DNA is left to the reader of sequences."""
    if not text:
        return text
    _refuse_missing(text)
    if _is_dna(text):
        return text
    if (held := _located(text)) is not None:
        return held
    if _is_file(text):
        raise InputError("a path in a list; pass one path instead of a list", value=text)
    if _OTHER_SIGNS.intersection(text):
        raise InputError(f"expected DNA letters, {_INTERVAL} or {_VARIANT}", value=text)
    return text


def _refuse_missing(value: object) -> None:
    if present(value) is None:
        raise InputError("missing value; remove it", value=value)


# Variants


def _variant(value: Any) -> Variant | Named:
    """Normalise an element of a list of variants."""
    match value:
        case Variant():
            return value
        case Named():
            return Named(value.name, _one_variant(value.value))
        case (name, variant):
            return Named(_id(name), _one_variant(variant))
    return _one_variant(value)


def _one_variant(value: Any) -> Variant:
    match value:
        case Variant():
            return value
        case str():
            return Variant.parse(value)
        case (str() as chrom, pos, str() as ref, str() as alt):
            return Variant(chrom, pos, ref, alt)
    raise InputError("expected a Variant, text such as chr22:1024:A>C, or (chrom, pos, ref, alt)", value=value)


def _id(name: object) -> str:
    text = _name(name, "variant")
    if len(text.split()) != 1 or text != text.strip():
        raise InputError("the id of a variant must be one word without white space", value=text)
    return text


__all__ = [
    "Named", "Sequences", "Variants", "hold_sequences", "hold_variants",
]  # fmt: skip
