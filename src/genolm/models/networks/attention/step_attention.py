"""Keys and values of a layer in stepping, and the attention of the newest token.

Shapes: B sequences, C positions, K key-value heads, N = B K, G query heads of each, E head width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.models.kernels.kernels import Operation


class StepAttention(ABC):
    """Keys and values of the positions so far, in the memory order that the processor multiplies fastest.

    Complete buffers are multiplied, because some kernels copy a part of one first; unwritten positions are zero.
    """

    keys: Tensor
    values: Tensor

    @abstractmethod
    def remember(self, k_NCE: Tensor, v_NCE: Tensor) -> None:
        """Store the first keys and values."""

    @abstractmethod
    def grow(self, positions: int) -> None:
        """Allocate further positions."""

    @abstractmethod
    def attend(self, q_NGE: Tensor, k_NE: Tensor, v_NE: Tensor, hidden_N1C: Tensor, position: int) -> Tensor:
        """Write a key and a value at a position; return the output for the queries, (N, G, E).

        ``hidden_N1C`` is added to the scores: 0, or minus infinity at masked positions.
        """

    def keep(self, heads: Tensor) -> None:
        """Keep only these of the N."""
        self.keys, self.values = self.keys[heads], self.values[heads]


class AcrossRows(StepAttention):
    """Keys (N, E, C) and values (N, C, E), with queries as rows."""

    def remember(self, k_NCE: Tensor, v_NCE: Tensor) -> None:
        """Store the first keys and values."""
        self.keys, self.values = k_NCE.transpose(1, 2), v_NCE

    def grow(self, positions: int) -> None:
        """Allocate further positions."""
        self.keys, self.values = F.pad(self.keys, (0, positions)), F.pad(self.values, (0, 0, 0, positions))

    def attend(self, q_NGE: Tensor, k_NE: Tensor, v_NE: Tensor, hidden_N1C: Tensor, position: int) -> Tensor:
        """Return the output for the queries after one more key and value."""
        self.keys.select(2, position).copy_(k_NE)
        self.values.select(1, position).copy_(v_NE)
        scores_NGC = torch.baddbmm(hidden_N1C, q_NGE, self.keys, alpha=q_NGE.shape[-1] ** -0.5)
        return torch.bmm(scores_NGC.softmax(-1), self.values)


class AlongRows(StepAttention):
    """Keys (N, C, E) and values (N, E, C), with queries as columns."""

    def remember(self, k_NCE: Tensor, v_NCE: Tensor) -> None:
        """Store the first keys and values."""
        self.keys, self.values = k_NCE, v_NCE.transpose(1, 2)

    def grow(self, positions: int) -> None:
        """Allocate further positions."""
        self.keys, self.values = F.pad(self.keys, (0, 0, 0, positions)), F.pad(self.values, (0, positions))

    def attend(self, q_NGE: Tensor, k_NE: Tensor, v_NE: Tensor, hidden_N1C: Tensor, position: int) -> Tensor:
        """Return the output for the queries after one more key and value."""
        self.keys.select(1, position).copy_(k_NE)
        self.values.select(2, position).copy_(v_NE)
        hidden_NC1, q_NEG = hidden_N1C.transpose(1, 2), q_NGE.transpose(1, 2)
        scores_NCG = torch.baddbmm(hidden_NC1, self.keys, q_NEG, alpha=q_NGE.shape[-1] ** -0.5)
        weights_NCG = scores_NCG.transpose(1, 2).softmax(-1).transpose(1, 2)
        return torch.bmm(self.values, weights_NCG).transpose(1, 2)


STEP_ATTENTION: Operation[type[StepAttention]] = Operation(
    "step_attention", {"across rows": AcrossRows, "along rows": AlongRows}
)
"""Order of keys and values in stepping on a CPU."""


def step_attention(dtype: torch.dtype, device: torch.device) -> StepAttention:
    """Return empty keys and values, on a CPU in the order of the run's kernel."""
    if device.type != "cpu":
        return AcrossRows()
    return STEP_ATTENTION.kernel(str(dtype).removeprefix("torch."), default_step_attention(dtype))()


def default_step_attention(dtype: torch.dtype) -> str:
    """Return the default order: in fp32, MKL multiplies a matrix by a column faster than a row by a matrix (EPYC)."""
    return "along rows" if dtype == torch.float32 else "across rows"
