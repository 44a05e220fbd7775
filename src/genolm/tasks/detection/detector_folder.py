"""A trained detector as a folder: ``detector.json`` and ``weights.safetensors``; nothing in it is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from genolm.errors import InputError
from genolm.files.version import __version__
from genolm.tasks.detection.classifier import Classifier
from genolm.tasks.writing.output_folders import whole_folder

FORMAT, VERSION = "genolm detector", 2
DESCRIPTION, WEIGHTS = "detector.json", "weights.safetensors"
FEATURES = ("embedding", "handmade", "both")
_VECTORS = ("mean", "scale", "weight")
_NUMBERS = ("intercept", "slope", "offset", "threshold", "strength")


@dataclass(frozen=True, slots=True)
class Detector:
    """A classifier and what its features are.

    Attributes:
        classifier: the numbers.
        features: ``embedding``, ``handmade``, or ``both`` in this order.
        model: what embeddings come from: ``name``, ``given`` (the name or folder that was told in training),
            ``fingerprint``, ``precision``, ``layer``, ``pooling``, ``rc`` and ``context``; None where there are none.
        shortest: bases of the shortest sequence in training.
        longest: bases of the longest one.
        rate: the false-positive rate that the threshold was set for.
        report: how it was trained and tested.
    """

    classifier: Classifier
    features: str
    model: Mapping[str, Any] | None
    shortest: int
    longest: int
    rate: float
    report: Mapping[str, Any]


def save_detector(detector: Detector, path: Path) -> None:
    """Writes the folder, all or nothing."""
    numbers = detector.classifier
    vectors = {name: np.ascontiguousarray(getattr(numbers, f"{name}_F"), np.float64) for name in _VECTORS}
    description = {
        "format": FORMAT,
        "version": VERSION,
        "features": detector.features,
        "model": detector.model,
        "lengths": [detector.shortest, detector.longest],
        "false_positive_rate": detector.rate,
        **{name: getattr(numbers, name) for name in _NUMBERS},
        "report": detector.report,
    }
    with whole_folder(path, {"genolm_version": __version__, "detector": detector.features}) as folder:
        text = json.dumps(description, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / DESCRIPTION).write_text(f"{text}\n", "utf-8")
        save_file(vectors, folder / WEIGHTS)


def load_detector(path: Path) -> Detector:
    """Reads the folder.

    Raises:
        InputError: it is no such folder, or something in it is damaged or of another version.
    """
    if not (path / DESCRIPTION).is_file():
        raise InputError(f"is no detector: there is no {DESCRIPTION} in it; genolm detect train makes one", file=path)
    said = _description(path / DESCRIPTION)
    try:
        vectors = load_file(path / WEIGHTS)
        numbers: dict[str, Any] = {f"{name}_F": vectors[name] for name in _VECTORS}
        numbers |= {name: float(said[name]) for name in _NUMBERS}
        shortest, longest = map(int, said["lengths"])
        widths = {len(vectors[name]) for name in _VECTORS}
        if (
            len(widths) != 1
            or said["features"] not in FEATURES
            or (said["model"] is None) != (said["features"] == "handmade")
        ):
            raise ValueError("its parts contradict each other")
        return Detector(
            Classifier(**numbers), said["features"], said["model"], shortest, longest,
            float(said["false_positive_rate"]), said["report"],
        )  # fmt: skip
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"the detector is damaged: {_reason(error)}", file=path) from None


def _description(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(f"the detector is damaged: {error}", file=path) from None
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise InputError("is no description of a detector", file=path)
    if said.get("version") != VERSION:
        raise InputError(f"the detector is of another version than {VERSION}", file=path, value=said.get("version"))
    return said


def _reason(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
