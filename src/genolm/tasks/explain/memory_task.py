"""The task of `genolm explain memory`: traces of k-mer memories at every base. B batch, L tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolm.arrays import Float32
from genolm.engine.batches import collate
from genolm.engine.windows import Window
from genolm.genome.bigwig import Piece, write_bigwig
from genolm.genome.sequences import SequenceRecord
from genolm.models.finite import require_finite_rows
from genolm.models.gengram.kmer_stream import digits_of, read_kmers
from genolm.models.networks.decoder import Decoder
from genolm.statistics.bootstrap import correlation, estimate, products
from genolm.tasks.explain.explain_folder import can_draw, spooled_folder
from genolm.tasks.explain.gene_annotation import Annotation, read_annotation
from genolm.tasks.explain.memory_picture import Traces, draw_memory
from genolm.tasks.explain.random_copies import INPUT, gengrams, random_tables
from genolm.tasks.explain.region_task import (
    LOCATION_SCHEMA,
    RegionTask,
    joined_outputs,
    location,
)
from genolm.tasks.reading.sources import Source
from genolm.tasks.reading.track_pieces import contig_lengths, pieces_in_order
from genolm.tasks.writing.output_folders import Form, save_picture, write_rows
from genolm.tasks.writing.provenance import Provenance
from genolm.tokens.tokenizer import Tokenizer

if TYPE_CHECKING:
    from genolm.models.model import Model

MAX_FIGURES = 20
"""Maximum number of regions with a figure; tables and tracks hold all regions."""

QUANTITIES = ("written", "relative", "gate")
"""Norm of the memory's output; that norm over the norm of the stream it is added to; the gate, 0 to 1.

