"""Calls of sequences by a detector, as run by the engine if a model embeds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from genolm.engine.summary import Summary
from genolm.engine.windows import Window
from genolm.files.version import __version__
from genolm.genome.labelled.generated_records import without_prompts
from genolm.genome.sequences import SequenceRecord
from genolm.models.model import Model
from genolm.remedies import Notice
from genolm.tasks.detection.detector_features import feature_frame, feature_matrices
from genolm.tasks.detection.detector_folder import WEIGHTS, Detector, load_detector
from genolm.tasks.reading.embedding import Pooled
from genolm.tasks.reading.sources import Source
from genolm.tasks.reading.vector_readers import ModelOrigin, VectorReaders, VectorTask
from genolm.tasks.writing.provenance import provenance_files
from genolm.tasks.writing.table_files import write_table

_BATCH = 256  # sequences per batch of hand-made features
_NO_CALL = "without a call"
_MAX_N = 0.1  # share of N above which a call has a warning


@dataclass(frozen=True)
class CallTask(VectorTask):
    """Calls as computed by the engine; created by :func:`genolm.detect.apply`.

    Attributes:
        source: the sequences.
        description: path of the detector's ``detector.json``; None for a detector in memory.
        given: the detector in memory; None for a folder.
        readers: vector readers of the detector's model; empty without embeddings.
        with_prompt: whether prompts named in headers are included.
    """

    source: Source
    description: Path | None
    given: Detector | None
    readers: VectorReaders
    with_prompt: bool
    name: ClassVar[str] = "detect"
    unit: ClassVar[str] = "sequences"

    @cached_property
    def detector(self) -> Detector:
        """The detector."""
        if self.description is not None:
            return load_detector(self.description.parent)
        assert self.given is not None
        return self.given

    def items(self) -> Iterator[SequenceRecord]:
        """Yield the sequences."""
        records = self.source.read()
        return records if self.with_prompt else without_prompts(records)

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        path = self.description
        return (*self.source.files(), *(() if path is None else (path, path.with_name(WEIGHTS))))

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window[ModelOrigin]]:
        """Return windows of at most the context, of sequences with bases."""
        return self.readers.windows(_known(items), model)

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window[ModelOrigin]], outputs: Sequence[Pooled]
    ) -> pl.DataFrame:
        """Return a call for each sequence."""
        known, detector = _known(items), self.detector
        embedding = self.readers.columns(known, windows, outputs).get("embedding")
        features = feature_frame([item.sequence for item in known], detector.features, embedding)
        matrix = feature_matrices(features, detector.features)[detector.features]
        probabilities = iter(detector.classifier.probability(matrix).tolist())
        return pl.DataFrame([_call(detector, item, probabilities) for item in items], schema=SCHEMA, orient="row")

    def side_files(self, out: Path) -> tuple[Path, ...]:
        """Return the files written next to the output."""
        return provenance_files(out)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write the table."""
        write_table(frames, out, self.metadata())

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """Return the table."""
        return pl.concat(list(frames))

    def count(self, rows: pl.DataFrame) -> Summary:
        """Return the numbers of sequences by call."""
        outcomes = dict(rows["call"].fill_null(_NO_CALL).value_counts().iter_rows())
        remedies = {_NO_CALL: Notice("they hold nothing but N")}
        return Summary({"sequences": rows.height}, outcomes, remedies=remedies, lack="call")

    def metadata(self) -> dict[str, str]:
        """Return the provenance of the calls."""
        return {
            "genolm_version": __version__,
            "detector": "" if self.description is None else self.description.parent.name,
            "false_positive_rate": str(self.detector.rate),
        }

    def direct(self) -> Iterator[pl.DataFrame]:
        """Yield rows in batches, after an empty table; for detectors without a model."""
        records = self.items()
        yield self.rows([], [], [])
        while batch := list(islice(records, _BATCH)):
            yield self.rows(batch, [], [])


def _known(items: Sequence[SequenceRecord]) -> list[SequenceRecord]:
    return [item for item in items if set(item.sequence) - {"N"}]


SCHEMA = {
    "id": pl.String, "length": pl.Int64, "probability": pl.Float64, "call": pl.String, "threshold": pl.Float64,
    "warning": pl.String,
}  # fmt: skip


def _call(detector: Detector, record: SequenceRecord, probabilities: Iterator[float]) -> tuple[Any, ...]:
    length, threshold = len(record.sequence), detector.classifier.threshold
    unknown = record.sequence.count("N")
    if unknown == length:
        return record.id, length, None, None, threshold, "nothing but N"
    warnings = []
    if not detector.shortest <= length <= detector.longest:
        warnings.append(f"trained on {detector.shortest:,} to {detector.longest:,} bases")
    if unknown > _MAX_N * length:
        warnings.append(f"{unknown / length:.0%} N")
    if detector.classifier.flat:
        warnings.append("the detector knows nothing: its calibration is flat")
    probability = next(probabilities)
    call = "generated" if probability > threshold else "natural"
    return record.id, length, probability, call, threshold, "; ".join(warnings) or None
