"""Results of the verbs: in memory, or a written file or folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.result import Estimate, Result, duration
from genolm.engine.summary import Summary, numbered
from genolm.errors import RunError
from genolm.tasks.writing.result_html import paragraph, rows_html
from genolm.tasks.writing.table_files import SUFFIXES, read_written

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import polars as pl
    from polars._typing import PolarsDataType

_SHOWN = 5  # rows shown in a notebook
_NOTES = 3  # notes shown there


class Results(os.PathLike[str]):
    """Results of a verb.

    Written results can be used as a path: ``open(results)``, ``Path(results)``. After a dry run there is an estimate
    only, and after a shard there are only its parts.

    Args:
        run: outcome of the run.
        about: short facts for the representation, such as ``layer 12``.
    """

    def __init__(self, run: Result, *about: str) -> None:
        self._run, self._about = run, about

    @property
    def path(self) -> Path | None:
        """Path of the output; None in memory, and after a dry run or a shard."""
        return self._run.out

    @property
    def summary(self) -> Summary | None:
        """Counts of items, outcomes and results; None after a dry run or a shard."""
        return self._run.summary

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the run."""
        return self._run.notes

    @property
    def estimate(self) -> Estimate | None:
        """Estimated work, memory and time; None unless this was a dry run."""
        return self._run.estimate

    @property
    def parts(self) -> Path | None:
        """Folder of the parts that a shard left for :func:`genolm.merge`; None otherwise."""
        return self._run.folder

    def __fspath__(self) -> str:
        """Return the path of the output.

        Raises:
            RunError: nothing was written.
        """
        if self.path is None:
            raise RunError(f"these results are not a file: {self._whereabouts}; give the verb an output path")
        return str(self.path)

    def __repr__(self) -> str:
        """Return one line; further lines have the counts of a written output and the number of notes."""
        lines = [f"{type(self).__name__}: {', '.join((self._size, *self._about))}"]
        if self.path is not None and self.summary is not None:
            lines.append(f"  {self.summary}")
        if self.notes:
            lines.append(f"  {numbered(len(self.notes), 'notes')}: see .notes")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the representation for notebooks: sizes and facts, counts, the first rows, notes."""
        size, *about = (self._size, *self._about)
        texts = [paragraph(size, *about, title=type(self).__name__)]
        if self.summary is not None:
            texts.append(paragraph(str(self.summary)))
        notes = [*self.notes[:_NOTES], *([f"{len(self.notes) - _NOTES} more: see .notes"] * (len(self.notes) > _NOTES))]
        return "".join((*texts, self._rows_html(), *(paragraph(note, title="Note") for note in notes)))

    def _rows_html(self) -> str:
        """Return the first rows as HTML; empty if they are not in memory."""
        return ""

    @property
    def _made(self) -> Any:
        """Results in memory; None if they were written.

        Raises:
            RunError: there are none: after a dry run or a shard, or on standard output.
        """
        if self._run.table is None and self.path is None:
            raise RunError(f"there are no results to return: {self._whereabouts}")
        return self._run.table

    @property
    def _size(self) -> str:
        """Amount of results in memory, or what else there is: a path, an estimate, parts."""
        if self.path is not None:
            return str(self.path)
        if self.estimate is not None:
            return f"dry run, about {duration(self.estimate.seconds)}"
        if self.parts is not None:
            return f"shard, parts in {self.parts}"
        return "standard output" if self._run.table is None else self._extent

    @property
    def _extent(self) -> str:
        """Amount of the results in memory."""
        return "in memory"

    @property
    def _whereabouts(self) -> str:
        if self.estimate is not None:
            return "a dry run computes nothing, and .estimate holds its estimate"
        if self.parts is not None:
            return f"a shard leaves its parts in {self.parts}, and merge joins the parts of all shards"
        return "they were written to standard output" if self._run.table is None else "they are in memory"


class TableResults(Results):
    """Results with a row for each item.

    Args:
        run: outcome of the run.
        about: short facts for the representation.
        schema: types of the columns, for text tables; other columns are inferred.
    """

    def __init__(self, run: Result, *about: str, schema: Mapping[str, PolarsDataType]) -> None:
        super().__init__(run, *about)
        self._schema = schema

    @cached_property
    def table(self) -> pl.DataFrame:
        """The rows; those of a written output are read from it on first use.

        Raises:
            RunError: there are no rows (after a dry run or a shard), or the format of the output cannot be read back.
        """
        made: pl.DataFrame | None = self._made
        return self._read(Path(self)) if made is None else made

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a pandas data frame (extra ``anndata``).

        Raises:
            GenolmError: pandas is not installed.
        """
        from genolm.tasks.writing.pandas_frames import pandas_frame

        return pandas_frame(self.table)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.table.height

    def _read(self, path: Path) -> pl.DataFrame:
        if not path.name.lower().endswith(SUFFIXES):
            raise unreadable(path, SUFFIXES)
        return read_written(path, self._schema)

    @property
    def _extent(self) -> str:
        return f"{self.table.height:,} x {self.table.width:,}"

    def _rows_html(self) -> str:
        return "" if self._run.table is None and "table" not in self.__dict__ else rows_html(self.table, _SHOWN)


def unreadable(path: Path, formats: tuple[str, ...]) -> RunError:
    """Return the error for an output whose rows cannot be read back."""
    return RunError(f"{path}: no table can be read back from this format; write {', '.join(formats)}")
