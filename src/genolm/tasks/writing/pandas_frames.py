"""Tables as pandas data frames, without a further package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from genolm.files.optional import require

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]


def pandas_frame(table: pl.DataFrame) -> pd.DataFrame:
    """Return a table as a data frame; missing values stay missing, and vectors are arrays of numpy.

    Raises:
        GenolmError: pandas is not installed.
    """
    pandas = require("pandas", extra="anndata", purpose="a data frame of pandas")
    frame: pd.DataFrame = pandas.DataFrame({name: _column(table[name], pandas) for name in table.columns})
    return frame


def _column(column: pl.Series, pandas: Any) -> Any:
    if column.dtype.is_nested():
        return pandas.Series([None if row is None else np.asarray(row) for row in column], dtype=object)
    return column.to_list() if column.dtype == pl.String else numbers(column, pandas)


def numbers(column: pl.Series, pandas: Any) -> Any:
    """Return a column of numbers or truth values in the type that keeps its missing values."""
    if column.dtype.is_float():
        return pandas.array(column.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype="float64")
    kind = ("boolean", "bool") if column.dtype == pl.Boolean else ("Int64", "int64")
    return pandas.array(column.to_list(), dtype=kind[0] if column.null_count() else kind[1])
