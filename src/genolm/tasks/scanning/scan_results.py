"""A scan in memory or in its files: intervals, tracks, genes and the record of the run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genolm.arrays import Float32
from genolm.engine.result import Result
from genolm.engine.summary import numbered
from genolm.errors import RunError
from genolm.genome.bigwig import BigWig
from genolm.genome.interval import Interval
from genolm.tasks.scanning.base_values import Combine
from genolm.tasks.scanning.interval_calls import COLUMNS
from genolm.tasks.scanning.scan_outputs import Outputs
from genolm.tasks.scanning.scan_task import Scanned
from genolm.tasks.writing.results import TableResults


class ScanTracks(Mapping[str, Float32]):
    """Track of each contig, by its name: one value per base in nats, NaN if missing.

    Args:
        scanned: the values in memory, or the files of a scan.
        combine: combination of the strands.
        lengths: length of each contig in bases.
    """

    def __init__(self, scanned: Scanned | Outputs, combine: Combine, lengths: Mapping[str, int]) -> None:
        self._scanned, self._combine, self._lengths = scanned, combine, lengths

    def __getitem__(self, chrom: str) -> Float32:
        """Return the combined track of a contig."""
        if isinstance(self._scanned, Scanned):
            return self._scanned.tracks.combined(chrom, self._combine)
        return self._read(self._scanned.track, chrom)

    def strand(self, chrom: str, reverse: bool) -> Float32:
        """Return the track of one strand of a contig, in the order of the forward strand.

        Raises:
            RunError: the scan was written without ``per_strand``.
        """
        if isinstance(self._scanned, Scanned):
            return self._scanned.tracks.strand(chrom, reverse)
        path = self._scanned.strand(reverse)
        if not path.exists():
            raise RunError(f"{path} does not exist: the scan was written without per_strand")
        return self._read(path, chrom)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the contigs."""
        return iter(self._lengths)

    def __len__(self) -> int:
        """Return the number of contigs."""
        return len(self._lengths)

    def __repr__(self) -> str:
        """Return the number of contigs and bases."""
        return f"ScanTracks: {numbered(len(self), 'contigs')}, {sum(self._lengths.values()):,} bases"

    def _read(self, path: Path, chrom: str) -> Float32:
        length = self._lengths[chrom]
        with BigWig(path) as track:  # contigs without values are missing from a bigWig
            values = track.values(Interval(chrom, 0, length)) if chrom in track.lengths else None
        return np.full(length, np.nan, np.float32) if values is None else values


class Scan(TableResults):
    """A scan of a genome, as :func:`genolm.scan` returns it; its path is that of ``PREFIX.json``.

    Columns of `intervals`, which is also the `table`: ``chrom``, ``start`` and ``end`` (0-based, half-open), ``name``,
    ``score``, ``strand``, ``length``, ``depth``, ``peak_z`` and ``fdr``
    (:data:`genolm.tasks.scanning.interval_calls.COLUMNS`).

    Args:
        run: outcome of the run.
        combine: combination of the strands.
        models: names of the models.
    """

    def __init__(self, run: Result, combine: Combine, models: str) -> None:
        super().__init__(run, models, schema={})
        self._combine = combine

    @property
    def intervals(self) -> pl.DataFrame:
        """The called intervals."""
        return self.table

    @cached_property
    def record(self) -> dict[str, Any]:
        """Settings, contigs and counts, as in ``PREFIX.json``."""
        made: Scanned | None = self._made
        if made is not None:
            return made.record
        record: dict[str, Any] = json.loads(Path(self).read_text("utf-8"))
        return record

    @cached_property
    def tracks(self) -> ScanTracks:
        """Values of every base, by contig."""
        scanned = self._made or Outputs(Path(self))
        return ScanTracks(scanned, self._combine, {one["name"]: one["length"] for one in self.record["contigs"]})

    @cached_property
    def genes(self) -> pl.DataFrame | None:
        """A row for each coding gene; None without an annotation."""
        made: Scanned | None = self._made
        if made is not None:
            return made.genes
        path = Outputs(Path(self)).genes
        texts = dict.fromkeys(("id", "chrom", "strand", "name"), pl.String)
        if not path.exists():
            return None
        return pl.read_csv(path, glob=False, separator="\t", schema_overrides=texts, infer_schema_length=None)

    @cached_property
    def table(self) -> pl.DataFrame:
        """The called intervals."""
        made: Scanned | None = self._made
        return _read_calls(Outputs(Path(self)).calls) if made is None else made.calls

    @property
    def _extent(self) -> str:
        contigs = self.record["contigs"]
        bases = sum(contig["length"] for contig in contigs)
        counts = (numbered(len(contigs), "contigs"), f"{bases:,} bases", numbered(len(self), "intervals"))
        return ", ".join(counts)


def _read_calls(path: Path) -> pl.DataFrame:
    types = list(COLUMNS.values())
    table = pl.read_csv(path, glob=False, separator="\t", has_header=True, schema_overrides=types)
    return table.rename(dict(zip(table.columns, COLUMNS)))
