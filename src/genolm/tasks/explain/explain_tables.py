"""Structure of a model's k-mer tables: neighbours, reverse complements and codons, compared with random tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genolm.engine.executors.in_process import InProcess
from genolm.engine.result import Result
from genolm.engine.target import check_target
from genolm.errors import ModelError
from genolm.models.finite import first_not_finite, not_finite
from genolm.models.model import Model
from genolm.models.precision import Device
from genolm.parameters import OutputFolder, Seed
from genolm.tasks.explain.explain_folder import Explanation, can_draw, check_folder, write_tables
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
from genolm.tasks.reading.bulk import AnyModel, Bulk
from genolm.tasks.writing.output_folders import Form, output_folder, save_picture
from genolm.tasks.writing.provenance import Provenance
from genolm.verbs import verb

TABLES = ("model", "random table")
"""Origin of the rows: the model, or normal random numbers of equal mean square."""

_LISTED = 40  # k-mers per table, those with the closest neighbours, whose neighbours are listed


@dataclass(frozen=True, slots=True)
class _TablePair:
    """A table of the model, and the rows of model and null."""

    table: KmerTable
    rows: dict[str, Vectors]


@verb(example="genolm explain tables genolm-nano tables")
def explain_tables(
    model: AnyModel,
    out: OutputFolder | None = None,
    *,
    seed: Seed = 0,
    tables: Form = "tsv",
    device: Device | None = None,
    overwrite: bool = False,
) -> Explanation:
    """Analyse k-mer tables: neighbours, strands and codons.

    Baseline: random tables.

    The random tables have equal mean square; no sequence is read. Rows are compared by cosine similarity, in fp32.
    ``symmetry``: a k-mer with its reverse complement, against the same k-mer with a random one of equal GC content.
    ``codons`` (k = 3): a codon with a synonymous one, against a codon of another amino acid that differs at the same
    positions. ``nearest``: how often the nearest row of a k-mer (up to 8 bases) differs in one base, is its reverse
    complement, or is shifted by one base, against chance. ``neighbours``: the closest of them. With the extra
    ``plots``, the folder has a figure, ``tables.png``.

    Args:
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.
        out: Output folder; it appears when it is complete.
        seed: Random seed, 0 or higher.
        tables: Format of the tables.
        device: Device: cpu, cuda, cuda:1 or mps. Default: the first CUDA device, or else the CPU.
        overwrite: Overwrite existing output.

    Returns:
        Tables, in memory or in the folder ``out``; all have ``layer`` (0 for tables at the input), ``order`` (k)
        and ``rows`` (``model`` or ``random table``). ``symmetry`` and ``codons``: ``pairs``, mean cosine of ``related``
        and ``control`` pairs and their ``difference``, each with its 95 % interval from resampled pairs. ``nearest``:
        ``relation``, ``share`` of k-mers, ``share_chance``. ``neighbours``: ``kmer``, ``rank``, ``neighbour``,
        ``cosine``, ``relation``.

    Raises:
        ModelError: the model does not exist or has no k-mer memory.
        RunError: the output exists.
    """
    path = check_folder(out, tables)
    if path is not None:
        check_target(path, overwrite=overwrite)
    opened = Bulk(device, executor=InProcess()).open(model)
    if not kmer_tables(opened.decoder):
        raise ModelError(
            f"{opened.card.name} has no k-mer memory: neither Gengram layers nor tables at its input",
            code="unsupported-by-model",
        )
    results = tabulate(opened, seed)
    if path is None:
        return _explained(None, results, opened.card.name)
    described = Provenance.of(opened).entries(
        explained="tables", null="random tables of equal mean square; other k-mers", seed=seed
    )
    with output_folder(path, described) as folder:
        write_tables(results, folder, tables)
        if can_draw():
            save_picture(draw_tables(results, opened.card.name), folder / "tables.png")
    return _explained(path, None, opened.card.name)


def _explained(path: Path | None, results: dict[str, pl.DataFrame] | None, name: str) -> Explanation:
    return Explanation(Result(path, results, len(_SCHEMAS), 1, 1), tuple(_SCHEMAS), name)


def tabulate(model: Model, seed: int) -> dict[str, pl.DataFrame]:
    """Return the tables of :func:`explain_tables`."""
    results: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _SCHEMAS}
    for pair in _table_pairs(model, seed):
        table = pair.table
        pairs = strand_pairs(table.order, seed)
        results["symmetry"] += _compared(pair, pairs)
        if table.order == 3:
            results["codons"] += _compared(pair, codon_pairs())
        if table.order <= LONGEST_SEARCHED:
            nearest = {name: neighbours(rows, table.order, seed) for name, rows in pair.rows.items()}
            results["nearest"] += _nearest(table, nearest)
            results["neighbours"] += _listed(table, nearest["model"])
    return {name: pl.DataFrame(rows, schema=_SCHEMAS[name], orient="row") for name, rows in results.items()}


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


def _table_pairs(model: Model, seed: int) -> Iterator[_TablePair]:
    null_tables = kmer_tables(random_tables(model, seed))
    for table, null in zip(kmer_tables(model.decoder), null_tables):
        rows = vectors(table)
        if first_not_finite(rows) is not None:
            raise not_finite(model).about(f"the table of {table.order}-mers in layer {table.layer}")
        yield _TablePair(table, dict(zip(TABLES, (rows, vectors(null)))))


def _compared(pair: _TablePair, pairs: Pairs) -> Iterator[tuple[Any, ...]]:
    for name, rows in pair.rows.items():
        results = compare(rows, pairs)
        numbers = [None if math.isnan(value) else value for one in results[1:] for value in one]
        yield pair.table.layer, pair.table.order, name, results.pairs, *numbers


def _nearest(table: KmerTable, results: dict[str, Neighbours]) -> Iterator[tuple[Any, ...]]:
    for name, near in results.items():
        shares = relations(near.queries_Q, near.nearest_QN[:, 0], table.order).mean(0)
        expected = chance(near.queries_Q, table.order)
        for relation, share, by_chance in zip(RELATIONS, shares, expected):
            yield table.layer, table.order, name, len(near.queries_Q), relation, float(share), float(by_chance)


def _listed(table: KmerTable, near: Neighbours) -> Iterator[tuple[Any, ...]]:
    """Yield the neighbours of the k-mers with the closest nearest row; of short k-mers all."""
    closest = np.argsort(-near.cosine_QN[:, 0], kind="stable")[: max(_LISTED, 4 ** min(table.order, 3))]
    for query in np.sort(closest):
        kmer = int(near.queries_Q[query])
        for rank, (other, cosine) in enumerate(zip(near.nearest_QN[query], near.cosine_QN[query]), start=1):
            kinds = relations(np.array([kmer]), np.array([other]), table.order)[0]
            relation = ", ".join(name for name, has in zip(RELATIONS, kinds) if has)
            spelling = spelled(kmer, table.order), rank, spelled(int(other), table.order)
            yield table.layer, table.order, *spelling, float(cosine), relation
