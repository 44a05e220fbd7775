"""Folder of a training run, which belongs to one recipe and one run, and the run's log."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from genolm.errors import RunError
from genolm.files.disk import is_disk_full
from genolm.files.locks import locked
from genolm.remedies import Remedy
from genolm.training.trainer.schedule import tokens_until
from genolm.training.trainer.training_plan import TrainingPlan

CHANGEABLE = (
    "name",
    "card",
    "trackers",
    "compile",
    "report_every",
    "evaluate_every",
    "evaluate_windows",
    "checkpoint_every",
    "release",
)
"""Settings of a recipe that do not affect the weights, and may change when a run is resumed."""

_LATER = ("best", "patience", "rates", "start", "class_weights", "focal")
"""Settings that recipes did not always have; left out while they are empty, so that older runs can be resumed."""

_HELD_OUT = "held_out_"
"""Beginning of the names of held-out metrics in the log."""

_CHOOSING = ("evaluate_every", "evaluate_windows")
"""Settings that affect which weights are released if these are chosen by a held-out metric."""


@dataclass(frozen=True)
class RunSettings:
    """Settings that identify a run.

    Attributes:
        every: all settings of the recipe.
        weights: those that affect the weights.
    """

    every: Mapping[str, Any]
    weights: Mapping[str, Any]

    @classmethod
    def of(cls, recipe: TrainingPlan, data: Mapping[str, Any]) -> RunSettings:
        """Return the settings of a recipe.

        Args:
            recipe: the recipe.
            data: further values that the weights depend on, such as digests of files.
        """
        every = asdict(recipe)
        free = [name for name in CHANGEABLE if not (recipe.best and name in _CHOOSING)]
        return cls(every, {**_without_empty({name: every[name] for name in every if name not in free}), **data})

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the settings that affect the weights."""
        return hashlib.sha256(json.dumps(dict(self.weights), sort_keys=True, default=str).encode()).hexdigest()


def describe_run(out: Path, plan: TrainingPlan) -> str:
    """Describe a finished run in one line, from its log: steps, and the metrics of the last held-out evaluation."""
    lines = RunLog(out / "log.jsonl").lines()
    step = lines[-1]["step"]
    evaluated: Mapping[str, Any] = next(
        (line for line in reversed(lines) if any(name.startswith(_HELD_OUT) for name in line)), {}
    )
    held_out = [
        (name.removeprefix(_HELD_OUT), values) for name, values in evaluated.items() if name.startswith(_HELD_OUT)
    ]
    metrics = "".join(f"; held-out {name.replace('_', ' ')}: {_by_split(values)}" for name, values in held_out)
    tokens = f", {tokens_until(step, plan):,} tokens" if any(name == "bits_per_base" for name, _ in held_out) else ""
    return f"{step:,} steps{tokens}{metrics}"


def _by_split(values: Mapping[str, float]) -> str:
    return ", ".join(f"{split} {value:.4f}" for split, value in values.items())


def check_claim(out: Path, settings: RunSettings, resume: bool) -> None:
    """Raise an error if the folder cannot be used for this recipe.

    Raises:
        RunError: the path is a file or cannot be read; the folder contains a run and ``resume`` is not set, no run and
            it is, or the run of another recipe.
    """
    marker = out / "recipe.json"
    with _as_run_errors(out):
        if out.exists() and not out.is_dir():
            raise RunError(f"{out} is a file: choose another folder", code="unwritable-output")
        exists = marker.exists()
    if exists and not resume:
        raise RunError(
            f"{out} already contains a run",
            code="output-exists",
            remedy=(Remedy("resume", True, "continue it"), "choose another folder"),
        )
    if resume and not exists:
        raise RunError(f"{out} contains no run to resume", code="no-run", remedy="start a new one")
    if exists and _read_marker(marker, "fingerprint") != settings.fingerprint:
        raise RunError(
            f"{out} contains the run of another recipe{_differences(marker, settings)}; a resumed run may change only"
            f" {', '.join(name for name in CHANGEABLE if name in settings.every and name not in settings.weights)}",
            code="other-run",
            remedy="choose another folder",
        )


