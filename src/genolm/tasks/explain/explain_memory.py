"""How strongly a k-mer memory writes along a genome, beside the same network with random tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.engine.batches import collate
from genolm.engine.progress import Progress
from genolm.engine.windows import Window
from genolm.errors import ModelError
from genolm.genome.bigwig import Piece, write_bigwig
from genolm.genome.in_memory import Sequences
from genolm.genome.sequences import SequenceRecord
from genolm.models.finite import require_finite_rows
from genolm.statistics.bootstrap import correlation, estimate, products
from genolm.tasks.explain.explain_folder import can_draw, check_folder
from genolm.tasks.explain.gene_annotation import Annotation, read_annotation
from genolm.tasks.explain.memory_picture import Traces, draw_memory
from genolm.tasks.explain.random_copies import INPUT, random_tables
from genolm.tasks.explain.region_task import (
    bases_of_twins,
    contig,
    cut,
    first_own,
    fitting_context,
    refuse_empty,
    settle_regions,
)
from genolm.tasks.explain.traces import QUANTITIES, memory_layers, memory_traces
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.sources import IupacPolicy, Source
from genolm.tasks.reading.track_pieces import contig_lengths, pieces_in_order
from genolm.tasks.writing.output_folders import Form, Spool, save_picture, whole_folder, write_rows
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    import torch

    from genolm.genome.fasta import Genome
    from genolm.models.model import Model

MOST_PICTURES = 20
"""Regions that get a picture; tables and tracks hold all."""

_NULL = "_random_tables"
_COLUMNS = tuple(f"{name}{ending}" for name in QUANTITIES for ending in ("", _NULL))


@dataclass(frozen=True, slots=True)
class MemoryTask:
    """Memory traces as the engine computes them; :func:`explain_memory` makes one.

    Attributes:
        source: the sequences.
        context: bases read together.
        layers: where the model has a memory; 0 is the input.
        seed: of the random tables.
        genes: file of genes to draw.
        tables: what tables are written as.
        provenance: the model.
    """

    source: Source
    context: int
    layers: tuple[int, ...]
    seed: int
    genes: Path | None
    tables: Form
    provenance: Provenance
    name: ClassVar[str] = "explain memory"
    unit: ClassVar[str] = "sequences"

    def items(self) -> Iterator[SequenceRecord]:
        """The sequences in the order of the genome."""
        return pieces_in_order(self.source)

    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (*self.source.files(), *(() if self.genes is None else (self.genes,)))

    def cost(self, item: SequenceRecord) -> int:
        """Bases that go through the two networks, about."""
        return bases_of_twins(item, self.context)

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window]:
        """Windows of the context that overlap by half."""
        return cut(items, self.context)

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Float32]:
        """For every window (2, memories, 3, own bases): the model, then its twin with random tables."""
        import torch

        ids_BL = collate([window.sequence for window in windows], model.tokenizer, device=model.device).ids_BL
        networks = model.decoder, random_tables(model, self.seed)
        traces = torch.stack([memory_traces(network, model.tokenizer, ids_BL) for network in networks], 1)
        values = traces.cpu().numpy()
        found = [row[..., first_own(window, self.context) : len(window)].copy() for row, window in zip(values, windows)]
        for place, network in enumerate(networks):
            require_finite_rows(model, [self._measured(row[place]) for row in found], network)
        return found

    def _measured(self, values: Float32) -> Float32:
        """The numbers of one network, (memories, 3, bases), without the gate that tables at the input don't have."""
        measured = values.copy()
        if INPUT in self.layers:
            measured[self.layers.index(INPUT), QUANTITIES.index("gate")] = 0
        return measured

    def subject(self, items: Sequence[SequenceRecord], window: Window, part: int) -> str:
        """The sequence of a window, in words."""
        return items[window.origin].named

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window], outputs: Sequence[Float32]
    ) -> pl.DataFrame:
        """A row for each sequence and layer, with lists of a value per base in the order of the sequence."""
        frames = [pl.DataFrame(schema=_SCHEMA)]
        for number, item in enumerate(items):
            own = [output for window, output in zip(windows, outputs) if window.origin == number]
            frames.append(self._item_rows(item, np.concatenate(own, -1)))
        return pl.concat(frames)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Writes the folder."""
        lengths = contig_lengths(self.source)
        with whole_folder(out, self.metadata()) as folder:
            spool = Spool(folder / ".rows", frames)
            summary = self.summary(spool)
            write_rows([summary], folder, "summary", self.tables)
            write_rows(map(base_rows, spool), folder, "positions", self.tables)
            for layer in self.layers:
                for column in _columns_of(layer):
                    path = folder / f"layer{layer:02d}.{column}.bw"
                    write_bigwig(path, lengths, _pieces(spool, layer, column, lengths))
            self._draw(spool, summary, folder)
            spool.remove()

    def collect(self, frames: Iterator[pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """The tables."""
        held = list(frames)
        return {"summary": self.summary(held), "positions": pl.concat(map(base_rows, held))}

    def metadata(self) -> dict[str, str]:
        """Everything that says how the traces were made."""
        settings = {"context_bases": self.context, "seed": self.seed, "explained": "memory"}
        return self.provenance.described(null="the same network with random tables of equal mean square", **settings)

    def summary(self, frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
        """For each layer and quantity its mean, that of the null, and how they correlate along the bases."""
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
        """``values`` is (2, memories, 3, bases)."""
        about = {
            "id": item.id,
            "chrom": contig(item),
            "start": item.interval.start if item.interval else 0,
            "strand": item.interval.strand if item.interval else "+",
            "sequence": item.sequence,
        }
        rows = []
        for place, layer in enumerate(self.layers):
            series = (values[network, place, quantity] for quantity in range(3) for network in range(2))
            rows.append({**about, "layer": layer, **dict(zip(_COLUMNS, series))})
        return pl.DataFrame(rows, schema=_SCHEMA)

    def _draw(self, frames: Iterable[pl.DataFrame], summary: pl.DataFrame, folder: Path) -> None:
        if not can_draw():
            return
        annotation = None if self.genes is None else read_annotation(self.genes, self.source)
        for number, (name, rows) in enumerate(_by_item(frames), start=1):
            if number > MOST_PICTURES:
                return
            figure = draw_memory(
                _traces(rows), name, self.provenance.model, _correlations(summary), _genes(annotation, rows)
            )
            save_picture(figure, folder / f"region{number:02d}.png")


_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("id", "chrom"), pl.String),
    "start": pl.Int64,
    **dict.fromkeys(("strand", "sequence"), pl.String),
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
    """The tables at the input have no gate."""
    return _COLUMNS if layer else tuple(name for name in _COLUMNS if not name.startswith("gate"))


def _summary_row(layer: int, name: str, blocks: NDArray[np.float64]) -> dict[str, Any]:
    n, x, y, xx, yy, _ = blocks.sum(0)
    spread = [float(np.sqrt(max(0.0, square / n - (total / n) ** 2))) for total, square in ((x, xx), (y, yy))]
    r = estimate(blocks, correlation)
    values = (x / n, spread[0], y / n, spread[1], *(None if np.isnan(one) else one for one in r))
    return dict(zip(_SUMMARY, (layer, name, int(n), *values)))


def base_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """A row for each base and layer out of one for each sequence and layer."""
    frames = [pl.DataFrame(schema=_POSITIONS)]
    for row in frame.iter_rows(named=True):
        count = len(row["sequence"])
        upwards = np.arange(row["start"], row["start"] + count)
        columns: dict[str, Any] = {
            "id": [row["id"]] * count,
            "chrom": [row["chrom"]] * count,
            "start": upwards[::-1].copy() if row["strand"] == "-" else upwards,
            "strand": [row["strand"]] * count,
            "base": list(row["sequence"]),
            "layer": [row["layer"]] * count,
            **{name: pl.Series(row[name], dtype=pl.Float32).fill_nan(None) for name in _COLUMNS},
        }
        frames.append(pl.DataFrame(columns, schema=_POSITIONS))
    return pl.concat(frames)


_POSITIONS: dict[str, Any] = {
    **dict.fromkeys(("id", "chrom"), pl.String),
    "start": pl.Int64,
    **dict.fromkeys(("strand", "base"), pl.String),
    "layer": pl.Int64,
    **dict.fromkeys(_COLUMNS, pl.Float32),
}


def _pieces(frames: Iterable[pl.DataFrame], layer: int, column: str, lengths: dict[str, int]) -> Iterator[Piece]:
    """The values of one track on the forward strand; what an interval has off its contig is left out."""
    for frame in frames:
        for row in frame.filter(pl.col("layer") == layer).iter_rows(named=True):
            values = _forward(row, column)
            first, last = max(0, -row["start"]), lengths[row["chrom"]] - row["start"]
            yield row["chrom"], row["start"] + first, values[first:last]


def _forward(row: dict[str, Any], column: str) -> Float32:
    values = np.asarray(row[column], np.float32)
    return values[::-1].copy() if row["strand"] == "-" else values


def _by_item(frames: Iterable[pl.DataFrame]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rows of each sequence, with its name; a sequence never lies in two frames."""
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


