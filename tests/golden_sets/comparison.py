"""Tolerances of the reference vectors, and sets that lack a file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

STATED_FOR = 20.0
"""The tolerances of the READMEs were measured on values up to this magnitude; they grow with larger ones."""


def scale(expected: Tensor) -> float:
    """Factor of an absolute tolerance: 1, or more where the expected values exceed what it was stated for."""
    return max(1.0, float(expected.abs().max()) / STATED_FOR) if expected.numel() else 1.0


def assert_close(found: Tensor, expected: Tensor, atol: float, rtol: float = 0.0, name: str = "") -> None:
    """Compare two tensors within the published tolerance, in proportion to the magnitude of large values."""
    torch.testing.assert_close(
        found, expected, atol=atol * scale(expected), rtol=rtol, msg=lambda text: f"{name}: {text}"
    )


def load(path: Path) -> dict[str, Tensor]:
    """The tensors of a file; skips the test where this set doesn't have it."""
    if not path.is_file():
        pytest.skip(f"this set has no {path.parent.name}/{path.name}")
    return load_file(path)


def existing(topic: Path) -> Path:
    """The folder of a topic; skips the test where this set doesn't have it."""
    if not topic.is_dir():
        pytest.skip(f"this set has no {topic.name}")
    return topic
