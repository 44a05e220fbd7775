"""Context parallelism: one long sequence in equal pieces, one for each process, with the result of a single process.

Each process holds the tokens of its piece and the ids of the complete sequence. The positions before its piece are a
cache with its content on other processes: keys and values are gathered layer by layer, as are the few gated values
that a Gengram convolution reads. Gradients flow back to the process of each value.

Shapes: B batch, L tokens of a piece, S tokens up to its end, W processes.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.networks.cache import KVCache


class _Gathered(torch.autograd.Function):
    """Tensors of all processes, stacked: (W, ...); gradients are summed on the process of each tensor."""

    @staticmethod
    def forward(ctx: Any, local: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        pieces = [torch.empty_like(local) for _ in range(group.size())]
        dist.all_gather(pieces, local.contiguous(), group=group)
        return torch.stack(pieces)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total, group=ctx.group)
        return total[ctx.group.rank()], None


def gathered(local: Tensor, group: dist.ProcessGroup) -> Tensor:
    """Gather equally shaped tensors of all processes of a group, (W, ...), in the order of ranks; differentiable."""
    stacked: Tensor = _Gathered.apply(local, group)  # type: ignore[no-untyped-call]
    return stacked


class RemotePast(KVCache):
    """Past of a process's piece of a sequence, passed to the decoder as its cache for one pass.

    Args:
        num_layers: number of layers of the decoder.
        ids_BT: ids of the complete sequence, the same on every process; T must be a multiple of W.
        documents_BT: document of each token; None for one document per row.
        group: processes, in the order of their pieces.

    Raises:
        ModelError: the sequence cannot be divided evenly.
    """

    def __init__(self, num_layers: int, ids_BT: Tensor, documents_BT: Tensor | None, group: dist.ProcessGroup) -> None:
        super().__init__(num_layers)
        if ids_BT.shape[1] % group.size():
            raise ModelError(f"{ids_BT.shape[1]} tokens cannot be divided into {group.size()} equal pieces")
        self._group = group
        before = ids_BT.shape[1] // group.size() * group.rank()
        self.ids_BS = ids_BT[:, :before]
        self.documents_BS = None if documents_BT is None else documents_BT[:, :before]

    def append(self, layer: int, k_BKLD: Tensor, v_BKLD: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values of all pieces up to this one, (B, K, S, D) each (collective: every rank must call)."""
        return self._up_to_here(k_BKLD), self._up_to_here(v_BKLD)

    def written_before_piece(self, values_BLD: Tensor, reach: int) -> Tensor:
        """Return the last ``reach`` gated values of the piece before, (B, reach, D); zeros for the first piece.

        Raises:
            ModelError: the pieces are shorter than the reach of the convolution.
        """
        if values_BLD.shape[1] < reach:
            raise ModelError(
                f"a piece of {values_BLD.shape[1]} tokens is shorter than the reach of the convolution, {reach}"
            )
        ends = gathered(values_BLD[:, -reach:], self._group)
        rank = self._group.rank()
        # Zeros that depend on the others, because every process must take part in the backward pass.
        return ends[rank - 1] if rank else ends[0] * 0.0

    def _up_to_here(self, own_BKLD: Tensor) -> Tensor:
        pieces = gathered(own_BKLD, self._group)[: self._group.rank() + 1]
        return torch.cat(list(pieces), 2)


def piece(values_BT: Tensor, group: dist.ProcessGroup) -> Tensor:
    """Return this process's piece of a tensor of the complete sequence, (B, L)."""
    return values_BT.chunk(group.size(), 1)[group.rank()]
