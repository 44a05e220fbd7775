"""Columns and INFO fields of scored variants, with their descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from genolm.errors import InputError
from genolm.genome.vcf.vcf_records import InfoField
from genolm.tasks.reading.allele_tiles import Tiling

if TYPE_CHECKING:
    import polars as pl

Method = Literal["full", "conditional", "window", "masked"]
RECORD = "record"
"""Column of the parts with the number of the record of each ALT allele; it is not part of a table."""

_KINDS = {"full": "sum", "conditional": "site", "window": "sum", "masked": "masked_sum"}
_DESCRIPTIVE = ("chrom", "pos", "id", "ref", "alt", "status", "left_context", "right_context")
_COUNTED = ("uncounted_ref", "uncounted_alt", "tokens_ref", "tokens_alt")
_ENDINGS = ("", "_forward", "_reverse")
OUTPUT_COLUMNS = frozenset(
    (
        RECORD,
        *_DESCRIPTIVE,
        *_COUNTED,
        *(f"llr_alt_minus_ref_{kind}_nats{end}" for kind in _KINDS.values() for end in _ENDINGS),
    )
)
"""Column names of tables of scored variants, for all methods."""
_OPPOSITE = {"_forward": "_FWD", "_reverse": "_REV"}


@dataclass(frozen=True, slots=True)
class Count:
    """An integer reported for each ALT allele with its score.

    Attributes:
        column: column name in a table.
        description: description of the INFO field.
        omit_zero: omit the field from records in which it is zero for all alleles.
    """

    column: str
    description: str
    omit_zero: bool = False

    @property
    def info(self) -> str:
        """ID of the INFO field."""
        return f"GENOLM_{self.column.upper()}"


@dataclass(frozen=True, slots=True)
class Columns:
    """Names and descriptions of the results of a run.

    Attributes:
        method: scoring method.
        rc: whether both strands are read.
        formula: description of the score.
        counts: counts reported with the score.
    """

    method: Method
    rc: bool
    formula: str
    counts: tuple[Count, ...] = ()

    @classmethod
    def of_tiles(cls, method: Method, tiling: Tiling, rc: bool) -> Columns:
        """Return the columns for a decoder of single bases.

        Raises:
            InputError: if the method is neither ``full`` nor ``conditional``.
        """
        if method not in ("full", "conditional"):
            raise InputError("method must be full or conditional", value=method)
        counts = tuple(_uncounted(allele, tiling.horizon, rc) for allele in ("REF", "ALT")) if method == "full" else ()
        return cls(method, rc, _tile_formula(method, tiling, rc), counts)

    @classmethod
    def of_tokens(cls, method: Method, context: int, horizon: int, rc: bool) -> Columns:
        """Return the columns for a multi-base tokenizer or an encoder.

        Args:
            method: ``window`` or ``masked``.
            context: maximum context in bases.
            horizon: number of compared bases after the variant (``window``).
            rc: whether both strands are read.
        """
        counts = tuple(_tokens(allele, rc) for allele in ("REF", "ALT"))
        return cls(method, rc, _token_formula(method, context, horizon), counts)

    @property
    def score(self) -> str:
        """Column name of the score, with sign, kind of sum and unit."""
        return f"llr_alt_minus_ref_{_KINDS[self.method]}_nats"

    @property
    def strands(self) -> tuple[str, ...]:
        """Endings of the columns of single strands; none without ``rc``."""
        return tuple(_OPPOSITE) if self.rc else ()

    @property
    def schema(self) -> dict[str, type[pl.DataType]]:
        """Columns of a part with their types, in order."""
        import polars as pl

        texts = {"chrom": pl.String, "pos": pl.Int64, "id": pl.String, "ref": pl.String, "alt": pl.String}
        scores = {self.score + ending: pl.Float32 for ending in ("", *self.strands)}
        both = self.rc or self.method == "masked"
        contexts = {"left_context": pl.Int64, **({"right_context": pl.Int64} if both else {})}
        counts = {count.column: pl.Int64 for count in self.counts}
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
        fields = [InfoField(name, "A", "Float", f"{self.formula} {_sentence(whole)}")]
        for ending in self.strands:
            text = f"{name} as read on the {strands[ending]}"
            fields.append(InfoField(name + _OPPOSITE[ending], "A", "Float", text))
        fields.append(InfoField("GENOLM_STATUS", "A", "String", _STATUS))
        fields += [InfoField(count.info, "A", "Integer", count.description) for count in self.counts]
        return tuple(fields)

    @property
    def info_columns(self) -> dict[str, str]:
        """Column of each INFO field."""
        return {field.id: _column(field.id, self.score) for field in self.info}

    def annotations(self, frames: Iterable[pl.DataFrame]) -> Iterator[Mapping[str, Any]]:
        """Yield the INFO values of each record."""
        columns = self.info_columns
        for rows in _records(frames):
            yield self._nonempty({name: tuple(row[column] for row in rows) for name, column in columns.items()})

    def _nonempty(self, values: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        """Return the INFO fields with a value; zero counts are omitted."""
        counts = {count.info for count in self.counts if count.omit_zero}
        omitted = counts if not any(any(values[name]) for name in counts) else set()
        return {
            name: alleles
            for name, alleles in values.items()
            if name not in omitted and any(value is not None for value in alleles)
        }


_SIGN = "log p(ALT) - log p(REF) in nats; negative: ALT is less likely."
_STATUS = (
    "What became of the alternative: scored; flipped (scored with both alleles reverse-complemented); not scored: "
    "symbolic, star, missing, breakend, non_acgt, same_as_ref, telomere, ref_mismatch, unknown_contig, off_contig, "
    "not_snv (scored by method full), longer_than_horizon, no_context or contig_end (nothing before or after it), "
    "n_in_token (a token that it changes holds a base that is not known)"
)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _column(name: str, score: str) -> str:
    """Return the table column of an INFO field."""
    if name.startswith("GENOLM_LLR_"):
        ending = next((column for column, field in _OPPOSITE.items() if name.endswith(field)), "")
        return score + ending
    return name.removeprefix("GENOLM_").lower()


def _tile_formula(method: Method, tiling: Tiling, rc: bool) -> str:
    what = "probability of the base at the site"
    if method == "full":
        what = f"probabilities of the {tiling.horizon} bases from the variant on with either allele, summed"
    side = "before the variant (after it on the reverse strand)" if rc else "before the variant"
    return (
        f"{_SIGN} Natural logarithm of the {what}, renormalised over A, C, G and T, "
        f"given {tiling.context} to {tiling.context + tiling.step - 1} bases {side}, fewer at the end of a contig."
    )


def _token_formula(method: Method, context: int, horizon: int) -> str:
    if method == "masked":
        return (
            f"{_SIGN} Sum of the natural logarithms of the probabilities of the tokens that the variant changes, all "
            f"of them masked, given the tokens on both sides, at most {context} bases together."
        )
    return (
        f"{_SIGN} Sum of the natural logarithms of the probabilities of the tokens that the variant changes and of "
        f"those that follow within {horizon} bases, each given what is before it, at most {context} bases together."
    )


def _uncounted(allele: str, horizon: int, rc: bool) -> Count:
    strands = ", both strands together" if rc else ""
    description = (
        f"How many of the {horizon} bases are not in the sum of {allele}, being N or past the end of "
        f"the contig{strands}; absent where none is for both alleles"
    )
    return Count(f"uncounted_{allele.lower()}", description, omit_zero=True)


def _tokens(allele: str, rc: bool) -> Count:
    strands = ", both strands together" if rc else ""
    return Count(f"tokens_{allele.lower()}", f"Tokens that differ between the alleles, of {allele}{strands}")


def _records(frames: Iterable[pl.DataFrame]) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of each record."""
    rows: list[dict[str, Any]] = []
    for frame in frames:
        for row in frame.iter_rows(named=True):
            if rows and rows[0][RECORD] != row[RECORD]:
                yield rows
                rows = []
            rows.append(row)
    if rows:
        yield rows
