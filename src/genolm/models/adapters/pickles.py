"""Weights published as a pickle of ``torch.save``, as GENA-LM's are: read as plain data, to be written as safetensors.

A pickle is a program. Torch's reader of plain tensors and containers runs none of it, and a file that names anything
else is refused (:func:`genolm.models.adapters.megatron.megatron_ranks.read_pickle`). Even so a pickle is only
converted, once;
what is loaded to compute with is the safetensors file made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.megatron.megatron_ranks import read_pickle
from genolm.models.adapters.pieces import InMemory
from genolm.models.weight_files import PICKLE
from genolm.models.weight_shards import Pending, write_shards

TRAINER_KEY = "model_state_dict"

_ENDINGS = (".bin", ".pt", ".pth")
_OTHERS = ("training_args", "optimizer", "scheduler", "scaler", "rng_state")
_NO_LIMIT = 1 << 62


def pickle_in(folder: Path) -> Path | None:
    """The file in ``folder`` that holds its weights as a pickle; None where there is none.

    Raises:
        ModelError: there are several, and none has the published name.
    """
    if (folder / PICKLE).is_file():
        return folder / PICKLE
    found = sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS and not path.stem.startswith(_OTHERS))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ModelError(f"{folder}: holds several pickles ({names}); leave the one that is meant, as {PICKLE}")
    return found[0] if found else None


def read_weights(path: Path) -> dict[str, InMemory]:
    """Tensors by name, out of a state dict or of a trainer's file that has one under ``model_state_dict``.

    Raises:
        ModelError: not such a file, damaged, naming something other than plain data, or without tensors by name.
    """
    state = read_pickle(path)
    state = state.get(TRAINER_KEY, state)
    if not isinstance(state, Mapping) or not state:
        raise ModelError(f"{path}: holds no tensors by name")
    if wrong := [
        f"{name} is a {type(value).__name__}" for name, value in state.items() if not isinstance(value, Tensor)
    ]:
        raise ModelError(f"{path}: {wrong[0]}, not a tensor")
    return {str(name): InMemory(value.detach()) for name, value in state.items()}


def rewrite(path: Path, folder: Path) -> None:
    """Write the tensors of a pickle into ``folder`` as ``model.safetensors``, same names and bits.

    Raises:
        ModelError: as for :func:`read_weights`.
    """
    held = read_weights(path)
    pending = (Pending(name, stored.tensor.nbytes, stored.read) for name, stored in held.items())
    write_shards(folder, pending, _NO_LIMIT)
