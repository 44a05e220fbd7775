"""Optimizers of a run, and their parameter groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from genolm.models.networks.network import Network
from genolm.training.trainer.training_plan import OptimizerRecipe

Groups = list[dict[str, Any]]


class Optimizers:
    """Several optimizers that act as one; their weights are numbered consecutively.

    Args:
        parts: the individual optimizers.
    """

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        self.parts = parts

    @property
    def param_groups(self) -> Groups:
        """All parameter groups; each has a key ``peak``, its peak learning rate."""
        return [group for part in self.parts for group in part.param_groups]

    def step(self) -> None:
        """Update the weights."""
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        """Reset the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def weights(self) -> list[Tensor]:
        """Return the weights in the order of their numbers."""
        return [weight for group in self.param_groups for weight in group["params"]]

    def state(self) -> dict[int, dict[str, Tensor]]:
        """Return moments and step counters by weight number."""
        state: dict[int, dict[str, Tensor]] = {}
        for first, part in zip(self._firsts(), self.parts, strict=True):
            state |= {first + index: values for index, values in part.state_dict()["state"].items()}
        return state

    def load_state(self, state: dict[int, dict[str, Tensor]]) -> None:
        """Restore the state returned by :meth:`state`."""
        for first, part in zip(self._firsts(), self.parts, strict=True):
            count = sum(len(group["params"]) for group in part.param_groups)
            local = {index - first: values for index, values in state.items() if first <= index < first + count}
            part.load_state_dict({"state": local, "param_groups": part.state_dict()["param_groups"]})

    def _firsts(self) -> list[int]:
        firsts, total = [], 0
        for part in self.parts:
            firsts.append(total)
            total += sum(len(group["params"]) for group in part.param_groups)
        return firsts


def build_optimizer(network: Network, plan: OptimizerRecipe) -> Optimizers:
    """Create AdamW for all weights, or Muon for the matrices inside layers and AdamW for the rest.

    AdamW has three groups: matrices with decay, vectors and embeddings without, k-mer tables at their own rate.
    """
    named = dict(network.named_parameters())
    tables = [weight for name, weight in named.items() if ".tables." in name]
    plain = [weight for name, weight in named.items() if weight.ndim == 1 or name.startswith("embedding.")]
    assigned = {id(weight) for weight in tables + plain}
    matrices = {name: weight for name, weight in named.items() if id(weight) not in assigned}
    hidden = [w for name, w in matrices.items() if plan.name == "muon" and name.startswith("layers.") and w.ndim == 2]
    assigned = {id(weight) for weight in hidden}
    groups = [
        _group([w for w in matrices.values() if id(w) not in assigned], plan.weight_decay, plan.learning_rate),
        _group(plain, 0.0, plan.learning_rate),
        _group(tables, 0.0, plan.learning_rate * plan.kmer_rate_factor),
    ]
    filled = [group for group in groups if group["params"]]
    adam = torch.optim.AdamW(filled, lr=plan.learning_rate, betas=plan.betas, eps=plan.epsilon, fused=True)
    parts: list[torch.optim.Optimizer] = [adam]
    if hidden:
        group = _group(hidden, plan.weight_decay, plan.muon_learning_rate)
        parts.append(torch.optim.Muon([group], lr=plan.muon_learning_rate, weight_decay=plan.weight_decay))
    return Optimizers(parts)


def _group(weights: Sequence[Tensor], decay: float, peak: float) -> dict[str, Any]:
    return {"params": list(weights), "weight_decay": decay, "peak": peak}
