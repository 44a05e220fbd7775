"""Linear layers with a low-rank update, added to a network for training and merged into its weights for inference.

Shapes: I inputs, O outputs, R rank.
"""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genolm.errors import ModelError
from genolm.models.heads.headed_network import HeadedNetwork
from genolm.models.lora.lora_config import LoraConfig
from genolm.models.networks.network import Backbone, Network

AdaptedT = TypeVar("AdaptedT", bound=Backbone | HeadedNetwork)


class LoraLinear(nn.Linear):
    """Linear layer ``x W + scale * (x A) B``, whose weight and bias are those of another layer, under the same names.

    Args:
        linear: layer to adapt.
        config: config of the adapter.
        generator: generator of the initial ``A``, uniform within the bounds of torch's linear layers; ``B`` is zero.
    """

    def __init__(self, linear: nn.Linear, config: LoraConfig, generator: torch.Generator) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        self.scale, self.dropout = config.scale, nn.Dropout(config.dropout)
        # At least fp32: steps of an optimizer are lost in the rounding of narrower types.
        kind, device = torch.promote_types(linear.weight.dtype, torch.float32), linear.weight.device
        bound = linear.in_features**-0.5
        initial_RI = torch.empty(config.rank, linear.in_features).uniform_(-bound, bound, generator=generator)
        self.lora_A = nn.Parameter(initial_RI.to(device, kind))
        self.lora_B = nn.Parameter(torch.zeros(linear.out_features, config.rank, dtype=kind, device=device))

    def forward(self, input: Tensor) -> Tensor:
        """Return the output, (…, O), for (…, I)."""
        out = F.linear(input, self.weight, self.bias)
        low = F.linear(self.dropout(input.to(self.lora_A.dtype)), self.lora_A)
        return out + (F.linear(low, self.lora_B) * self.scale).to(out.dtype)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """Return a plain layer with the update added to the weight."""
        plain = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        update_OI = (self.lora_B @ self.lora_A) * self.scale
        plain.weight = nn.Parameter((self.weight.to(update_OI.dtype) + update_OI).to(self.weight.dtype))
        plain.bias = self.bias
        return plain


def add_lora(network: AdaptedT, config: LoraConfig, seed: int = 0) -> AdaptedT:
    """Freeze a backbone and add low-rank updates to its linear layers, in place; added heads stay trainable.

    Args:
        network: backbone, or a network with heads.
        config: config of the adapter.
        seed: random seed of the initial updates, which change nothing until they are trained.

    Returns:
        The network: trainable are the updates, ``modules_to_save`` and added heads.

    Raises:
        ModelError: a target or a module to save does not exist, or a target is a stack of experts.
    """
    root = network.root
    targets = _targets(root, config)
    root.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for path, linear in targets:
        _replace(root, path, LoraLinear(linear, config, generator))
    for name in config.modules_to_save:
        module = _module(root, name)
        if adapted := lora_layers(module):
            raise ModelError(f"{name}.{adapted[0][0]} cannot be both adapted and trained in full")
        module.requires_grad_(True)
    return network


def merge_lora(network: AdaptedT) -> AdaptedT:
    """Add the low-rank updates of a network to its weights, in place, and remove them; return the network."""
    for path, layer in lora_layers(network):
        _replace(network, path, layer.merged())
    return network


def lora_layers(network: nn.Module) -> list[tuple[str, LoraLinear]]:
    """Return the adapted layers of a network by name."""
    return [(path, module) for path, module in network.named_modules() if isinstance(module, LoraLinear)]


def _module(root: Network, name: str) -> nn.Module:
    try:
        module = root.get_submodule(name) if name else None
    except AttributeError:
        module = None
    if module is None:
        names = ", ".join(name for name, _ in root.named_children())
        raise ModelError(f"the network has no module {name!r} to train in full; it has {names}")
    stored = {id(weight): path for path, weight in root.named_parameters()}
    if tied := [stored[id(weight)] for weight in module.parameters() if not stored[id(weight)].startswith(f"{name}.")]:
        raise ModelError(f"the module {name!r} shares the tensor {tied[0]}; name that module instead")
    return module


def _targets(root: Network, config: LoraConfig) -> list[tuple[str, nn.Linear]]:
    modules = dict(root.named_modules())
    chosen = []
    for target in config.targets:
        linear = [(path, module) for path, module in modules.items() if path.endswith(f".{target}")]
        found = [(path, module) for path, module in linear if isinstance(module, nn.Linear)]
        if not found:
            stacked = any(name.endswith((f".{target}", ".ffn.gate_up")) for name, _ in root.named_parameters())
            reason = "its experts are stacked tensors, which are not adapted" if stacked else "it has no such layer"
            raise ModelError(f"the target {target} is not applicable to this network: {reason}")
        chosen += found
    return chosen


def _replace(network: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, leaf = path.rpartition(".")
    setattr(network.get_submodule(parent), leaf, module.train(network.training))
