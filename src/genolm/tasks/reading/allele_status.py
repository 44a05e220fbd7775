"""Status of each ALT allele: scored, or why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from genolm.errors import Code, InputError
from genolm.genome.fasta import Genome
from genolm.genome.sequence import vcf_reference
from genolm.genome.variant import Variant
from genolm.genome.vcf.vcf_records import Reason, VariantRecord
from genolm.remedies import Notice, Remedy
from genolm.tasks.reading.allele_strands import Obstacle, Strand

Mismatch = Literal["raise", "skip", "flip"]
Status = (
    Literal["scored", "flipped", "ref_mismatch", "unknown_contig", "off_contig", "not_snv", "longer_than_horizon"]
    | Reason
    | Obstacle
)
"""Outcome for each ALT allele.

- ``scored``; ``flipped``: scored with both alleles reverse-complemented, because REF matches the genome only then.
- ``symbolic`` (``<DEL>``), ``star`` (``*``), ``missing`` (``.``), ``breakend``, ``non_acgt`` (a letter outside ACGT in
  REF or ALT), ``same_as_ref``, ``telomere`` (position 0): nothing to score.
- ``ref_mismatch``, ``unknown_contig``, ``off_contig``: the record does not match the genome.
- ``not_snv``: only ``method="full"`` scores it; ``longer_than_horizon``: ALT is longer than the compared bases.
- ``no_context``: no upstream base on a strand (first base of the contig; on the reverse strand, the last);
  ``contig_end``: no downstream base on a strand; ``n_in_token``: a token changed by the variant contains an unknown
  base. With both strands, the mean is then missing too.
"""


_NOT_SPELLED_OUT = ("genolm scores ALT alleles that are spelled out in A, C, G and T",)
_BUILD = ("check that the genome has the same build as the variants",)
_FORWARD = (Remedy("rc", False, "score the forward strand alone"),)
UNSCORED: Mapping[str, Notice] = MappingProxyType(
    {
        "symbolic": Notice("a symbolic allele such as <DEL>", _NOT_SPELLED_OUT),
        "star": Notice("*, a base deleted by another variant", _NOT_SPELLED_OUT),
        "missing": Notice("no ALT allele", _NOT_SPELLED_OUT),
        "breakend": Notice("a breakend", _NOT_SPELLED_OUT),
        "non_acgt": Notice("a letter other than A, C, G and T in REF or ALT", _NOT_SPELLED_OUT),
        "same_as_ref": Notice("ALT equals REF: there is no change to score"),
        "telomere": Notice("position 0 is the telomere, which is not in the genome"),
        "ref_mismatch": Notice("REF differs from the genome", _BUILD),
        "off_contig": Notice("the position is beyond the end of the contig", _BUILD),
        "unknown_contig": Notice(
            "the genome has no contig of this name", ("check that it is complete, and its build",)
        ),
        "not_snv": Notice(
            "method conditional scores single-base changes only", (Remedy("method", "full", "score indels too"),)
        ),
        "longer_than_horizon": Notice(
            "ALT is longer than the horizon", (Remedy("horizon", purpose="increase it if the model's context allows"),)
        ),
        "no_context": Notice("no upstream base on a strand", _FORWARD),
        "contig_end": Notice("no downstream base on a strand", _FORWARD),
        "n_in_token": Notice("a token changed by the variant contains an unknown base (N)"),
    }
)
"""Meaning of each status without a score, and what helps; read by the summary of a run and by the report."""


@dataclass(frozen=True, slots=True)
class Call:
    """Status of an ALT allele and, if it can be scored, the variant with the genome's contig name and strand."""

    status: Status
    variant: Variant | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """Eligibility rules for variants.

    Attributes:
        snv_only: whether only single-base changes can be scored.
        horizon: maximum length of ALT in bases, without the bases shared with REF.
        on_mismatch: treatment of records that do not match the genome.
    """

    snv_only: bool
    horizon: int
    on_mismatch: Mismatch = "raise"

    def __post_init__(self) -> None:
        if self.on_mismatch not in get_args(Mismatch):
            raise InputError("on_mismatch must be raise, skip or flip", value=self.on_mismatch)

    def calls(self, record: VariantRecord, genome: Genome, file: Path | str) -> tuple[Call, ...]:
        """Return a call for each ALT allele of a record.

        Args:
            record: the record.
            genome: the genome that REF is compared with.
            file: source of the record, for messages.

        Raises:
            InputError: with ``on_mismatch="raise"``: if the contig is unknown, the position is off the contig, or REF
                differs from the genome.
        """
        if all(record.reasons):
            return tuple(Call(reason) for reason in record.reasons if reason)
        problem = _misfit(record, genome)
        if problem and self.on_mismatch == "raise":
            raise InputError(
                problem.message,
                file=file,
                line=record.line,
                value=problem.value,
                code=_CODES[problem.status],
                remedy=("check the genome build", Remedy("on_mismatch", "skip", "leave such records unscored")),
            )
        return tuple(
            Call(reason) if reason else self._call(variant, problem, genome)
            for variant, reason in zip(record.variants(), record.reasons)
        )

    def _call(self, variant: Variant | None, problem: _Misfit | None, genome: Genome) -> Call:
        assert variant is not None, "an ALT allele without a reason is a variant"
        if problem is None:
            return self._checked(variant, genome, "scored")
        if self.on_mismatch == "flip" and variant.flipped().ref == problem.genome_ref:
            return self._checked(variant.flipped(), genome, "flipped")
        return Call(problem.status)

    def _checked(self, variant: Variant, genome: Genome, status: Status) -> Call:
        chrom = genome.resolve(variant.chrom)
        variant = Variant(chrom, variant.pos, variant.ref, variant.alt)
        edit = Strand(genome, chrom).edit(variant)
        if self.snv_only and not edit.is_snv:
            return Call("not_snv")
        return Call("longer_than_horizon") if len(edit.alt) > self.horizon else Call(status, variant)


_MisfitStatus = Literal["ref_mismatch", "unknown_contig", "off_contig"]
_CODES: Mapping[_MisfitStatus, Code] = {
    "ref_mismatch": "ref-mismatch", "unknown_contig": "unknown-contig", "off_contig": "off-contig"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Misfit:
    status: _MisfitStatus
    message: str
    value: str
    genome_ref: str = ""


def _misfit(record: VariantRecord, genome: Genome) -> _Misfit | None:
    try:
        chrom = genome.resolve(record.chrom)
    except InputError as error:
        return _Misfit("unknown_contig", error.message, record.chrom)
    start, end = record.pos - 1, record.pos - 1 + len(record.ref)
    position = f"{chrom}:{record.pos:,}"
    if end > genome.lengths[chrom]:
        subject = f"{position} is" if start >= genome.lengths[chrom] else f"REF of {position} extends"
        message = f"{subject} beyond the end of the contig ({genome.lengths[chrom]:,} bases)"
        return _Misfit("off_contig", message, position)
    letters = genome.letters(chrom, start, end)
    genome_ref = vcf_reference(letters)
    if genome_ref == record.ref.upper():
        return None
    shown = _short(letters) if letters == genome_ref else f"{_short(letters)} ({_short(genome_ref)} in VCF)"
    return _Misfit(
        "ref_mismatch",
        f"REF is {_short(record.ref)}, but the genome has {shown}",
        f"{record.chrom}:{record.pos}:{record.ref}>{','.join(record.alts)}",
        genome_ref,
    )


def _short(bases: str) -> str:
    return bases if len(bases) <= 20 else f"{bases[:20]}…"
