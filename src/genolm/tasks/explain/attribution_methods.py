"""The number that is attributed to bases: a sum of log-probabilities of the bases themselves.

L bases of a sequence, context included; V choices, the four bases.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.errors import InputError
from genolm.models.networks.decoder import Decoder


@dataclass(frozen=True, slots=True)
class Objective:
    """Which log-probabilities are added up.

    Attributes:
        first: the first base that counts, 0-based in the sequence.
        end: one past the last.
    """

    first: int
    end: int

    @classmethod
    def of_window(cls, context: int, length: int) -> Objective:
        """All bases of the window that have a base before them.

        Raises:
            InputError: there is none.
        """
        if context + length < 2:
            raise InputError("one base without context has no likelihood", value=length)
        return cls(max(1, context), context + length)

    @classmethod
    def of_base(cls, context: int, length: int, position: int) -> Objective:
        """One base alone.

        Args:
            context: bases before the window.
            length: bases of the window.
            position: the base, 1-based in the window.

        Raises:
            InputError: no such base, or none before it.
        """
        if not 1 <= position <= length:
            raise InputError(f"the base is one of the window's, 1 to {length:,}", value=position)
        if context + position < 2:
            raise InputError("the first base has nothing before it; choose another, or give it context", value=position)
        return cls(context + position - 1, context + position)

    def value(self, network: Decoder, ids_1L: Tensor, targets_L4: Tensor, base_ids: tuple[int, ...]) -> Tensor:
        """The sum, a scalar that gradients flow from.

        Args:
            network: the decoder.
            ids_1L: token ids of the sequence.
            targets_L4: which base stands where, as 0 and 1; a leaf if the gradient in the bases as targets is wanted.
            base_ids: ids of A, C, G, T.
        """
        log_p_L4 = base_log_probs(network, ids_1L[:, : self.end - 1], base_ids)
        return (log_p_L4[self.first - 1 :] * targets_L4[self.first : self.end]).sum()


def base_log_probs(network: Decoder, ids_1L: Tensor, base_ids: tuple[int, ...]) -> Tensor:
    """Log-probabilities of A, C, G, T after every token, renormalised over these four; fp32 (L, 4)."""
    last = network.config.num_layers
    x_LD = network(ids_1L, layers=(last,), logits=False).hidden[last][0]
    return F.linear(x_LD, network.head.weight[list(base_ids)]).float().log_softmax(-1)


def one_hot(ids_L: Tensor, base_ids: tuple[int, ...]) -> Tensor:
    """1 where a base is A, C, G or T; all 0 for N; fp32 (L, 4)."""
    return (ids_L[:, None] == torch.tensor(base_ids, device=ids_L.device)).float()
