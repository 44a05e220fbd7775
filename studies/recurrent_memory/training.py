"""Training of one network with a curriculum from one to eight segments, like the recurrent memory of GENA-LM."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genolm.models.networks.encoder import Encoder
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.recurrent_memory import RecurrentMemory
from genolm.models.networks.recurrent_memory_config import MemoryConfig
from genolm.training.objectives.label_losses import recurrent_sequence_loss
from genolm.training.trainer.weights import initialise
from studies.recurrent_memory.needle import VOCABULARY, Needle

WIDTH, LAYERS, HEADS = 64, 2, 4
_ROWS_TESTED_TOGETHER = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """Training settings.

    Attributes:
        content: tokens per segment.
        memory: number of memory vectors.
        stages: curriculum: number of segments in each stage.
        decoys: probability that a later segment contains a motif.
        rows: sequences per step.
        rate: peak learning rate, after ``warmup`` steps.
        warmup: number of warm-up steps.
        clip: maximum gradient norm.
        goal: running accuracy that ends a stage.
        least: minimum steps per stage.
        most: maximum steps in total; a curriculum that is not finished by then has failed.
    """

    content: int = 32
    memory: int = 4
    stages: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8)
    decoys: float = 0.0
    rows: int = 32
    rate: float = 1e-3
    warmup: int = 100
    clip: float = 1.0
    goal: float = 0.98
    least: int = 60
    most: int = 3000


@dataclass(slots=True)
class Curriculum:
    """State of the curriculum; a stage ends when the running accuracy reaches the goal.

    Attributes:
        plan: training settings with the stages.
        schedule: steps of each stage; if given, stages end after these steps, whatever the accuracy.
        steps: steps taken so far in each stage.
        accuracy: running mean of the accuracy.
    """

    plan: Plan
    schedule: list[int] | None = None
    steps: list[int] = field(default_factory=lambda: [0])
    accuracy: float = 0.5

    @property
    def ended(self) -> bool:
        """Whether all stages are finished."""
        return len(self.steps) > len(self.plan.stages)

    def segments(self, random: np.random.Generator) -> int:
        """Return the number of segments of the next batch: mostly that of the stage, sometimes fewer."""
        stage = self.plan.stages[len(self.steps) - 1]
        return stage if random.random() < 0.7 else int(random.integers(1, stage + 1))

    def note(self, accuracy: float) -> None:
        """Count a step and advance to the next stage if this one has ended."""
        self.steps[-1] += 1
        self.accuracy = 0.95 * self.accuracy + 0.05 * accuracy
        done = self.steps[-1]
        passed = done >= self.plan.least and self.accuracy >= self.plan.goal
        if done >= self.schedule[len(self.steps) - 1] if self.schedule else passed:
            self.steps.append(0)
            self.accuracy = 0.5


def build(plan: Plan, seed: int) -> RecurrentMemory:
    """Return a tiny GENA-like encoder (pre-LN, absolute positions) with memory and initial weights."""
    memory = MemoryConfig(tokens=plan.memory, segment=plan.content + plan.memory + 3)
    config = EncoderConfig(
        vocab_size=VOCABULARY + plan.memory,
        token_rows=VOCABULARY,
        hidden_size=WIDTH,
        num_layers=LAYERS,
        num_heads=HEADS,
        ffn_size=2 * WIDTH,
        max_positions=memory.segment,
        norm_eps=1e-5,
        masked_head=False,
        pooler="tanh",
        labels=2,
        initial_std=WIDTH**-0.5,
    )
    return RecurrentMemory(initialise(Encoder(config), seed), memory)


def train(plan: Plan, seed: int, schedule: list[int] | None = None) -> tuple[RecurrentMemory, dict[str, Any]]:
    """Train a network; return it with a record of the training.

    Args:
        plan: training settings.
        seed: random seed of the weights and the sequences.
        schedule: steps of each stage; None to end stages by their accuracy.
    """
    network, random = build(plan, seed).train(), np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=0.01)
    state, began, count = Curriculum(plan, schedule), time.perf_counter(), 0
    while not state.ended and count < plan.most:
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * min(1.0, (count + 1) / plan.warmup)
        ids_BL, labels_B = Needle(plan.content, state.segments(random), plan.decoys).batch(random, plan.rows)
        state.note(_step(network, optimizer, ids_BL, labels_B, plan.clip))
        count += 1
    return network.eval(), {
        "curriculum_ended": state.ended,
        "stage_steps": state.steps[: len(plan.stages)],
        "seconds": round(time.perf_counter() - began, 1),
    }


def _step(
    network: RecurrentMemory, optimizer: torch.optim.Optimizer, ids_BL: Tensor, labels_B: Tensor, clip: float
) -> float:
    """Take one optimizer step; return the accuracy of the batch before it."""
    output = network(ids_BL)
    recurrent_sequence_loss(output, labels_B, "single", network.memory.loss).backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return _right(output.labels, labels_B) / len(labels_B)


def right_answers(network: RecurrentMemory, needle: Needle, count: int, seed: int, *, forget: bool = False) -> int:
    """Return how many of ``count`` new sequences get the correct label after their last segment.

    Args:
        network: trained network.
        needle: distribution of the sequences.
        count: number of sequences.
        seed: random seed of the sequences.
        forget: whether to reset the memory before the last segment, as if the earlier ones had not been read.
    """
    random, right = np.random.default_rng((seed, 1)), 0
    with torch.inference_mode():
        for start in range(0, count, _ROWS_TESTED_TOGETHER):
            ids_BL, labels_B = needle.batch(random, min(_ROWS_TESTED_TOGETHER, count - start))
            seen = ids_BL[:, -needle.content :] if forget else ids_BL
            right += _right(network(seen).labels, labels_B)
    return right


def _right(outputs_BC: Tensor | None, labels_B: Tensor) -> int:
    assert outputs_BC is not None
    return int((outputs_BC.argmax(1) == labels_B).sum())
