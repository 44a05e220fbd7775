"""Token shards and document table of a corpus, written one document at a time."""

from __future__ import annotations

import hashlib
import io
import os
from array import array
from operator import itemgetter
from pathlib import Path
from typing import Any

import polars as pl

from genolm.files.digests import file_sha256
from genolm.training.corpus.corpus_manifest import DOCUMENTS
from genolm.training.corpus.documents import Document

SHARD_BYTES = 1 << 28
"""Maximum size of a shard; the longest human chromosome fits."""

SCHEMA: dict[str, Any] = {
    "assembly": pl.String, "contig": pl.String, "start": pl.Int64, "end": pl.Int64, "strand": pl.String,
    "split": pl.String, "shard": pl.String, "offset": pl.Int64, "length": pl.Int64, "soft_masked": pl.Float64,
    "source": pl.String,
}  # fmt: skip
"""Columns of the document table; ``start`` and ``end`` are 0-based and half-open."""


class ShardWriter:
    """Writes documents into shards by split; documents longer than a shard are divided.

    Args:
        folder: folder of shards and table.
        strand: strand policy, for the table.
        limit: maximum bytes of a shard; a token is a byte.
    """

    def __init__(self, folder: Path, strand: str, limit: int = SHARD_BYTES) -> None:
        self._folder, self._strand, self._limit = folder, strand, limit
        self._text: dict[str, list[str]] = {name: [] for name, kind in SCHEMA.items() if kind == pl.String}
        self._number = {name: array("q") for name, kind in SCHEMA.items() if kind == pl.Int64}
        self._soft = array("d")
        self._open: dict[str, _Shard] = {}
        self.shards: list[dict[str, Any]] = []
        self.splits: dict[str, dict[str, int]] = {}

    def add(self, document: Document) -> None:
        """Append a document."""
        for start in range(0, len(document.ids), self._limit):
            self._add(document.part(start, min(start + self._limit, len(document.ids))))

    def _add(self, document: Document) -> None:
        shard = self._shard_for(document)
        row = {
            "assembly": document.assembly.name, "contig": document.interval.chrom, "strand": self._strand,
            "split": document.split, "shard": shard.path.name, "source": document.assembly.source,
        }  # fmt: skip
        for name, text in row.items():
            self._text[name].append(text)
        for name, number in (
            ("start", document.interval.start), ("end", document.interval.end),
            ("offset", shard.size), ("length", len(document.ids)),
        ):  # fmt: skip
            self._number[name].append(number)
        self._soft.append(document.soft_masked)
        shard.write(document.ids.tobytes())
        counts = self.splits.setdefault(document.split, {"documents": 0, "bases": 0})
        counts["documents"] += 1
        counts["bases"] += len(document.ids)

    def _shard_for(self, document: Document) -> _Shard:
        """Return the open shard of the document's split, or a new one if it is full."""
        shard = self._open.get(document.split)
        if shard is not None and shard.size + len(document.ids) <= self._limit:
            return shard
        number = 0
        if shard is not None:
            self.shards.append(shard.close())
            number = shard.number + 1
        self._open[document.split] = shard = _Shard(self._folder, document.split, number)
        return shard

    def finish(self) -> dict[str, Any]:
        """Finish the last shards, write the table, and return the table's entry for the manifest."""
        self.shards = sorted([*self.shards, *(shard.close() for shard in self._open.values())], key=itemgetter("file"))
        columns: dict[str, Any] = {**self._text, **self._number, "soft_masked": self._soft}
        table = pl.DataFrame({name: pl.Series(name, columns[name], kind) for name, kind in SCHEMA.items()})
        path = self._folder / DOCUMENTS
        table.write_parquet(path)
        return {"file": path.name, "rows": table.height, "sha256": file_sha256(path)}

    def abandon(self) -> None:
        """Close the open shards without finishing them."""
        for shard in self._open.values():
            shard.file.close()


class _Shard:
    """Shard that is being written."""

    def __init__(self, folder: Path, split: str, number: int) -> None:
        self.path, self.split, self.number, self.size = folder / f"{split}-{number:05d}.tokens", split, number, 0
        self.file: io.BufferedWriter = self.path.open("wb")
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def close(self) -> dict[str, Any]:
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        record = {"file": self.path.name, "split": self.split, "bytes": self.size}
        return {**record, "sha256": self._digest.hexdigest()}
