"""What the results of variant scoring are called, in tables and in VCF, and what their header lines say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from genolm.errors import InputError
from genolm.genome.vcf import InfoField
from genolm.tasks.tiles import Tiling

if TYPE_CHECKING:
    import polars as pl

Method = Literal["full", "conditional"]
RECORD = "record"
"""Column of the parts that tells which alternatives belong to one record; it is not part of a table."""

_KINDS = {"full": "sum", "conditional": "site"}
_OPPOSITE = {"_forward": "_FWD", "_reverse": "_REV"}


@dataclass(frozen=True, slots=True)
class Columns:
    """Names and descriptions that follow from the settings of a run.

    Attributes:
        method: ``full`` or ``conditional``.
        tiling: context, step and horizon.
        rc: whether both strands were read.
    """

    method: Method
    tiling: Tiling
    rc: bool

    def __post_init__(self) -> None:
        if self.method not in _KINDS:
            raise InputError("method is full or conditional", value=self.method)

    @property
    def score(self) -> str:
        """The column of the score: its sign, what it is summed over, its unit."""
        return f"llr_alt_minus_ref_{_KINDS[self.method]}_nats"

    @property
    def strands(self) -> tuple[str, ...]:
        """Endings of the columns of single strands; none without ``rc``, where the score is the forward strand's."""
        return tuple(_OPPOSITE) if self.rc else ()

    @property
    def schema(self) -> dict[str, type[pl.DataType]]:
        """Columns of a part, in order."""
        import polars as pl

        texts = {"chrom": pl.String, "pos": pl.Int64, "id": pl.String, "ref": pl.String, "alt": pl.String}
        scores = {self.score + ending: pl.Float32 for ending in ("", *self.strands)}
        contexts = {"left_context": pl.Int64, **({"right_context": pl.Int64} if self.rc else {})}
        counts = {f"uncounted_{allele}": pl.Int64 for allele in ("ref", "alt")} if self.method == "full" else {}
        return {RECORD: pl.Int64, **texts, **scores, "status": pl.String, **contexts, **counts}

    @property
    def info(self) -> tuple[InfoField, ...]:
        """Declarations of the INFO fields."""
        name = f"GENOLM_LLR_{_KINDS[self.method].upper()}"
        strands = {
            "_forward": "forward strand: context before the variant",
            "_reverse": "reverse strand: context after it",
        }
        whole = "mean of both strands" if self.rc else "forward strand only"
        fields = [InfoField(name, "A", "Float", f"{self._formula} {_sentence(whole)}")]
        for ending in self.strands:
            text = f"{name} as read on the {strands[ending]}"
            fields.append(InfoField(name + _OPPOSITE[ending], "A", "Float", text))
        fields.append(InfoField("GENOLM_STATUS", "A", "String", _STATUS))
        if self.method == "full":
            fields += [
                InfoField(f"GENOLM_UNCOUNTED_{allele}", "A", "Integer", self._uncounted(allele))
                for allele in ("REF", "ALT")
            ]
        return tuple(fields)

    @property
    def _formula(self) -> str:
        tiling = self.tiling
        what = "probability of the base at the site"
        if self.method == "full":
            what = f"probabilities of the {tiling.horizon} bases from the variant on with either allele, summed"
        side = "before the variant (after it on the reverse strand)" if self.rc else "before the variant"
        return (
            "log p(ALT) - log p(REF) in nats; negative: ALT is less likely. "
            f"Natural logarithm of the {what}, renormalised over A, C, G and T, "
            f"given {tiling.context} to {tiling.context + tiling.step - 1} bases {side}, fewer at the end of a contig."
        )

    def _uncounted(self, allele: str) -> str:
        strands = ", both strands together" if self.rc else ""
        return (
            f"How many of the {self.tiling.horizon} bases are not in the sum of {allele}, being N or past the end of "
            f"the contig{strands}; absent where none is for both alleles"
        )

    def annotations(self, frames: Iterable[pl.DataFrame]) -> Iterator[Mapping[str, Any]]:
        """INFO values of one record after the other."""
        columns = {field.id: _column(field.id, self.score) for field in self.info}
        for rows in _records(frames):
            yield _told({name: tuple(row[column] for row in rows) for name, column in columns.items()})


_STATUS = (
    "What became of the alternative: scored; flipped (scored with both alleles reverse-complemented); not scored: "
    "symbolic, star, missing, breakend, non_acgt, same_as_ref, telomere, ref_mismatch, unknown_contig, off_contig, "
    "not_snv (scored by method full), longer_than_horizon, no_context or contig_end (nothing before or after it)"
)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _column(name: str, score: str) -> str:
    """The table's column behind an INFO field."""
    if name.startswith("GENOLM_LLR_"):
        ending = next((column for column, field in _OPPOSITE.items() if name.endswith(field)), "")
        return score + ending
    return name.removeprefix("GENOLM_").lower()


def _told(values: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """The fields that say something: scores where there are any, counts where a base is missing from either sum."""
    counts = {name for name in values if name.startswith("GENOLM_UNCOUNTED")}
    silent = counts if not any(any(values[name]) for name in counts) else set()
    return {
        name: alleles
        for name, alleles in values.items()
        if name not in silent and any(value is not None for value in alleles)
    }


def _records(frames: Iterable[pl.DataFrame]) -> Iterator[list[dict[str, Any]]]:
    """Rows of one record after the other; no record spans two frames."""
    rows: list[dict[str, Any]] = []
    for frame in frames:
        for row in frame.iter_rows(named=True):
            if rows and rows[0][RECORD] != row[RECORD]:
                yield rows
                rows = []
            rows.append(row)
    if rows:
        yield rows
