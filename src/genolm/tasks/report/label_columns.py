"""Labels of variants: a field with few values, such as a clinical class, and which values are positive and negative."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genolm.errors import InputError

PREFERRED = ("CLS", "CLNSIG", "LABEL", "CLASS")
"""Fields that are preferred as labels, case-insensitive."""

_MIN_VALUES, _MAX_VALUES = 2, 8
"""Number of different values of a field that is used as a label by default."""


@dataclass(frozen=True, slots=True)
class Label:
    """A field that labels variants.

    Attributes:
        field: INFO field or column.
        positive: values of variants that are expected to score low, such as pathogenic ones.
        negative: values of the variants they are compared with; both are empty if nothing is compared.
    """

    field: str
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Label:
        """Parse ``FIELD`` or ``FIELD=POSITIVE:NEGATIVE``, where values are separated by commas.

        Raises:
            InputError: the format is invalid, or a value is both positive and negative.
        """
        name, equals, values = text.partition("=")
        positive, colon, negative = values.partition(":")
        label = cls(name.strip(), _values(positive), _values(negative))
        if not label.field or (equals and not (colon and label.positive and label.negative)):
            raise InputError("invalid label: expected FIELD or FIELD=POSITIVE:NEGATIVE, such as CLS=LP:LB", value=text)
        if twice := set(label.positive) & set(label.negative):
            raise InputError("a label value is both positive and negative", value=", ".join(sorted(twice)))
        return label

    def kind(self, value: str) -> Literal["positive", "negative", ""]:
        """Return the class of a value; empty for neither."""
        return "positive" if value in self.positive else "negative" if value in self.negative else ""


def choose_label(path: Path, fields: Mapping[str, Mapping[int, str]], requested: Label | None) -> Label | None:
    """Return the label of a file: the requested one, else a field with few values.

    By default a field is chosen if it has 2 to 8 different values (one of `PREFERRED`, which take precedence, may have
    a single one) and at least half as many rows as the most frequent field. It has no positive and negative values
    then.

    Args:
        path: the file, for messages.
        fields: values of every field, by row.
        requested: label requested by the user.

    Raises:
        InputError: the field does not exist, or no variant has one of the values.
    """
    if requested is not None:
        _check(path, fields, requested)
        return requested
    max_rows = max(map(len, fields.values()), default=0)
    counts = {
        name: len(set(values_by_row.values()))
        for name, values_by_row in fields.items()
        if 2 * len(values_by_row) >= max_rows > 0
    }
    named = [
        name for known in PREFERRED for name, count in counts.items() if name.upper() == known and count <= _MAX_VALUES
    ]
    candidates = named or [name for name, count in counts.items() if _MIN_VALUES <= count <= _MAX_VALUES]
    return Label(candidates[0]) if candidates else None


def _check(path: Path, fields: Mapping[str, Mapping[int, str]], requested: Label) -> None:
    if requested.field not in fields:
        usable = ", ".join(fields) or "none"
        raise InputError(
            f"no text field of this name with few values (available: {usable})", file=path, value=requested.field
        )
    counts = Counter(fields[requested.field].values())
    for value in (*requested.positive, *requested.negative):
        if value not in counts:
            known = ", ".join(sorted(counts)) or "none"
            raise InputError(
                f"no variant has this value of {requested.field} (values: {known})", file=path, value=value
            )


def _values(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (value.strip() for value in text.split(","))))
