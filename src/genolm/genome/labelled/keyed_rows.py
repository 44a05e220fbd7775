"""Tables that say something of named things, tab-separated: one row a name."""

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
    """The rows of a table by what they speak of; empty lines are passed over.

    A missing value, such as ``NA`` (:func:`genolm.genome.tabular.present`), is an empty text.

    Args:
        path: tab-separated, plain or compressed; the first line names the columns.
        fits: whether these columns are those that are needed.
        columns: says in a message which those are.
        key: what a row speaks of; may raise InputError, which then tells the line.

    Raises:
        InputError: other columns, a line with more or fewer fields, a name that stands twice.
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
                raise InputError(f"{len(fields)} fields under {len(header)} names")
            row = {column: "" if present(value) is None else value for column, value in zip(header, fields)}
            name = key(row)
            if name in rows:
                raise InputError("this name has a row already", value=name[-1] if isinstance(name, tuple) else name)
            rows[name] = row
    return rows
