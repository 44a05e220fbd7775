"""A training run's state on disk: written whole or not at all, and never with pickle.

A checkpoint is a folder ``step-N`` with ``state.safetensors`` (weights, optimizer moments, RNG) and ``state.json``,
which holds the step and the tensor file's checksum. The folder appears by one rename; a torn one is not loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from genolm.training.optimizers import Optimizers

_TENSORS, _STATE = "state.safetensors", "state.json"


def save_checkpoint(
    folder: Path, step: int, network: nn.Module, optimizer: Optimizers, fingerprint: str, keep: int = 2
) -> Path:
    """Write the state after ``step`` steps and drop all but the newest ``keep`` checkpoints."""
    target = folder / f"step-{step}"
    staging = folder / f".step-{step}.{os.getpid()}"
    staging.mkdir(parents=True, exist_ok=True)
    save_file(_tensors(network, optimizer), staging / _TENSORS)
    state = {"step": step, "fingerprint": fingerprint, "sha256": _sha256(staging / _TENSORS)}
    (staging / _STATE).write_text(json.dumps(state))
    _sync(staging / _TENSORS, staging / _STATE)
    shutil.rmtree(target, ignore_errors=True)
    staging.rename(target)
    for old in _checkpoints(folder)[:-keep]:
        shutil.rmtree(old)
    return target


def load_checkpoint(folder: Path, network: nn.Module, optimizer: Optimizers, fingerprint: str) -> int | None:
    """Restore the newest whole checkpoint of this recipe; returns its step, None when there is none."""
    for path in reversed(_checkpoints(folder)):
        state = _read_state(path)
        if state is not None and state["fingerprint"] == fingerprint:
            _restore(load_file(path / _TENSORS), network, optimizer)
            return int(state["step"])
    return None


def _checkpoints(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("step-*") if path.name[5:].isdigit()]
    return sorted(found, key=lambda path: int(path.name[5:]))


def _read_state(path: Path) -> dict[str, Any] | None:
    """The checkpoint's state; None when it is torn."""
    try:
        state: dict[str, Any] = json.loads((path / _STATE).read_text())
        return state if state["sha256"] == _sha256(path / _TENSORS) else None
    except (OSError, ValueError, KeyError):
        return None


def _tensors(network: nn.Module, optimizer: Optimizers) -> dict[str, Tensor]:
    tensors = {f"weight.{name}": value.contiguous() for name, value in network.state_dict().items()}
    for index, values in optimizer.state().items():
        for key, value in values.items():
            tensors[f"optimizer.{index}.{key}"] = value.contiguous()
    tensors["rng.torch"] = torch.get_rng_state()
    return tensors


def _restore(tensors: dict[str, Tensor], network: nn.Module, optimizer: Optimizers) -> None:
    network.load_state_dict({name[7:]: value for name, value in tensors.items() if name.startswith("weight.")})
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            states.setdefault(int(index), {})[key] = value
    optimizer.load_state(states)
    torch.set_rng_state(tensors["rng.torch"])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(*paths: Path) -> None:
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
