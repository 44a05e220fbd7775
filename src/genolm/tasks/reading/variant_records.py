"""What every way of scoring variants shares: the records, their calls, the rows of results, and the artefact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from genolm.genome.variant import Variant
from genolm.genome.vcf.vcf_records import VariantRecord, read_variants, write_vcf
from genolm.tasks.reading.allele_status import REMEDIES, Call, Mismatch, Rules
from genolm.tasks.reading.variant_columns import RECORD, Columns, Method
from genolm.tasks.writing.provenance import Provenance, records_beside
from genolm.tasks.writing.table_files import write_table

VCF_SUFFIXES = (".vcf", ".vcf.gz", ".bcf")

Place = tuple[str, int] | None
"""Contig and tile that the last record was on."""


@dataclass(frozen=True, slots=True)
class Query:
    """One record of the input.

    Attributes:
        record: what was read.
        calls: for every alternative, whether it can be scored.
        tokens: what it costs, a shared stretch included when it is the first on it.
        further: values of the further columns of its row.
    """

    record: VariantRecord
    calls: tuple[Call, ...]
    tokens: int
    further: tuple[Any, ...] = ()


@dataclass(frozen=True)
class VariantRun:
    """The records of a source against a genome.

    Attributes:
        source: a path, or what :func:`genolm.genome.vcf.vcf_records.read_variants` takes.
        genome: the FASTA file.
        method: how alleles are compared.
        rc: whether both strands are read.
        on_mismatch: what to do with records that do not fit the genome.
        provenance: the model.
        genome_iupac: what happens to ambiguous letters of the genome.
        further: columns of a table that are kept beside the results.
    """

    source: Any
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
        """Names of the results."""
        raise NotImplementedError

    @cached_property
    def rules(self) -> Rules:
        """What can be scored."""
        raise NotImplementedError

    def tokens(self, variants: Sequence[Variant], place: Place) -> tuple[int, Place]:
        """Tokens that the variants of one record cost after a record at ``place``, and the place after it."""
        raise NotImplementedError

    @property
    def settings(self) -> dict[str, str | int]:
        """What the output says of the run, beside the model; nothing that depends on time or place."""
        raise NotImplementedError

    @property
    def strands(self) -> str:
        """Which strands are read, in a word."""
        return "both" if self.rc else "forward"

    @property
    def directions(self) -> tuple[bool, ...]:
        """Whether reverse, for every strand that is read."""
        return (False, True) if self.rc else (False,)

    def records(self) -> Iterator[VariantRecord]:
        """What is asked about."""
        return read_variants(self.source)

    def items(self) -> Iterator[Query]:
        """Records with their calls; every REF is compared with the genome here, before anything is computed."""
        file = self.source if isinstance(self.source, Path) else "variants"
        place: Place = None
        rows = further_rows(self.source, self.further) if self.further else repeat(())
        for record, further in zip(self.records(), rows):
            calls = self.rules.calls(record, self.reference, file)
            tokens, place = self.tokens([call.variant for call in calls if call.variant], place)
            yield Query(record, calls, tokens, further)

    def cost(self, item: Query) -> int:
        """Tokens, about."""
        return item.tokens

    def inputs(self) -> tuple[Path, ...]:
        """The variants, when they are a file, and the genome."""
        return (self.source, self.genome) if isinstance(self.source, Path) else (self.genome,)

    def named(self, items: Sequence[Query], row: int, reverse: bool) -> str:
        """An alternative allele of the records, by its number, in words."""
        call = [call for item in items for call in item.calls][row]
        return f"variant {call.variant}" + (" on the reverse strand" if reverse else "")

    def frame(
        self,
        items: Sequence[Query],
        scores_2N: NDArray[np.float64],
        statuses: Sequence[str],
        further: Mapping[str, Any],
    ) -> pl.DataFrame:
        """One row for every alternative.

        Args:
            items: the records.
            scores_2N: of the forward and of the reverse strand; NaN where there is none.
            statuses: of every alternative.
            further: columns of the method's own.
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
        """The score itself: of the forward strand, or the mean of both."""
        return scores_2N.mean(0) if self.rc else scores_2N[0]

    def side_files(self, out: Path) -> tuple[Path, ...]:
        """The files that are written beside the output."""
        return records_beside(out)

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Writes the VCF, BCF or table."""
        settings = self.metadata()
        if out.name.lower().endswith(VCF_SUFFIXES):
            told = ",".join(f'{key}="{text}"' for key, text in settings.items())
            header = [f"##genolm=<ID=variants,{told}>"]
            write_vcf(self.source, out, self.columns.info, self.columns.annotations(frames), header)
        else:
            write_table((frame.drop(RECORD) for frame in frames), out, settings)

    def metadata(self) -> dict[str, str]:
        """Everything that says how the scores were made."""
        return self.provenance.described(**self.settings)

    def count(self, rows: pl.DataFrame) -> Summary:
        """Alternatives by their status."""
        statuses = dict(rows["status"].value_counts().iter_rows())
        return Summary({self.alleles: rows.height}, statuses, remedies=REMEDIES)

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """The table."""
        return pl.concat(list(frames)).drop(RECORD)
