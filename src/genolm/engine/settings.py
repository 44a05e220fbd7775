"""Conversion of a task's settings to and from JSON, for resuming elsewhere and merging without the model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from genolm.engine.stored_types import stored_class, stored_name
from genolm.errors import RunError

_MAX_LENGTH = 65_536  # characters of JSON; longer values are data rather than settings and are stored as a digest
NOT_STORED = "the input of this run was values in memory, which its parts do not hold; use a file as input"


@dataclass(frozen=True, slots=True)
class DigestOnly:
    """Placeholder for a table, an array or a very long value; the manifest contains only its digest.

    Merging parts does not need the values; iterating over them raises `RunError`.

    Attributes:
        digest: SHA-256 of the content.
    """

    digest: str

    def __iter__(self) -> Iterator[Any]:
        raise RunError(NOT_STORED)

    def __len__(self) -> int:
        return len(tuple(self))


def write_settings(value: Any) -> dict[str, Any]:
    """Return a frozen dataclass as ``{"type": name, "version": n, "fields": {...}}`` in plain JSON values.

    Name and version come from :mod:`genolm.engine.stored_types`.

    Tuples, paths and nested dataclasses are tagged so that :func:`read_settings` restores equal values. Tables,
    arrays and very long values are replaced by the SHA-256 of their content.

    Raises:
        RunError: a field has an unsupported type, or the class has no stable name.
    """
    written = {field.name: _field(value, field.name) for field in fields(value) if field.init}
    name, version = stored_name(type(value))
    return {"type": name, "version": version, "fields": written}


def read_settings(written: dict[str, Any]) -> Any:
    """Return the dataclass that :func:`write_settings` wrote. Only classes of genolm are instantiated.

    A value of which only the digest was stored becomes :class:`DigestOnly`.

    Raises:
        RunError: the class is not part of genolm, or its name or version is unknown.
    """
    kind = stored_class(written["type"], written["version"])
    return kind(**{name: _decode(value) for name, value in written["fields"].items()})


def is_complete(written: Any) -> bool:
    """Return whether written settings hold all values, none of them only as a digest."""
    match written:
        case dict():
            return "$digest" not in written and all(map(is_complete, written.values()))
        case list():
            return all(map(is_complete, written))
    return True


def _field(owner: Any, name: str) -> Any:
    written = _encode(getattr(owner, name), f"{type(owner).__name__}.{name}")
    text = json.dumps(written, sort_keys=True)
    return written if len(text) <= _MAX_LENGTH else {"$digest": hashlib.sha256(text.encode()).hexdigest()}


def _encode(value: Any, name: str) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Path():
            return {"$path": str(value)}
        case tuple() | list():
            items = [_encode(item, name) for item in value]
            return {"$tuple": items} if isinstance(value, tuple) else items
        case dict():
            return {"$dict": [[_encode(key, name), _encode(item, name)] for key, item in value.items()]}
        case DigestOnly():
            return {"$digest": value.digest}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {"$value": write_settings(value)}
    return {"$digest": _content_digest(value, name)}


def _content_digest(value: Any, name: str) -> str:
    """Return the SHA-256 of the content of a table or array."""
    import numpy as np
    import polars as pl

    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        head = f"{value.dtype.str} {value.shape}".encode()
        return hashlib.sha256(head + np.ascontiguousarray(value).tobytes()).hexdigest()
    if isinstance(value, pl.Series | pl.DataFrame) or hasattr(value, "__dataframe__"):
        buffer = pl.DataFrame(value).rechunk().write_ipc(None)
        return hashlib.sha256(buffer.getvalue()).hexdigest()
    raise RunError(f"{name}: a {type(value).__name__} cannot be written to a manifest; pass a path or a plain value")


def _decode(written: Any) -> Any:
    match written:
        case {"$path": text}:
            return Path(text)
        case {"$tuple": items}:
            return tuple(_decode(item) for item in items)
        case {"$dict": pairs}:
            return {_decode(key): _decode(item) for key, item in pairs}
        case {"$value": value}:
            return read_settings(value)
        case {"$digest": digest}:
            return DigestOnly(digest)
        case list():
            return [_decode(item) for item in written]
    return written
