"""Values of a ``config.json``, read with their types; a wrong one is a ModelError that names file, key and value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genolm.errors import ModelError


def whole(values: Mapping[str, Any], key: str, file: str | Path, default: int | None = None) -> int:
    """A whole number; null counts as absent, and so does the key where it is not."""
    value = values.get(key, default)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool):
        raise ModelError(f"{file}: {key} must be a whole number, not {value!r}")
    return value


def number(values: Mapping[str, Any], key: str, file: str | Path, default: float | None = None) -> float:
    """A finite number that is not negative."""
    value = values.get(key, default)
    value = default if value is None else value
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise ModelError(f"{file}: {key} must be a number, not {value!r}")
    return float(value)


def unscaled(values: Mapping[str, Any] | None, key: str, file: str | Path) -> None:
    """Refuse rotary positions that are scaled: a rule beside the base under ``key``, in any of its forms."""
    rule = (values or {}).get(key)
    kind = rule.get("rope_type", rule.get("type", "default")) if isinstance(rule, Mapping) else rule
    if kind not in (None, "default"):
        raise ModelError(f"{file}: {key} {kind!r} is not supported; only unscaled positions are")


def truth(values: Mapping[str, Any], key: str, file: str | Path, default: bool) -> bool:
    """True or false."""
    value = values.get(key, default)
    value = default if value is None else value
    if not isinstance(value, bool):
        raise ModelError(f"{file}: {key} must be true or false, not {value!r}")
    return value


def chosen(
    values: Mapping[str, Any], key: str, file: str | Path, words: Mapping[str, str], default: str | None = None
) -> str:
    """Our word for one of theirs."""
    value = values.get(key, default)
    if not isinstance(value, str) or value not in words:
        raise ModelError(f"{file}: {key} {value!r} is not supported; known are {', '.join(words)}")
    return words[value]


def require(values: Mapping[str, Any], only: Mapping[str, tuple[Any, ...]], file: str | Path) -> None:
    """Refuse settings that change the mathematics; of the allowed values the first is named."""
    for key, allowed in only.items():
        if values.get(key) not in allowed:
            raise ModelError(f"{file}: {key} {values[key]!r} is not supported; {key} must be {allowed[0]!r}")
