"""One pass of a batch through the network, alone or with each row cut over a group of processes.

Shapes: B rows, M = L + 1 tokens of a row, L positions predicted from (a piece of them with context parallelism).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from genolm.models.config import DecoderConfig
from genolm.models.context_parallel import RemotePast, piece
from genolm.models.decoder import DecoderOutput
from genolm.training.objective import counted_targets


class Predictions(NamedTuple):
    """What a pass gives for this process's positions.

    Attributes:
        output: the network's.
        targets_BL: the token that follows each position.
        counted_BL: whether that is a base of the same document.
    """

    output: DecoderOutput
    targets_BL: Tensor
    counted_BL: Tensor


class Passes:
    """How batches go through the network.

    Args:
        config: of the decoder.
        base_ids: token ids of the bases.
        device: where the network is.
        bf16: whether to multiply in bf16.
        group: processes that share each row; None for whole rows.
    """

    def __init__(
        self,
        config: DecoderConfig,
        base_ids: tuple[int, ...],
        device: torch.device,
        bf16: bool,
        group: dist.ProcessGroup | None,
    ) -> None:
        self._config, self._device, self._bf16, self._group = config, device, bf16, group
        self._bases = torch.tensor(sorted(base_ids), device=device)

    def tensors(self, ids: NDArray[np.uint8], documents: NDArray[np.int32] | None) -> tuple[Tensor, Tensor | None]:
        """Token ids and documents on the device, (B, M) each."""
        ids_BM = torch.from_numpy(ids.astype(np.int64)).to(self._device)
        return ids_BM, None if documents is None else torch.from_numpy(documents).to(self._device)

    def counted(self, ids_BM: Tensor, documents_BM: Tensor | None) -> Tensor:
        """Which positions of the whole rows predict a base of their own document, (B, M - 1)."""
        return counted_targets(ids_BM, documents_BM, self._bases)

    def predict(
        self, network: nn.Module, ids_BM: Tensor, documents_BM: Tensor | None, router: bool = False
    ) -> Predictions:
        """Predict every token of the rows but the first from those before it."""
        ids_BT, counted_BT = ids_BM[:, :-1], self.counted(ids_BM, documents_BM)
        documents_BT = None if documents_BM is None else documents_BM[:, :-1]
        past = None
        own_ids, own_documents, targets, counted = ids_BT, documents_BT, ids_BM[:, 1:], counted_BT
        if self._group is not None:
            past = RemotePast(self._config.num_layers, ids_BT, documents_BT, self._group)
            own_ids, targets, counted = (piece(values, self._group) for values in (ids_BT, targets, counted_BT))
            own_documents = None if documents_BT is None else piece(documents_BT, self._group)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            output = network(own_ids, documents_BL=own_documents, cache=past, router=router)
        return Predictions(output, targets, counted)
