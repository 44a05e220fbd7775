"""Results with several tables: in memory, or a folder with a file for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import polars as pl

from genolm.engine.result import Result
from genolm.tasks.writing.output_folders import Form
from genolm.tasks.writing.results import TableResults
from genolm.tasks.writing.table_files import read_written

_TEXTS = ("id", "chrom", "strand", "base", "genome", "contig", "label", "group")


class FolderResults(TableResults):
    """Results with several tables, of which the first is the `table`.

    Args:
        run: outcome of the run.
        names: names of the tables; a table that the run did not make is left out.
        about: short facts for the representation.
        report: JSON file of the folder with further results; empty if there is none.
    """

    def __init__(self, run: Result, names: tuple[str, ...], *about: str, report: str = "") -> None:
        super().__init__(run, *about, schema=dict.fromkeys(_TEXTS, pl.String))
        self._names, self._report_file = names, report

    @cached_property
    def tables(self) -> Mapping[str, pl.DataFrame]:
        """The tables by name; those of a written output are read from its folder on first use.

        Raises:
            RunError: there are no results, after a dry run or a shard.
        """
        made: Mapping[str, Any] | None = self._made
        if made is not None:
            return {name: made[name] for name in self._names if name in made}
        files = [Path(self) / f"{name}.{form}" for name in self._names for form in get_args(Form)]
        return {file.stem: read_written(file, self._schema) for file in files if file.exists()}

    @cached_property
    def table(self) -> pl.DataFrame:
        """The first of the tables."""
        return self.tables[self._names[0]]

    @cached_property
    def _report(self) -> Mapping[str, Any]:
        """Further results by name."""
        made: Mapping[str, Any] | None = self._made
        if made is not None:
            return {name: value for name, value in made.items() if name not in self._names}
        report: Mapping[str, Any] = json.loads((Path(self) / self._report_file).read_text("utf-8"))
        return report
