"""Which species a fragment belongs to: told by its file, by a table, or not at all."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from genolm.errors import InputError
from genolm.genome.lines import text_lines
from genolm.tasks.fragments import Fragment, genome_name

FILES, NONE = "files", "none"
"""Instead of a table: each file is a species of its own; there are no labels."""


def labels_of(fragments: Sequence[Fragment], given: str | Path) -> list[str] | None:
    """The label of every fragment; None where there are none.

    Args:
        fragments: the pieces.
        given: ``files``, ``none``, or a TSV with the columns ``label`` and ``genome`` (name of a file, with or without
            its endings) or ``contig`` (of a sequence).

    Raises:
        InputError: a table without those columns, a fragment that it does not name, or one label for all.
    """
    if str(given) == NONE:
        return None
    by_file = [fragment.genome for fragment in fragments]
    labels = by_file if str(given) == FILES else _from_table(fragments, Path(given))
    if len(set(labels)) < 2:
        raise InputError(
            "there is one species only, and nothing to tell apart; --labels none clusters without labels",
            value=labels[0] if labels else None,
        )
    return labels


def _from_table(fragments: Sequence[Fragment], path: Path) -> list[str]:
    key, table = read_labels(path)
    found = []
    for fragment in fragments:
        name = fragment.genome if key == "genome" else fragment.contig
        if name not in table:
            raise InputError(f"the table has no label of this {key}", file=path, value=name)
        found.append(table[name])
    return found


def read_labels(path: Path) -> tuple[str, Mapping[str, str]]:
    """What a table names, ``genome`` or ``contig``, and the label of each.

    Raises:
        InputError: columns are missing, a line has more or fewer fields, a label is empty, a name stands twice.
    """
    rows = csv.reader((line for _, line in text_lines(path)), delimiter="\t")
    names = next(rows, [])
    key = next((name for name in ("genome", "contig") if name in names), None)
    if key is None or "label" not in names:
        raise InputError(
            "a table of labels has the columns label and genome or contig", file=path, line=1, value="\t".join(names)
        )
    table: dict[str, str] = {}
    for number, fields in enumerate(rows, start=2):
        if not fields:
            continue
        if len(fields) != len(names):
            raise InputError(f"{len(fields)} fields under {len(names)} names", file=path, line=number)
        row = dict(zip(names, fields))
        name = genome_name(row[key]) if key == "genome" else row[key]
        if not row["label"]:
            raise InputError("the label is empty", file=path, line=number, value=name)
        if name in table:
            raise InputError(f"this {key} has a label already", file=path, line=number, value=name)
        table[name] = row["label"]
    return key, table
