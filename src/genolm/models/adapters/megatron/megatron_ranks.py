"""A Megatron checkpoint on disk: a folder for each process, in it a pickle with arguments and that process's weights.

A pickle is a program. It is opened with torch's reader of plain tensors and containers, which runs none of it; the few
other things that Megatron writes into its arguments (choices, random states) are replaced by something inert, and a
file that names anything else is refused. Optimizer state is never looked at.
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
    """What the processes of a run saved.

    Attributes:
        folder: the iteration's folder.
        arguments: those of the run, by name; empty where it stored none.
        sizes: tensor-, pipeline- and expert-parallel processes.
        chunks: for each rank its weights by name; several where the pipeline is interleaved, in the order of layers.
    """

    folder: Path
    arguments: Mapping[str, Any]
    sizes: Rank
    chunks: Mapping[Rank, list[dict[str, Tensor]]]


def open_ranks(folder: Path) -> Ranks:
    """The newest iteration of a checkpoint; its tensors stay on the disk until they are read.

    Args:
        folder: with ``latest_checkpointed_iteration.txt``, or one iteration's folder with ``mp_rank_*`` in it.

    Raises:
        ModelError: no checkpoint, one of another format or version, a rank that is missing, a file that is damaged or
            that names something other than plain data.
    """
    place = iteration(folder)
    files = {ranks: place / name / WEIGHTS for name, ranks in rank_folders(place).items()}
    states = {ranks: read_pickle(path) for ranks, path in files.items()}
    arguments = _arguments(next(iter(states.values())), next(iter(files.values())))
    chunks = {ranks: _chunks(state, files[ranks]) for ranks, state in states.items()}
    placed = {_placed(ranks, arguments, chunks): weights for ranks, weights in chunks.items()}
    return Ranks(place, arguments, _sizes(place, arguments, placed), placed)


def _arguments(state: Mapping[str, Any], path: Path) -> dict[str, Any]:
    version = state.get("checkpoint_version")
    if not isinstance(version, int | float) or version < VERSION:
        raise ModelError(f"{path}: checkpoint_version {version!r} is not supported; it must be {VERSION}")
    told = state.get("args")
    if told is None:
        return {}
    if not isinstance(told, argparse.Namespace):
        raise ModelError(f"{path}: args is a {type(told).__name__}, not the arguments of a run")
    arguments = vars(told)
    tensor, expert = arguments.get("tensor_model_parallel_size", 1), arguments.get("expert_tensor_parallel_size")
    if arguments.get("num_experts") and expert not in (None, tensor):
        raise ModelError(
            f"{path}: expert_tensor_parallel_size {expert!r} is not supported beside {tensor!r} for the rest"
        )
    return arguments


def _chunks(state: Mapping[str, Any], path: Path) -> list[dict[str, Tensor]]:
    numbered = {key: match[1] for key in state if (match := _CHUNK.fullmatch(str(key)))}
    keys = sorted(numbered, key=lambda key: int(numbered[key] or 0))
    if not keys:
        raise ModelError(f"{path}: has no model in it")
    return [_weights(state[key], path) for key in keys]


def _weights(values: Any, path: Path) -> dict[str, Tensor]:
    if not isinstance(values, Mapping):
        raise ModelError(f"{path}: its model is a {type(values).__name__}, not tensors by name")
    if "language_model" in values:
        raise ModelError(f"{path}: the names of Megatron's legacy models; only those of Megatron-core are known")
    weights = {}
    for name, value in values.items():
        if isinstance(value, Tensor):
            weights[str(name)] = value.detach()
        elif value is not None and not str(name).endswith("._extra_state"):
            raise ModelError(f"{path}: {name} is a {type(value).__name__}, not a tensor")
    return weights


def _placed(
    ranks: tuple[int, ...], arguments: Mapping[str, Any], chunks: Mapping[tuple[int, ...], list[dict[str, Tensor]]]
) -> Rank:
    """Tensor, pipeline and expert rank out of the one to three numbers of a folder's name."""
    if len(ranks) == 3:
        return ranks[0], ranks[1], ranks[2]
    if len(ranks) == 1:
        return ranks[0], 0, 0
    stages = arguments.get("pipeline_model_parallel_size")
    if stages is None:  # a stage of a pipeline holds either the embedding or the final norm; an expert rank holds both
        every = [{name for chunk in weights for name in chunk} for weights in chunks.values()]
        stages = 1 if all("decoder.final_layernorm.weight" in names for names in every) else 2
    return (ranks[0], 0, ranks[1]) if stages == 1 else (ranks[0], ranks[1], 0)


def _sizes(place: Path, arguments: Mapping[str, Any], found: Mapping[Rank, object]) -> Rank:
    kinds = ("tensor_model_parallel_size", "pipeline_model_parallel_size", "expert_model_parallel_size")
    sizes = []
    for index, kind in enumerate(kinds):
        size = max(ranks[index] for ranks in found) + 1
        told = arguments.get(kind, size)
        if told != size:
            raise ModelError(f"{place}: {kind} is {told!r}, but there are folders for {size}")
        sizes.append(size)
    tensor, stages, experts = sizes
    wanted = [(t, p, e) for t in range(tensor) for p in range(stages) for e in range(experts)]
    if missing := [ranks for ranks in wanted if ranks not in found]:
        first = "tensor rank {}, pipeline rank {}, expert rank {}".format(*missing[0])
        raise ModelError(f"{place}: {len(missing)} of {len(wanted)} ranks are missing; the first is {first}")
    return tensor, stages, experts
