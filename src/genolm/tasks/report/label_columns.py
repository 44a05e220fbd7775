"""Labels of variants: a field with a few values, such as a clinical class, and which of them mean what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genolm.errors import InputError

PREFERRED = ("CLS", "CLNSIG", "LABEL", "CLASS")
"""Fields that are taken first where no label is named, whatever their case."""

_FEWEST, _MOST = 2, 8
"""Different values of a field that is taken as a label without being named."""


@dataclass(frozen=True, slots=True)
class Label:
    """A field that labels variants.

    Attributes:
        field: the INFO field or column.
        positive: its values for variants that are expected to score low, such as pathogenic ones.
        negative: its values for the variants that they are compared with; both empty where nothing is compared.
    """

    field: str
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Label:
        """Read ``FIELD`` or ``FIELD=POSITIVE:NEGATIVE``, where several values are separated by commas.

        Raises:
            InputError: another form, or a value that is both positive and negative.
        """
        name, equals, values = text.partition("=")
        positive, colon, negative = values.partition(":")
        label = cls(name.strip(), _values(positive), _values(negative))
        if not label.field or (equals and not (colon and label.positive and label.negative)):
            raise InputError("a label must be written FIELD or FIELD=POSITIVE:NEGATIVE, as CLS=LP:LB", value=text)
        if twice := set(label.positive) & set(label.negative):
            raise InputError("a label value is both positive and negative", value=", ".join(sorted(twice)))
        return label

    def kind(self, value: str) -> Literal["positive", "negative", ""]:
        """Return which side a value is on; empty for neither."""
        return "positive" if value in self.positive else "negative" if value in self.negative else ""


def choose_label(path: Path, fields: Mapping[str, Mapping[int, str]], asked: Label | None) -> Label | None:
    """Return the label of a file: the one that was asked for, else a field with few values.

    Without being named, a field is taken if it has 2 to 8 different values (one of `PREFERRED`, which come first, may
    have a single one) and at least half as many rows as the most frequent field. There are no sides then.

    Args:
        path: the file, for messages.
        fields: values of every field, by row.
        asked: what a user named.

    Raises:
        InputError: no such field, or a value that no variant has.
    """
    if asked is not None:
        _check(path, fields, asked)
        return asked
    most = max(map(len, fields.values()), default=0)
    counts = {name: len(set(own.values())) for name, own in fields.items() if 2 * len(own) >= most > 0}
    named = [name for known in PREFERRED for name, count in counts.items() if name.upper() == known and count <= _MOST]
    found = named or [name for name, count in counts.items() if _FEWEST <= count <= _MOST]
    return Label(found[0]) if found else None


def _check(path: Path, fields: Mapping[str, Mapping[int, str]], asked: Label) -> None:
    if asked.field not in fields:
        usable = ", ".join(fields) or "none"
        raise InputError(f"no text field of this name with few values (usable: {usable})", file=path, value=asked.field)
    counts = Counter(fields[asked.field].values())
    for value in (*asked.positive, *asked.negative):
        if value not in counts:
            known = ", ".join(sorted(counts)) or "none"
            raise InputError(f"no variant has this value of {asked.field} (values: {known})", file=path, value=value)


def _values(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (value.strip() for value in text.split(","))))
