"""Species labels of fragments, by file or from a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from genolm.errors import InputError
from genolm.genome.labelled.fragments import Fragment, genome_name
from genolm.genome.labelled.keyed_rows import keyed_rows
from genolm.remedies import Remedy

FILES, NONE = "files", "none"
"""Special values instead of a table: one species per file; no labels."""


def labels_of(fragments: Sequence[Fragment], given: str | Path) -> list[str] | None:
    """Return the label of every fragment; None without labels.

    Args:
        fragments: the fragments.
        given: ``files``, ``none``, or a TSV with the columns ``label`` and ``genome`` (file name, with or without
            extensions) or ``contig``.

    Raises:
        InputError: the table lacks a column or a fragment, or all labels are equal.
    """
    if str(given) == NONE:
        return None
    by_file = [fragment.genome for fragment in fragments]
    labels = by_file if str(given) == FILES else _from_table(fragments, Path(given))
    if len(set(labels)) < 2:
        raise InputError(
            "there is only one species",
            value=labels[0] if labels else None,
            remedy=Remedy("labels", "none", "cluster without labels"),
        )
    return labels


def _from_table(fragments: Sequence[Fragment], path: Path) -> list[str]:
    key, table = read_labels(path)
    labels = []
    for fragment in fragments:
        name = fragment.genome if key == "genome" else fragment.contig
        if name not in table:
            raise InputError(f"no label for this {key} in the table", file=path, value=name)
        labels.append(table[name])
    return labels


def read_labels(path: Path) -> tuple[str, Mapping[str, str]]:
    """Read a table of labels; return its key column, ``genome`` or ``contig``, and the label by key.

    Raises:
        InputError: a column is missing, a line has a wrong number of fields, a label is empty, or a name is duplicated.
    """
    rows = keyed_rows(
        path,
        lambda names: "label" in names and bool({"genome", "contig"} & names),
        "a label table must have the columns label and genome or contig",
        _named,
    )
    key = "contig" if rows and "genome" not in next(iter(rows.values())) else "genome"
    return key, {name: row["label"] for name, row in rows.items()}


def _named(row: Mapping[str, str]) -> str:
    """Return the genome or contig of a row; raise `InputError` if its label is empty."""
    name = genome_name(row["genome"]) if "genome" in row else row["contig"]
    if not row["label"]:
        raise InputError("the label is empty", value=name)
    return name
