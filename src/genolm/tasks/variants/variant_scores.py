"""Scores of variants in memory or in a file, also as the INFO fields of a VCF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from genolm.arrays import Float32
from genolm.engine.result import Result
from genolm.files.lines import decoded
from genolm.genome.vcf.vcf_text import read_vcf_text
from genolm.tasks.reading.variant_columns import RECORD, Columns
from genolm.tasks.reading.variant_records import VCF_SUFFIXES, VariantRun
from genolm.tasks.writing.results import TableResults

_SITE = ("chrom", "pos", "id", "ref", "alt")
_MISSING = ("", ".")


class VariantScores(TableResults):
    """Scores of ALT alleles, as :func:`genolm.variants` returns them.

    Columns of `table`: ``chrom``, ``pos`` (1-based), ``id``, ``ref``, ``alt``; ``llr_alt_minus_ref_sum_nats``
    (``full``, ``window``), ``llr_alt_minus_ref_site_nats`` (``conditional``) or ``llr_alt_minus_ref_masked_sum_nats``,
    with ``rc`` also ``…_forward`` and ``…_reverse``; ``status``
    (:data:`genolm.tasks.reading.allele_status.Status`); ``left_context`` and, with ``rc``, ``right_context`` in bases;
    ``uncounted_ref`` and ``uncounted_alt`` (``full``): bases of the horizon that are N or beyond the end of the contig;
    ``tokens_ref`` and ``tokens_alt`` (``window``, ``masked``): number of tokens that differ. Further columns of an
    input table follow unchanged. A table read back from VCF or BCF has the columns that are INFO fields, so no context.

    Args:
        run: outcome of the run.
        task: task that computed them.
    """

    sign = "ALT - REF; negative: ALT is less likely"
    """Meaning of the sign."""

    def __init__(self, run: Result, task: VariantRun) -> None:
        self._columns: Columns = task.columns
        schema = {name: kind for name, kind in self._columns.schema.items() if name != RECORD}
        super().__init__(run, task.method, self.unit, task.provenance.model, schema=schema)

    @property
    def column(self) -> str:
        """Name of the score in the table."""
        return self._columns.score

    @property
    def unit(self) -> str:
        """Unit of the score, and whether it is a sum."""
        return {
            "full": "nats, sum over the horizon",
            "window": "nats, sum over the tokens of the window",
            "masked": "nats, sum over the tokens that differ",
            "conditional": "nats at the site",
        }[self._columns.method]

    def to_numpy(self) -> Float32:
        """Return the score of each ALT allele; NaN if it has none."""
        values: Float32 = self.table[self.column].fill_null(float("nan")).to_numpy(writable=True)
        return values

    def _read(self, path: Path) -> pl.DataFrame:
        return _from_vcf(path, self._columns) if path.name.lower().endswith(VCF_SUFFIXES) else super()._read(path)


class Mutations(VariantScores):
    """Scores of all single-base changes of an interval, as :func:`genolm.mutate` returns them.

    Columns of `table`: ``chrom``, ``pos`` (1-based), ``ref``, ``alt``, the score as in
    :class:`genolm.tasks.variants.variant_scores.VariantScores`, and ``status``.
    """


def _from_vcf(path: Path, columns: Columns) -> pl.DataFrame:
    """Return a row for each ALT allele, with the columns that are INFO fields.

    Counts that a record omits because they are zero for all its alleles are zero where there is a score.
    """
    fields = {name: column for name, column in columns.info_columns.items() if column in columns.schema}
    names = [name for name in columns.schema if name in (*_SITE, *fields.values())]
    rows: dict[str, list[Any]] = {name: [] for name in names}
    for row in _alleles(path, fields):
        for name in names:
            rows[name].append(row[name])
    schema = {name: columns.schema[name] for name in names}
    table = pl.DataFrame({name: pl.Series(rows[name], dtype=pl.String) for name in names}).cast(schema)  # type: ignore[arg-type]
    zero = [count.column for count in columns.counts if count.omit_zero]
    scored = pl.col(columns.score).is_not_null()
    return table.with_columns(pl.when(scored).then(pl.col(name).fill_null(0)).alias(name) for name in zero)


def _alleles(path: Path, fields: dict[str, str]) -> Iterator[dict[str, str | None]]:
    for number, line in read_vcf_text(path).records:
        chrom, pos, identifier, ref, alts, _, _, info = decoded(line, path, number).split("\t", 8)[:8]
        values = {name: text.split(",") for name, _, text in (pair.partition("=") for pair in info.split(";"))}
        for index, alt in enumerate(alts.split(",")):
            row: dict[str, str | None] = dict(zip(_SITE, (chrom, pos, identifier, ref, alt)))
            for name, column in fields.items():
                text = values[name][index] if name in values else "."
                row[column] = None if text in _MISSING else text
            yield row
