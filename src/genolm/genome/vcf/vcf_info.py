"""INFO fields of our own: their header lines and their values as text."""

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
        id: its key.
        number: how many values it has: a number as text, ``A`` (one per alternative), ``R`` (and the reference), ``.``.
        type: what the values are.
        description: one sentence that says unit, sign and how strands were handled.

    Raises:
        ValueError: a key that VCF does not allow, or a number or type that there is not.
    """

    id: str
    number: str
    type: InfoType
    description: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z_][0-9A-Za-z_.]*", self.id):
            raise ValueError(f"{self.id!r} cannot be the key of an INFO field")
        if not re.fullmatch(r"\d+|[ARG.]", self.number) or (self.type == "Flag") != (self.number == "0"):
            raise ValueError(f"{self.number!r} is no number of values for a {self.type}")
        if self.type not in ("Float", "Integer", "String", "Flag"):
            raise ValueError(f"{self.type!r} is no type of INFO values")

    @property
    def header_line(self) -> str:
        """``##INFO=<…>``."""
        text = " ".join(self.description.replace("\\", "\\\\").replace('"', '\\"').split())
        return f'##INFO=<ID={self.id},Number={self.number},Type={self.type},Description="{text}">'

    def values(self, value: Any, alternatives: int) -> tuple[Any, ...]:
        """The values as a tuple, missing ones as None (NaN is missing), counted against `number`.

        Args:
            value: one value, or a tuple or list of them.
            alternatives: how many alternatives the record has.

        Raises:
            ValueError: more or fewer values than the field has.
        """
        several = isinstance(value, Sequence) and not isinstance(value, str)
        values = tuple(_present(one) for one in (value if several else (value,)))
        expected = {"A": alternatives, "R": alternatives + 1}.get(self.number)
        if expected is None and self.number.isdecimal():
            expected = int(self.number)
        if expected is not None and len(values) != expected:
            raise ValueError(f"{self.id} needs {expected} values here and got {len(values)}")
        return values

    def text(self, value: Any, alternatives: int) -> str:
        """``key=value`` as it stands in the INFO column; empty for a flag that is not set."""
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
    """An INFO column with the values of these fields put in place of any it had; the rest stays as it was written."""
    dropped = {field.id.encode() for field in fields}
    kept = [part for part in info.split(b";") if part not in (b"", b".") and part.partition(b"=")[0] not in dropped]
    texts = (field.text(annotation[field.id], alternatives) for field in fields if field.id in annotation)
    return b";".join([*kept, *(text.encode() for text in texts if text)]) or b"."


def edited_header(header: Sequence[bytes], fields: Sequence[InfoField], extra: Sequence[str]) -> list[bytes]:
    """Header lines with these fields declared after the other INFO lines, and ``extra`` ones before ``#CHROM``.

    An earlier declaration of the same field is replaced; an extra line that is there already is not repeated.

    Raises:
        ValueError: an extra line that does not start with ``##`` or is more than a line.
    """
    old = tuple(f"##INFO=<ID={field.id},".encode() for field in fields)
    lines = [line for line in header if not line.startswith(old)]
    last = max((place for place, line in enumerate(lines) if line.startswith(b"##INFO=")), default=len(lines) - 2)
    lines[last + 1 : last + 1] = [field.header_line.encode() for field in fields]
    for line in extra:
        if not line.startswith("##") or "\n" in line:
            raise ValueError(f"{line!r} is no header line")
        if line.encode() not in lines:
            lines.insert(len(lines) - 1, line.encode())
    return lines


def _present(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
