"""Fields of a published ``config.json``, read by a table: their name, ours, type and default."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genolm.errors import ModelError

REQUIRED = object()
"""Default of a field that a config must have."""

Kind = Literal["integer", "number", "boolean"]
_EXPECTED: Mapping[Kind, str] = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a config.

    Attributes:
        key: key in the file.
        name: name of the value in our config.
        kind: ``integer``, ``number`` (finite, not negative) or ``boolean``.
        default: value where the key is absent or null.
        choices: our word for each accepted value, for fields that hold a word; ``kind`` is then ignored.
    """

    key: str
    name: str
    kind: Kind = "integer"
    default: Any = REQUIRED
    choices: Mapping[str, str] | None = None


SIZES = (
    Field("vocab_size", "vocab_size"),
    Field("hidden_size", "hidden_size"),
    Field("num_hidden_layers", "num_layers"),
    Field("num_attention_heads", "num_heads"),
    Field("intermediate_size", "ffn_size"),
    Field("max_position_embeddings", "max_positions"),
)
"""Sizes that every Hugging Face config has."""

ACTIVATIONS: Mapping[str, str] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}
"""Our name of each accepted activation."""

WRITTEN_ACTIVATIONS: Mapping[str, str] = {"gelu": "gelu", "gelu_tanh": "gelu_new", "silu": "silu"}
"""Hugging Face's name of each of our activations, as it is written."""


def read_fields(values: Mapping[str, Any], fields: Iterable[Field], file: str | Path) -> dict[str, Any]:
    """Read fields of a config by our names.

    Raises:
        ModelError: a field is missing or has an invalid value; file, key and value are named.
    """
    return {field.name: read_field(values, field, file) for field in fields}


def read_field(values: Mapping[str, Any], field: Field, file: str | Path) -> Any:
    """Read one field; errors as in :func:`read_fields`."""
    default = None if field.default is REQUIRED else field.default
    if field.choices is not None:
        return _word(values.get(field.key, default), field.key, field.choices, file)
    value: Any = values.get(field.key)
    value = default if value is None else value
    if not _valid(value, field.kind):
        raise ModelError(f"{file}: {field.key} must be {_EXPECTED[field.kind]}, not {value!r}")
    return float(value) if field.kind == "number" else value


def _word(value: Any, key: str, choices: Mapping[str, str], file: str | Path) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ModelError(f"{file}: {key} {value!r} is not supported; expected one of {', '.join(choices)}")
    return choices[value]


def _valid(value: Any, kind: Kind) -> bool:
    if kind == "boolean" or isinstance(value, bool):
        return kind == "boolean" and isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int)
    return isinstance(value, int | float) and 0 <= value < math.inf


def check_values(values: Mapping[str, Any], accepted: Mapping[str, tuple[Any, ...]], file: str | Path) -> None:
    """Refuse settings that change the mathematics.

    Args:
        values: the config.
        accepted: supported values of each setting; the first is named in the error.
        file: named in errors.

    Raises:
        ModelError: a setting has an unsupported value.
    """
    for key, allowed in accepted.items():
        if values.get(key) not in allowed:
            expected = "null" if allowed[0] is None else repr(allowed[0])
            raise ModelError(f"{file}: {key} {values[key]!r} is not supported; {key} must be {expected}")


def refuse_scaling(values: Mapping[str, Any] | None, keys: Iterable[str], file: str | Path) -> None:
    """Raise an error if rotary positions are scaled by a rule under one of ``keys``, in any of its forms."""
    for key in keys:
        rule = (values or {}).get(key)
        kind = rule.get("rope_type", rule.get("type", "default")) if isinstance(rule, Mapping) else rule
        if kind not in (None, "default"):
            raise ModelError(f"{file}: {key} {kind!r} is not supported; only unscaled positions are")
