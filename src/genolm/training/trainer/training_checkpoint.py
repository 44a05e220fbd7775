"""Checkpoints of a training run, written atomically and without pickle.

A checkpoint is a folder ``step-N``. ``state.safetensors`` contains trainable weights, buffers and optimizer state;
frozen weights are those of the start, which the recipe determines. With sharded weights, each rank writes its own
shard, such as ``state-2-of-8.safetensors``. ``state.json``, with the step, the choice of the best weights so far and
the checksum of every file, is written last; then the folder is renamed into place. Damaged checkpoints are not loaded.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from genolm.errors import RunError
from genolm.files.digests import file_sha256
from genolm.models.networks.network import stored_buffers
from genolm.training.trainer.finite_values import DivergedError, first_not_finite
from genolm.training.trainer.optimizers import Optimizers
from genolm.training.trainer.selection import Selection
from genolm.training.trainer.weights import local_shard, shard_like
from genolm.training.trainer.workers import Workers

_STATE = "state.json"


class Checkpoints:
    """Checkpoints of a run. All methods but ``newest`` are collective.

    Args:
        folder: folder of the checkpoints.
        fingerprint: fingerprint of the recipe.
        workers: processes of the run.
        sharded: whether each rank has a shard of the weights.
        keep: number of checkpoints to keep.
    """

    def __init__(self, folder: Path, fingerprint: str, workers: Workers, sharded: bool, keep: int = 2) -> None:
        self._folder, self._fingerprint, self._workers, self._keep = folder, fingerprint, workers, keep
        self._shards = workers.world if sharded else 1
        number = workers.rank + 1
        self._local_file = f"state-{number}-of-{self._shards}.safetensors" if sharded else "state.safetensors"
        self._writes = sharded or workers.first

    def save(self, step: int, network: nn.Module, optimizer: Optimizers, selection: Selection | None = None) -> Path:
        """Write the state after ``step`` steps and remove all but the newest checkpoints and that of the best weights.

        Args:
            step: number of finished steps.
            network: network of the run.
            optimizer: its optimizer.
            selection: choice of the best weights so far.

        Raises:
            DivergedError: a weight is NaN or infinite; nothing is written.
        """
        culprit = first_not_finite(self._workers, network)
        if culprit is not None:
            raise DivergedError(f"not finite: {culprit}")
        target, staging = self._folder / f"step-{step}", self._folder / f".step-{step}"
        self._workers.on_first_rank(lambda: self._prepare(staging))
        digest = None
        if self._writes:
            save_file(_tensors(network, optimizer), staging / self._local_file)
            _sync(staging / self._local_file)
            digest = file_sha256(staging / self._local_file)
        digests = dict(pair for pair in self._workers.all_gather((self._local_file, digest)) if pair[1] is not None)
        chosen = selection or Selection()
        self._workers.on_first_rank(lambda: self._finish(staging, target, step, digests, chosen))
        return target

    def load(self, network: nn.Module, optimizer: Optimizers) -> tuple[int, Selection]:
        """Restore the newest complete checkpoint; return its step and the choice of the best weights.

        Raises:
            RunError: no checkpoint is complete, or its weights are sharded over another number of processes.
        """
        paths = _steps(self._folder)
        for path in reversed(paths):
            state = self._complete_state(path)
            if self._workers.all_ranks(state is not None):
                assert state is not None
                _restore(load_file(path / self._local_file), network, optimizer)
                return int(state["step"]), Selection(**state.get("selection", {}))
        damaged = f" ({', '.join(path.name for path in paths)} damaged or incomplete)" if paths else ""
        raise RunError(
            f"{self._folder} contains no complete checkpoint{damaged}, so there is nothing to resume from",
            code="no-run",
            remedy=f"delete the folder {self._folder.parent} and start the run again",
        )

    def load_weights(self, step: int, network: nn.Module) -> None:
        """Restore weights and buffers of a step.

        Raises:
            RunError: its checkpoint is not complete.
        """
        path = self._folder / f"step-{step}"
        if not self._workers.all_ranks(self._complete_state(path) is not None):
            raise RunError(f"{path}, the checkpoint of the best weights, is damaged or incomplete", code="no-run")
        _restore_weights(load_file(path / self._local_file), network)

    def newest(self) -> Path | None:
        """Return the newest checkpoint, complete or not; None if there is none."""
        return next(reversed(_steps(self._folder)), None)

    def _prepare(self, staging: Path) -> None:
        for left in self._folder.glob(".step-*"):
            shutil.rmtree(left)
        staging.mkdir(parents=True)

    def _finish(self, staging: Path, target: Path, step: int, digests: dict[str, str], selection: Selection) -> None:
        chosen = {} if selection.step is None else {"selection": asdict(selection)}
        state = {"step": step, "fingerprint": self._fingerprint, "sha256": digests, **chosen}
        (staging / _STATE).write_text(json.dumps(state, indent=1))
        _sync(staging / _STATE)
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
        newest = _steps(self._folder)[-self._keep :]
        for old in _steps(self._folder):
            if old not in newest and old.name not in map(_best_name, newest):
                shutil.rmtree(old)

    def _complete_state(self, path: Path) -> dict[str, Any] | None:
        """Return the state of a checkpoint; None if it is damaged or belongs to another recipe."""
        try:
            state: dict[str, Any] = json.loads((path / _STATE).read_text())
            digests, same = state["sha256"], state["fingerprint"] == self._fingerprint
            if same and self._local_file not in digests:
                raise RunError(
                    f"{path} is sharded over {len(digests)} processes, but this run has {self._shards}: "
                    "resume with the same number of processes"
                )
            return state if same and digests[self._local_file] == file_sha256(path / self._local_file) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _steps(folder: Path) -> list[Path]:
    paths = [path for path in folder.glob("step-*") if path.name[5:].isdigit()]
    return sorted(paths, key=lambda path: int(path.name[5:]))


def _best_name(path: Path) -> str | None:
    """Return the name of the checkpoint with the best weights when this one was written; None if none were chosen."""
    try:
        return f"step-{json.loads((path / _STATE).read_text())['selection']['step']}"
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _trainable(network: nn.Module) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in network.named_parameters() if weight.requires_grad}


def _tensors(network: nn.Module, optimizer: Optimizers) -> dict[str, Tensor]:
    tensors = {f"weight.{name}": local_shard(weight.detach()) for name, weight in _trainable(network).items()}
    tensors |= {f"buffer.{name}": local_shard(buffer) for name, buffer in stored_buffers(network).items()}
    for index, values in optimizer.state().items():
        for key, value in values.items():
            tensors[f"optimizer.{index}.{key}"] = local_shard(value)
    return {name: value.cpu().contiguous() for name, value in tensors.items()}


@torch.no_grad()
def _restore_weights(tensors: dict[str, Tensor], network: nn.Module) -> None:
    for name, weight in _trainable(network).items():
        local_shard(weight).copy_(tensors.pop(f"weight.{name}"))
    for name, buffer in stored_buffers(network).items():
        local_shard(buffer).copy_(tensors.pop(f"buffer.{name}"))


def _restore(tensors: dict[str, Tensor], network: nn.Module, optimizer: Optimizers) -> None:
    _restore_weights(tensors, network)
    weights = optimizer.weights()
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        part, index, key = name.split(".") if name.startswith("optimizer.") else ("", "", "")
        if part != "optimizer":  # the random state in checkpoints of earlier versions
            continue
        full = weights[int(index)]
        sharded = value if value.ndim == 0 else shard_like(value.to(full.device), full)
        states.setdefault(int(index), {})[key] = sharded
    optimizer.load_state(states)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
