"""Scores of sequences in memory or in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from genolm.engine.result import Result
from genolm.tasks.writing.results import TableResults

if TYPE_CHECKING:
    from polars._typing import PolarsDataType


class Scores(TableResults):
    """Log-likelihoods of sequences, as :func:`genolm.score` returns them.

    Columns of `table` per sequence: ``id``, coordinates (0-based, half-open) if known, ``length``, ``scored_bases``,
    ``log_likelihood_sum_nats``, ``log_likelihood_mean_nats_per_base`` and ``bits_per_base`` (lower: more likely; these
    three are null if no base has a score), for multi-base tokenizers ``scored_tokens`` (of all strands) and
    ``log_likelihood_mean_nats_per_token``, ``strands``, and the further columns of an input table. Per base: ``id``,
    for intervals ``chrom``, ``start`` (0-based) and ``strand`` of the base, ``position`` in the sequence (0-based),
    ``base``, ``log_probability_nats``. For encoders the names of scores begin with ``pseudo_`` and ``masked_``. A track
    has no table.

    Args:
        run: outcome of the run.
        column: name of the score in the table.
        per_base: whether bases are scored, not sequences.
        model: name of the model.
        schema: types of the columns.
    """

    sign = "higher: more likely"
    """Meaning of the sign."""

    def __init__(
        self, run: Result, column: str, per_base: bool, model: str, schema: Mapping[str, PolarsDataType]
    ) -> None:
        self._column, self._per_base = column, per_base
        super().__init__(run, self.unit, model, schema=schema)

    @property
    def column(self) -> str:
        """Name of the score in the table."""
        return self._column

    @property
    def unit(self) -> str:
        """Unit of the score, and whether it is a sum."""
        return "nats of each base" if self._per_base else "nats, sum over the scored bases"

    def to_numpy(self) -> NDArray[Any]:
        """Return the score of each sequence as float64, or of each base as float32; NaN if missing."""
        values: NDArray[Any] = self.table[self._column].fill_null(float("nan")).to_numpy(writable=True)
        return values
