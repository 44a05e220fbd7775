"""What one layer of a stepping decoder remembers, and how the newest token attends to it.

Shapes: B sequences, C places, K key-value heads, N = B K, G query heads of each, E head width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor


class StepAttention(ABC):
    """Keys and values of the places so far, in the order in which the processor multiplies them soonest.

    Whole buffers are multiplied, as some kernels copy a part of one first; what is not yet written is zero.
    """

    keys: Tensor
    values: Tensor

    @abstractmethod
    def remember(self, k_NCE: Tensor, v_NCE: Tensor) -> None:
        """Stores the first keys and values, of as many places as they have."""

    @abstractmethod
    def grow(self, places: int) -> None:
        """Makes room behind those that are there."""

    @abstractmethod
    def attend(self, q_NGE: Tensor, k_NE: Tensor, v_NE: Tensor, hidden_N1C: Tensor, place: int) -> Tensor:
        """Writes a key and a value at a place; what the queries find, (N, G, E).

        ``hidden_N1C`` is added to the scores: 0, or minus infinity at places that nothing may see.
        """

    def keep(self, heads: Tensor) -> None:
        """Goes on with these of the N only."""
        self.keys, self.values = self.keys[heads], self.values[heads]


def step_attention(dtype: torch.dtype, device: torch.device) -> StepAttention:
    """The quicker order: of fp32, MKL multiplies a matrix by a column sooner than a row by a matrix (on an EPYC)."""
    return AlongRows() if dtype == torch.float32 and device.type == "cpu" else AcrossRows()


class AcrossRows(StepAttention):
    """Keys (N, E, C) and values (N, C, E), by which a query is multiplied as a row."""

    def remember(self, k_NCE: Tensor, v_NCE: Tensor) -> None:
        """Stores the first keys and values."""
        self.keys, self.values = k_NCE.transpose(1, 2), v_NCE

    def grow(self, places: int) -> None:
        """Makes room."""
        self.keys, self.values = F.pad(self.keys, (0, places)), F.pad(self.values, (0, 0, 0, places))

    def attend(self, q_NGE: Tensor, k_NE: Tensor, v_NE: Tensor, hidden_N1C: Tensor, place: int) -> Tensor:
        """What the queries find, after one more key and value."""
        self.keys.select(2, place).copy_(k_NE)
        self.values.select(1, place).copy_(v_NE)
        scores_NGC = torch.baddbmm(hidden_N1C, q_NGE, self.keys, alpha=q_NGE.shape[-1] ** -0.5)
        return torch.bmm(scores_NGC.softmax(-1), self.values)


class AlongRows(StepAttention):
    """Keys (N, C, E) and values (N, E, C), which are multiplied by a query as a column."""

    def remember(self, k_NCE: Tensor, v_NCE: Tensor) -> None:
        """Stores the first keys and values."""
        self.keys, self.values = k_NCE, v_NCE.transpose(1, 2)

    def grow(self, places: int) -> None:
        """Makes room."""
        self.keys, self.values = F.pad(self.keys, (0, 0, 0, places)), F.pad(self.values, (0, places))

    def attend(self, q_NGE: Tensor, k_NE: Tensor, v_NE: Tensor, hidden_N1C: Tensor, place: int) -> Tensor:
        """What the queries find, after one more key and value."""
        self.keys.select(1, place).copy_(k_NE)
        self.values.select(2, place).copy_(v_NE)
        hidden_NC1, q_NEG = hidden_N1C.transpose(1, 2), q_NGE.transpose(1, 2)
        scores_NCG = torch.baddbmm(hidden_NC1, self.keys, q_NEG, alpha=q_NGE.shape[-1] ** -0.5)
        weights_NCG = scores_NCG.transpose(1, 2).softmax(-1).transpose(1, 2)
        return torch.bmm(self.values, weights_NCG).transpose(1, 2)
