"""Batches of objectives that train a head: one sequence per row, with targets for the sequence or its tokens.

Shapes: B rows, L tokens of the longest row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from genolm.models.heads.headed_network import HeadedNetwork
from genolm.training.rows import Rows
from genolm.training.trainer.objective import Loss, Sums

_ROUNDING = 1e-12  # of sums in fp64, relative to their terms


class HeadBatch(NamedTuple):
    """Rows on the device with targets.

    Attributes:
        ids_BL: token ids.
        mask_BL: True for real tokens.
        targets: what the outputs of the head are compared with, (B, …).
        counted: rows (B,) or tokens (B, L) that count in the loss.
        each: number of values of a counted row or token.
    """

    ids_BL: Tensor
    mask_BL: Tensor
    targets: Tensor
    counted: Tensor
    each: int

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.ids_BL)

    @property
    def weight(self) -> Tensor:
        """Number of values that count."""
        return self.counted.sum() * self.each

    def rows(self, rows: slice) -> HeadBatch:
        """Return some of the rows."""
        return HeadBatch(self.ids_BL[rows], self.mask_BL[rows], self.targets[rows], self.counted[rows], self.each)

    def without_targets(self) -> HeadBatch:
        """Return one row with weight zero, so that this rank joins the collective."""
        row = self.rows(slice(0, 1))
        return row._replace(counted=torch.zeros_like(row.counted))

    def values(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the targets."""
        yield "the targets", self.targets


class HeadObjective(ABC):
    """Objective that trains one head of a network.

    Args:
        head: name of the head.
        outputs: number of values of a row or token in the loss.
        device: device of the network.
        bf16: whether the backbone uses bf16; heads compute in the precision of their weights.
    """

    loss_name = "loss"
    higher_is_better: Collection[str] = ()

    def __init__(self, head: str, outputs: int, device: torch.device, bf16: bool) -> None:
        self._head, self._each, self._device, self._bf16 = head, outputs, device, bf16

    def batch(self, rows: Rows, held_out: bool = False) -> HeadBatch:
        """Return rows on the device; held-out rows count as those of training do."""
        assert rows.targets is not None and rows.lengths_R is not None
        ids_BL = torch.from_numpy(rows.ids_RL.astype("int64")).to(self._device)
        lengths_B = torch.from_numpy(rows.lengths_R).to(self._device)
        mask_BL = torch.arange(ids_BL.shape[1], device=self._device) < lengths_B[:, None]
        targets = torch.from_numpy(rows.targets).to(self._device)
        counted = torch.ones(len(ids_BL), dtype=torch.bool) if rows.counted_RL is None else rows.counted_RL
        return HeadBatch(ids_BL, mask_BL, targets, torch.as_tensor(counted).to(self._device), self._each)

    def loss(self, network: nn.Module, batch: HeadBatch) -> Loss:
        """Return the loss, summed over the values that count."""
        outputs, targets = self._counted(network, batch)
        total = self._trained_total(outputs, targets)
        return Loss(total, {"loss": total.detach().double(), "weight": batch.weight.double()})

    def evaluate(self, network: nn.Module, batch: HeadBatch) -> Sums:
        """Return loss, weight, and what further metrics are computed from."""
        outputs, targets = self._counted(network, batch)
        sums = {"loss": self._total(outputs, targets).double(), "weight": batch.weight.double()}
        assert isinstance(network, HeadedNetwork)
        return {**sums, **self._further(network, outputs, targets)}

    def metrics(self, sums: Mapping[str, Any]) -> dict[str, Any]:
        """Return the mean loss."""
        return {"loss": round(sums["loss"] / max(1.0, sums["weight"]), 6)}

    @abstractmethod
    def held_out_metrics(self, sums: Mapping[str, Any]) -> dict[str, float | None]:
        """Return the metrics of a held-out evaluation from its sums; None for one that is undefined."""

    @abstractmethod
    def _total(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of counted outputs, summed."""

    def _trained_total(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss that is trained, summed; that of evaluation unless an objective weights it."""
        return self._total(outputs, targets)

    @abstractmethod
    def _further(self, network: HeadedNetwork, outputs: Tensor, targets: Tensor) -> Sums:
        """Return sums for further metrics of counted outputs."""

    def _counted(self, network: nn.Module, batch: HeadBatch) -> tuple[Tensor, Tensor]:
        """Return outputs and targets of the rows or tokens that count, (N, …)."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            outputs = network(batch.ids_BL, mask_BL=batch.mask_BL, heads=(self._head,))[self._head]
        return outputs[batch.counted].float(), batch.targets[batch.counted]


def moments(predicted_NC: Tensor, observed_NC: Tensor) -> Sums:
    """Return the sums from which :func:`mean_correlation` computes correlations; they add up over batches."""
    x_NC, y_NC = predicted_NC.double(), observed_NC.double()
    count_C = torch.full(x_NC.shape[1:], float(len(x_NC)), device=x_NC.device, dtype=torch.float64)
    products = (x_NC, y_NC, x_NC.square(), y_NC.square(), x_NC * y_NC)
    return {"moments": torch.stack([count_C, *(values.sum(0) for values in products)])}


def mean_correlation(sums: Mapping[str, Any]) -> float | None:
    """Return the mean Pearson correlation over columns; None if all values of a column are equal."""
    n, x, y, xx, yy, xy = torch.tensor(sums["moments"], dtype=torch.float64)
    spread_x, spread_y = n * xx - x.square(), n * yy - y.square()
    # Of equal values, rounding leaves a little more or less than 0.
    if not bool(((spread_x > _ROUNDING * n * xx) & (spread_y > _ROUNDING * n * yy)).all()):
        return None
    return float(((n * xy - x * y) / (spread_x * spread_y).sqrt()).mean())
