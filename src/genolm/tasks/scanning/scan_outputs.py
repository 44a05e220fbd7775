"""Output files of a scan, which share a prefix: tracks, calls, genes and the JSON record of the run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genolm.engine.summary import Summary
from genolm.engine.target import check_target
from genolm.files.atomic import sweep, write_text
from genolm.genome.bigwig import Piece, write_bigwig
from genolm.remedies import Notice
from genolm.tasks.reading.sources import Source
from genolm.tasks.scanning.base_values import Combine, Tracks

if TYPE_CHECKING:
    from genolm.tasks.scanning.genome_tiles import Tiling

_NO_VALUE = "without a value"
_STRANDS = {False: "forward", True: "reverse"}


@dataclass(frozen=True, slots=True)
class Outputs:
    """Output files of one prefix.

    Attributes:
        record: ``PREFIX.json``, written last; if it exists, the other files are complete.
    """

    record: Path

    @classmethod
    def of(cls, prefix: Path) -> Outputs:
        """Return the files with a prefix."""
        return cls(prefix.with_name(f"{prefix.name}.json"))

    def path(self, ending: str) -> Path:
        """Return the path ``PREFIX.ending``."""
        return self.record.with_name(f"{self.record.name.removesuffix('.json')}.{ending}")

    @property
    def track(self) -> Path:
        """Path of the combined track."""
        return self.path("bw")

    @property
    def calls(self) -> Path:
        """Path of the called intervals."""
        return self.path("bed")

    @property
    def genes(self) -> Path:
        """Path of the table of genes."""
        return self.path("genes.tsv")

    def strand(self, reverse: bool) -> Path:
        """Return the path of the track of one strand."""
        return self.path(f"{_STRANDS[reverse]}.bw")

    def check(self, *, overwrite: bool, resume: bool) -> None:
        """Check that all files can be written.

        Raises:
            RunError: as in :func:`genolm.engine.target.check_target`.
        """
        for path in (self.record, *self.others):
            check_target(path, overwrite=overwrite, resume=resume, run=self.record)

    def begin(self) -> None:
        """Remove the record of an earlier run before its files are replaced."""
        self.record.unlink(missing_ok=True)
        for path in self.others:
            sweep(path)

    def clear(self, kept: set[Path]) -> None:
        """Remove files of an earlier run that this run did not write."""
        for path in self.others:
            if path not in kept:
                path.unlink(missing_ok=True)

    @property
    def others(self) -> tuple[Path, ...]:
        """Paths of all files except the record."""
        return self.track, self.calls, self.genes, self.strand(False), self.strand(True)


@dataclass(frozen=True, slots=True)
class Contig:
    """Statistics of a contig.

    Attributes:
        length: length in bases.
        unknown: number of N.
        runs: number of scanned spans.
    """

    length: int
    unknown: int
    runs: int


def contigs_of(source: Source, tiling: Tiling) -> dict[str, Contig]:
    """Return the statistics of the contigs in input order."""
    return {
        record.id: Contig(
            len(record.sequence), record.sequence.count("N"), sum(1 for _ in tiling.runs(record.sequence))
        )
        for record in source.read()
    }


def write_tracks(tracks: Tracks, outputs: Outputs, combine: Combine, *, per_strand: bool) -> set[Path]:
    """Write the combined track and, with ``per_strand``, those of the strands; return their paths."""
    write_bigwig(outputs.track, tracks.lengths, _pieces(tracks, combine))
    if not per_strand:
        return {outputs.track}
    for reverse in tracks.strands:
        pieces = ((chrom, 0, tracks.strand(chrom, reverse)) for chrom in tracks.lengths)
        write_bigwig(outputs.strand(reverse), tracks.lengths, pieces)
    return {outputs.track, *(outputs.strand(reverse) for reverse in tracks.strands)}


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write ``PREFIX.json``; non-finite numbers become null."""
    write_text(path, json.dumps(_plain(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def contig_table(contigs: Mapping[str, Contig], tracks: Tracks, combine: Combine) -> list[dict[str, Any]]:
    """Return a row for each contig: scored bases, unscored bases by reason, and the mean of the track."""
    return [_contig_row(name, contig, tracks.combined(name, combine)) for name, contig in contigs.items()]


def scanned(record: Mapping[str, Any], windows: int) -> Summary:
    """Return the counts of a scan: bases with and without a value, windows, called intervals."""
    contigs = record["contigs"]
    reasons = {name: "N or ambiguous" if name.startswith("N_") else _NO_VALUE for name in contigs[0]["not_scored"]}
    outcomes = {"scored": sum(contig["scored_bases"] for contig in contigs)}
    outcomes |= {text: sum(contig["not_scored"][name] for contig in contigs) for name, text in reasons.items()}
    results = {"contigs": len(contigs), "windows": windows}
    if "calls" in record["calls"]:
        results["intervals called"] = record["calls"]["calls"]
    cause = Notice("they are at the start of a contig or follow N, or share a token with N")
    total = sum(contig["length"] for contig in contigs)
    return Summary({"bases": total}, outcomes, results, {_NO_VALUE: cause}, lack="value")


def _contig_row(name: str, contig: Contig, values: np.ndarray[Any, np.dtype[np.float32]]) -> dict[str, Any]:
    scored = int(np.count_nonzero(~np.isnan(values)))
    return {
        "name": name,
        "length": contig.length,
        "runs": contig.runs,
        "scored_bases": scored,
        "not_scored": {
            "N_or_ambiguous": contig.unknown,
            "nothing_before_them_or_in_a_token_with_N": contig.length - contig.unknown - scored,
        },
        "mean": float(np.nansum(values, dtype=np.float64)) / scored if scored else None,
    }


def _pieces(tracks: Tracks, combine: Combine) -> Iterator[Piece]:
    for chrom in tracks.lengths:
        yield chrom, 0, tracks.combined(chrom, combine)


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float() if not np.isfinite(value):
            return None
    return value
