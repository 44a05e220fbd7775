"""A config read back from JSON: keys that no field has are refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from genolm.errors import ModelError


def refuse_unknown(kind: type[Any], keys: Iterable[str], what: str = "config") -> None:
    """Refuse keys that are no field of a dataclass.

    Args:
        kind: the dataclass.
        keys: what was read.
        what: the word for it in the message.

    Raises:
        ModelError: names them all.
    """
    if unknown := set(keys) - {item.name for item in fields(kind)}:
        raise ModelError(f"unknown {what} keys: {', '.join(sorted(unknown))}")
