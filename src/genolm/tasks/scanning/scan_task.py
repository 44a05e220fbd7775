"""Scanning task of the engine: tiles, their surprisal under each model, tracks and output files.

What computes with a model is imported by the methods that do, so that kept parts are analysed without loading torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from genolm.arrays import Float32
from genolm.engine.summary import Summary
from genolm.engine.windows import Window, cut
from genolm.errors import InputError
from genolm.tasks.reading.scored_spans import Scored, joined_spans, kept_tokens, token_lengths
from genolm.tasks.reading.sources import Source
from genolm.tasks.scanning.base_values import Combine, Role, Tracks
from genolm.tasks.scanning.gene_separation import GeneSettings
from genolm.tasks.scanning.genome_tiles import Tile, Tiling
from genolm.tasks.scanning.interval_calls import Calling, write_bed
from genolm.tasks.scanning.scan_analysis import find
from genolm.tasks.scanning.scan_outputs import (
    Outputs,
    contig_table,
    contigs_of,
    scanned,
    write_record,
    write_tracks,
)
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import write_delimited

if TYPE_CHECKING:
    from genolm.models.model import Model
    from genolm.tasks.reading.log_probabilities import Normalisation


TileOrigin = tuple[int, int]
"""Origin of a window: number of the tile in its part, and number of the model in its group."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Scoring of windows by one of the models.

    Attributes:
        role: role of the model.
        normalise: set over which probabilities sum to one.
        passes: number of masked passes of an encoder; 0 for a decoder.
        bases_per_token: mean token length of the tokenizer in bases.
        provenance: the model.
    """

    role: Role
    normalise: Normalisation
    passes: int
    bases_per_token: float
    provenance: Provenance

    @classmethod
    def of(cls, model: Model, role: Role, passes: int | None) -> Reader:
        """Return the reader of a model."""
        from genolm.tasks.reading.token_scores import normalisation_of, passes_of

        return cls(
            role,
            normalisation_of(model, None),
            passes_of(model, None if model.causal else passes),
            model.tokenizer.bases_per_token,
            Provenance.of(model),
        )

    def cost(self, bases: int) -> int:
        """Return the approximate number of tokens."""
        return int(bases / self.bases_per_token * max(1, self.passes)) + 1

    def scores(self, model: Model, windows: Sequence[Window[TileOrigin]]) -> list[Float32]:
        """Return the log-probability of each token of each window."""
        from genolm.tasks.reading.token_scores import causal_scores, masked_scores

        if self.passes:
            return masked_scores(model, windows, self.passes)
        return causal_scores(model, windows, self.normalise)


@dataclass(frozen=True)
class ScanTask:
    """Scan of a genome; made by :func:`genolm.scan`.

    Attributes:
        source: the contigs.
        tiling: division of the contigs into tiles.
        combine: combination of the strands.
        per_strand: also write the tracks of the strands.
        readers: scoring by each model.
        calling: settings for calling intervals.
        genes: annotation and settings of the comparison of coding and intergenic sequence; None: no comparison.
    """

    source: Source
    tiling: Tiling
    combine: Combine
    per_strand: bool
    readers: tuple[Reader, ...]
    calling: Calling
    genes: GeneSettings | None
    name: ClassVar[str] = "scan"
    unit: ClassVar[str] = "windows"
    part_tokens: ClassVar[int] = 131_072
    analysis: ClassVar[tuple[str, ...]] = ("per_strand", "calling", "genes")

    def items(self) -> Iterator[Tile]:
        """Yield the tiles of each contig, strand by strand."""
        names = set[str]()
        any_base = False
        for record in self.source.read():
            if record.id in names:
                raise InputError(
                    "duplicate contig name", file=_file(self.source), value=record.id, code="duplicate-name"
                )
            names.add(record.id)
            for tile in self.tiling.tiles(record, self.strands):
                any_base = True
                yield tile
        if not any_base:
            raise InputError(
                "nothing to scan: no contig has a base other than N", file=_file(self.source), code="empty-input"
            )

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return (*self.source.files(), *([] if self.genes is None else [self.genes.file]))

    def side_files(self, out: Path) -> tuple[Path, ...]:
        """Return the files of the same prefix, some of which are not written."""
        return Outputs(out).others

    def cost(self, item: Tile) -> int:
        """Return the approximate number of tokens over all models."""
        return sum(reader.cost(len(item.sequence)) for reader in self.readers)

    def windows(self, items: Sequence[Tile], model: Model) -> list[Window[TileOrigin]]:
        """Return a window for each tile and model, or several if a tile has too many tokens for the model."""
        from genolm.tasks.reading.model_group import models_of

        overlap = (self.tiling.before + self.tiling.after) / self.tiling.window
        windows = list[Window[TileOrigin]]()
        for number, tile in enumerate(items):
            for which, member in enumerate(models_of(model)):
                origin = (number, which)
                pieces = cut(tile.sequence, member, self.tiling.window, overlap=overlap, origin=origin, quiet=True)
                windows += [replace(piece, tokens=piece.token_count(1.0)) for piece in pieces]
        return windows

    def forward(self, model: Model, windows: Sequence[Window[TileOrigin]]) -> list[Float32]:
        """Return the log-probability of each token of each window under its model."""
        from genolm.models.finite import rows_numbered
        from genolm.tasks.reading.model_group import models_of

        outputs: dict[int, Float32] = {}
        for which, (member, reader) in enumerate(zip(models_of(model), self.readers, strict=True)):
            indices = [index for index, window in enumerate(windows) if window.origin[1] == which]
            if indices:
                with rows_numbered(indices):
                    scores = reader.scores(member, [windows[index] for index in indices])
                    outputs.update(zip(indices, scores, strict=True))
        return [outputs[index] for index in range(len(windows))]

    def subject(self, items: Sequence[Tile], window: Window[TileOrigin], part: int) -> str:
        """Return a description of the tile of a window, for messages; positions are 1-based and inclusive."""
        tile = items[window.origin[0]]
        return f"{tile.chrom}:{tile.start + 1:,}-{tile.end:,}" + (" on the reverse strand" if tile.reverse else "")

    def rows(
        self, items: Sequence[Tile], windows: Sequence[Window[TileOrigin]], outputs: Sequence[Float32]
    ) -> pl.DataFrame:
        """Return a row for each tile: the surprisal of its bases under each model, in forward order."""
        surprisals = [self._surprisals(which, items, windows, outputs) for which in range(len(self.readers))]
        columns: dict[str, Any] = {
            "chrom": [tile.chrom for tile in items],
            "reverse": [tile.reverse for tile in items],
            "start": [tile.start for tile in items],
            **{
                reader.role: pl.Series([pl.Series(tile, dtype=pl.Float32) for tile in tiles], dtype=_VALUES)
                for reader, tiles in zip(self.readers, surprisals)
            },
        }
        return pl.DataFrame(columns, schema_overrides={"chrom": pl.String, "reverse": pl.Boolean, "start": pl.Int64})

    def _surprisals(
        self, which: int, items: Sequence[Tile], windows: Sequence[Window[TileOrigin]], outputs: Sequence[Float32]
    ) -> list[Float32]:
        indices = [index for index, window in enumerate(windows) if window.origin[1] == which]
        model_windows = [windows[index] for index in indices]
        slices = kept_tokens(model_windows, masked=self.readers[which].passes > 0)
        spans: dict[int, list[Scored]] = {}
        for index, window, kept in zip(indices, model_windows, slices):
            scored = Scored(outputs[index][kept], token_lengths(window)[kept])
            spans.setdefault(window.origin[0], []).append(scored)
        return [_tile_surprisal(tile, joined_spans(spans[number])) for number, tile in enumerate(items)]

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write the output files; ``out`` is the JSON record."""
        outputs = Outputs(out)
        result = self._result(frames, out.parent)
        outputs.begin()
        written = write_tracks(result.tracks, outputs, self.combine, per_strand=self.per_strand)
        write_bed(result.calls, outputs.calls, self._depth)
        written.add(outputs.calls)
        if result.genes is not None:
            write_delimited(iter([result.genes]), outputs.genes, "\t")
            written.add(outputs.genes)
        outputs.clear(written)
        write_record(out, result.record)

    def collect(self, frames: Iterator[pl.DataFrame]) -> Scanned:
        """Return the scan in memory."""
        return self._result(frames, None)

    def count(self, rows: pl.DataFrame) -> Summary:
        """Count windows of all strands."""
        return Summary({"windows": rows.height})

    def conclude(self, counted: Summary, made: Path | Scanned) -> Summary:
        """Return the counts of the record: bases with and without a value, windows and called intervals."""
        record = made.record if isinstance(made, Scanned) else json.loads(made.read_text("utf-8"))
        return scanned(record, counted.inputs["windows"])

    def _result(self, frames: Iterator[pl.DataFrame], folder: Path | None) -> Scanned:
        contigs = contigs_of(self.source, self.tiling)
        lengths = {name: contig.length for name, contig in contigs.items()}
        tracks = Tracks(lengths, self.strands, [reader.role for reader in self.readers], folder)
        tracks.fill(frames)
        findings = find(tracks, self.source, self.combine, self.calling, self.genes)
        record = {
            **self._settings(),
            "contigs": contig_table(contigs, tracks, self.combine),
            "calls": findings.calling,
        }
        if findings.separation is not None:
            record["genes"] = findings.separation
        return Scanned(tracks, findings.calls, record, self.combine, findings.genes)

    def _settings(self) -> dict[str, Any]:
        """Return models and settings for the record."""
        models = {reader.role: _model(reader) for reader in self.readers}
        return {
            "genolm_version": self.readers[0].provenance.version,
            "track": f"{self._quantity}, nats per base",
            **{role: models.get(role) for role in ("model", "minus", "twin")},
            "combine": self.combine,
            "strands": ["reverse" if reverse else "forward" for reverse in self.strands],
            "window_bases": self.tiling.window,
            "read_before_a_tile": self.tiling.before,
            "read_after_a_tile": self.tiling.after,
            "cut_at_runs_of_N": self.tiling.shortest_run,
            "calling": {name: getattr(self.calling, name) for name in self.calling.__dataclass_fields__},
        }

    @property
    def strands(self) -> tuple[bool, ...]:
        """Strands that are read; True is the reverse strand."""
        return {"forward": (False,), "reverse": (True,)}.get(self.combine, (False, True))

    @property
    def _quantity(self) -> str:
        return "surprise_difference" if any(reader.role == "minus" for reader in self.readers) else "surprise"

    @property
    def _depth(self) -> str:
        return f"depth_{self._quantity}_nats_per_base"


