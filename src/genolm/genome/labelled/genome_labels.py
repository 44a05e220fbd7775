"""Which species a fragment belongs to: told by its file, by a table, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from genolm.errors import InputError
from genolm.genome.labelled.fragments import Fragment, genome_name
from genolm.genome.labelled.keyed_rows import keyed_rows

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
    rows = keyed_rows(
        path,
        lambda names: "label" in names and bool({"genome", "contig"} & names),
        "a table of labels has the columns label and genome or contig",
        _named,
    )
    key = "contig" if rows and "genome" not in next(iter(rows.values())) else "genome"
    return key, {name: row["label"] for name, row in rows.items()}


def _named(row: Mapping[str, str]) -> str:
    """What a row speaks of, once it has a label."""
    name = genome_name(row["genome"]) if "genome" in row else row["contig"]
    if not row["label"]:
        raise InputError("the label is empty", value=name)
    return name
