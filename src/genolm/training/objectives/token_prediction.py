"""Prediction of tokens: the next ones by decoders, masked ones by encoders.

Decoders may have each row divided over a group of processes.

Shapes: B rows, M tokens of a row, L positions predicted from (M - 1 for a decoder, M for an encoder; a piece of them
with context parallelism), N counted positions, V vocabulary.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from genolm.models.networks.attention.context_parallel import RemotePast, piece
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.training.objectives.next_token import RouterLosses, counted_targets, router_losses
from genolm.training.rows import Rows
from genolm.training.trainer.objective import Loss, Sums


class TokenBatch(NamedTuple):
    """Rows of tokens on the device.

    Attributes:
        ids_BM: token ids.
        documents_BM: document of each token; None if each row is one document.
        real_BM: True for tokens, False for padding; None if it is not needed.
        targets_BL: target token at each position.
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

    @property
    def weight(self) -> Tensor:
        """Number of counted tokens."""
        return self.counted_BL.sum()

    def rows(self, rows: slice) -> TokenBatch:
        """Return some of the rows."""
        documents = None if self.documents_BM is None else self.documents_BM[rows]
        real = None if self.real_BM is None else self.real_BM[rows]
        return TokenBatch(self.ids_BM[rows], documents, real, self.targets_BL[rows], self.counted_BL[rows])

    def without_targets(self) -> TokenBatch:
        """Return one row with weight zero, so that this rank joins the collective."""
        row = self.rows(slice(0, 1))
        return row._replace(counted_BL=torch.zeros_like(row.counted_BL))

    def values(self) -> Iterator[tuple[str, Tensor]]:
        """Yield nothing: token ids are always finite."""
        return iter(())


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


class TokenPrediction(ABC):
    """Cross-entropy of tokens.

    Args:
        device: device of the network.
        bf16: whether to use bf16.
        bases_V: bases of each target token; None if each is one base.
        experts: config of a decoder with experts; None without experts.
    """

    loss_name = "bits_per_base"
    higher_is_better: Collection[str] = ("accuracy",)

    def __init__(
        self,
        device: torch.device,
        bf16: bool,
        bases_V: Tensor | None,
        experts: DecoderConfig | None = None,
    ) -> None:
        self._device, self._bf16 = device, bf16
        self._bases_V = None if bases_V is None else bases_V.to(device)
        self._experts = experts

    @abstractmethod
    def batch(self, rows: Rows, held_out: bool = False) -> TokenBatch:
        """Return rows on the device, with their targets."""

    @abstractmethod
    def predict(self, network: nn.Module, batch: TokenBatch, router: bool = False) -> Predictions:
        """Return the network's predictions at the counted positions."""

    def loss(self, network: nn.Module, batch: TokenBatch) -> Loss:
        """Return the cross-entropy in nats; with experts, the losses of the router are added for each token."""
        predictions = self.predict(network, batch, router=self._experts is not None)
        nats = F.cross_entropy(predictions.logits_NV, predictions.targets_N, reduction="sum")
        count = predictions.counted_BL.sum()
        loss, router = nats, None
        if self._experts is not None and bool(count):
            router = router_losses(predictions.router, self._experts, predictions.counted_BL)
            extra = self._experts.router_aux_coef * router.balance + self._experts.router_z_coef * router.z
            loss = loss + extra * count
        return Loss(loss, self._sums(predictions, nats, router))

    def evaluate(self, network: nn.Module, batch: TokenBatch) -> Sums:
        """Return nats, tokens, bases, and the number of tokens that the network ranks first."""
        predictions = self.predict(network, batch)
        nats = F.cross_entropy(predictions.logits_NV, predictions.targets_N, reduction="sum")
        correct = (predictions.logits_NV.argmax(-1) == predictions.targets_N).sum()
        count = torch.tensor(float(len(predictions.targets_N)), device=nats.device)
        bases = self._bases(predictions, count)
        return {"loss": nats.double(), "weight": count.double(), "bases": bases, "correct": correct.double()}

    def metrics(self, sums: Mapping[str, Any]) -> dict[str, Any]:
        """Return bits per base; with byte-pair tokens, nats per token; with experts, losses and loads of the router."""
        counted, bases = max(1.0, sums["weight"]), max(1.0, sums["bases"])
        report: dict[str, Any] = {"bits_per_base": round(sums["loss"] / bases / math.log(2), 5)}
        if self._bases_V is not None:
            report["nats_per_token"] = round(sums["loss"] / counted, 5)
        if self._experts is not None:
            report |= {"load_balancing": sums["balance"] / counted, "router_z": sums["z"] / counted}
            report["expert_load"] = [[round(load / counted, 4) for load in layer] for layer in sums["load"]]
        return report

    def held_out_metrics(self, sums: Mapping[str, Any]) -> dict[str, float | None]:
        """Return bits per base; with byte-pair tokens, also nats per token and the accuracy of the first rank."""
        bits = {"bits_per_base": sums["loss"] / sums["bases"] / math.log(2)}
        if self._bases_V is None:
            return bits
        return {
            **bits,
            "nats_per_token": sums["loss"] / sums["weight"],
            "accuracy": sums["correct"] / sums["weight"],
        }

    def frequency_bits(self, shares_V: NDArray[np.float64], rows: Rows) -> float | None:
        """Return the bits per base of held-out tokens from token frequencies alone, as a baseline; None if none count.

        Args:
            shares_V: frequency of each token.
            rows: held-out rows.
        """
        assert self._bases_V is not None
        batch = self.batch(rows, held_out=True)
        targets_N = batch.targets_BL[batch.counted_BL].cpu()
        if not len(targets_N):
            return None
        bits = -torch.from_numpy(np.log2(np.maximum(shares_V, 1e-300)))[targets_N].sum()
        return float(bits / self._bases_V.cpu()[targets_N].sum())

    def _bases(self, predictions: Predictions, count: Tensor) -> Tensor:
        return (count if self._bases_V is None else self._bases_V[predictions.targets_N].sum()).double()

    def _sums(self, predictions: Predictions, nats: Tensor, router: RouterLosses | None) -> Sums:
        """Return nats, tokens, bases, and router statistics weighted by tokens."""
        count = predictions.counted_BL.sum().double()
        sums = {"loss": nats.detach().double(), "weight": count, "bases": self._bases(predictions, count)}
        if self._experts is None:
            return sums
        shape = (self._experts.num_layers, self._experts.num_experts)
        if router is None:
            nothing = torch.zeros((), device=nats.device, dtype=torch.float64)
            return {**sums, "balance": nothing, "z": nothing, "load": nothing.expand(shape)}
        values = {"balance": router.balance, "z": router.z, "load": router.load_LE}
        return {**sums, **{name: value.detach().double() * count for name, value in values.items()}}