@contextmanager
def claim(out: Path, settings: RunSettings, data: str, resume: bool) -> Iterator[None]:
    """Reserve the folder for this recipe and its data, and lock it until the context ends or the process dies.

    Args:
        out: folder of the run.
        settings: settings of the run.
        data: digest of the training data.
        resume: whether an existing run is resumed.

    Raises:
        RunError: as in :func:`check_claim`, which is repeated under the lock; the folder cannot be created or written;
            another run is using it; the corpus has changed since the run began.
    """
    with _as_run_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK | os.X_OK):
            raise RunError(f"{out} cannot be written: choose another folder", code="unwritable-output")
    with locked(out):
        check_claim(out, settings, resume)
        marker = out / "recipe.json"
        if marker.exists() and _read_marker(marker, "corpus") != data:
            raise RunError(
                f"{out}: the training data or the weights of the start have changed since this run began",
                code="other-run",
                remedy="choose another folder",
            )
        content = {"fingerprint": settings.fingerprint, "corpus": data, "recipe": dict(settings.weights)}
        marker.write_text(json.dumps(content, indent=1, default=str))
        yield


@contextmanager
def _as_run_errors(out: Path) -> Iterator[None]:
    """Convert errors of the file system into `RunError`, except that of a full disk."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise
        raise RunError(
            f"the folder {out} cannot be created or used: {error.strerror}", code="unwritable-output"
        ) from None


def _differences(marker: Path, settings: RunSettings) -> str:
    """Describe which settings differ from those of the existing run; empty if they cannot be read."""
    recorded = _recorded_recipe(marker)
    if not recorded:
        return ""
    old, new = flatten(recorded), flatten(json.loads(json.dumps(dict(settings.weights), default=str)))
    pairs = {name: (old.get(name, _MISSING), new.get(name, _MISSING)) for name in {**old, **new}}
    free = {name for name, pair in pairs.items() if name in CHANGEABLE and _MISSING in pair}
    changed = {name: pair for name, pair in pairs.items() if name not in free and pair[0] != pair[1]}
    texts = [f"{name} was {_text(before)} and is {_text(now)}" for name, (before, now) in list(changed.items())[:3]]
    if len(changed) > len(texts):
        texts.append(f"{len(changed) - len(texts)} more")
    return f" ({'; '.join(texts)})" if texts else ""


def _without_empty(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without those of :data:`_LATER` that are empty."""
    kept = {name: value for name, value in settings.items() if value or name not in _LATER}
    return {name: _without_empty(value) if isinstance(value, dict) else value for name, value in kept.items()}


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
        raise RunError(f"{marker} is corrupt (not valid JSON); choose another folder") from None


Listener = Callable[[dict[str, Any]], None]


class RunLog:
    """Log of a training run: one JSON object per line, in a file and to a listener.

    Args:
        path: path of the ``.jsonl`` file; None on ranks that do not write, where reports are dropped.
        listener: function that receives every new report.
    """

    def __init__(self, path: Path | None, listener: Listener | None = None) -> None:
        self._path, self._listener = path, listener

    def add(self, **values: Any) -> None:
        """Append a report; ``step`` is required."""
        if self._path is None:
            return
        with self._path.open("a") as file:
            file.write(json.dumps(values) + "\n")
        if self._listener is not None:
            self._listener(values)

    def lines(self) -> list[dict[str, Any]]:
        """Return all reports, oldest first; an incomplete line of a killed run is skipped."""
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
        """Drop the reports after ``step``, since these steps will be repeated. Step 0 empties the log."""
        if self._path is None:
            return
        kept = [line for line in self.lines() if step > 0 and line["step"] <= step]
        partial = self._path.with_suffix(".rewound")
        partial.write_text("".join(json.dumps(line) + "\n" for line in kept))
        partial.replace(self._path)
