"""Feed-forward blocks: SwiGLU, and a mixture of SwiGLU experts with an fp32 router.

Shapes: N tokens, D residual width, F inner width, E experts, C experts chosen per token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genolm.models.kernels.compiled import compiled
from genolm.models.kernels.kernels import Operation
from genolm.models.linear import Linear, linear
from genolm.models.networks.bf16_training import is_trained_in_bf16, trained_swiglu

# Tokens that an expert processes at a time: enough for full speed, few enough to bound memory.
_TOKENS_AT_A_TIME = 1024


class SwiGLU(nn.Module):
    """``down(silu(gate(x)) * up(x))`` without biases."""

    def __init__(self, hidden_size: int, ffn_size: int) -> None:
        super().__init__()
        self.gate = Linear(hidden_size, ffn_size, bias=False)
        self.up = Linear(hidden_size, ffn_size, bias=False)
        self.down = Linear(ffn_size, hidden_size, bias=False)

    def forward(self, x_BLD: Tensor) -> tuple[Tensor, None]:
        """Return the output, (B, L, D), and no router logits."""
        maps = (self.gate, self.up, self.down)
        if all(type(one) is Linear for one in maps) and is_trained_in_bf16(x_BLD, self.down.weight):
            return trained_swiglu(x_BLD, *(one.weight for one in maps)), None
        return self.down(_gated(self.gate(x_BLD), self.up(x_BLD))), None


class MixtureOfExperts(nn.Module):
    """Mixture of SwiGLU experts: each token passes through C of E, weighted by a softmax over the chosen router logits.

    The router runs in fp32 for any precision of the weights; of equal logits the lower expert index is chosen, so
    that ties are the same on every device. No token is dropped.
    """

    def __init__(self, hidden_size: int, ffn_size: int, num_experts: int, experts_per_token: int) -> None:
        super().__init__()
        self.experts_per_token = experts_per_token
        self.router = nn.Linear(hidden_size, num_experts, bias=False)
        self.gate_up = nn.Parameter(torch.empty(num_experts, 2 * ffn_size, hidden_size))
        self.down = nn.Parameter(torch.empty(num_experts, hidden_size, ffn_size))

    def forward(self, x_BLD: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output, (B, L, D), and the raw router logits, fp32 (B * L, E)."""
        x_ND = x_BLD.reshape(-1, x_BLD.shape[-1])
        logits_NE = F.linear(x_ND.float(), self.router.weight.float())
        weights_NC, chosen_NC = choose_experts(logits_NE, self.experts_per_token)
        return self._mix(x_ND, weights_NC, chosen_NC).view_as(x_BLD), logits_NE

    def _mix(self, x_ND: Tensor, weights_NC: Tensor, chosen_NC: Tensor) -> Tensor:
        case = str(x_ND.dtype).removeprefix("torch.")
        mix = EXPERTS.kernel(case, "by expert") if x_ND.device.type == "cpu" else mix_by_expert
        return mix(x_ND, weights_NC, chosen_NC, self.gate_up, self.down)


def mix_by_expert(x_ND: Tensor, weights_NC: Tensor, chosen_NC: Tensor, gate_up_EFD: Tensor, down_EDF: Tensor) -> Tensor:
    """Return the sum of the experts' outputs, (N, D): each expert gathers its tokens and adds to their outputs.

    Args:
        x_ND: tokens.
        weights_NC: weight of each chosen expert.
        chosen_NC: chosen experts.
        gate_up_EFD: gate and up projections of each expert, stacked: (E, 2 F, D).
        down_EDF: down projections.
    """
    out_ND = torch.zeros_like(x_ND)
    for expert in range(len(gate_up_EFD)):
        tokens, slots = (chosen_NC == expert).nonzero(as_tuple=True)
        weights = weights_NC[tokens, slots, None].to(x_ND.dtype)
        for part, weight in zip(tokens.split(_TOKENS_AT_A_TIME), weights.split(_TOKENS_AT_A_TIME), strict=True):
            out_ND.index_add_(0, part, _expert(x_ND[part], gate_up_EFD[expert], down_EDF[expert]) * weight)
    return out_ND