Tables at the input have no gate: NaN.
"""

_NULL = "_random_tables"

_COLUMNS = tuple(f"{name}{ending}" for name in QUANTITIES for ending in ("", _NULL))


@dataclass(frozen=True, slots=True)
class MemoryTask(RegionTask):
    """Memory traces as computed by the engine; created by :func:`explain_memory`.

    Attributes:
        source: the sequences.
        context: bases per window.
        layers: layers with a memory; 0 is the input.
        seed: random seed of the random tables.
        genes: annotation of genes to draw; None without.
        tables: file format of the tables.
        provenance: provenance of the model.
    """

    source: Source
    context: int
    layers: tuple[int, ...]
    seed: int
    genes: Path | None
    tables: Form
    provenance: Provenance
    name: ClassVar[str] = "explain memory"

    def items(self) -> Iterator[SequenceRecord]:
        """Yield the sequences in genome order."""
        return pieces_in_order(self.source)

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return (*self.source.files(), *(() if self.genes is None else (self.genes,)))

    def forward(self, model: Model, windows: Sequence[Window[int]]) -> list[Float32]:
        """Return the traces of each window, (2, memories, 3, bases): the model's, then those of random tables."""
        import torch

        ids_BL = collate([window.sequence for window in windows], model.tokenizer, device=model.device).ids_BL
        networks = model.decoder, random_tables(model, self.seed)
        traces = torch.stack([memory_traces(network, model.tokenizer, ids_BL) for network in networks], 1)
        values = traces.cpu().numpy()
        scored = [row[..., self.first_scored(window) : len(window)].copy() for row, window in zip(values, windows)]
        for index, network in enumerate(networks):
            require_finite_rows(model, [self._measured(row[index]) for row in scored], network)
        return scored

    def _measured(self, values: Float32) -> Float32:
        """Return the values of one network, (memories, 3, bases), with 0 for the gate that input tables lack."""
        measured = values.copy()
        if INPUT in self.layers:
            measured[self.layers.index(INPUT), QUANTITIES.index("gate")] = 0
        return measured

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window[int]], outputs: Sequence[Float32]
    ) -> pl.DataFrame:
        """Return a row for each sequence and layer, with lists of one value per base in the order of the sequence."""
        frames = [pl.DataFrame(schema=_SCHEMA)]
        frames += [self._item_rows(item, values) for item, values in joined_outputs(items, windows, outputs, -1)]
        return pl.concat(frames)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write the output folder."""
        lengths = contig_lengths(self.source)
        with spooled_folder(out, self.metadata(), frames) as (folder, spool):
            summary = self.summary(spool)
            write_rows([summary], folder, "summary", self.tables)
            write_rows(map(base_rows, spool), folder, "positions", self.tables)
            for layer in self.layers:
                for column in _columns_of(layer):
                    path = folder / f"layer{layer:02d}.{column}.bw"
                    write_bigwig(path, lengths, _pieces(spool, layer, column, lengths))
            self._draw(spool, summary, folder)

    def collect(self, frames: Iterator[pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """Return the tables."""
        spooled = list(frames)
        return {"summary": self.summary(spooled), "positions": pl.concat(map(base_rows, spooled))}

    def metadata(self) -> dict[str, str]:
        """Return the provenance of the traces."""
        settings = {"context_bases": self.context, "seed": self.seed, "explained": "memory"}
        return self.provenance.entries(null="the same network with random tables of equal mean square", **settings)

    def summary(self, frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
        """Return, for each layer and quantity, the means of model and null and their correlation along the bases."""
        blocks: dict[tuple[int, str], list[NDArray[np.float64]]] = {}
        for frame in frames:
            for row in frame.iter_rows(named=True):
                for name in QUANTITIES:
                    real, null = (np.asarray(row[name + ending], np.float32) for ending in ("", _NULL))
                    blocks.setdefault((row["layer"], name), []).append(products(real, null))
        rows = [
            _summary_row(layer, name, np.concatenate(blocks[layer, name]))
            for layer in self.layers
            for name in QUANTITIES
            if name in _columns_of(layer) and (layer, name) in blocks
        ]
        return pl.DataFrame(rows, schema=_SUMMARY)

    def _item_rows(self, item: SequenceRecord, values: Float32) -> pl.DataFrame:
        """Return the rows of one sequence; ``values`` is (2, memories, 3, bases)."""
        about = {**location(item), "sequence": item.sequence}
        rows = []
        for index, layer in enumerate(self.layers):
            series = (values[network, index, quantity] for quantity in range(3) for network in range(2))
            rows.append({**about, "layer": layer, **dict(zip(_COLUMNS, series))})
        return pl.DataFrame(rows, schema=_SCHEMA)

    def _draw(self, frames: Iterable[pl.DataFrame], summary: pl.DataFrame, folder: Path) -> None:
        if not can_draw():
            return
        annotation = None if self.genes is None else read_annotation(self.genes, self.source)
        for number, (name, rows) in enumerate(_by_item(frames), start=1):
            if number > MAX_FIGURES:
                return
            figure = draw_memory(
                _traces(rows), name, self.provenance.model, _correlations(summary), _genes(annotation, rows)
            )
            save_picture(figure, folder / f"region{number:02d}.png")


_SCHEMA: dict[str, Any] = {
    **LOCATION_SCHEMA,
    "sequence": pl.String,
    "layer": pl.Int64,
    **dict.fromkeys(_COLUMNS, pl.List(pl.Float32)),
}

_SUMMARY: dict[str, Any] = {
    "layer": pl.Int64,
    "quantity": pl.String,
    "bases": pl.Int64,
    **dict.fromkeys(
        ("mean", "sd", f"mean{_NULL}", f"sd{_NULL}", "correlation", "correlation_low", "correlation_high"), pl.Float64
    ),
}


def _columns_of(layer: int) -> tuple[str, ...]:
    """Return the columns of a layer; tables at the input have no gate."""
    return _COLUMNS if layer else tuple(name for name in _COLUMNS if not name.startswith("gate"))


def _summary_row(layer: int, name: str, blocks: NDArray[np.float64]) -> dict[str, Any]:
    n, x, y, xx, yy, _ = blocks.sum(0)
    spread = [float(np.sqrt(max(0.0, square / n - (total / n) ** 2))) for total, square in ((x, xx), (y, yy))]
    r = estimate(blocks, correlation)
    values = (x / n, spread[0], y / n, spread[1], *(None if np.isnan(one) else one for one in r))
    return dict(zip(_SUMMARY, (layer, name, int(n), *values)))


def base_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Expand rows of sequences and layers into a row for each base and layer."""
    frames = [pl.DataFrame(schema=_POSITIONS)]
    for row in frame.iter_rows(named=True):
        count = len(row["sequence"])
        ascending = np.arange(row["start"], row["start"] + count)
        columns: dict[str, Any] = {
            "id": [row["id"]] * count,
            "chrom": [row["chrom"]] * count,
            "start": ascending[::-1].copy() if row["strand"] == "-" else ascending,
            "strand": [row["strand"]] * count,
            "base": list(row["sequence"]),
            "layer": [row["layer"]] * count,
            **{name: pl.Series(row[name], dtype=pl.Float32).fill_nan(None) for name in _COLUMNS},
        }
        frames.append(pl.DataFrame(columns, schema=_POSITIONS))
    return pl.concat(frames)


