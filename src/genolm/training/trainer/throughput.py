"""How fast a training run is, and what share of the device's arithmetic that is (model FLOP utilisation, MFU)."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch

from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.recipes.schedule import stage_at, tokens_until

# Dense bf16 peaks of data sheets, FLOP/s, by a piece of the name that the driver gives.
_PEAKS = {
    "B200": 2.25e15,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "RTX 4090": 165e12,
}
_SIDE = 1024


class Peak(NamedTuple):
    """The arithmetic that a device can do at most.

    Attributes:
        flops: FLOP per second.
        source: ``data sheet`` with the device's name, or ``measured`` with how.
    """

    flops: float
    source: str


def training_flops(config: DecoderConfig | EncoderConfig, context: int) -> float:
    """FLOP of one token in a training step: forward, and twice that for the gradients.

    Counted are the matrix products (two FLOP for each weight that a token passes through) and attention: over the half
    of the context that causality leaves, or over what an encoder's layer sees. Look-ups, norms and what is computed
    again in checkpointing are not; nor is the head of an encoder, which is computed for hidden tokens alone.
    """
    if isinstance(config, EncoderConfig):
        return _encoder_flops(config, context)
    experts = config.experts_per_token or 1
    layer = config.attention_parameters + experts * config.expert_parameters + config.num_experts * config.hidden_size
    inputs = sum(config.kmer_dims) * config.hidden_size
    memory, memories = config.gengram, 0
    if memory is not None:
        memories = len(memory.layers) * 2 * memory.dim * len(memory.orders) * config.hidden_size
    products = 2 * (config.num_layers * layer + config.vocab_size * config.hidden_size + inputs + memories)
    attention = config.num_layers * 4 * config.num_heads * config.head_dim * context / 2
    return 3.0 * (products + attention)


def _encoder_flops(config: EncoderConfig, context: int) -> float:
    width = config.hidden_size
    layer = 4 * width * width + (3 if config.gated else 2) * width * config.ffn_size
    attended = sum(_attended(config, number, context) for number in range(config.num_layers))
    return 3.0 * (2 * config.num_layers * layer + 4 * width * attended)


def _attended(config: EncoderConfig, layer: int, context: int) -> int:
    """Tokens that a token of a layer sees, itself included; of blocks, what a query in the middle sees."""
    if config.is_local(layer):
        return min(context, config.local_window + 1)
    if config.sparse is not None:
        return min(context, (5 + config.sparse.random) * config.sparse.block)
    return context


def device_peak(device: torch.device, bf16: bool) -> Peak:
    """The device's peak: from its data sheet where it is known and bf16 is used, else the best of a few products."""
    if device.type == "cuda" and bf16:
        name = torch.cuda.get_device_name(device)
        for piece, flops in _PEAKS.items():
            if piece in name:
                return Peak(flops, f"data sheet of {name}")
    dtype = torch.bfloat16 if bf16 else torch.float32
    return Peak(_measure(device, dtype), f"measured: {dtype} product of {_SIDE} x {_SIDE}, best of 5")


def _measure(device: torch.device, dtype: torch.dtype) -> float:
    factor = torch.ones(_SIDE, _SIDE, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(6):  # the first one warms up
        started = time.perf_counter()
        factor @ factor
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - started)
    return 2 * _SIDE**3 / best


class Clock:
    """Tokens per second and MFU between reports.

    Args:
        recipe: the run's.
        peak: of one process's device.
        processes: how many there are.
        step: steps that are done already.
    """

    def __init__(self, recipe: Recipe, peak: Peak, processes: int, step: int) -> None:
        self._recipe, self._peak = recipe, peak.flops * processes
        self._since, self._away, self._step = time.monotonic(), 0.0, step

    def without(self, seconds: float) -> None:
        """Leave out time that did not go into steps."""
        self._away += seconds

    def metrics(self, step: int) -> dict[str, float]:
        """Tokens per second since the last report, all processes together, and the share of the peak that they are."""
        now = time.monotonic()
        tokens = tokens_until(step, self._recipe) - tokens_until(self._step, self._recipe)
        speed = tokens / max(1e-9, now - self._since - self._away)
        self._since, self._away, self._step = now, 0.0, step
        flops = training_flops(self._recipe.model, stage_at(step - 1, self._recipe).stage.context)
        return {"tokens_per_second": round(speed), "mfu": round(speed * flops / self._peak, 4)}
