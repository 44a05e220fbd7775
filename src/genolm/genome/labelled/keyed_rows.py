"""Tab-separated tables with one row per key."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from genolm.errors import InputError
from genolm.files.lines import locate_errors, text_lines
from genolm.genome.tabular import present

Key = TypeVar("Key")


def keyed_rows(
    path: Path, fits: Callable[[set[str]], bool], columns: str, key: Callable[[Mapping[str, str]], Key]
) -> dict[Key, dict[str, str]]:
    """Return the rows of a table by key; empty lines are skipped.

    A missing value, such as ``NA`` (:func:`genolm.genome.tabular.present`), becomes empty text.

    Args:
        path: tab-separated file, plain or compressed, with a header.
        fits: function that checks the columns.
        columns: error message if the check fails.
        key: function that returns the key of a row; the line is added to any `InputError` that it raises.

    Raises:
        InputError: the columns are wrong, a line has a wrong number of fields, or a key is duplicated.
    """
    lines = csv.reader((line for _, line in text_lines(path)), delimiter="\t")
    header = next(lines, [])
    if not fits(set(header)):
        raise InputError(columns, file=path, line=1, value="\t".join(header))
    rows: dict[Key, dict[str, str]] = {}
    for number, fields in enumerate(lines, start=2):
        if not fields:
            continue
        with locate_errors(path, number):
            if len(fields) != len(header):
                raise InputError(f"expected {len(header)} fields, got {len(fields)}")
            row = {column: "" if present(value) is None else value for column, value in zip(header, fields)}
            name = key(row)
            if name in rows:
                raise InputError(
                    "duplicate name", value=name[-1] if isinstance(name, tuple) else name, code="duplicate-name"
                )
            rows[name] = row
    return rows
