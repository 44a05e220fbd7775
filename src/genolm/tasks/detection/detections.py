"""Trained detectors and their calls, in memory or written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from genolm.arrays import Float64
from genolm.engine.result import Result
from genolm.tasks.detection.detector_apply_task import SCHEMA
from genolm.tasks.detection.detector_folder import Detector, load_detector
from genolm.tasks.writing.results import Results, TableResults


class TrainedDetector(Results):
    """A trained detector with its evaluation, as :func:`genolm.detect.train` returns it.

    Args:
        run: outcome of the training.
        features: features of the detector.
    """

    def __init__(self, run: Result, features: str) -> None:
        super().__init__(run, f"{features} features")

    @cached_property
    def detector(self) -> Detector:
        """The detector; a written one is read from its folder on first use."""
        made: Detector | None = self._made
        return load_detector(Path(self)) if made is None else made

    @property
    def report(self) -> Mapping[str, Any]:
        """Settings and evaluation.

        ``evaluation`` (detector, baselines and shuffled labels), ``parts`` (by generator, decoding, length and held-out
        taxon), ``folds``, ``notes`` and ``settings``. The detector is trained on everything that is not held out; the
        evaluation is of detectors that were not trained on the sequences they were tested on.
        """
        return self.detector.report


class Detections(TableResults):
    """Calls of a detector, as :func:`genolm.detect.apply` returns them.

    Columns of `table`: ``id``, ``length`` in bases, ``probability`` of being generated at equal priors, ``call``
    (``generated``, or ``natural`` for native; null without bases), ``threshold`` and ``warning``: a length outside the
    trained range, many N, or only N.

    Args:
        run: outcome of the run.
        features: features of the detector.
    """

    def __init__(self, run: Result, features: str) -> None:
        super().__init__(run, f"{features} features", schema=SCHEMA)

    def to_numpy(self) -> Float64:
        """Return the probability of each sequence of being generated; NaN without bases."""
        values: Float64 = self.table["probability"].fill_null(float("nan")).to_numpy(writable=True)
        return values
