"""Learning-rate schedule, and the stage of each step."""

from __future__ import annotations

import math
from typing import NamedTuple

from genolm.training.trainer.training_plan import Stage, TrainingPlan


class StagePosition(NamedTuple):
    """Position of a step within the stages of a run.

    Attributes:
        number: 0-based number of its stage.
        stage: the stage.
        step: 0-based step within the stage.
    """

    number: int
    stage: Stage
    step: int


def stage_at(step: int, plan: TrainingPlan) -> StagePosition:
    """Return the stage of a 0-based step; steps beyond the end belong to the last stage."""
    first, stages = 0, plan.all_stages
    for index, stage in enumerate(stages):
        if step < first + stage.steps or index + 1 == len(stages):
            return StagePosition(index, stage, step - first)
        first += stage.steps
    raise AssertionError("a plan has at least one stage")


def tokens_until(step: int, plan: TrainingPlan) -> int:
    """Return the number of tokens that the first ``step`` steps predict from, including padding and separators."""
    total = 0
    for stage in plan.all_stages:
        total += min(step, stage.steps) * stage.batch_rows * stage.context
        step = max(0, step - stage.steps)
    return total


def schedule(step: int, plan: TrainingPlan) -> float:
    """Return the learning rate relative to its peak: linear warm-up, cosine to ``final_fraction``, then constant."""
    optimizer = plan.optimizer
    warmup = optimizer.warmup_of(plan.steps)
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, round(plan.steps * optimizer.decay_fraction) - warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return optimizer.final_fraction + (1 - optimizer.final_fraction) * cosine
