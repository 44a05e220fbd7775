"""One pass of a batch through the network: next tokens of a decoder, alone or with each row cut over a group of
processes, or hidden tokens of an encoder.

Shapes: B rows, M tokens of a row, L positions predicted from (M - 1 of a decoder, M of an encoder; a piece of them with
context parallelism), N positions that count, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn

from genolm.models.networks.attention.context_parallel import RemotePast, piece
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.training.corpus.order import Rows
from genolm.training.objectives.next_token import counted_targets


class Batch(NamedTuple):
    """Rows on the device.

    Attributes:
        ids_BM: token ids.
        documents_BM: document of every token; None when each row is one.
        real_BM: which places hold a token at all; None where that need not be known.
        targets_BL: what is to be said at each position.
        counted_BL: the positions where it counts.
    """

    ids_BM: Tensor
    documents_BM: Tensor | None
    real_BM: Tensor | None
    targets_BL: Tensor
    counted_BL: Tensor

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.ids_BM)

    def rows(self, rows: slice) -> Batch:
        """Some of the rows."""
        documents = None if self.documents_BM is None else self.documents_BM[rows]
        real = None if self.real_BM is None else self.real_BM[rows]
        return Batch(self.ids_BM[rows], documents, real, self.targets_BL[rows], self.counted_BL[rows])

    def without_targets(self) -> Batch:
        """One row in which nothing counts, for a process that has to take part."""
        row = self.rows(slice(0, 1))
        return row._replace(counted_BL=torch.zeros_like(row.counted_BL))


class Predictions(NamedTuple):
    """What a pass gives for this process's positions.

    Attributes:
        logits_NV: at the positions that count.
        targets_N: what should have been said there.
        counted_BL: which positions those are.
        router: router logits of every layer of a decoder with experts.
    """

    logits_NV: Tensor
    targets_N: Tensor
    counted_BL: Tensor
    router: tuple[Tensor, ...] = ()


class Passes(Protocol):
    """How batches go through a network."""

    def tensors(self, rows: Rows) -> Batch:
        """Rows on the device, with what is to be predicted."""
        ...

    def predict(self, network: nn.Module, batch: Batch, router: bool = False) -> Predictions:
        """What the network says at the positions that count."""
        ...


class CausalPasses:
    """Every token of a row but the first is predicted from those before it.

    Args:
        config: of the decoder.
        targets_V: which token ids are targets.
        device: where the network is.
        bf16: whether to multiply in bf16.
        group: processes that share each row; None for whole rows.
    """

    def __init__(
        self,
        config: DecoderConfig,
        targets_V: Tensor,
        device: torch.device,
        bf16: bool,
        group: dist.ProcessGroup | None,
    ) -> None:
        self._config, self._device, self._bf16, self._group = config, device, bf16, group
        self._targets = targets_V.nonzero()[:, 0].to(device)

    def tensors(self, rows: Rows) -> Batch:
        """Rows on the device; a token counts when it is a target and follows a token of its own document."""
        ids_BM = torch.from_numpy(rows.ids_RL.astype("int64")).to(self._device)
        documents = rows.documents_RL
        documents_BM = None if documents is None else torch.from_numpy(documents).to(self._device)
        return Batch(ids_BM, documents_BM, None, ids_BM[:, 1:], counted_targets(ids_BM, documents_BM, self._targets))

    def predict(self, network: nn.Module, batch: Batch, router: bool = False) -> Predictions:
        """Predict every token of the rows but the first from those before it."""
        ids_BT, documents_BM = batch.ids_BM[:, :-1], batch.documents_BM
        documents_BT = None if documents_BM is None else documents_BM[:, :-1]
        past = None
        ids, local_documents, targets, counted = ids_BT, documents_BT, batch.targets_BL, batch.counted_BL
        if self._group is not None:
            past = RemotePast(self._config.num_layers, ids_BT, documents_BT, self._group)
            ids, targets, counted = (piece(values, self._group) for values in (ids_BT, targets, counted))
            local_documents = None if documents_BT is None else piece(documents_BT, self._group)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            output = network(ids, documents_BL=local_documents, cache=past, router=router)
        return Predictions(output.logits_BLV[counted], targets[counted], counted, output.router)


class MaskedPasses:
    """Hidden tokens of a row are predicted from all others.

    Args:
        config: of the encoder.
        device: where the network is.
        bf16: whether to multiply in bf16.
    """

    def __init__(self, config: EncoderConfig, device: torch.device, bf16: bool) -> None:
        self._config, self._device, self._bf16 = config, device, bf16

    def tensors(self, rows: Rows) -> Batch:
        """Rows on the device; what has a label counts."""
        assert rows.labels_RL is not None and rows.lengths_R is not None
        ids, labels = (
            torch.from_numpy(values.astype("int64")).to(self._device) for values in (rows[0], rows.labels_RL)
        )
        lengths = torch.from_numpy(rows.lengths_R).to(self._device)
        real = torch.arange(ids.shape[1], device=self._device) < lengths[:, None]
        return Batch(ids, None, real, labels, labels >= 0)

    def predict(self, network: nn.Module, batch: Batch, router: bool = False) -> Predictions:
        """Predict the hidden tokens; the head computes nothing for the others."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            output = network(batch.ids_BM, mask_BL=batch.real_BM, logits=batch.counted_BL)
        return Predictions(output.logits, batch.targets_BL[batch.counted_BL], batch.counted_BL)