class CausalObjective(TokenPrediction):
    """Prediction of each token but the first from the preceding ones.

    Args:
        config: config of the decoder.
        targets_V: True for token ids that are targets.
        device: device of the network.
        bf16: whether to use bf16.
        bases_V: bases of each target token; None if each is one base.
        group: processes that share each row; None for undivided rows.
    """

    def __init__(
        self,
        config: DecoderConfig,
        targets_V: Tensor,
        device: torch.device,
        bf16: bool,
        bases_V: Tensor | None = None,
        group: dist.ProcessGroup | None = None,
    ) -> None:
        super().__init__(device, bf16, bases_V, config if config.num_experts else None)
        self._layers, self._group = config.num_layers, group
        self._targets = targets_V.nonzero()[:, 0].to(device)

    def batch(self, rows: Rows, held_out: bool = False) -> TokenBatch:
        """Return rows on the device; a token counts if it is a target and follows a token of its own document.

        In held-out evaluation only the second half of each row counts: every token there has at least half a row
        before it.
        """
        ids_BM = torch.from_numpy(rows.ids_RL.astype("int64")).to(self._device)
        documents = rows.documents_RL
        documents_BM = None if documents is None else torch.from_numpy(documents).to(self._device)
        counted_BL = counted_targets(ids_BM, documents_BM, self._targets)
        if held_out:
            width = ids_BM.shape[1]
            lengths = torch.full((len(ids_BM),), width) if rows.lengths_R is None else torch.from_numpy(rows.lengths_R)
            second_BL = torch.arange(1, width) >= (lengths // 2)[:, None]
            counted_BL = counted_BL & second_BL.to(self._device)
        return TokenBatch(ids_BM, documents_BM, None, ids_BM[:, 1:], counted_BL)

    def predict(self, network: nn.Module, batch: TokenBatch, router: bool = False) -> Predictions:
        """Predict every token of the rows but the first from the preceding ones."""
        ids_BT, documents_BM = batch.ids_BM[:, :-1], batch.documents_BM
        documents_BT = None if documents_BM is None else documents_BM[:, :-1]
        past = None
        ids, local_documents, targets, counted = ids_BT, documents_BT, batch.targets_BL, batch.counted_BL
        if self._group is not None:
            past = RemotePast(self._layers, ids_BT, documents_BT, self._group)
            ids, targets, counted = (piece(values, self._group) for values in (ids_BT, targets, counted))
            local_documents = None if documents_BT is None else piece(documents_BT, self._group)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            output = network(ids, documents_BL=local_documents, cache=past, router=router)
        return Predictions(output.logits_BLV[counted], targets[counted], counted, output.router)


class MaskedObjective(TokenPrediction):
    """Prediction of masked tokens from all others.

    Args:
        device: device of the network.
        bf16: whether to use bf16.
        bases_V: bases of each target token.
    """

    def __init__(self, device: torch.device, bf16: bool, bases_V: Tensor | None = None) -> None:
        super().__init__(device, bf16, bases_V)

    def batch(self, rows: Rows, held_out: bool = False) -> TokenBatch:
        """Return rows on the device; tokens with a label count."""
        assert rows.targets is not None and rows.lengths_R is not None
        ids, labels = (torch.from_numpy(values.astype("int64")).to(self._device) for values in (rows[0], rows.targets))
        lengths = torch.from_numpy(rows.lengths_R).to(self._device)
        real = torch.arange(ids.shape[1], device=self._device) < lengths[:, None]
        return TokenBatch(ids, None, real, labels, labels >= 0)

    def predict(self, network: nn.Module, batch: TokenBatch, router: bool = False) -> Predictions:
        """Predict the masked tokens; the head is computed for these only."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            output = network(batch.ids_BM, mask_BL=batch.real_BM, logits=batch.counted_BL)
        return Predictions(output.logits, batch.targets_BL[batch.counted_BL], batch.counted_BL)
