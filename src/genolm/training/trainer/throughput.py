"""Throughput of a training run, and its share of the device's peak (model FLOP utilisation, MFU)."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch

from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.training.trainer.schedule import stage_at, tokens_until
from genolm.training.trainer.training_plan import TrainingPlan

# Dense bf16 peaks from data sheets in FLOP/s, by a part of the device name.
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
    """Peak arithmetic throughput of a device.

    Attributes:
        flops: FLOP per second.
        source: ``data sheet`` with the device's name, or ``measured`` with the method.
    """

    flops: float
    source: str


def training_flops(config: DecoderConfig | EncoderConfig, context: int) -> float:
    """Return the FLOP per token of a training step: the forward pass, and twice that for the gradients.

    Counted are matrix products (two FLOP per weight that a token passes through) and attention, over half of the
    context for causal attention, or over the tokens that a layer of an encoder attends to. Not counted are look-ups,
    norms, recomputation, and the head of an encoder, which is computed for masked tokens only.
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
    """Return the number of tokens that a token attends to, itself included; in block attention for a middle block."""
    if config.is_local(layer):
        return min(context, config.local_window + 1)
    if config.sparse is not None:
        return min(context, (5 + config.sparse.random) * config.sparse.block)
    return context


def device_peak(device: torch.device, bf16: bool) -> Peak:
    """Return the device's peak: from its data sheet for known devices with bf16, otherwise measured."""
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
    for _ in range(6):  # the first one is a warm-up
        started = time.perf_counter()
        factor @ factor
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - started)
    return 2 * _SIDE**3 / best


class Clock:
    """Tokens per second and MFU between reports.

    Args:
        plan: plan of the run.
        config: config of the network.
        peak: peak of one process's device.
        processes: number of processes.
        step: number of steps that are already done.
    """

    def __init__(
        self, plan: TrainingPlan, config: DecoderConfig | EncoderConfig, peak: Peak, processes: int, step: int
    ) -> None:
        self._plan, self._config, self._peak = plan, config, peak.flops * processes
        self._since, self._away, self._step = time.monotonic(), 0.0, step

    def without(self, seconds: float) -> None:
        """Exclude time that was not spent on steps."""
        self._away += seconds

    def metrics(self, step: int) -> dict[str, float]:
        """Return the tokens per second of all processes since the last report, and the MFU."""
        now = time.monotonic()
        tokens = tokens_until(step, self._plan) - tokens_until(self._step, self._plan)
        speed = tokens / max(1e-9, now - self._since - self._away)
        self._since, self._away, self._step = now, 0.0, step
        flops = training_flops(self._config, stage_at(step - 1, self._plan).stage.context)
        return {"tokens_per_second": round(speed), "mfu": round(speed * flops / self._peak, 4)}
