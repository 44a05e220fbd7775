"""A detector's calls of sequences, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import polars as pl

from genolm.genome.sequences import SequenceRecord
from genolm.tasks.detection.features import feature_matrices
from genolm.tasks.detection.folder import Detector

if TYPE_CHECKING:
    from genolm.models.model import Model

_CHUNK = 256  # sequences that are called at a time
_MOST_N = 0.1  # share of N from which on a call carries a warning


def calls(
    detector: Detector, model: Model | None, records: Iterator[SequenceRecord], words: Mapping[str, Any]
) -> Iterator[pl.DataFrame]:
    """Tables of calls, some sequences at a time, an empty one first."""
    yield pl.DataFrame(schema=_SCHEMA)
    while chunk := list(islice(records, _CHUNK)):
        known = [record for record in chunk if set(record.sequence) - {"N"}]
        sequences = [record.sequence for record in known]
        told = iter(_probabilities(detector, model, sequences, words) if known else ())
        yield pl.DataFrame([_call(detector, record, told) for record in chunk], schema=_SCHEMA, orient="row")


def _probabilities(
    detector: Detector, model: Model | None, sequences: Sequence[str], words: Mapping[str, Any]
) -> list[float]:
    matrices = feature_matrices(sequences, detector.features, model, detector.model, words)
    return list(detector.classifier.probability(matrices[detector.features]).tolist())


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
