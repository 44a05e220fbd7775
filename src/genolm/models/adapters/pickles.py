"""Weights published as a pickle of ``torch.save``, as GENA-LM's are, read as plain data.

A pickle is a program. It is opened with torch's reader of plain tensors and containers, which runs none of it; the few
other things that Megatron writes into its arguments (enumerations, random states) are replaced by inert objects, and a
file that names anything else is refused. Pickles are only converted, once: genolm computes with the safetensors made of
them.
"""

from __future__ import annotations

import argparse
import pickle
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.files.names import partial_path
from genolm.files.pointers import LONGEST, REMEDY, is_pointer
from genolm.models.adapters.pieces import MemoryTensor
from genolm.models.model_files import PICKLE, SINGLE
from genolm.models.weight_shards import Pending, write_shards

TRAINER_KEY = "model_state_dict"

_ENDINGS = (".bin", ".pt", ".pth")
_OTHERS = ("training_args", "optimizer", "scheduler", "scaler", "rng_state")
_NO_LIMIT = 1 << 62
# Replaced by inert objects. None of it is imported or called, so these names can do nothing.
_HARMLESS_MODULES = ("megatron.", "transformer_engine.", "numpy.")
_HARMLESS = ("_codecs.encode", "_io.BytesIO", "pathlib.PosixPath", "signal.Signals", "types.SimpleNamespace")


class _Inert:
    """Placeholder for an object of a pickle that genolm does not need."""

    def __new__(cls, *_: object, **__: object) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    def __repr__(self) -> str:
        return "<not read>"


def pickle_in(folder: Path) -> Path | None:
    """Return the pickle with the weights of a folder; None without one.

    Raises:
        ModelError: there are several, and none has the published name.
    """
    if (folder / PICKLE).is_file():
        return folder / PICKLE
    paths = sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS and not path.stem.startswith(_OTHERS))
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise ModelError(f"{folder}: holds several pickles ({names}); keep the one with the weights, as {PICKLE}")
    return paths[0] if paths else None


def read_weights(path: Path) -> dict[str, MemoryTensor]:
    """Read tensors by name from a state dict, or from a trainer's file that has one under ``model_state_dict``.

    Raises:
        ModelError: not such a file, damaged, naming something other than plain data, or without tensors by name.
    """
    state = read_pickle(path)
    state = state.get(TRAINER_KEY, state)
    if not isinstance(state, Mapping) or not state:
        raise ModelError(f"{path}: contains no tensors by name")
    if wrong := [
        f"{name} is a {type(value).__name__}" for name, value in state.items() if not isinstance(value, Tensor)
    ]:
        raise ModelError(f"{path}: {wrong[0]}, not a tensor")
    return {str(name): MemoryTensor(value.detach()) for name, value in state.items()}


def rewrite(source: Path, target: Path, files: Iterable[str]) -> Path:
    """Write the model in ``source``, whose weights are a pickle, with safetensors of the same names and bits.

    Args:
        source: folder with the pickle.
        target: folder to make, or ``source`` to add the safetensors there.
        files: names of other files to copy.

    Returns:
        ``target``.

    Raises:
        ModelError: as for :func:`read_weights`.
    """
    partial = partial_path(target)
    try:
        partial.mkdir(parents=True)
        weights = read_weights(source / PICKLE)
        pending = (Pending(name, stored.tensor.nbytes, stored.read) for name, stored in weights.items())
        write_shards(partial, pending, _NO_LIMIT)
        if target == source:
            (partial / SINGLE).replace(target / SINGLE)
            return target
        for name in files:
            if (source / name).is_file():
                shutil.copyfile(source / name, partial / name)
        if not (target / SINGLE).is_file():  # another process may have been faster
            partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def read_pickle(path: Path) -> dict[str, Any]:
    """Read the dictionary in a file of ``torch.save``, its tensors memory-mapped, without running anything it names.

    Raises:
        ModelError: not such a file, damaged, or naming something other than plain data.
    """
    try:
        with path.open("rb") as stream:
            if is_pointer(stream.read(LONGEST)):
                raise ModelError(f"{path}: {REMEDY}", code="damaged-model")
            if not zipfile.is_zipfile(stream):
                raise ModelError(
                    f"{path}: not a complete file of torch.save: truncated, or written by torch before 1.6",
                    code="damaged-model",
                )
        named = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        foreign = sorted(named - {name for name in named if _harmless(name)} - {"argparse.Namespace"})
        if foreign:
            raise ModelError(
                f"{path}: names {foreign[0]}, which is not plain data; opening it could run code, so it is refused"
            )
        inert = [(_Inert, name) for name in named if _harmless(name)]
        with torch.serialization.safe_globals([argparse.Namespace, *inert]):
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, ValueError, EOFError, KeyError, IndexError, TypeError, pickle.UnpicklingError) as error:
        first = str(error).partition("\n")[0].partition(". ")[0]
        raise ModelError(f"{path}: not readable as a file of torch.save: {first}", code="damaged-model") from error
    except OSError as error:
        raise ModelError(f"{path}: not readable: {error}", code="damaged-model") from error
    if not isinstance(state, dict):
        raise ModelError(f"{path}: does not contain a dictionary, so it is not a checkpoint")
    return state


def _harmless(name: str) -> bool:
    return name in _HARMLESS or name.startswith(_HARMLESS_MODULES)
