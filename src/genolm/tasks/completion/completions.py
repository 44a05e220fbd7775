"""Completions of genes in memory or in a table."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from genolm.engine.result import Result
from genolm.tasks.completion.completion_summary import SCHEMA as SUMMARY
from genolm.tasks.completion.completion_summary import summarise
from genolm.tasks.completion.completion_task import SCHEMA, summary_path
from genolm.tasks.writing.results import TableResults
from genolm.tasks.writing.table_files import read_written


class Completions(TableResults):
    """Completions of genes and of the baselines, as :func:`genolm.complete` returns them.

    Columns of `table`: ``id``, ``place`` (1-based, inclusive), ``source`` (``model``, ``markov``, ``natural`` for
    another gene, or ``shuffled``), ``sample``, ``prompt_bases``, ``truth_bases``, ``nucleotide_identity``,
    ``protein_identity``, ``longest_frame_bases``, ``frame_to_stop_bases``, ``mean_log_probability_nats_per_base`` and
    ``completion``. A baseline that cannot be computed, for example because no other gene is long enough, is null.

    Args:
        run: outcome of the run.
        model: name of the model.
        seed: random seed of the bootstrap.
    """

    def __init__(self, run: Result, model: str, seed: int) -> None:
        super().__init__(run, model, schema=SCHEMA)
        self._seed = seed

    @property
    def means(self) -> pl.DataFrame:
        """Means over genes with intervals; see :func:`genolm.tasks.completion.completion_summary.summarise`."""
        made: pl.DataFrame | None = self._made
        if made is not None:
            return summarise(made, seed=self._seed)
        return read_written(summary_path(Path(self)), SUMMARY)