@dataclass(frozen=True, slots=True)
class Scanned:
    """Values, calls and record of a scan in memory.

    Attributes:
        tracks: values of the strands.
        calls: called intervals, 0-based and half-open (:data:`genolm.tasks.scanning.interval_calls.COLUMNS`).
        record: settings, contigs and counts.
        combine: combination of the strands.
        genes: a row per coding gene; None without an annotation.
    """

    tracks: Tracks
    calls: pl.DataFrame
    record: dict[str, Any]
    combine: Combine
    genes: pl.DataFrame | None = None

    def values(self, chrom: str) -> Float32:
        """Return the combined track of a contig in nats per base; NaN if missing."""
        return self.tracks.combined(chrom, self.combine)


_VALUES = pl.List(pl.Float32)


def _tile_surprisal(tile: Tile, scored: Scored) -> Float32:
    """Return the surprisal of the scored bases of a tile in the order of the forward strand."""
    values = -scored.per_base()[tile.before : tile.before + tile.end - tile.start]
    return values[::-1] if tile.reverse else values


def _model(reader: Reader) -> dict[str, Any]:
    """Return model and settings of a reader for the record."""
    texts: dict[str, Any] = reader.provenance.entries(normalised_over=reader.normalise)
    texts.pop("genolm_version")
    texts["fingerprint"] = texts.pop("model_fingerprint")
    return {**texts, "masked_passes": reader.passes} if reader.passes else texts


def _file(source: Source) -> Path | None:
    return source.place if isinstance(source.place, Path) else None
