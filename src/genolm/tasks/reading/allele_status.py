"""Which alternatives of a variant file can be scored, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.sequence import vcf_reference
from genolm.genome.variant import Variant
from genolm.genome.vcf.vcf_records import Reason, VariantRecord
from genolm.tasks.reading.allele_strands import Obstacle, Strand

Mismatch = Literal["raise", "skip", "flip"]
Status = (
    Literal["scored", "flipped", "ref_mismatch", "unknown_contig", "off_contig", "not_snv", "longer_than_horizon"]
    | Reason
    | Obstacle
)
"""What became of an alternative.

- ``scored``; ``flipped``: scored with both alleles reverse-complemented, because only then REF is what the genome has.
- ``symbolic`` (``<DEL>``), ``star`` (``*``), ``missing`` (``.``), ``breakend``, ``non_acgt`` (a letter outside ACGT in
  REF or ALT), ``same_as_ref``, ``telomere`` (position 0): nothing to score.
- ``ref_mismatch``, ``unknown_contig``, ``off_contig``: the record does not fit the genome.
- ``not_snv``: only ``method="full"`` scores it; ``longer_than_horizon``: ALT has more bases than are compared.
- ``no_context``: nothing precedes it on a strand (first base of the contig; on the reverse strand, the last);
  ``contig_end``: nothing follows it there; ``n_in_token``: a token that it changes holds a base that is not known. A
  mean over both strands is not given then.
"""


_NOTHING = "genolm scores alternatives that are spelled out in A, C, G and T"
_OTHER_BUILD = "does the genome (--genome) belong to another build than the variants?"
REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("symbolic", "star", "missing", "breakend", "non_acgt"), _NOTHING),
        "same_as_ref": "ALT is the same as REF: there is no change to score",
        "telomere": "position 0 stands for the telomere, which is not in the genome",
        "ref_mismatch": f"REF is not what the genome has there; {_OTHER_BUILD}",
        "off_contig": f"positions are past the end of their contig; {_OTHER_BUILD}",
        "unknown_contig": "the genome (--genome) has no contigs of these names; is it incomplete, or another build?",
        "not_snv": "method full scores insertions and deletions too (--method full)",
        "longer_than_horizon": "a larger horizon scores longer alternatives (--horizon), if the model can read it",
        "no_context": "nothing precedes them on a strand that is read; one strand alone may do (--no-rc)",
        "contig_end": "nothing follows them on a strand that is read; one strand alone may do (--no-rc)",
        "n_in_token": "the genome has N beside them, and the model's tokens cannot be scored with it",
    }
)
"""For every status without a score, why there is none and what helps."""


@dataclass(frozen=True, slots=True)
class Call:
    """One alternative: its status and, where it can be scored, the variant in the genome's own terms."""

    status: Status
    variant: Variant | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of a variant.

    Attributes:
        snv_only: whether only single-base changes can be scored.
        horizon: most bases of ALT, without those it shares with REF.
        on_mismatch: what happens when a record does not fit the genome.
    """

    snv_only: bool
    horizon: int
    on_mismatch: Mismatch = "raise"

    def __post_init__(self) -> None:
        if self.on_mismatch not in get_args(Mismatch):
            raise InputError("on_mismatch is raise, skip or flip", value=self.on_mismatch)

    def calls(self, record: VariantRecord, genome: Genome, file: Path | str) -> tuple[Call, ...]:
        """One call for every alternative of the record.

        Args:
            record: what was read.
            genome: what it is compared with.
            file: where it was read, for messages.

        Raises:
            InputError: with ``on_mismatch="raise"``: an unknown contig, a place off it, a REF that is not the genome's.
        """
        if all(record.reasons):
            return tuple(Call(reason) for reason in record.reasons if reason)
        problem = _misfit(record, genome)
        if problem and self.on_mismatch == "raise":
            raise InputError(problem.message, file=file, line=record.line, value=problem.value)
        return tuple(
            Call(reason) if reason else self._call(variant, problem, genome)
            for variant, reason in zip(record.variants(), record.reasons)
        )

    def _call(self, variant: Variant | None, problem: _Misfit | None, genome: Genome) -> Call:
        assert variant is not None, "an alternative without a reason against it is a variant"
        if problem is None:
            return self._judged(variant, genome, "scored")
        if self.on_mismatch == "flip" and variant.flipped().ref == problem.found:
            return self._judged(variant.flipped(), genome, "flipped")
        return Call(problem.status)

    def _judged(self, variant: Variant, genome: Genome, status: Status) -> Call:
        chrom = genome.resolve(variant.chrom)
        variant = Variant(chrom, variant.pos, variant.ref, variant.alt)
        edit = Strand(genome, chrom).edit(variant)
        if self.snv_only and not edit.is_snv:
            return Call("not_snv")
        return Call("longer_than_horizon") if len(edit.alt) > self.horizon else Call(status, variant)


@dataclass(frozen=True, slots=True)
class _Misfit:
    status: Literal["ref_mismatch", "unknown_contig", "off_contig"]
    message: str
    value: str
    found: str = ""


def _misfit(record: VariantRecord, genome: Genome) -> _Misfit | None:
    advice = "is it another genome build? on_mismatch='skip' (--on-mismatch skip) leaves such records unscored"
    try:
        chrom = genome.resolve(record.chrom)
    except InputError as error:
        return _Misfit("unknown_contig", f"{error.message}; {advice}", record.chrom)
    start, end = record.pos - 1, record.pos - 1 + len(record.ref)
    place = f"{chrom}:{record.pos:,}"
    if end > genome.lengths[chrom]:
        what = f"{place} is" if start >= genome.lengths[chrom] else f"REF of {place} reaches"
        return _Misfit("off_contig", f"{what} past the end of the contig ({genome.lengths[chrom]:,}); {advice}", place)
    letters = genome.letters(chrom, start, end)
    found = vcf_reference(letters)
    if found == record.ref.upper():
        return None
    shown = _short(letters) if letters == found else f"{_short(letters)} ({_short(found)} in VCF)"
    return _Misfit(
        "ref_mismatch",
        f"REF is {_short(record.ref)}, the genome has {shown} there; {advice}",
        f"{record.chrom}:{record.pos}:{record.ref}>{','.join(record.alts)}",
        found,
    )


def _short(bases: str) -> str:
    return bases if len(bases) <= 20 else f"{bases[:20]}…"
