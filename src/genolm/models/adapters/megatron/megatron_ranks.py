"""Ranks of a Megatron checkpoint: a folder for each process with a pickle of arguments and weights.

The pickles are read as plain data (:mod:`genolm.models.adapters.pickles`); optimizer state is never read.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.megatron.megatron_folder import WEIGHTS, iteration, rank_folders
from genolm.models.adapters.pickles import read_pickle

VERSION = 3.0

_CHUNK = re.compile(r"model(\d*)")
Rank = tuple[int, int, int]
"""Tensor-, pipeline- and expert-parallel rank."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Content of a checkpoint by process.

    Attributes:
        folder: folder of the iteration.
        arguments: arguments of the run, by name; empty if none are stored.
        sizes: number of tensor-, pipeline- and expert-parallel processes.
        chunks: weights of each rank by name; several chunks, in the order of layers, if the pipeline is interleaved.
    """

    folder: Path
    arguments: Mapping[str, Any]
    sizes: Rank
    chunks: Mapping[Rank, list[dict[str, Tensor]]]


def open_ranks(folder: Path) -> Ranks:
    """Open the newest iteration of a checkpoint; its tensors stay on disk until they are read.

    Args:
        folder: folder with ``latest_checkpointed_iteration.txt``, or that of an iteration with ``mp_rank_*`` in it.

    Raises:
        ModelError: not a checkpoint, another format or version, a missing rank, or a file that is damaged or
            names anything but plain data.
    """
    newest = iteration(folder)
    files = {ranks: newest / name / WEIGHTS for name, ranks in rank_folders(newest).items()}
    states = {ranks: read_pickle(path) for ranks, path in files.items()}
    arguments = _arguments(next(iter(states.values())), next(iter(files.values())))
    chunks = {ranks: _chunks(state, files[ranks]) for ranks, state in states.items()}
    by_position = {_position(ranks, arguments, chunks): weights for ranks, weights in chunks.items()}
    return Ranks(newest, arguments, _sizes(newest, arguments, by_position), by_position)


def _arguments(state: Mapping[str, Any], path: Path) -> dict[str, Any]:
    version = state.get("checkpoint_version")
    if not isinstance(version, int | float) or version < VERSION:
        raise ModelError(f"{path}: checkpoint_version {version!r} is not supported; it must be {VERSION}")
    stored = state.get("args")
    if stored is None:
        return {}
    if not isinstance(stored, argparse.Namespace):
        raise ModelError(f"{path}: args is a {type(stored).__name__}, not the arguments of a run")
    arguments = vars(stored)
    tensor, expert = arguments.get("tensor_model_parallel_size", 1), arguments.get("expert_tensor_parallel_size")
    if arguments.get("num_experts") and expert not in (None, tensor):
        raise ModelError(
            f"{path}: expert_tensor_parallel_size must equal tensor_model_parallel_size {tensor!r}, not {expert!r}"
        )
    return arguments


def _chunks(state: Mapping[str, Any], path: Path) -> list[dict[str, Tensor]]:
    numbered = {key: match[1] for key in state if (match := _CHUNK.fullmatch(str(key)))}
    keys = sorted(numbered, key=lambda key: int(numbered[key] or 0))
    if not keys:
        raise ModelError(f"{path}: contains no model")
    return [_weights(state[key], path) for key in keys]


def _weights(values: Any, path: Path) -> dict[str, Tensor]:
    if not isinstance(values, Mapping):
        raise ModelError(f"{path}: its model is a {type(values).__name__}, not tensors by name")
    if "language_model" in values:
        raise ModelError(f"{path}: has the names of legacy Megatron models; only Megatron-core is supported")
    weights = {}
    for name, value in values.items():
        if isinstance(value, Tensor):
            weights[str(name)] = value.detach()
        elif value is not None and not str(name).endswith("._extra_state"):
            raise ModelError(f"{path}: {name} is a {type(value).__name__}, not a tensor")
    return weights


def _position(
    ranks: tuple[int, ...], arguments: Mapping[str, Any], chunks: Mapping[tuple[int, ...], list[dict[str, Tensor]]]
) -> Rank:
    """Return tensor, pipeline and expert rank, given the one to three numbers in a folder's name."""
    if len(ranks) == 3:
        return ranks[0], ranks[1], ranks[2]
    if len(ranks) == 1:
        return ranks[0], 0, 0
    stages = arguments.get("pipeline_model_parallel_size")
    if stages is None:  # a stage of a pipeline holds either the embedding or the final norm; an expert rank holds both
        every = [{name for chunk in weights for name in chunk} for weights in chunks.values()]
        stages = 1 if all("decoder.final_layernorm.weight" in names for names in every) else 2
    return (ranks[0], 0, ranks[1]) if stages == 1 else (ranks[0], ranks[1], 0)


def _sizes(path: Path, arguments: Mapping[str, Any], weights: Mapping[Rank, object]) -> Rank:
    kinds = ("tensor_model_parallel_size", "pipeline_model_parallel_size", "expert_model_parallel_size")
    sizes = []
    for index, kind in enumerate(kinds):
        size = max(ranks[index] for ranks in weights) + 1
        expected = arguments.get(kind, size)
        if expected != size:
            raise ModelError(f"{path}: {kind} is {expected!r}, but there are folders for {size}")
        sizes.append(size)
    tensor, stages, experts = sizes
    required = [(t, p, e) for t in range(tensor) for p in range(stages) for e in range(experts)]
    if missing := [ranks for ranks in required if ranks not in weights]:
        first = "tensor rank {}, pipeline rank {}, expert rank {}".format(*missing[0])
        raise ModelError(f"{path}: {len(missing)} of {len(required)} ranks are missing; the first is {first}")
    return tensor, stages, experts
