"""ALT alleles that `genolm variants` scored, out of a VCF, BCF or table, with what the file says about each."""

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
"""``MNV``: several bases replaced by as many; ``other``: not both alleles are bases A, C, G, T."""


@dataclass(frozen=True, slots=True)
class ScoredAllele:
    """One ALT allele of one record.

    Attributes:
        chrom: contig as the file names it.
        pos: 1-based position of the first base of `ref`.
        ref: reference allele.
        alt: alternative allele.
        score: log-likelihood of the alternative minus that of the reference in nats, or None when it was not scored.
        truth: value of the label field, ``""`` when absent.
        effect: INFO/EFFECT, ``""`` when absent.
        gene: name of the gene, ``""`` when unknown.
        status: GENOLM_STATUS, ``""`` when absent.
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
        """0-based position behind the last base of `ref`."""
        return self.start + max(1, len(self.ref))

    @property
    def kind(self) -> Kind:
        """What kind of variant it is."""
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
        field: the INFO field or column that `ScoredAllele.score` comes from.
        description: what the file says about it: sign, unit, context; empty where it says nothing.
        run: the settings of the run that scored it, by name; empty where the file does not say.
        label: where `ScoredAllele.truth` comes from; None where no field is used.
    """

    path: Path
    alleles: tuple[ScoredAllele, ...]
    field: str
    description: str = ""
    run: Mapping[str, str] = dataclasses.field(default_factory=dict)
    label: Label | None = None

    def with_genes(self, names: Mapping[int, str]) -> ScoredFile:
        """Return the file with the genes of some alleles, by their numbers; the others keep theirs."""
        alleles = (replace(one, gene=names[i]) if i in names else one for i, one in enumerate(self.alleles))
        return replace(self, alleles=tuple(alleles))


def read_scored(path: str | Path, *, field: str | None = None, label: Label | None = None) -> ScoredFile:
    """Read a VCF, BCF or table that `genolm variants` wrote.

    Args:
        path: the file.
        field: the INFO field or column with the score; by default the first that `genolm variants` writes.
        label: the INFO field or column that labels variants; by default one with few values, if there is one (see
            :func:`genolm.tasks.report.label_columns.choose_label`).

    Raises:
        InputError: with file and, where there is one, line: it holds no variants or cannot be read, has no such score,
            no such label field, or no variant with a label value that was named.
    """
    path = Path(path)
    rows = scored_vcf(path, field) if file_format(path, VARIANT_FORMATS) == "vcf" else scored_table(path, field)
    fields = (
        rows.fields if label is None else {"EFFECT": rows.known["EFFECT"], "GENE": rows.known["GENE"]} | rows.fields
    )
    chosen = choose_label(path, fields, label)
    truths = {} if chosen is None else fields[chosen.field]
    alleles = tuple(_allele(rows, place, truths.get(place, "")) for place in range(len(rows.places)))
    return ScoredFile(path, alleles, rows.score, rows.description, rows.run, chosen)


def _allele(rows: Rows, place: int, truth: str) -> ScoredAllele:
    chrom, pos, ref, alt, line = rows.places[place]
    effect, gene = (rows.known[name].get(place, "") for name in ("EFFECT", "GENE"))
    return ScoredAllele(
        chrom, pos, ref, alt, rows.scores[place], truth, effect, gene, rows.known["STATUS"].get(place, ""), line
    )
