"""Base of tasks that score variants: records, calls, rows of results and output files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.engine.summary import Summary
from genolm.genome.fasta import Genome, GenomePolicy
from genolm.genome.further_columns import FurtherColumn, further_rows, further_series
from genolm.genome.input_values import HeldVariants
from genolm.genome.tabular import Frame
from genolm.genome.variant import Variant
from genolm.genome.vcf.vcf_records import VariantRecord, read_variants, write_vcf
from genolm.tasks.reading.allele_status import UNSCORED, Call, Mismatch, Rules
from genolm.tasks.reading.variant_columns import RECORD, Columns, Method
from genolm.tasks.writing.provenance import Provenance, provenance_files
from genolm.tasks.writing.table_files import write_table

VCF_SUFFIXES = (".vcf", ".vcf.gz", ".bcf")

TileKey = tuple[str, int] | None
"""Contig and number of a tile."""


@dataclass(frozen=True, slots=True)
class Query:
    """A record with the calls of its ALT alleles.

    Attributes:
        record: the record.
        calls: call of each ALT allele.
        tokens: estimated tokens; a shared tile counts for its first record.
        further: values of the further columns of its row.
    """

    record: VariantRecord
    calls: tuple[Call, ...]
    tokens: int
    further: tuple[Any, ...] = ()


@dataclass(frozen=True)
class VariantRun:
    """Scoring of the records of a source against a genome.

    Attributes:
        source: the variants: a file, a table or values in memory; text for what a subclass defines.
        genome: FASTA of the genome.
        method: scoring method.
        rc: read both strands.
        on_mismatch: treatment of records that do not match the genome.
        provenance: the model.
        genome_iupac: treatment of ambiguity codes in the genome.
        further: columns of a table that are copied to the output.
    """

    source: HeldVariants | str
    genome: Path
    method: Method
    rc: bool
    on_mismatch: Mismatch
    provenance: Provenance
    genome_iupac: GenomePolicy = field(default="N", kw_only=True)
    further: tuple[FurtherColumn, ...] = field(default=(), kw_only=True)
    unit: ClassVar[str] = "variant records"
    alleles: ClassVar[str] = "ALT alleles"

    @cached_property
    def reference(self) -> Genome:
        """The opened genome."""
        return Genome(self.genome, iupac=self.genome_iupac)

    @cached_property
    def columns(self) -> Columns:
        """Names and descriptions of the results."""
        raise NotImplementedError

    @cached_property
    def rules(self) -> Rules:
        """Eligibility rules for variants."""
        raise NotImplementedError

    def tokens(self, variants: Sequence[Variant], previous: TileKey) -> tuple[int, TileKey]:
        """Return the estimated tokens of a record, given the tile of the previous record, and its own tile."""
        raise NotImplementedError

    @property
    def settings(self) -> dict[str, str | int]:
        """Settings for the provenance."""
        raise NotImplementedError

    @property
    def strands(self) -> str:
        """Strand mode: ``both`` or ``forward``."""
        return "both" if self.rc else "forward"

    @property
    def directions(self) -> tuple[bool, ...]:
        """Strands that are read; True is the reverse strand."""
        return (False, True) if self.rc else (False,)

    def records(self) -> Iterator[VariantRecord]:
        """Yield the records."""
        return read_variants(self.source)

    def items(self) -> Iterator[Query]:
        """Yield the records with their calls; this compares every REF with the genome."""
        file = self.source if isinstance(self.source, Path) else "variants"
        previous: TileKey = None
        rows: Iterable[tuple[Any, ...]] = repeat(())
        if self.further and isinstance(self.source, Path | Frame):
            rows = further_rows(self.source, self.further)
        for record, further in zip(self.records(), rows):
            calls = self.rules.calls(record, self.reference, file)
            tokens, previous = self.tokens([call.variant for call in calls if call.variant], previous)
            yield Query(record, calls, tokens, further)

    def cost(self, item: Query) -> int:
        """Return the estimated number of tokens."""
        return item.tokens

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return (self.source, self.genome) if isinstance(self.source, Path) else (self.genome,)

    def named(self, items: Sequence[Query], row: int, reverse: bool) -> str:
        """Return a description of an ALT allele of the records, by its row, for messages."""
        call = [call for item in items for call in item.calls][row]
        return f"variant {call.variant}" + (" on the reverse strand" if reverse else "")

    def frame(
        self,
        items: Sequence[Query],
        scores_2N: NDArray[np.float64],
        statuses: Sequence[str],
        further: Mapping[str, Any],
    ) -> pl.DataFrame:
        """Return one row per ALT allele.

        Args:
            items: the records.
            scores_2N: scores of the forward and the reverse strand; NaN if missing.
            statuses: status of each ALT allele.
            further: columns specific to the method.
        """
        rows = [(item.record, alt) for item in items for alt in item.record.alts]
        name = self.columns.score
        values = {
            RECORD: [record.index for record, _ in rows],
            "chrom": [record.chrom for record, _ in rows],
            "pos": [record.pos for record, _ in rows],
            "id": [record.id for record, _ in rows],
            "ref": [record.ref for record, _ in rows],
            "alt": [alt for _, alt in rows],
            name: self.mean(scores_2N), f"{name}_forward": scores_2N[0], f"{name}_reverse": scores_2N[1],
            "status": statuses,
            **further,
        }  # fmt: skip
        schema = self.columns.schema
        frame = pl.DataFrame({column: values[column] for column in schema}, strict=False)
        own: pl.DataFrame = frame.fill_nan(None).cast(schema)  # type: ignore[arg-type]
        return own.with_columns(
            **further_series(self.further, [item.further for item in items for _ in item.record.alts])
        )

    def mean(self, scores_2N: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the score: that of the forward strand, or the mean of both strands."""
        return scores_2N.mean(0) if self.rc else scores_2N[0]

    def side_files(self, out: Path) -> tuple[Path, ...]:
        """Return the side files of an output."""
        return provenance_files(out)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write VCF, BCF or a table."""
        settings = self.metadata()
        if out.name.lower().endswith(VCF_SUFFIXES):
            assert isinstance(self.source, Path)
            entries = ",".join(f'{key}="{text}"' for key, text in settings.items())
            header = [f"##genolm=<ID=variants,{entries}>"]
            write_vcf(self.source, out, self.columns.info, self.columns.annotations(frames), header)
        else:
            write_table((frame.drop(RECORD) for frame in frames), out, settings)

    def metadata(self) -> dict[str, str]:
        """Return model and settings for the provenance."""
        return self.provenance.entries(**self.settings)

    def count(self, rows: pl.DataFrame) -> Summary:
        """Count ALT alleles by status."""
        statuses = dict(rows["status"].value_counts().iter_rows())
        return Summary({self.alleles: rows.height}, statuses, remedies=UNSCORED)

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """Return the table."""
        return pl.concat(list(frames)).drop(RECORD)
