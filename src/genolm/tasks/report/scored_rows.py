"""Rows of a scored VCF, BCF or table: positions, scores and fields that may label them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genolm.errors import InputError
from genolm.files.lines import decoded
from genolm.genome.interval import is_coordinate
from genolm.genome.tabular import read_every_column
from genolm.genome.vcf.vcf_text import read_vcf_text
from genolm.tasks.reading.variant_columns import OUTPUT_COLUMNS
from genolm.tasks.writing.table_files import read_metadata

SCORES = ("GENOLM_LLR_SUM", "GENOLM_LLR_SITE", "GENOLM_LLR_MASKED_SUM")
COLUMNS = tuple(f"llr_alt_minus_ref_{kind}_nats" for kind in ("sum", "site", "masked_sum"))
"""Names of the score in VCF and in tables, by precedence."""

MAX_VALUES = 50
"""Maximum number of different values of a field that may be a label; other fields are dropped."""

_KNOWN = ("EFFECT", "GENE", "STATUS")
_DECLARED = re.compile(r'##INFO=<ID=([^,]+),Number=([^,]+),Type=([^,]+),Description="((?:[^"\\]|\\.)*)"')
_SETTING = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(slots=True)
class Rows:
    """One row for every ALT allele, in the order of the file; columns are by row index.

    Attributes:
        score: INFO field or column of the score.
        description: description of the score in the file.
        run: settings of the run.
        positions: contig, 1-based position, REF, ALT, and line of the file.
        scores: scores, nats; None if missing.
        known: EFFECT, GENE and STATUS if present.
        fields: every other text field with at most `MAX_VALUES` different values.
        values: the different values of each of these.
    """

    score: str
    description: str = ""
    run: Mapping[str, str] = field(default_factory=dict)
    positions: list[tuple[str, int, str, str, int]] = field(default_factory=list)
    scores: list[float | None] = field(default_factory=list)
    known: dict[str, dict[int, str]] = field(default_factory=lambda: {name: {} for name in _KNOWN})
    fields: dict[str, dict[int, str]] = field(default_factory=dict)
    values: dict[str, set[str]] = field(default_factory=dict)

    def add(self, position: tuple[str, int, str, str, int], score: float | None, values: Mapping[str, str]) -> None:
        """Add an allele with the values of its fields."""
        number = len(self.positions)
        self.positions.append(position)
        self.scores.append(score)
        for name, value in values.items():
            if value in ("", "."):
                continue
            if name in self.known:
                self.known[name][number] = value
            elif name in self.fields:
                self._add_value(name, number, value)

    def _add_value(self, name: str, number: int, value: str) -> None:
        values = self.values.setdefault(name, set())
        values.add(value)
        self.fields[name][number] = value
        if len(values) > MAX_VALUES:
            del self.fields[name], self.values[name]


def scored_vcf(path: Path, score: str | None) -> Rows:
    """Read the ALT alleles of a VCF or BCF file.

    Args:
        path: the file.
        score: INFO field of the score; None for the first of `SCORES` that is declared.

    Raises:
        InputError: with file and line: the file is not a VCF, the INFO field does not exist, or a score is not finite.
    """
    text = read_vcf_text(path)
    header = "\n".join(decoded(line, path, number) for number, line in enumerate(text.header, start=1))
    declared = {name: (kind, about) for name, _, kind, about in _DECLARED.findall(header)}
    chosen = _chosen(path, "INFO field", (score,) if score else SCORES, declared)
    rows = Rows(chosen, declared[chosen][1].replace('\\"', '"'), _settings(header))
    kept = {name for name, (kind, _) in declared.items() if kind == "String" and not name.startswith("GENOLM_")}
    rows.fields = {name: {} for name in declared if name in kept and name not in _KNOWN}
    requested = {chosen, "GENOLM_STATUS", *kept}
    for number, line in text.records:
        _add_record(rows, decoded(line, path, number).split("\t", 8), requested, path, number)
    return rows


def _add_record(rows: Rows, columns: list[str], requested: set[str], path: Path, line: int) -> None:
    chrom, pos, _, ref, alt = columns[:5]
    if not is_coordinate(pos):
        raise InputError("POS must be a whole number, 1-based", file=path, line=line, value=pos)
    pairs = (pair.partition("=") for pair in columns[7].split(";"))
    info = {name: value for name, _, value in pairs if name in requested}
    alts = [] if alt == "." else alt.split(",")
    for number, one in enumerate(alts):
        values = {name: _of_allele(value, number, len(alts)) for name, value in info.items()}
        score = finite(values.pop(rows.score, ""), path, line)
        values["STATUS"] = values.pop("GENOLM_STATUS", "")
        rows.add((chrom, int(pos), ref, one, line), score, values)


def _of_allele(value: str, number: int, alts: int) -> str:
    """Return the value of one ALT; a value of the record applies to each."""
    values = value.split(",")
    return values[number] if len(values) == alts else value


def scored_table(path: Path, score: str | None) -> Rows:
    """Read the rows of a table: parquet, TSV or CSV.

    Args:
        path: the file.
        score: column of the score; None for the first of `COLUMNS` that exists.

    Raises:
        InputError: with file and line: the table is damaged, a column is missing, or a value is not a number.
    """
    table = read_every_column(path)
    columns = {name: position for position, name in enumerate(table.columns)}
    chosen = _chosen(path, "column", (score,) if score else COLUMNS, columns)
    if missing := {"chrom", "pos", "ref", "alt"} - set(columns):
        raise InputError(f"no column {', '.join(sorted(missing))}", file=path, value=", ".join(columns))
    run = read_metadata(path)
    rows = Rows(chosen, _about(chosen, run), run)
    others = [name for name in columns if name == "status" or name not in OUTPUT_COLUMNS]
    rows.fields = {name: {} for name in others if name.upper() not in _KNOWN}
    for line, cells in table.rows:
        row = {name: _text(cells[position]) for name, position in columns.items()}
        values = {name.upper() if name.upper() in _KNOWN else name: row[name] for name in others}
        position = (row["chrom"], _integer(row["pos"], path, line), row["ref"], row["alt"], line)
        rows.add(position, finite(row[chosen], path, line), values)
    return rows


def _text(value: object) -> str:
    """Return a cell as text; empty for a missing value and for a list."""
    if value is None or isinstance(value, list | dict | bytes):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _about(column: str, run: Mapping[str, str]) -> str:
    method = f" Method {run['method']}." if "method" in run else ""
    return f"log p(ALT) - log p(REF) in nats; negative: ALT is less likely.{method}" if column in COLUMNS else ""


def _chosen(path: Path, what: str, requested: Iterable[str], present: Iterable[str]) -> str:
    names = list(present)
    for name in requested:
        if name in names:
            return name
    shown = ", ".join(sorted(names)[:12]) or "none"
    raise InputError(
        f"no {what} {' or '.join(requested)} (present: {shown}); score the file with 'genolm variants' first", file=path
    )


def _settings(header: str) -> dict[str, str]:
    """Return the settings of the last run recorded in the header."""
    lines = [line for line in header.splitlines() if line.startswith("##genolm=<ID=variants,")]
    return dict(_SETTING.findall(lines[-1])) if lines else {}


def _integer(text: str, path: Path, line: int) -> int:
    if not is_coordinate(text):
        raise InputError("pos must be a whole number, 1-based", file=path, line=line, value=text)
    return int(text)


def finite(text: str, path: Path, line: int) -> float | None:
    """Return a score as a number; None for a missing one.

    Raises:
        InputError: it is not a finite number.
    """
    if text in ("", ".", "NA"):
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError("a score must be a finite number or missing", file=path, line=line, value=text)
    return number
