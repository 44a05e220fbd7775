"""ALT alleles scored by `genolm variants`, read from a VCF, BCF or table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from genolm.genome.formats import VARIANT_FORMATS, file_format
from genolm.tasks.report.label_columns import Label, choose_label
from genolm.tasks.report.scored_rows import Rows, scored_table, scored_vcf

Kind = Literal["SNV", "indel", "MNV", "other"]
"""``MNV``: several bases replaced by as many; ``other``: an allele has letters other than A, C, G, T."""


@dataclass(frozen=True, slots=True)
class ScoredAllele:
    """One ALT allele of one record.

    Attributes:
        chrom: contig as named in the file.
        pos: 1-based position of the first base of `ref`.
        ref: REF allele.
        alt: ALT allele.
        score: log-likelihood of ALT minus that of REF in nats; None if it was not scored.
        truth: value of the label field, ``""`` if absent.
        effect: INFO/EFFECT, ``""`` if absent.
        gene: name of the gene, ``""`` if unknown.
        status: GENOLM_STATUS, ``""`` if absent.
        line: line or row of the file, 1-based.
    """

    chrom: str
    pos: int
    ref: str
    alt: str
    score: float | None
    truth: str = ""
    effect: str = ""
    gene: str = ""
    status: str = ""
    line: int = 0

    @property
    def name(self) -> str:
        """``chr22:1024:A>C``."""
        return f"{self.chrom}:{self.pos}:{self.ref}>{self.alt}"

    @property
    def start(self) -> int:
        """0-based position of the first base of `ref`."""
        return max(0, self.pos - 1)

    @property
    def end(self) -> int:
        """0-based position after the last base of `ref`."""
        return self.start + max(1, len(self.ref))

    @property
    def kind(self) -> Kind:
        """The kind of variant."""
        if not set(self.ref.upper() + self.alt.upper()) <= set("ACGT"):
            return "other"
        if len(self.ref) != len(self.alt):
            return "indel"
        return "SNV" if len(self.ref) == 1 else "MNV"


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """A scored file in memory.

    Attributes:
        path: the file.
        alleles: every ALT allele of every record, in the order of the file.
        field: INFO field or column of `ScoredAllele.score`.
        description: description of the score in the file (sign, unit, context); empty without.
        run: settings of the run that scored the file, by name; empty if unknown.
        label: field of `ScoredAllele.truth`; None without.
    """

    path: Path
    alleles: tuple[ScoredAllele, ...]
    field: str
    description: str = ""
    run: Mapping[str, str] = dataclasses.field(default_factory=dict)
    label: Label | None = None

    def with_genes(self, names: Mapping[int, str]) -> ScoredFile:
        """Return the file with the genes of some alleles replaced, by index."""
        alleles = (replace(one, gene=names[i]) if i in names else one for i, one in enumerate(self.alleles))
        return replace(self, alleles=tuple(alleles))


def read_scored(path: str | Path, *, field: str | None = None, label: Label | None = None) -> ScoredFile:
    """Read a VCF, BCF or table written by `genolm variants`.

    Args:
        path: the file.
        field: INFO field or column of the score; by default the first that `genolm variants` writes.
        label: INFO field or column that labels variants; by default one with few values, if there is one (see
            :func:`genolm.tasks.report.label_columns.choose_label`).

    Raises:
        InputError: with file and, if known, line: the file holds no variants or cannot be read, has no such score or
            label field, or no variant has a requested label value.
    """
    path = Path(path)
    rows = scored_vcf(path, field) if file_format(path, VARIANT_FORMATS) == "vcf" else scored_table(path, field)
    fields = (
        rows.fields if label is None else {"EFFECT": rows.known["EFFECT"], "GENE": rows.known["GENE"]} | rows.fields
    )
    chosen = choose_label(path, fields, label)
    truths = {} if chosen is None else fields[chosen.field]
    alleles = tuple(_allele(rows, row, truths.get(row, "")) for row in range(len(rows.positions)))
    return ScoredFile(path, alleles, rows.score, rows.description, rows.run, chosen)


def _allele(rows: Rows, row: int, truth: str) -> ScoredAllele:
    chrom, pos, ref, alt, line = rows.positions[row]
    effect, gene = (rows.known[name].get(row, "") for name in ("EFFECT", "GENE"))
    return ScoredAllele(
        chrom, pos, ref, alt, rows.scores[row], truth, effect, gene, rows.known["STATUS"].get(row, ""), line
    )