def explain_memory(
    model: Model | str | Path,
    inputs: Sequences,
    out: Path | str | None = None,
    *,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    context: int | None = None,
    iupac: IupacPolicy = "raise",
    genes: str | Path | None = None,
    seed: int = 0,
    tables: Form = "tsv",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
) -> Any:
    """How strongly the k-mer memory writes at every base, beside the same network with random tables.

    For each Gengram layer (counted from 1) and for tables at the input (layer 0): ``written``, the Euclidean norm of
    what the memory adds to the residual stream; ``relative``, that over the norm of the stream it is added to (at the
    input: of the token embedding); ``gate``, 0 to 1 (Gengram only). The null replaces every table by normal numbers of
    equal mean square and leaves all other weights: what it reproduces comes from the shape of the sequence, repeats
    above all, and not from what was learned.

    Args:
        model: a model with a k-mer memory, or what :func:`genolm.load` takes.
        inputs: a path, a table, a list of sequences or intervals, or one interval as ``chr22:1,001-2,000``.
        out: folder to write: ``summary`` and ``positions`` tables, a bigWig for each layer and quantity, a heat map
            for each of the first 20 regions. None returns the tables.
        genome: FASTA, where the input holds coordinates.
        length: bases to which intervals are resized.
        context: bases read together; None for 8,192, or what the model reads. Longer regions are read in windows that
            overlap by half.
        iupac: for ambiguous letters of sequences: ``raise``, read as ``N``, or ``sample`` a base.
        genes: GTF or GFF3 of genes to draw on top.
        seed: of the random tables.
        tables: ``tsv`` or ``parquet``.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace a folder that an earlier run wrote.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.
        dry_run: write nothing; measure a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without one a dict of two polars tables. ``summary``: ``layer``, ``quantity``, ``bases``, mean and
        standard deviation of model and null, Pearson ``correlation`` between them along the bases with its 95 %
        interval from blocks of 200 bases. ``positions``: ``id``, ``chrom``, ``start`` (0-based), ``strand``, ``base``,
        ``layer``, each quantity and the null's (``…_random_tables``).

    Raises:
        InputError: input that cannot be used; intervals that overlap.
        ModelError: no such model, one without a k-mer memory, or a context beyond the model's.
        RunError: the output exists, or parts of another run are in the way.
    """
    path = check_folder(out, tables)
    source = settle_regions(inputs, genome=genome, length=length, iupac=iupac)
    refuse_empty(source)
    drawn = None if genes is None else Path(genes)
    if drawn is not None:
        read_annotation(drawn, source)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    layers = memory_layers(opened.decoder)
    if not layers:
        raise ModelError(f"{opened.card.name} has no k-mer memory: neither Gengram layers nor tables at its input")
    task = MemoryTask(source, fitting_context(opened, context), layers, seed, drawn, tables, Provenance.of(opened))
    return bulk.run(task, opened, path)