def mix_sorted(x_ND: Tensor, weights_NC: Tensor, chosen_NC: Tensor, gate_up_EFD: Tensor, down_EDF: Tensor) -> Tensor:
    """Compute :func:`mix_by_expert` with the choices of all tokens sorted by expert, gathered and summed once."""
    order = chosen_NC.flatten().argsort(stable=True)
    sizes = torch.bincount(chosen_NC.flatten(), minlength=len(gate_up_EFD)).tolist()
    gathered = x_ND[order // chosen_NC.shape[1]].split(sizes)
    parts = [
        _expert(part, gate_up_EFD[expert], down_EDF[expert])
        for expert, rows in enumerate(gathered)
        for part in rows.split(_TOKENS_AT_A_TIME)
        if len(part)
    ]
    place = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))
    chosen_NCD = torch.cat(parts)[place].unflatten(0, tuple(chosen_NC.shape)) if parts else x_ND[:, None]
    return (chosen_NCD * weights_NC.to(x_ND.dtype)[..., None]).sum(1)


Mix = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]

EXPERTS: Operation[Mix] = Operation("experts", {"by expert": mix_by_expert, "sorted": mix_sorted})
"""Dispatch of tokens to their experts on a CPU."""


def _expert(x_ND: Tensor, gate_up_FD: Tensor, down_DF: Tensor) -> Tensor:
    gate, up = gate_up_FD.chunk(2)
    return linear(_gated(linear(x_ND, gate), linear(x_ND, up)), down_DF)


def _gated(gate: Tensor, up: Tensor) -> Tensor:
    """Return ``silu(gate) * up``; without gradients on a CPU by the kernel of the run."""
    if torch.is_grad_enabled() or gate.device.type != "cpu":
        return product_of_gate(gate, up)
    return GATE.kernel(str(gate.dtype).removeprefix("torch."), "eager")(gate, up)


def product_of_gate(gate: Tensor, up: Tensor) -> Tensor:
    """Return ``silu(gate) * up``."""
    return F.silu(gate) * up


def product_in_place(gate: Tensor, up: Tensor) -> Tensor:
    """Return ``silu(gate) * up`` in the memory of ``gate``."""
    return F.silu(gate, inplace=True).mul_(up)


GATE: Operation[Callable[[Tensor, Tensor], Tensor]] = Operation(
    "gate", {"eager": product_in_place, "compiled": compiled(product_of_gate)}
)
"""Gates of feed-forward blocks without gradients on a CPU."""


def choose_experts(logits_NE: Tensor, experts_per_token: int) -> tuple[Tensor, Tensor]:
    """Return weights (N, C), summing to one, and indices (N, C) of each token's experts; ties go to the lower index."""
    best, order = logits_NE.sort(dim=-1, descending=True, stable=True)
    return best[:, :experts_per_token].softmax(-1), order[:, :experts_per_token]


def load_balancing_loss(
    logits: Sequence[Tensor], experts_per_token: int, mask_N: Tensor | None = None, *, per_layer: bool = False
) -> Tensor:
    """Return the Switch auxiliary loss: E x sum over experts of share of choices x mean probability (C if balanced).

    Args:
        logits: raw router logits of each layer, (N, E).
        experts_per_token: number of experts per token, C.
        mask_N: True for real tokens; padding is left out.
        per_layer: whether to average the losses of layers (Megatron) or compute one over all tokens (transformers).
    """
    if per_layer:
        return torch.stack([load_balancing_loss([one], experts_per_token, mask_N) for one in logits]).mean()
    kept = [one if mask_N is None else one[mask_N] for one in logits]
    logits_NE = torch.cat(kept).float()
    _, chosen_NC = choose_experts(logits_NE, experts_per_token)
    share_E = F.one_hot(chosen_NC, logits_NE.shape[-1]).float().sum(1).mean(0)
    return logits_NE.shape[-1] * (share_E * logits_NE.softmax(-1).mean(0)).sum()


def router_z_loss(logits: Sequence[Tensor], mask_N: Tensor | None = None) -> Tensor:
    """Return the mean square of the router's log-partition (ST-MoE), which keeps the logits small."""
    kept = [one if mask_N is None else one[mask_N] for one in logits]
    return torch.cat(kept).float().logsumexp(-1).square().mean()


def expert_load(logits_NE: Tensor, experts_per_token: int) -> Tensor:
    """Return the share of a layer's choices that each expert received, (E,), summing to one."""
    _, chosen_NC = choose_experts(logits_NE, experts_per_token)
    return torch.bincount(chosen_NC.flatten(), minlength=logits_NE.shape[-1]).float() / chosen_NC.numel()
