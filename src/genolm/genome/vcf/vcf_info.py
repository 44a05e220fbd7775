"""INFO fields added by genolm: header lines and values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

InfoType = Literal["Float", "Integer", "String", "Flag"]

_RESERVED = str.maketrans({
    "%": "%25", ";": "%3B", "=": "%3D", ",": "%2C", " ": "%20", "\t": "%09", "\n": "%0A", "\r": "%0D",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class InfoField:
    """The declaration of an INFO field.

    Attributes:
        id: key.
        number: number of values: a number as text, ``A`` (one per ALT allele), ``R`` (one per allele), or ``.``.
        type: type of the values.
        description: one sentence with unit, sign and treatment of strands.

    Raises:
        ValueError: the key, number or type is invalid.
    """

    id: str
    number: str
    type: InfoType
    description: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z_][0-9A-Za-z_.]*", self.id):
            raise ValueError(f"invalid INFO key {self.id!r}")
        if not re.fullmatch(r"\d+|[ARG.]", self.number) or (self.type == "Flag") != (self.number == "0"):
            raise ValueError(f"invalid Number {self.number!r} for type {self.type}")
        if self.type not in ("Float", "Integer", "String", "Flag"):
            raise ValueError(f"invalid INFO type {self.type!r}")

    @property
    def header_line(self) -> str:
        """``##INFO=<…>``."""
        text = " ".join(self.description.replace("\\", "\\\\").replace('"', '\\"').split())
        return f'##INFO=<ID={self.id},Number={self.number},Type={self.type},Description="{text}">'

    def values(self, value: Any, alternatives: int) -> tuple[Any, ...]:
        """Return the values as a tuple, with None for missing values and NaN, after checking their number.

        Args:
            value: one value, or a tuple or list of them.
            alternatives: number of ALT alleles of the record.

        Raises:
            ValueError: the number of values is wrong.
        """
        several = isinstance(value, Sequence) and not isinstance(value, str)
        values = tuple(_present(one) for one in (value if several else (value,)))
        expected = {"A": alternatives, "R": alternatives + 1}.get(self.number)
        if expected is None and self.number.isdecimal():
            expected = int(self.number)
        if expected is not None and len(values) != expected:
            raise ValueError(f"{self.id}: expected {expected} values, got {len(values)}")
        return values

    def text(self, value: Any, alternatives: int) -> str:
        """Return ``key=value`` for the INFO column; empty for a flag that is not set."""
        if self.type == "Flag":
            return self.id if value else ""
        return f"{self.id}={','.join(self._one(one) for one in self.values(value, alternatives))}"

    def _one(self, value: Any) -> str:
        if value is None:
            return "."
        if self.type == "Float":
            return f"{float(value) or 0.0:.6g}"  # `or` turns -0.0 into 0
        return str(int(value)) if self.type == "Integer" else str(value).translate(_RESERVED)


def edited_info(info: bytes, fields: Sequence[InfoField], annotation: Mapping[str, Any], alternatives: int) -> bytes:
    """Return an INFO column with the values of these fields replaced or added; the rest is unchanged."""
    dropped = {field.id.encode() for field in fields}
    kept = [part for part in info.split(b";") if part not in (b"", b".") and part.partition(b"=")[0] not in dropped]
    texts = (field.text(annotation[field.id], alternatives) for field in fields if field.id in annotation)
    return b";".join([*kept, *(text.encode() for text in texts if text)]) or b"."


def edited_header(header: Sequence[bytes], fields: Sequence[InfoField], extra: Sequence[str]) -> list[bytes]:
    """Return header lines with these fields declared after other INFO lines, and ``extra`` lines before ``#CHROM``.

    An existing declaration of a field is replaced; an existing extra line is not repeated.

    Raises:
        ValueError: an extra line does not start with ``##`` or has several lines.
    """
    old = tuple(f"##INFO=<ID={field.id},".encode() for field in fields)
    lines = [line for line in header if not line.startswith(old)]
    last = max((number for number, line in enumerate(lines) if line.startswith(b"##INFO=")), default=len(lines) - 2)
    lines[last + 1 : last + 1] = [field.header_line.encode() for field in fields]
    for line in extra:
        if not line.startswith("##") or "\n" in line:
            raise ValueError(f"invalid header line {line!r}")
        if line.encode() not in lines:
            lines.insert(len(lines) - 1, line.encode())
    return lines


def _present(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
