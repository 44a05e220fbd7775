"""Summary of completions: means over genes with intervals, and differences between model and baselines."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.statistics.bootstrap import finite_or_none, mean_estimate
from genolm.tasks.completion.completion_baselines import BASELINES
from genolm.tasks.completion.completion_metrics import MEASURES

MODEL = "model"
SCHEMA = {
    "measure": pl.String,
    "of_samples": pl.String,
    "source": pl.String,
    "genes": pl.Int64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "model_minus": pl.Float64,
    "model_minus_low": pl.Float64,
    "model_minus_high": pl.Float64,
}


def summarise(table: pl.DataFrame, *, seed: int = 0, repeats: int = 2_000) -> pl.DataFrame:
    """Return a row for each measure, for the mean and the best sample of a gene, and for the model and each baseline.

    Args:
        table: rows of :func:`genolm.complete`.
        seed: random seed of the bootstrap.
        repeats: number of bootstrap resamples of the genes.

    Returns:
        ``measure, of_samples`` (``mean`` or ``best``) ``, source, genes, value`` (mean over genes) ``, low, high``
        (95 % percentile interval of the bootstrap over genes) ``, model_minus`` (mean over genes of the model minus
        this source, on the genes that both have) with its interval. A single gene has no interval.
    """
    rows = []
    for measure in MEASURES:
        for of_samples in ("mean", "best"):
            by_gene = {source: _by_gene(table, source, measure, of_samples) for source in (MODEL, *BASELINES)}
            for source, values in by_gene.items():
                shared = [name for name in by_gene[MODEL] if name in values]
                differences = np.array([by_gene[MODEL][name] - values[name] for name in shared])
                rows.append(
                    (
                        measure,
                        of_samples,
                        source,
                        len(values),
                        *_estimate(np.array(list(values.values())), seed, repeats),
                        *([None] * 3 if source == MODEL else _estimate(differences, seed, repeats)),
                    )
                )
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _by_gene(table: pl.DataFrame, source: str, measure: str, of_samples: str) -> dict[str, float]:
    column = pl.col(measure).cast(pl.Float64)
    rows = table.filter((pl.col("source") == source) & pl.col(measure).is_not_null())
    value = column.mean() if of_samples == "mean" else column.max()
    grouped = rows.group_by("id", maintain_order=True).agg(value.alias("value"))
    return dict(zip(grouped["id"], grouped["value"]))


def _estimate(values: NDArray[np.float64], seed: int, resamples: int) -> list[float | None]:
    """Return the mean and its interval; None where undefined."""
    return [finite_or_none(value) for value in mean_estimate(values, seed, resamples)]
