"""Training of one arm with one seed: the same rows in the same order for every arm."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genolm.models.networks.decoder import Decoder
from genolm.models.networks.experts import load_balancing_loss, router_z_loss
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import DocumentSpan, RowOrder
from genolm.training.objectives.next_token import next_base_loss
from genolm.training.trainer.weights import initialise
from studies.gengram.arms import OPTIMIZER, Arm, PlainConvolution

TOKENIZER = NucleotideTokenizer(iupac="N")


@dataclass(frozen=True, slots=True)
class Size:
    """Amount of training.

    Attributes:
        context: bases per row.
        rows: rows per step.
        steps: number of optimizer steps.
    """

    context: int = 256
    rows: int = 16
    steps: int = 110

    @property
    def tokens(self) -> int:
        """Number of predicted bases."""
        return self.context * self.rows * self.steps


def build(arm: Arm, seed: int) -> Decoder:
    """Return the arm's network with its initial weights."""
    network = initialise(Decoder(arm.model, TOKENIZER.base_ids), seed)
    if arm.convolution:
        generator = torch.Generator().manual_seed(seed)
        for layer in network.layers:
            if layer.gengram is not None:
                layer.gengram = PlainConvolution(arm.model.hidden_size, arm.convolution)
                for weight in layer.gengram.parameters():
                    weight.data.normal_(0.0, arm.model.initial_std, generator=generator)
    for name, weight in network.named_parameters():
        weight.requires_grad_(not (arm.frozen_tables and ".tables." in name))
    return network


def build_optimizer(arm: Arm, network: Decoder) -> torch.optim.AdamW:
    """Return AdamW with groups (matrices; vectors and embeddings; tables), each with a learning-rate ``factor``."""
    named = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
    tables = [weight for name, weight in named.items() if ".tables." in name]
    plain = [w for name, w in named.items() if w.ndim == 1 or name == "embedding.weight"]
    taken = {id(weight) for weight in (*tables, *plain)}
    rest = [weight for weight in named.values() if id(weight) not in taken]
    decay = OPTIMIZER.weight_decay
    groups = [
        {"params": rest, "weight_decay": decay, "factor": 1.0},
        {"params": plain, "weight_decay": 0.0, "factor": 1.0},
        {"params": tables, "weight_decay": decay if arm.table_decay else 0.0, "factor": arm.table_rate},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], betas=OPTIMIZER.betas, fused=True)


def train(arm: Arm, runs: Sequence[DocumentSpan], size: Size, seed: int) -> tuple[Decoder, dict[str, Any]]:
    """Train and return the network and its record: loss curve, load balance from step 0, seconds per step."""
    network = build(arm, seed)
    order = RowOrder(tuple(runs), size.context, size.rows, seed, TOKENIZER)
    optimizer = build_optimizer(arm, network)
    plan = replace(OPTIMIZER, warmup_steps=max(1, size.steps // 20))
    told: dict[str, list[float]] = {"bits": [], "balance": [], "seconds": []}
    for step in range(size.steps):
        rate = _schedule(step, size.steps, plan.warmup_steps, plan.final_fraction)
        for group in optimizer.param_groups:
            group["lr"] = OPTIMIZER.learning_rate * rate * group["factor"]
        rows = order.batch(step)
        began = time.perf_counter()
        bits, balance = _step(network, torch.from_numpy(rows.ids_RL.astype(np.int64)), rows.documents_RL)
        torch.nn.utils.clip_grad_norm_(network.parameters(), plan.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        told["seconds"].append(time.perf_counter() - began)
        told["bits"].append(bits)
        told["balance"].append(balance)
    return network.eval(), {
        "training_bits_per_base": [round(value, 5) for value in told["bits"]],
        "load_balance": [round(value, 5) for value in told["balance"]],
        "step_seconds_median": round(median(told["seconds"]), 4),
    }


def _schedule(step: int, steps: int, warmup: int, final: float) -> float:
    if step < warmup:
        return (step + 1) / warmup
    return final + (1 - final) * 0.5 * (1 + float(np.cos(np.pi * (step - warmup) / max(1, steps - warmup))))


def _step(network: Decoder, ids: Tensor, documents: Any) -> tuple[float, float]:
    """Compute gradients of a batch; return bits per base and the load-balancing loss relative to its minimum."""
    whole = None if documents is None else torch.from_numpy(documents)
    inside = None if whole is None else whole[:, :-1]
    with torch.autocast("cpu", torch.bfloat16):
        output = network(ids[:, :-1], documents_BL=inside, router=True)
    assert output.logits_BLV is not None
    loss = next_base_loss(output.logits_BLV, ids, whole, torch.tensor(sorted(TOKENIZER.base_ids)))
    bits, config = loss.item() / float(np.log(2)), network.config
    balance = load_balancing_loss(output.router, config.experts_per_token, per_layer=True)
    loss = loss + config.router_aux_coef * balance + config.router_z_coef * router_z_loss(output.router)
    loss.backward()
    return bits, balance.item() / config.experts_per_token
