"""Datasets on disk: a folder with one parquet table per split, and ``dataset.json`` that describes them.

Coordinates are 0-based and half-open. A sequence is upper case and on its strand. The label of a row is the name of a
class, or, for labels of bases, a text of the sequence's length: digits are indexes of ``labels``, and ``.`` is a base
that is not counted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from genolm.errors import InputError
from genolm.files.atomic import atomic_file, write_text
from genolm.files.digests import file_sha256

FORMAT, VERSION = "genolm dataset", 1
DESCRIPTION = "dataset.json"
NOT_COUNTED = "."
"""Label of a base that is not counted."""
_SCHEMA = {
    "id": pl.String, "chrom": pl.String, "start": pl.Int64, "end": pl.Int64, "strand": pl.String,
    "gene": pl.String, "sequence": pl.String, "label": pl.String,
}  # fmt: skip
COLUMNS = tuple(_SCHEMA)
"""Columns of a split."""


class LabelledRow(NamedTuple):
    """A labelled sequence.

    Attributes:
        id: name of the row, unique in its dataset.
        chrom: contig of the sequence.
        start: first base, 0-based; negative if the sequence begins before the contig, where its bases are N.
        end: one past the last base, 0-based.
        strand: strand of the sequence, ``+`` or ``-``.
        gene: gene of the sequence; empty if it has none.
        sequence: upper-case bases on the strand.
        label: name of a class, or one character per base.
    """

    id: str
    chrom: str
    start: int
    end: int
    strand: str
    gene: str
    sequence: str
    label: str


@dataclass(frozen=True, slots=True)
class Description:
    """Content of ``dataset.json``, except format, version and digest.

    Attributes:
        kind: what the dataset holds, such as ``splice``.
        of: what has a label: ``sequence`` or ``base``.
        task: kind of label: ``classes``.
        labels: names of the classes, in the order of their indexes.
        inputs: role, file name and sha256 of each input file.
        split_by: method of the splits, such as ``chromosome``.
        settings: settings of the builder.
        counts: what the builder counted.
        splits: file, rows and sha256 of each split, by name; filled in by `write_dataset`.
    """

    kind: str
    of: str
    task: str
    labels: tuple[str, ...]
    inputs: tuple[Mapping[str, str], ...]
    split_by: str
    settings: Mapping[str, Any]
    counts: Mapping[str, Any] = field(default_factory=dict)
    splits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text of the file; equal datasets have equal text."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self), "columns": COLUMNS}
        return json.dumps({**content, "sha256": _digest(content)}, indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset folder that was verified.

    Attributes:
        folder: the folder.
        description: content of ``dataset.json``.
    """

    folder: Path
    description: Description

    def path(self, split: str) -> Path:
        """Return the table of a split.

        Raises:
            InputError: the dataset has no such split.
        """
        found = self.description.splits.get(split)
        if found is None:
            names = ", ".join(self.description.splits)
            raise InputError(f"the dataset has no such split; it has {names}", file=self.folder, value=split)
        return self.folder / str(found["file"])

    def rows(self, split: str) -> Iterator[LabelledRow]:
        """Yield the rows of a split in the order of its table."""
        yield from map(LabelledRow._make, pl.read_parquet(self.path(split).read_bytes()).select(COLUMNS).iter_rows())


def write_dataset(folder: Path, description: Description, splits: Mapping[str, Iterable[LabelledRow]]) -> Dataset:
    """Write a dataset atomically; an existing folder is replaced. Equal rows and description give equal bytes.

    Args:
        folder: the new folder.
        description: description without ``splits``.
        splits: rows by name of the split, in the order of ``dataset.json``.

    Raises:
        InputError: a split has no rows, or a label of bases is not as long as its sequence or has other characters.
        ResourceError: the disk is full.
    """
    written = dict[str, dict[str, Any]]()
    with atomic_file(folder) as partial:
        partial.mkdir()
        for name, rows in splits.items():
            table = _table(name, rows, description)
            path = partial / f"{name}.parquet"
            table.write_parquet(path, compression="zstd", statistics=False)
            written[name] = {"file": path.name, "rows": table.height, "sha256": file_sha256(path)}
        values = {item.name: getattr(description, item.name) for item in fields(Description)}
        write_text(partial / DESCRIPTION, Description(**{**values, "splits": written}).to_json())
        read_dataset(partial)
    return read_dataset(folder)


def is_dataset(path: str | Path) -> bool:
    """Return whether a path is a folder with ``dataset.json``."""
    return (Path(path) / DESCRIPTION).is_file()


def read_dataset(folder: str | Path) -> Dataset:
    """Open a dataset folder and verify the sha256 of its description and of every split.

    Raises:
        InputError: the folder is not a dataset, its version is not supported, or a file is missing, damaged or changed.
    """
    folder = Path(folder)
    description = _description(folder / DESCRIPTION)
    for name, split in description.splits.items():
        path = folder / str(split["file"])
        if not path.is_file():
            raise InputError(f"the table of the split {name} is missing: build the dataset again", file=path)
        if file_sha256(path) != split["sha256"]:
            raise InputError(
                f"damaged or changed: its sha256 does not match {DESCRIPTION}", file=path, code="damaged-file"
            )
    return Dataset(folder, description)


def _description(file: Path) -> Description:
    if not file.is_file():
        raise InputError(f"not a dataset: {DESCRIPTION} is missing", file=file.parent)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise InputError("damaged: not valid JSON", file=file, code="damaged-file") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise InputError("not the description of a dataset", file=file)
    if values.get("version") != VERSION:
        raise InputError(f"unsupported format version: expected {VERSION}", file=file, value=values.get("version"))
    if values.pop("sha256", None) != _digest(values):
        raise InputError("damaged or changed: its sha256 does not match its content", file=file, code="damaged-file")
    content = {item.name: values[item.name] for item in fields(Description)}
    return Description(**{**content, "labels": tuple(content["labels"]), "inputs": tuple(content["inputs"])})


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _table(name: str, rows: Iterable[LabelledRow], description: Description) -> pl.DataFrame:
    checked = [_checked(row, description) for row in rows]
    if not checked:
        raise InputError("no example falls into this split", value=name, code="empty-input")
    return pl.DataFrame(checked, schema=_SCHEMA, orient="row")


def _checked(row: LabelledRow, description: Description) -> LabelledRow:
    if description.of == "base":
        if len(row.label) != len(row.sequence):
            message = f"{len(row.label):,} labels for {len(row.sequence):,} bases"
            raise InputError(message, value=row.id)
        known = {str(index) for index in range(len(description.labels))} | {NOT_COUNTED}
        if foreign := sorted(set(row.label) - known):
            raise InputError(f"{row.id}: not the index of a label", value=foreign[0])
    elif row.label not in description.labels:
        raise InputError(f"{row.id}: unknown label; the dataset has {', '.join(description.labels)}", value=row.label)
    return row
