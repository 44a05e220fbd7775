"""Passes of training batches through the network.

Decoders predict next tokens, optionally with each row divided over a group of processes; encoders predict masked
tokens.

Shapes: B rows, M tokens of a row, L positions predicted from (M - 1 for a decoder, M for an encoder; a piece of them
with context parallelism), N counted positions, V vocabulary.
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
    """Rows of tokens on the device.

    Attributes:
        ids_BM: token ids.
        documents_BM: document of each token; None if each row is one document.
        real_BM: True for tokens, False for padding; None if it is not needed.
        targets_BL: target token at each position
        counted_BL: positions that count in the loss.
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
        """Return some of the rows."""
        documents = None if self.documents_BM is None else self.documents_BM[rows]
        real = None if self.real_BM is None else self.real_BM[rows]
        return Batch(self.ids_BM[rows], documents, real, self.targets_BL[rows], self.counted_BL[rows])

    def without_targets(self) -> Batch:
        """A dummy row with zero weight, so that this rank joins the collective."""
        row = self.rows(slice(0, 1))
        return row._replace(counted_BL=torch.zeros_like(row.counted_BL))


class Predictions(NamedTuple):
    """Predictions at this process's counted positions.

    Attributes:
        logits_NV: logits at the counted positions.
        targets_N: target tokens at these positions.
        counted_BL: the counted positions.
        router: router logits of every layer, for a decoder with experts.
    """

    logits_NV: Tensor
    targets_N: Tensor
    counted_BL: Tensor
    router: tuple[Tensor, ...] = ()


class Passes(Protocol):
    """Conversion of rows into batches, and their pass through a network."""

    def tensors(self, rows: Rows) -> Batch:
        """Return rows on the device, with their targets."""
        ...

    def predict(self, network: nn.Module, batch: Batch, router: bool = False) -> Predictions:
        """Return the network's predictions at the counted positions."""
        ...


class CausalPasses:
    """Passes in which each token but the first is predicted from the preceding ones.

    Args:
        config: config of the decoder.
        targets_V: True for token ids that are targets.
        device: device of the network.
        bf16: whether to use bf16.
        group: processes that share each row; None for undivided rows.
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
        """Return rows on the device; a token counts if it is a target and follows a token of its own document."""
        ids_BM = torch.from_numpy(rows.ids_RL.astype("int64")).to(self._device)
        documents = rows.documents_RL
        documents_BM = None if documents is None else torch.from_numpy(documents).to(self._device)
        return Batch(ids_BM, documents_BM, None, ids_BM[:, 1:], counted_targets(ids_BM, documents_BM, self._targets))

    def predict(self, network: nn.Module, batch: Batch, router: bool = False) -> Predictions:
        """Predict every token of the rows but the first from the preceding ones."""
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
    """Passes in which masked tokens are predicted from all others.

    Args:
        config: config of the encoder.
        device: device of the network.
        bf16: whether to use bf16.
    """

    def __init__(self, config: EncoderConfig, device: torch.device, bf16: bool) -> None:
        self._config, self._device, self._bf16 = config, device, bf16

    def tensors(self, rows: Rows) -> Batch:
        """Return rows on the device; tokens with a label count."""
        assert rows.labels_RL is not None and rows.lengths_R is not None
        ids, labels = (
            torch.from_numpy(values.astype("int64")).to(self._device) for values in (rows[0], rows.labels_RL)
        )
        lengths = torch.from_numpy(rows.lengths_R).to(self._device)
        real = torch.arange(ids.shape[1], device=self._device) < lengths[:, None]
        return Batch(ids, None, real, labels, labels >= 0)

    def predict(self, network: nn.Module, batch: Batch, router: bool = False) -> Predictions:
        """Predict the masked tokens; the head is computed for these only."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            output = network(batch.ids_BM, mask_BL=batch.real_BM, logits=batch.counted_BL)
        return Predictions(output.logits, batch.targets_BL[batch.counted_BL], batch.counted_BL)
