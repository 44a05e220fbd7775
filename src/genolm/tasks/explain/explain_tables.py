"""What a model's k-mer tables hold: neighbours, the other strand, the genetic code; each beside a random table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from genolm.engine.target import check_target
from genolm.errors import ModelError
from genolm.models.finite import first_not_finite, not_finite
from genolm.tasks.explain.explain_folder import can_draw, check_folder, write_tables
from genolm.tasks.explain.random_copies import KmerTable, kmer_tables, random_tables
from genolm.tasks.explain.table_geometry import (
    LONGEST_SEARCHED,
    RELATIONS,
    Neighbours,
    Pairs,
    Vectors,
    chance,
    codon_pairs,
    compare,
    neighbours,
    relations,
    spelled,
    strand_pairs,
    vectors,
)
from genolm.tasks.explain.tables_picture import draw_tables
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.writing.output_folders import Form, save_picture, whole_folder
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

TABLES = ("model", "random table")
"""Whose rows: the model's, and normal numbers of equal mean square."""

_SHOWN = 40  # k-mers of a table, those with the closest neighbours, whose neighbours are listed


@dataclass(frozen=True, slots=True)
class _Sides:
    """A table of the model and its twin."""

    table: KmerTable
    rows: dict[str, Vectors]


def explain_tables(
    model: Model | str | Path,
    out: Path | str | None = None,
    *,
    seed: int = 0,
    tables: Form = "tsv",
    device: torch.device | str | None = None,
    overwrite: bool = False,
) -> Any:
    """What the k-mer tables hold, beside random tables of equal mean square; needs no sequence.

    Rows are compared by cosine, in fp32. ``symmetry``: a k-mer with its reverse complement, against the same k-mer with
    a random one that has as many G and C. ``codons`` (k = 3): a codon with a synonymous one, against a codon of another
    amino acid that differs from it at the same places. ``nearest``: how often the nearest row of a k-mer (up to 8
    bases) differs in one base, is its reverse complement, or is it shifted by a base, against chance. ``neighbours``:
    the closest of them.

    Args:
        model: a model with a k-mer memory, or what :func:`genolm.load` takes.
        out: folder to write: the tables and, with the extra ``plots``, ``tables.png``. None returns the tables.
        seed: of the random tables and of every choice of k-mers.
        tables: ``tsv`` or ``parquet``.
        device: where the model is loaded; None for the best there is.
        overwrite: replace a folder that an earlier run wrote.

    Returns:
        ``out``, or without one a dict of polars tables; in all ``layer`` (0 for tables at the input) and ``order`` (k)
        say which table, and ``rows`` whether they are the ``model``'s or a ``random table``'s. ``symmetry`` and
        ``codons``: ``pairs``, mean cosine of ``related`` and ``control`` pairs and their ``difference``, each with its
        95 % interval from resampled pairs. ``nearest``: ``relation``, ``share`` of k-mers, ``share_chance``.
        ``neighbours``: ``kmer``, ``rank``, ``neighbour``, ``cosine``, ``relation``.

    Raises:
        ModelError: no such model, or one without a k-mer memory.
        RunError: the output exists.
    """
    path = check_folder(out, tables)
    if path is not None:
        check_target(path, overwrite=overwrite)
    opened = Bulk(device).open(model)
    if not kmer_tables(opened.decoder):
        raise ModelError(f"{opened.card.name} has no k-mer memory: neither Gengram layers nor tables at its input")
    found = tabulate(opened, seed)
    if path is None:
        return found
    described = Provenance.of(opened).described(
        explained="tables", null="random tables of equal mean square; other k-mers", seed=seed
    )
    with whole_folder(path, described) as folder:
        write_tables(found, folder, tables)
        if can_draw():
            save_picture(draw_tables(found, opened.card.name), folder / "tables.png")
    return path


def tabulate(model: Model, seed: int) -> dict[str, pl.DataFrame]:
    """The tables of :func:`explain_tables`."""
    found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _SCHEMAS}
    for sides in _sides(model, seed):
        table = sides.table
        pairs = strand_pairs(table.order, seed)
        found["symmetry"] += _compared(sides, pairs)
        if table.order == 3:
            found["codons"] += _compared(sides, codon_pairs())
        if table.order <= LONGEST_SEARCHED:
            nearest = {name: neighbours(rows, table.order, seed) for name, rows in sides.rows.items()}
            found["nearest"] += _nearest(table, nearest)
            found["neighbours"] += _listed(table, nearest["model"])
    return {name: pl.DataFrame(rows, schema=_SCHEMAS[name], orient="row") for name, rows in found.items()}


_KEY: dict[str, Any] = {"layer": pl.Int64, "order": pl.Int64, "rows": pl.String}
_COMPARED: dict[str, Any] = {
    **_KEY,
    "pairs": pl.Int64,
    **dict.fromkeys(
        (f"{name}{end}" for name in ("related", "control", "difference") for end in ("", "_low", "_high")), pl.Float64
    ),
}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "symmetry": _COMPARED,
    "codons": _COMPARED,
    "nearest": {**_KEY, "kmers": pl.Int64, "relation": pl.String, "share": pl.Float64, "share_chance": pl.Float64},
    "neighbours": {
        "layer": pl.Int64, "order": pl.Int64, "kmer": pl.String, "rank": pl.Int64, "neighbour": pl.String,
        "cosine": pl.Float64, "relation": pl.String,
    },
}  # fmt: skip


def _sides(model: Model, seed: int) -> Iterator[_Sides]:
    twins = kmer_tables(random_tables(model, seed))
    for table, twin in zip(kmer_tables(model.decoder), twins):
        rows = vectors(table)
        if first_not_finite(rows) is not None:
            raise not_finite(model).about(f"the table of {table.order}-mers in layer {table.layer}")
        yield _Sides(table, dict(zip(TABLES, (rows, vectors(twin)))))


def _compared(sides: _Sides, pairs: Pairs) -> Iterator[tuple[Any, ...]]:
    for name, rows in sides.rows.items():
        found = compare(rows, pairs)
        numbers = [None if math.isnan(value) else value for one in found[1:] for value in one]
        yield sides.table.layer, sides.table.order, name, found.pairs, *numbers


def _nearest(table: KmerTable, found: dict[str, Neighbours]) -> Iterator[tuple[Any, ...]]:
    for name, near in found.items():
        shares = relations(near.queries_Q, near.nearest_QN[:, 0], table.order).mean(0)
        expected = chance(near.queries_Q, table.order)
        for relation, share, by_chance in zip(RELATIONS, shares, expected):
            yield table.layer, table.order, name, len(near.queries_Q), relation, float(share), float(by_chance)


def _listed(table: KmerTable, near: Neighbours) -> Iterator[tuple[Any, ...]]:
    """The neighbours of the k-mers whose nearest row is closest; of short k-mers those of all."""
    closest = np.argsort(-near.cosine_QN[:, 0], kind="stable")[: max(_SHOWN, 4 ** min(table.order, 3))]
    for query in np.sort(closest):
        kmer = int(near.queries_Q[query])
        for rank, (other, cosine) in enumerate(zip(near.nearest_QN[query], near.cosine_QN[query]), start=1):
            kinds = relations(np.array([kmer]), np.array([other]), table.order)[0]
            relation = ", ".join(name for name, has in zip(RELATIONS, kinds) if has)
            spelling = spelled(kmer, table.order), rank, spelled(int(other), table.order)
            yield table.layer, table.order, *spelling, float(cosine), relation
