"""A detector's calls of sequences; as the engine runs it where a model embeds."""

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
from genolm.tasks.detection.detector_features import feature_frame, feature_matrices
from genolm.tasks.detection.detector_folder import WEIGHTS, Detector, load_detector
from genolm.tasks.reading.embedding import Pooled
from genolm.tasks.reading.sources import Source
from genolm.tasks.reading.vector_readers import VectorReaders, VectorTask
from genolm.tasks.writing.provenance import records_beside
from genolm.tasks.writing.table_files import write_table

_TOGETHER = 256  # sequences whose hand-made features are computed at a time
_NO_CALL = "without a call"
_MOST_N = 0.1  # share of N from which on a call carries a warning


@dataclass(frozen=True)
class CallTask(VectorTask):
    """Calling as the engine runs it; :func:`genolm.apply_detector` makes one.

    Attributes:
        source: the sequences.
        description: ``detector.json`` of the detector; None where it was in memory.
        given: the detector that was in memory.
        readers: how its model reads; none where it has none.
        with_prompt: whether prompts that headers name are called with what follows them.
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
        """The sequences."""
        records = self.source.read()
        return records if self.with_prompt else without_prompts(records)

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        told = self.description
        return (*self.source.files(), *(() if told is None else (told, told.with_name(WEIGHTS))))

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window]:
        """Pieces of at most the context, of sequences with bases."""
        return self.readers.windows(_known(items), model)

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window], outputs: Sequence[Pooled]
    ) -> pl.DataFrame:
        """A call for each sequence."""
        known, detector = _known(items), self.detector
        embedding = self.readers.columns(known, windows, outputs).get("embedding")
        features = feature_frame([item.sequence for item in known], detector.features, embedding)
        matrix = feature_matrices(features, detector.features)[detector.features]
        told = iter(detector.classifier.probability(matrix).tolist())
        return pl.DataFrame([_call(detector, item, told) for item in items], schema=_SCHEMA, orient="row")

    def beside(self, out: Path) -> tuple[Path, ...]:
        """Return the files written next to the output."""
        return records_beside(out)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write the table."""
        write_table(frames, out, self.metadata())

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """Return the table."""
        return pl.concat(list(frames))

    def count(self, rows: pl.DataFrame) -> Summary:
        """Sequences by their call."""
        outcomes = dict(rows["call"].fill_null(_NO_CALL).value_counts().iter_rows())
        remedies = {_NO_CALL: "they hold nothing but N"}
        return Summary({"sequences": rows.height}, outcomes, remedies=remedies, lack="call")

    def metadata(self) -> dict[str, str]:
        """Everything that says how the calls were made."""
        return {
            "genolm_version": __version__,
            "detector": "" if self.description is None else self.description.parent.name,
            "false_positive_rate": str(self.detector.rate),
        }

    def direct(self) -> Iterator[pl.DataFrame]:
        """The rows where there is no model to be run, some at a time, an empty table first."""
        records = self.items()
        yield self.rows([], [], [])
        while some := list(islice(records, _TOGETHER)):
            yield self.rows(some, [], [])


def _known(items: Sequence[SequenceRecord]) -> list[SequenceRecord]:
    return [item for item in items if set(item.sequence) - {"N"}]


_SCHEMA = {
    "id": pl.String, "length": pl.Int64, "probability": pl.Float64, "call": pl.String, "threshold": pl.Float64,
    "warning": pl.String,
}  # fmt: skip


def _call(detector: Detector, record: SequenceRecord, told: Iterator[float]) -> tuple[Any, ...]:
    length, threshold = len(record.sequence), detector.classifier.threshold
    unknown = record.sequence.count("N")
    if unknown == length:
        return record.id, length, None, None, threshold, "nothing but N"
    warnings = []
    if not detector.shortest <= length <= detector.longest:
        warnings.append(f"trained on {detector.shortest:,} to {detector.longest:,} bases")
    if unknown > _MOST_N * length:
        warnings.append(f"{unknown / length:.0%} N")
    if detector.classifier.flat:
        warnings.append("the detector knows nothing: its calibration is flat")
    probability = next(told)
    call = "generated" if probability > threshold else "natural"
    return record.id, length, probability, call, threshold, "; ".join(warnings) or None
