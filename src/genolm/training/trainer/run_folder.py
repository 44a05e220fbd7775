"""The folder of a training run: it belongs to one recipe, and holds at most one run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from genolm.errors import RunError
from genolm.files.disk import is_disk_full
from genolm.files.locks import locked
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.recipes.schedule import tokens_until

CHANGEABLE = (
    "name",
    "card",
    "trackers",
    "compile",
    "report_every",
    "evaluate_every",
    "evaluate_windows",
    "checkpoint_every",
)
"""Settings of a recipe that don't decide the weights, and may differ when a run is resumed."""


def fingerprint_of(recipe: Recipe) -> str:
    """SHA-256 of what decides the weights."""
    return hashlib.sha256(json.dumps(_weight_settings(recipe), sort_keys=True, default=str).encode()).hexdigest()


def describe_run(out: Path, recipe: Recipe) -> str:
    """One line on a finished run: steps, tokens, and bits per base of the held-out splits; read from its log."""
    lines = RunLog(out / "log.jsonl").lines()
    step = lines[-1]["step"]
    held_out = next(line["held_out_bits_per_base"] for line in reversed(lines) if "held_out_bits_per_base" in line)
    bits = ", ".join(f"{name} {value:.4f}" for name, value in held_out.items())
    return f"{step:,} steps, {tokens_until(step, recipe):,} tokens; held-out bits per base: {bits}"


def check_claim(out: Path, recipe: Recipe, resume: bool) -> None:
    """Refuses a folder that is not for this recipe.

    Raises:
        RunError: a file in its place, a folder that cannot be read, a run that is not to be resumed, no run where one
            is to be resumed, or the run of another recipe.
    """
    marker = out / "recipe.json"
    with _as_run_errors(out):
        if out.exists() and not out.is_dir():
            raise RunError(f"{out} is a file: choose another folder")
        entries = marker.exists()
    if entries and not resume:
        raise RunError(f"{out} already holds a run: continue it with --resume or choose another folder")
    if resume and not entries:
        raise RunError(f"{out} holds no run to continue: start one without --resume")
    if entries and _read_marker(marker, "fingerprint") != fingerprint_of(recipe):
        raise RunError(
            f"{out} holds the run of another recipe{_differences(marker, recipe)}: choose another folder. What may"
            f" change on --resume: {', '.join(CHANGEABLE)}"
        )


@contextmanager
def claim(out: Path, recipe: Recipe, corpus: str, resume: bool) -> Iterator[None]:
    """Takes the folder for this recipe and corpus, and holds it until the block ends or the process dies.

    Args:
        out: the folder.
        recipe: the recipe.
        corpus: digest of the sequence that is trained on; empty where the recipe's fingerprint holds one.
        resume: whether a run that is there goes on.

    Raises:
        RunError: as :func:`check_claim`, which another run may have made untrue meanwhile; a folder that cannot be made
            or written; another run holds the folder; the files of the corpus hold another sequence than when the run
            began.
    """
    with _as_run_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK | os.X_OK):
            raise RunError(f"{out} cannot be written: choose another folder")
    with locked(out):
        check_claim(out, recipe, resume)
        marker = out / "recipe.json"
        if marker.exists() and _read_marker(marker, "corpus") != corpus:
            raise RunError(f"{out}: the files of the corpus changed since this run began: choose another folder")
        settings = {"fingerprint": fingerprint_of(recipe), "corpus": corpus, "recipe": _weight_settings(recipe)}
        marker.write_text(json.dumps(settings, indent=1, default=str))
        yield


@contextmanager
def _as_run_errors(out: Path) -> Iterator[None]:
    """Turn what the file system refuses into a `RunError`; a full disk stays what it is."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise
        raise RunError(f"the folder {out} cannot be made or used: {error.strerror}") from None


def _differences(marker: Path, recipe: Recipe) -> str:
    """Return which settings differ from those that the run began with, as text; empty where that can't be told."""
    settings = _recorded_recipe(marker)
    if not settings:
        return ""
    old, new = flatten(settings), flatten(json.loads(json.dumps(_weight_settings(recipe), default=str)))
    names = [
        name for name in {**old, **new} if name not in CHANGEABLE and old.get(name, _MISSING) != new.get(name, _MISSING)
    ]
    texts = [
        f"{name} was {_text(old.get(name, _MISSING))} and is {_text(new.get(name, _MISSING))}" for name in names[:3]
    ]
    if len(names) > len(texts):
        texts.append(f"{len(names) - len(texts)} more")
    return f" ({'; '.join(texts)})" if texts else ""


_MISSING = object()


def _text(value: object) -> str:
    return "not set" if value is _MISSING else json.dumps(value)


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings under dotted names such as ``optimizer.learning_rate``."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _recorded_recipe(marker: Path) -> dict[str, Any]:
    try:
        settings = json.loads(marker.read_text())["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _read_marker(marker: Path, key: str) -> str:
    try:
        return str(json.loads(marker.read_text())[key])
    except (OSError, ValueError, KeyError, TypeError):
        raise RunError(f"{marker} is damaged: choose another folder") from None


def _weight_settings(recipe: Recipe) -> dict[str, Any]:
    """What decides the weights: everything but :data:`CHANGEABLE`."""
    settings = {name: value for name, value in asdict(recipe).items() if name not in CHANGEABLE}
    return {**settings, "built_corpus": recipe.corpus.manifest_sha256()} if recipe.corpus.built else settings


Listener = Callable[[dict[str, Any]], None]


class RunLog:
    """Reports of a run, in a file and to a listener.

    Args:
        path: the ``.jsonl`` file; None where another process writes it, then every report is dropped.
        listener: receives every new report as well.
    """

    def __init__(self, path: Path | None, listener: Listener | None = None) -> None:
        self._path, self._listener = path, listener

    def add(self, **values: Any) -> None:
        """Append one report; it holds ``step``."""
        if self._path is None:
            return
        with self._path.open("a") as file:
            file.write(json.dumps(values) + "\n")
        if self._listener is not None:
            self._listener(values)

    def lines(self) -> list[dict[str, Any]]:
        """All reports, oldest first; a line that a kill tore in two is left out."""
        if self._path is None or not self._path.exists():
            return []
        entries = []
        for line in self._path.read_text().splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
        return entries

    def rewind(self, step: int) -> None:
        """Drop what was reported after ``step``: it will be done, and reported, again. Step 0 empties the log."""
        if self._path is None:
            return
        kept = [line for line in self.lines() if step > 0 and line["step"] <= step]
        partial = self._path.with_suffix(".rewound")
        partial.write_text("".join(json.dumps(line) + "\n" for line in kept))
        partial.replace(self._path)
