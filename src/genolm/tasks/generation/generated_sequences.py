"""Generated sequences in memory or in a FASTA file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from genolm.engine.result import Result
from genolm.genome.records import FlatRecord, read_fasta
from genolm.tasks.generation.generate_task import SCHEMA
from genolm.tasks.writing.results import TableResults


class Generated(TableResults):
    """Generated sequences, as :func:`genolm.generate` returns them.

    Columns of `table`: ``id``, ``prompt_id``, ``sample`` (from 1), ``prompt``, ``generated`` and
    ``mean_log_probability_nats_per_base``. With multi-base tokens also ``finish_reason``, ``tokens``,
    ``total_log_probability_nats`` and ``mean_log_probability_nats_per_token``; these count complete tokens, and
    probabilities are over the model's vocabulary. In the FASTA file log-probabilities have six decimals, and names
    have underscores instead of spaces.

    Args:
        run: outcome of the run.
        model: name of the model.
    """

    def __init__(self, run: Result, model: str) -> None:
        super().__init__(run, model, schema=SCHEMA)

    @property
    def sequences(self) -> Mapping[str, str]:
        """Prompt and new bases of each sequence, by its name, as in the FASTA file."""
        return {name: prompt + new for name, prompt, new in self.table.select("id", "prompt", "generated").iter_rows()}

    def _read(self, path: Path) -> pl.DataFrame:
        rows = [_row(record) for record in read_fasta(path, str)]
        return pl.DataFrame(rows, schema={name: kind for name, kind in SCHEMA.items() if name in rows[0]})


def _row(record: FlatRecord) -> dict[str, Any]:
    header = dict(word.split("=", 1) for word in record.about.split() if "=" in word)
    prompt = int(header["prompt_bases"])
    prompt_id, _, sample = record.id.rpartition("_")
    row = {"id": record.id, "prompt_id": prompt_id, "sample": sample}
    row |= {"prompt": record.sequence[:prompt], "generated": record.sequence[prompt:]}
    texts = row | {name: header[name] for name in SCHEMA if name in header}
    return {name: _value(text, SCHEMA[name]) for name, text in texts.items()}


def _value(text: str, kind: Any) -> Any:
    if text == "":
        return "" if kind == pl.String else None
    return {pl.String: str, pl.Int64: int, pl.Float64: float}[kind](text)
