"""Genes out of GenBank and EMBL files, read by Biopython."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genolm.errors import GenolmError, InputError
from genolm.genome.coding import Feature, feature_name, is_genic
from genolm.genome.interval import Interval
from genolm.genome.lines import text_lines

_UNNAMED = ("", "<unknown id>", ".")


def flat_features(path: Path, form: str) -> Iterator[Feature]:
    """Yields the features of genes, record by record.

    The contig is the record's accession with its version, or its name where it has none. Parts of a location that lie
    on another record are left out.

    Args:
        path: the file, plain or compressed.
        form: ``genbank`` or ``embl``.

    Raises:
        InputError: no record, or one that Biopython cannot read.
        GenolmError: Biopython is not installed.
    """
    records = 0
    for record in _records(path, form):
        chrom = record.name if record.id in _UNNAMED else record.id
        records += 1
        for number, feature in enumerate(record.features):
            if is_genic(feature.type):
                yield from _feature(feature, chrom, f"{chrom} {number}", path)
    if not records:
        raise InputError(f"the file holds no {_NAMES[form]} record", file=path)


_NAMES = {"genbank": "GenBank", "embl": "EMBL"}


def _records(path: Path, form: str) -> Iterator[Any]:
    try:
        from Bio import SeqIO
    except ImportError:
        raise GenolmError(
            "GenBank and EMBL files are read by biopython, which is not installed: pip install 'genolm[genbank]'"
        ) from None
    text = io.StringIO("".join(f"{line}\n" for _, line in text_lines(path)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fields that nothing here reads
            yield from SeqIO.parse(text, form)
    except (ValueError, AttributeError, IndexError, KeyError, AssertionError) as error:
        raise InputError(f"not readable as {_NAMES[form]}: {error}", file=path) from None


def _feature(feature: Any, chrom: str, key: str, path: Path) -> Iterator[Feature]:
    """The feature, unless it has no place on this record."""
    attributes = {name: values[0] for name, values in feature.qualifiers.items() if values}
    try:
        parts = [_interval(part, chrom) for part in feature.location.parts if part.ref is None]
    except (AttributeError, TypeError):  # no place, or one whose ends are not known
        name = next(iter(attributes.values()), key)
        raise InputError(f"a {feature.type} of {chrom} whose place cannot be read", file=path, value=name) from None
    if parts:
        pseudo = "pseudo" in feature.qualifiers or "pseudogene" in feature.qualifiers
        name = feature_name(attributes, min(parts))
        yield Feature(key, name, feature.type == "CDS" and not pseudo, tuple(sorted(parts)))


def _interval(part: Any, chrom: str) -> Interval:
    return Interval(chrom, int(part.start), int(part.end), "-" if part.strand == -1 else "+")
