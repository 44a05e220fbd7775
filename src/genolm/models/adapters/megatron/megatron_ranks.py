"""A Megatron checkpoint on disk: a folder for each process, in it a pickle with arguments and that process's weights.

A pickle is a program. It is opened with torch's reader of plain tensors and containers, which runs none of it; the few
other things that Megatron writes into its arguments (choices, random states) are replaced by something inert, and a
file that names anything else is refused. Optimizer state is never looked at.
"""

from __future__ import annotations

import argparse
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.files.pointers import LONGEST, REMEDY, is_pointer
from genolm.models.adapters.megatron.megatron_folder import WEIGHTS, iteration, rank_folders

VERSION = 3.0

_CHUNK = re.compile(r"model(\d*)")
# Replaced by something inert. None of it is looked up or called, so these names can do nothing.
_HARMLESS_MODULES = ("megatron.", "transformer_engine.", "numpy.")
_HARMLESS = ("_codecs.encode", "_io.BytesIO", "pathlib.PosixPath", "signal.Signals", "types.SimpleNamespace")

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


class _Inert:
    """Stands where a pickle names something that we have no use for."""

    def __new__(cls, *_: object, **__: object) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    def __repr__(self) -> str:
        return "<not read>"


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


def read_pickle(path: Path) -> dict[str, Any]:
    """The dictionary in a file of ``torch.save``, its tensors mapped, without running anything it names.

    Raises:
        ModelError: not such a file, damaged, or naming something other than plain data.
    """
    try:
        with path.open("rb") as stream:
            if is_pointer(stream.read(LONGEST)):
                raise ModelError(f"{path}: {REMEDY}")
            if not zipfile.is_zipfile(stream):
                raise ModelError(f"{path}: no whole file of torch.save: it was cut off, or is of torch before 1.6")
        named = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        foreign = sorted(named - {name for name in named if _harmless(name)} - {"argparse.Namespace"})
        if foreign:
            raise ModelError(
                f"{path}: names {foreign[0]}, which is no plain data; opening it could run code, so it is refused"
            )
        inert = [(_Inert, name) for name in named if _harmless(name)]
        with torch.serialization.safe_globals([argparse.Namespace, *inert]):
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, ValueError, EOFError, KeyError, IndexError, TypeError, pickle.UnpicklingError) as error:
        first = str(error).partition("\n")[0].partition(". ")[0]
        raise ModelError(f"{path}: cannot be read as a file of torch.save: {first}") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    if not isinstance(state, dict):
        raise ModelError(f"{path}: holds no dictionary, so it is no checkpoint of Megatron")
    return state


def _harmless(name: str) -> bool:
    return name in _HARMLESS or name.startswith(_HARMLESS_MODULES)


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
