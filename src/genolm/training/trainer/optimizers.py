"""Optimizers of a run, and their parameter groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from genolm.errors import InputError
from genolm.training.trainer.muon import Muon
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


def freeze(network: nn.Module, plan: OptimizerRecipe) -> None:
    """Exclude the weights with rate 0 from training."""
    for name, weight in network.named_parameters():
        if plan.rate_of(part_of(name)) == 0:
            weight.requires_grad_(False)


def part_of(name: str) -> str:
    """Return the name of a weight in its backbone, or in the heads of a network with heads."""
    return name.removeprefix("backbone.")


def build_optimizer(network: nn.Module, plan: OptimizerRecipe) -> Optimizers:
    """Create AdamW or Adafactor for all trainable weights, or Muon for the matrices inside layers and AdamW for others.

    There are three kinds of groups: matrices with weight decay, vectors and embeddings without, and k-mer tables at
    their own rate. Parts of the network with another rate have groups of their own.

    Raises:
        InputError: no weight is trainable, or a part that ``rates`` names does not exist.
    """
    named = {part_of(name): weight for name, weight in network.named_parameters() if weight.requires_grad}
    _check_parts(network, plan)
    if not named:
        raise InputError("no weight is trainable: all rates are 0", value=dict(plan.rates))
    muon = {name for name, weight in named.items() if plan.name == "muon" and _is_hidden_matrix(name, weight)}
    others = [(name, weight) for name, weight in named.items() if name not in muon]
    kinds = [(name, weight, _kind(name, weight)) for name, weight in others]
    groups = []
    for rate in _rates(plan, named):
        for kind, decay, factor in (
            ("matrix", plan.weight_decay, 1.0),
            ("plain", 0.0, 1.0),
            ("table", 0.0, plan.kmer_rate_factor),
        ):
            weights = [weight for name, weight, found in kinds if found == kind and plan.rate_of(name) == rate]
            groups.append(_group(weights, decay, plan.learning_rate * factor * rate))
    parts = [_first_optimizer([group for group in groups if group["params"]], plan)] if others else []
    if muon:
        hidden = [
            _group(
                [named[name] for name in named if name in muon and plan.rate_of(name) == rate],
                plan.weight_decay,
                plan.muon_learning_rate * rate,
            )
            for rate in _rates(plan, muon)
        ]
        parts.append(Muon(hidden, lr=plan.muon_learning_rate))
    return Optimizers(parts)


def _first_optimizer(groups: Groups, plan: OptimizerRecipe) -> torch.optim.Optimizer:
    if plan.name == "adafactor":
        return torch.optim.Adafactor(groups, lr=plan.learning_rate)
    return torch.optim.AdamW(groups, lr=plan.learning_rate, betas=plan.betas, eps=plan.epsilon, fused=True)


def _kind(name: str, weight: Tensor) -> str:
    if ".tables." in name and not name.startswith("heads."):
        return "table"
    return "plain" if weight.ndim == 1 or name.startswith("embedding.") else "matrix"


def _is_hidden_matrix(name: str, weight: Tensor) -> bool:
    """Return whether Muon updates a weight: a matrix inside a layer, but not a low-rank update."""
    return _kind(name, weight) == "matrix" and name.startswith("layers.") and weight.ndim == 2 and "lora_" not in name


def _rates(plan: OptimizerRecipe, names: Iterable[str]) -> list[float]:
    """Return the distinct rates of weights, that of the optimizer first."""
    return sorted({plan.rate_of(name) for name in names}, key=lambda rate: (rate != 1.0, rate))


def _check_parts(network: nn.Module, plan: OptimizerRecipe) -> None:
    names = [f"{part_of(name)}." for name, _ in network.named_parameters()]
    for part in plan.rates:
        if not any(name.startswith(f"{part}.") for name in names):
            raise InputError("rates names a part that the network does not have", value=part)


def _group(weights: Sequence[Tensor], decay: float, peak: float) -> dict[str, Any]:
    return {"params": list(weights), "weight_decay": decay, "peak": peak}
