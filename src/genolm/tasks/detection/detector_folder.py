"""A trained detector as a folder: ``detector.json`` and ``weights.safetensors``, without executable content."""

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
from genolm.tasks.writing.output_folders import output_folder

FORMAT, VERSION = "genolm detector", 2
DESCRIPTION, WEIGHTS = "detector.json", "weights.safetensors"
FEATURES = ("embedding", "handmade", "both")
_VECTORS = ("mean", "scale", "weight")
_NUMBERS = ("intercept", "slope", "offset", "threshold", "strength")


@dataclass(frozen=True, slots=True)
class Detector:
    """A classifier with the definition of its features.

    Attributes:
        classifier: the classifier.
        features: ``embedding``, ``handmade``, or ``both`` in this order.
        model: the model of the embeddings: ``name``, ``given`` (name or path used in training), ``fingerprint``,
            ``precision``, ``layer``, ``pooling``, ``rc`` and ``context``; None without embeddings.
        shortest: length of the shortest training sequence in bases.
        longest: length of the longest training sequence in bases.
        rate: target false-positive rate of the threshold.
        report: settings and evaluation.
    """

    classifier: Classifier
    features: str
    model: Mapping[str, Any] | None
    shortest: int
    longest: int
    rate: float
    report: Mapping[str, Any]


def save_detector(detector: Detector, path: Path) -> None:
    """Write the folder, all or nothing."""
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
    with output_folder(path, {"genolm_version": __version__, "detector": detector.features}) as folder:
        text = json.dumps(description, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / DESCRIPTION).write_text(f"{text}\n", "utf-8")
        save_file(vectors, folder / WEIGHTS)


def load_detector(path: Path) -> Detector:
    """Read a detector from its folder.

    Raises:
        InputError: the folder is not a detector, is damaged, or has another format version.
    """
    if not (path / DESCRIPTION).is_file():
        raise InputError(
            f"not a detector folder ({DESCRIPTION} is missing); create one with `genolm detect train`", file=path
        )
    description = _description(path / DESCRIPTION)
    try:
        vectors = load_file(path / WEIGHTS)
        numbers: dict[str, Any] = {f"{name}_F": vectors[name] for name in _VECTORS}
        numbers |= {name: float(description[name]) for name in _NUMBERS}
        shortest, longest = map(int, description["lengths"])
        widths = {len(vectors[name]) for name in _VECTORS}
        if (
            len(widths) != 1
            or description["features"] not in FEATURES
            or (description["model"] is None) != (description["features"] == "handmade")
        ):
            raise ValueError("its parts are inconsistent")
        return Detector(
            Classifier(**numbers), description["features"], description["model"], shortest, longest,
            float(description["false_positive_rate"]), description["report"],
        )  # fmt: skip
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"the detector is damaged: {_reason(error)}", file=path, code="damaged-file") from None


def _description(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(f"the detector is damaged: {error}", file=path, code="damaged-file") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise InputError("not the description of a detector", file=path)
    if description.get("version") != VERSION:
        raise InputError(
            f"unsupported format version of the detector: expected {VERSION}",
            file=path,
            value=description.get("version"),
        )
    return description


def _reason(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