_POSITIONS: dict[str, Any] = {
    **LOCATION_SCHEMA,
    "base": pl.String,
    "layer": pl.Int64,
    **dict.fromkeys(_COLUMNS, pl.Float32),
}


def _pieces(frames: Iterable[pl.DataFrame], layer: int, column: str, lengths: dict[str, int]) -> Iterator[Piece]:
    """Yield the values of one track on the forward strand, clipped to the contigs."""
    for frame in frames:
        for row in frame.filter(pl.col("layer") == layer).iter_rows(named=True):
            values = _forward(row, column)
            first, last = max(0, -row["start"]), lengths[row["chrom"]] - row["start"]
            yield row["chrom"], row["start"] + first, values[first:last]


def _forward(row: dict[str, Any], column: str) -> Float32:
    values = np.asarray(row[column], np.float32)
    return values[::-1].copy() if row["strand"] == "-" else values


def _by_item(frames: Iterable[pl.DataFrame]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the name and rows of each sequence; a sequence is never split between frames."""
    for frame in frames:
        for (name, _, _), rows in frame.group_by("id", "chrom", "start", maintain_order=True):
            yield str(name), list(rows.iter_rows(named=True))


def _traces(rows: list[dict[str, Any]]) -> Traces:
    first = rows[0]
    values = {
        (row["layer"], name, null): _forward(row, name + (_NULL if null else ""))
        for row in rows
        for name in QUANTITIES
        for null in (False, True)
        if name in _columns_of(row["layer"])
    }
    return Traces(first["chrom"], first["start"], len(first["sequence"]), values)


def _correlations(summary: pl.DataFrame) -> dict[tuple[int, str], float | None]:
    return {(row["layer"], row["quantity"]): row["correlation"] for row in summary.iter_rows(named=True)}


def _genes(annotation: Annotation | None, rows: list[dict[str, Any]]) -> list[Any]:
    first = rows[0]
    if annotation is None:
        return []
    return annotation.genes(first["chrom"], first["start"], first["start"] + len(first["sequence"]))


def memory_layers(network: Decoder) -> tuple[int, ...]:
    """Return the layers with a memory: 0 for tables at the input, then Gengram layers, counted from 1."""
    return (*((INPUT,) if network.kmer is not None else ()), *gengrams(network))


def memory_traces(network: Decoder, tokenizer: Tokenizer, ids_BL: Tensor) -> Tensor:
    """Return the :data:`QUANTITIES` of every memory of the network, fp32 (B, memories, 3, L)."""
    scored = [] if network.kmer is None else [_input_trace(network, tokenizer, ids_BL)]
    if gengrams(network):
        memory = network(ids_BL, logits=False, memory=True).memory
        for trace in memory.values():
            scored.append(_stacked(trace.written_BL, trace.stream_BL, trace.gate_BL))
    return torch.stack(scored, 1)


def _input_trace(network: Decoder, tokenizer: Tokenizer, ids_BL: Tensor) -> Tensor:
    assert network.kmer is not None
    digits = digits_of(network.config.vocab_size, tokenizer.base_ids, tokenizer.n_id)
    stream = read_kmers(torch.tensor(digits, device=ids_BL.device)[ids_BL])
    written, embedded = network.kmer(stream), network.embedding(ids_BL)
    no_gate = torch.full_like(ids_BL, torch.nan, dtype=torch.float32)
    return _stacked(written.float().norm(dim=-1), embedded.float().norm(dim=-1), no_gate)


def _stacked(written_BL: Tensor, stream_BL: Tensor, gate_BL: Tensor) -> Tensor:
    relative_BL = written_BL / stream_BL.clamp_min(1e-12)
    return torch.stack((written_BL, relative_BL, gate_BL), 1)
