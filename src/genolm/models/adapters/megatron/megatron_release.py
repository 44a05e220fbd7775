"""Writing of checkpoints for Megatron-core: one process, weights and arguments, no optimizer state."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genolm.models.adapters.megatron.megatron import memory_pieces
from genolm.models.adapters.megatron.megatron_config import write_arguments
from genolm.models.adapters.megatron.megatron_folder import TRACKER, WEIGHTS
from genolm.models.adapters.megatron.megatron_ranks import VERSION
from genolm.models.gengram.gengram import Gengram
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.weight_shards import FileTensor


def write_release(folder: Path, config: DecoderConfig, stored: Mapping[str, FileTensor]) -> None:
    """Write ``release/mp_rank_00/model_optim_rng.pt`` and the tracker file that points to it.

    Args:
        folder: folder for Megatron's ``--load``.
        config: decoder.
        stored: its weights in safetensors, by their names in Megatron; memory-mapped while they are copied.
    """
    weights = {name: _mapped(tensor) for name, tensor in stored.items()}
    dtype = next(iter(weights.values())).dtype
    weights |= _idle_memories(config, dtype)
    arguments = {**write_arguments(config), "params_dtype": dtype}
    arguments |= {"bf16": dtype == torch.bfloat16, "fp16": dtype == torch.float16}
    arguments |= {"iteration": 0, "consumed_train_samples": 0, "consumed_valid_samples": 0}
    state = {
        "args": argparse.Namespace(**arguments),
        "checkpoint_version": VERSION,
        "iteration": 0,
        "model": weights,
    }
    path = folder / "release" / "mp_rank_00" / WEIGHTS
    path.parent.mkdir(parents=True)
    with path.open("wb") as stream:
        torch.save(state, stream)
    (folder / TRACKER).write_text("release\n", encoding="ascii")


def _mapped(stored: FileTensor) -> Tensor:
    """Memory-map a stored tensor."""
    raw = np.memmap(stored.file, np.uint8, mode="c", offset=stored.offset, shape=(stored.size,))
    return torch.from_numpy(raw).view(stored.dtype).view(stored.shape)


def _idle_memories(config: DecoderConfig, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return zeros, stored as one number, for the Gengram modules of layers that skip them."""
    memory = config.gengram
    if memory is None:
        return {}
    with torch.device("meta"):
        shapes = {name: weight.shape for name, weight in Gengram(memory, config.hidden_size, 0).named_parameters()}
    idle = [layer for layer in range(config.num_layers) if layer + 1 not in memory.layers]
    zero = torch.zeros((), dtype=dtype)
    return {
        piece.stored: zero.expand(shapes[piece.ours.removeprefix("gengram.")])
        for layer in idle
        for piece in memory_pieces(config, f"decoder.layers.{layer}.gengram", "gengram")
    }
