"""Learning rate over a run, and which stage a step belongs to."""

from __future__ import annotations

import math
from typing import NamedTuple

from genolm.training.recipes.pretrain_recipe import Recipe, Stage


class StagePosition(NamedTuple):
    """Where a step stands in a run.

    Attributes:
        number: of its stage, from 0.
        stage: the stage.
        step: the step counted from the stage's first.
    """

    number: int
    stage: Stage
    step: int


def stage_at(step: int, recipe: Recipe) -> StagePosition:
    """The stage of a step, counted from 0; a step beyond the last belongs to the last stage."""
    first = 0
    for index, stage in enumerate(recipe.plan):
        if step < first + stage.steps or index + 1 == len(recipe.plan):
            return StagePosition(index, stage, step - first)
        first += stage.steps
    raise AssertionError("a recipe has at least one stage")


def tokens_until(step: int, recipe: Recipe) -> int:
    """Tokens that the first ``step`` steps predict from, padding and separators included."""
    total = 0
    for stage in recipe.plan:
        total += min(step, stage.steps) * stage.batch_rows * stage.context
        step = max(0, step - stage.steps)
    return total


def schedule(step: int, recipe: Recipe) -> float:
    """Learning rate over its peak: linear warm-up, a cosine to ``final_fraction``, and that from the horizon on."""
    plan = recipe.optimizer
    warmup = plan.warmup_of(recipe.steps)
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, round(recipe.steps * plan.decay_fraction) - warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return plan.final_fraction + (1 - plan.final_fraction) * cosine
