"""SHA-256 of the weights of a base model, by which an adapter knows its base in any layout and any wider precision."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor

from genolm.models.networks.network import Network, tensors_of

_VALUES = 1 << 24


def weights_sha256(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Return the SHA-256, in hex, of names, shapes and values; the order of the tensors does not matter.

    Values are taken as fp32 (fp64 as they are), so that weights stored in bf16 and the same weights loaded in fp32 for
    training are equal.
    """
    lines = sorted(f"{name} {list(tensor.shape)} {_digest(tensor)}\n" for name, tensor in tensors)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def base_sha256(network: Network) -> str:
    """Return the SHA-256 of the weights of a network before an adapter is added to it."""
    return weights_sha256(tensors_of(network).items())


def _digest(tensor: Tensor) -> str:
    digest = hashlib.sha256()
    for block in tensor.detach().flatten().split(_VALUES):
        wide = block.to("cpu", torch.promote_types(block.dtype, torch.float32)) if block.is_floating_point() else block
        digest.update(wide.cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()
