"""Alternatives of a scored VCF with their score and, where the file tells it, the truth about them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pysam

from genolm.errors import InputError
from genolm.genome.fasta_index import quiet_htslib

SCORES = ("GENOLM_LLR_SUM", "GENOLM_LLR_SITE")


@dataclass(frozen=True, slots=True)
class ScoredAllele:
    """One alternative of one record.

    Attributes:
        chrom: contig as the file names it.
        pos: 1-based position of the first base of `ref`.
        ref: reference allele.
        alt: alternative allele.
        score: log-likelihood of the alternative minus that of the reference in nats, or None when it was not scored.
        truth: INFO/CLS or the field chosen for it, ``""`` when absent.
        effect: INFO/EFFECT, ``""`` when absent.
        gene: INFO/GENE, ``""`` when absent.
        status: INFO/GENOLM_STATUS, ``""`` when absent.
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

    @property
    def name(self) -> str:
        """``chr22:1024:A>C``."""
        return f"{self.chrom}:{self.pos}:{self.ref}>{self.alt}"


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """A scored VCF in memory.

    Attributes:
        alleles: every alternative of every record, in the order of the file.
        field: the INFO field that `ScoredAllele.score` comes from.
        description: what the header says about it.
        header: the header lines.
        lines: the records' lines, with the record's contig, 0-based start and end.
    """

    alleles: tuple[ScoredAllele, ...]
    field: str
    description: str
    header: str
    lines: tuple[tuple[str, int, int, str], ...]


def read_scored(path: str | Path, *, field: str | None = None, truth: str = "CLS") -> ScoredFile:
    """Read a VCF or BCF that `variants` wrote.

    Args:
        path: the file.
        field: the INFO field with the score; by default the first of GENOLM_LLR_SUM and GENOLM_LLR_SITE that is there.
        truth: the INFO field with the truth.

    Raises:
        InputError: the file is no VCF, is truncated, or has no such score.
    """
    path = Path(path)
    try:
        with quiet_htslib(), pysam.VariantFile(str(path)) as file:
            chosen = _score_field(path, file.header, field)
            records = list(file)
            description = str(file.header.info[chosen].description)
            header = str(file.header)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read as VCF: {error}", file=path) from error
    alleles = tuple(allele for record in records for allele in _alleles(record, chosen, truth))
    lines = tuple((record.chrom, record.start, record.stop, str(record)) for record in records)
    return ScoredFile(alleles, chosen, description, header, lines)


def _score_field(path: Path, header: pysam.VariantHeader, field: str | None) -> str:
    wanted = SCORES if field is None else (field,)
    for name in wanted:
        if name in header.info:
            return str(name)
    present = ", ".join(sorted(header.info)) or "none"
    raise InputError(
        f"no INFO field {' or '.join(wanted)} (present: {present}); score the file with 'genolm variants' first",
        file=path,
    )


def _alleles(record: pysam.VariantRecord, field: str, truth: str) -> Iterator[ScoredAllele]:
    alts = record.alts or ()
    names = (field, truth, "EFFECT", "GENE", "GENOLM_STATUS")
    columns = (_per_allele(record, name, len(alts)) for name in names)
    for alt, score, label, effect, gene, status in zip(alts, *columns):
        yield ScoredAllele(
            chrom=record.chrom,
            pos=record.pos,
            ref=record.ref or "",
            alt=alt,
            score=_number(score),
            truth=_text(label),
            effect=_text(effect),
            gene=_text(gene),
            status=_text(status),
        )


def _per_allele(record: pysam.VariantRecord, name: str, count: int) -> Sequence[Any]:
    """One value per alternative; a value of the whole record holds for each."""
    if name not in record.header.info or name not in record.info:
        return [None] * count
    value = record.info[name]
    if isinstance(value, tuple):
        return list(value) if len(value) == count else [value[0]] * count
    return [value] * count


def _number(value: object) -> float | None:
    number = float(value) if isinstance(value, int | float) else math.nan
    return number if math.isfinite(number) else None


def _text(value: object) -> str:
    return "" if value in (None, ".") else str(value)
