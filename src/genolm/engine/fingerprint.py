"""Fingerprint of a run (model, inputs, settings) and comparison of two."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.settings import write_settings
from genolm.files.digests import file_sha256
from genolm.files.lines import explained

if TYPE_CHECKING:
    from genolm.engine.task import AnyTask
    from genolm.models.model import Model

SCHEMA = 3  # version of manifest and parts; raise it when older parts can no longer be read.
# 1: genolm 0.1, 2: without computing settings
FULL_DIGEST_LIMIT = 256 * 2**20  # bytes; larger inputs are sampled
_BLOCK = 2**20
_SAMPLES = 64


def fingerprint(task: AnyTask, model: Model, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return everything that determines a run's result (task, settings, model, input content, versions) as plain JSON.

    The paths of input files, the device, the shard and the batch size are not included, so a run can be continued with
    the same files elsewhere.

    Args:
        task: task with its settings and input files.
        model: model, represented by the digest of its weights, its tokenizer settings and its dtype.
        settings: the task as written by :func:`write_settings`, if available.

    Raises:
        InputError: an input file cannot be read.
    """
    written = settings or write_settings(task)
    tokenizer = hashlib.sha256(model.tokenizer.to_json().encode()).hexdigest()
    return {
        "schema": SCHEMA,
        "genolm": genolm_version(),
        "task": task_name(written),
        "settings": without_paths(task, written),
        "model": {"weights": model.fingerprint, "tokenizer": tokenizer, "dtype": str(model.dtype)},
        "inputs": [content_digest(path) for path in task.inputs()],
    }


def is_complete(identity: dict[str, Any]) -> bool:
    """Return whether a fingerprint covers every byte of the input, rather than samples of large files."""
    return all(not digest.startswith("sampled:") for digest in identity["inputs"])


def task_name(written: dict[str, Any]) -> str:
    """Return the stable name and version of a written task, such as ``variants, version 1``."""
    return f"{written['type']}, version {written['version']}"


def without_paths(task: AnyTask, written: dict[str, Any]) -> dict[str, Any]:
    """Return the written fields of a task, with the paths of input files replaced by their numbers."""
    names = {str(path): f"input {number}" for number, path in enumerate(task.inputs(), start=1)}
    return {name: _replace_paths(value, names) for name, value in written["fields"].items()}


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Describe the differences between two fingerprints; empty if they are equal."""
    return list(_changes(before, now))


def content_digest(path: Path) -> str:
    """Return ``sha256:`` and the digest of a file; above 256 MB ``sampled:``, from its size and 64 blocks of 1 MB.

    The blocks are spread evenly over the file.

    Raises:
        InputError: the file cannot be read.
    """
    with explained(path):
        size = path.stat().st_size
        if size <= FULL_DIGEST_LIMIT:
            return f"sha256:{file_sha256(path)}"
        digest = hashlib.sha256(str(size).encode())
        with path.open("rb") as file:
            for number in range(_SAMPLES):
                file.seek((size - _BLOCK) * number // (_SAMPLES - 1))
                digest.update(file.read(_BLOCK))
    return f"sampled:{digest.hexdigest()}"


def genolm_version() -> str:
    """Return the installed version; ``unknown`` for a source tree that is not installed."""
    try:
        return version("genolm")
    except PackageNotFoundError:  # a source tree on the path, not installed
        return "unknown"


def _replace_paths(value: Any, names: dict[str, str]) -> Any:
    match value:
        case str():
            return names.get(value, value)
        case list():
            return [_replace_paths(item, names) for item in value]
        case dict():
            return {key: _replace_paths(item, names) for key, item in value.items()}
    return value


def _changes(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for key, name in (("schema", "format of the parts"), ("genolm", "genolm version"), ("task", "task")):
        if before.get(key) != now.get(key):
            yield f"{name} (was {before.get(key)}, now {now.get(key)})"
    for name in _different(before, now, "settings"):
        yield from _changed_setting(name, *(side.get("settings", {}).get(name) for side in (before, now)))
    for name in _different(before, now, "model"):
        yield f"model {name}"
    yield from _changed_inputs(before.get("inputs", []), now.get("inputs", []))


def _changed_setting(name: str, was: Any, current: Any) -> Iterator[str]:
    """Describe the change of a setting; for nested values, of each field that differs."""
    match was, current:
        case {"$value": {"fields": before}}, {"$value": {"fields": now}}:
            for key in sorted({*before, *now}):
                if before.get(key) != now.get(key):
                    yield from _changed_setting(f"{name}.{key}", before.get(key), now.get(key))
        case _:
            yield f"setting {name} (was {_abbreviated(was)}, now {_abbreviated(current)})"


def _different(before: dict[str, Any], now: dict[str, Any], key: str) -> list[str]:
    was, current = before.get(key, {}), now.get(key, {})
    return [name for name in sorted({*was, *current}) if was.get(name) != current.get(name)]


def _changed_inputs(was: list[str], now: list[str]) -> Iterator[str]:
    if len(was) != len(now):
        yield f"number of input files (was {len(was)}, now {len(now)})"
        return
    for number, (before, after) in enumerate(zip(was, now), start=1):
        if before != after:
            yield f"content of input file {number}"


def _abbreviated(value: Any) -> str:
    text = _readable(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _readable(value: Any) -> str:
    """Return a written setting in readable form."""
    match value:
        case {"$digest": digest}:
            return f"values with digest {digest[:8]}"
        case {"$path": text}:
            return str(text)
        case {"$tuple": items} | list(items):
            return f"[{', '.join(_readable(item) for item in items)}]"
        case {"$value": {"type": name, "fields": fields}}:
            inner = ", ".join(f"{key}={_readable(item)}" for key, item in fields.items())
            return f"{name.rpartition(':')[2]}({inner})"
    return repr(value)
