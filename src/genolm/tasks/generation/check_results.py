"""The check of generated DNA in memory or in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from genolm.engine.result import Result
from genolm.engine.summary import numbered
from genolm.tasks.writing.folder_results import FolderResults


class Check(FolderResults):
    """Check of generated DNA, as :func:`genolm.check` returns it; its `table` has a row per sequence.

    Args:
        run: outcome of the check.
    """

    def __init__(self, run: Result) -> None:
        super().__init__(run, ("sequences",), report="check.json")

    @property
    def figures(self) -> list[Mapping[str, Any]]:
        """Metrics, each with ``name``, ``unit``, ``about`` and the value of each group with its 95 % interval.

        The groups are ``generated``, ``natural`` (native) and ``markov``; ``value``, ``low`` and ``high`` are None if
        undefined.
        """
        return list(self._report["figures"])

    @property
    def passed(self) -> Mapping[str, int]:
        """Counts of the filter: sequences, those dropped by reason, and those that passed."""
        passed: Mapping[str, int] = self._report["passed"]
        return passed

    @property
    def settings(self) -> Mapping[str, Any]:
        """Files and settings of the check."""
        settings: Mapping[str, Any] = self._report["settings"]
        return settings

    @property
    def sequences(self) -> pl.DataFrame:
        """A row for each sequence of every group, with its metrics."""
        return self.table

    @property
    def _extent(self) -> str:
        return f"{self.passed['passed']:,} of {numbered(self.passed['sequences'], 'sequences')} passed"
