"""Training plan: what recipes of every objective share — stages, optimizer, precision, sharding, reports, selection."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from genolm.errors import InputError


@dataclass(frozen=True, slots=True)
class OptimizerRecipe:
    """Optimizer; linear warm-up, then a cosine to ``final_fraction`` of the peak learning rate.

    Attributes:
        name: ``adamw``; ``adafactor`` (Shazeer and Stern 2018), whose moments of a matrix take a row and a column of
            memory; or ``muon`` (Jordan et al. 2024) for the matrices inside layers with AdamW for all other weights.
        learning_rate: peak learning rate of AdamW or Adafactor.
        muon_learning_rate: peak learning rate of Muon.
        kmer_rate_factor: learning rate of k-mer tables relative to AdamW's; they have no weight decay.
        warmup_steps: steps of linear warm-up from zero.
        warmup_fraction: warm-up as a fraction of all steps; this or ``warmup_steps`` must be 0.
        decay_fraction: fraction of all steps after which the cosine ends; the learning rate is constant from there on.
        final_fraction: final learning rate relative to the peak.
        weight_decay: weight decay of matrices; other weights have none.
        betas: betas of AdamW.
        epsilon: epsilon of AdamW.
        clip: maximum gradient norm.
        rates: learning rates of parts of the network relative to that of the optimizer, by the beginning of their
            weights' names: ``embedding``, ``layers.0``, ``heads``; 0 freezes a part. The longest beginning that
            matches counts; weights without one have rate 1.
    """

    learning_rate: float = 1e-3
    kmer_rate_factor: float = 2.0
    warmup_steps: int = 100
    final_fraction: float = 0.05
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    name: str = "adamw"
    muon_learning_rate: float = 0.02
    warmup_fraction: float = 0.0
    decay_fraction: float = 1.0
    epsilon: float = 1e-8
    rates: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_choice("the optimizer", self.name, ("adamw", "adafactor", "muon"))
        if self.warmup_steps and self.warmup_fraction:
            raise InputError("one of warmup_steps and warmup_fraction must be 0", value=self.warmup_fraction)
        if self.warmup_steps < 0:
            raise InputError("warmup_steps must not be negative", value=self.warmup_steps)
        for name, lowest in (("warmup_fraction", 0.0), ("decay_fraction", 1e-9), ("final_fraction", 0.0)):
            if not lowest <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be between 0 and 1", value=getattr(self, name))
        for name in ("learning_rate", "muon_learning_rate", "clip", "epsilon"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} must be above 0 and finite", value=getattr(self, name))
        for part, rate in self.rates.items():
            if not 0 <= rate < math.inf:
                raise InputError(f"the rate of {part} must be 0 or above, and finite", value=rate)
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise InputError("betas must be two numbers from 0 to below 1", value=list(self.betas))

    def warmup_of(self, steps: int) -> int:
        """Return the warm-up steps of a run of ``steps`` steps."""
        return self.warmup_steps or round(self.warmup_fraction * steps)

    def rate_of(self, weight: str) -> float:
        """Return the learning rate of a weight relative to that of the optimizer, by its name in the network."""
        matching = [part for part in self.rates if f"{weight}.".startswith(f"{part}.")]
        return self.rates[max(matching, key=len)] if matching else 1.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Stage of a run with its own context; weights, optimizer state and schedule continue from stage to stage.

    Attributes:
        context: number of tokens that a row predicts from.
        batch_rows: rows of a step, over all processes.
        steps: optimizer steps of the stage.
        micro_rows: rows that a process computes at a time, with gradient accumulation; 0 for 8,192 tokens on a CPU, and
            all rows on other devices.
        context_parallel: number of processes that share a row, each with a piece of it.
        recompute: whether activations inside layers are recomputed for the gradients, to save memory.
    """

    context: int
    batch_rows: int
    steps: int
    micro_rows: int = 0
    context_parallel: int = 1
    recompute: bool = False

    def __post_init__(self) -> None:
        for name in ("context", "batch_rows", "steps", "context_parallel"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1", value=getattr(self, name))
        if self.micro_rows < 0:
            raise InputError("micro_rows must not be negative", value=self.micro_rows)
        if self.context % self.context_parallel:
            raise InputError(
                f"context ({self.context}) must be divisible by context_parallel ({self.context_parallel})",
                value=self.context_parallel,
            )


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """Settings that recipes of every objective share; each recipe is a plan with a network and data.

    Attributes:
        optimizer: optimizer and learning-rate schedule.
        context, batch_rows, steps, micro_rows, context_parallel, recompute: as in :class:`Stage`, for a run of one
            stage.
        stages: consecutive stages; ``context`` is then that of the last stage, ``batch_rows`` that of the first and
            ``steps`` the sum, and the other three have their defaults.
        precision: ``auto`` (bf16 if the device supports it natively), ``bf16`` or ``fp32``.
        sharding: ``none`` (every process has all weights, DDP) or ``fsdp`` (every process has a shard of them).
        compile: whether norms and dense feed-forward blocks are compiled (torch.compile; on CPUs it needs a C++
            compiler).
        seed: random seed of weights, order, phases and strands.
        report_every: steps between lines of the log.
        evaluate_every: steps between held-out evaluations.
        evaluate_windows: windows of each held-out split in an evaluation.
        checkpoint_every: steps between checkpoints.
        best: held-out metric by which the released weights are chosen, as ``SPLIT_METRIC`` (such as
            ``validation_bits_per_base``); empty to release the last ones.
        patience: number of held-out evaluations without a better value of ``best`` after which training stops; 0 for
            no such limit.
        release: precision of the released weights: ``bf16`` or ``fp32``.
        trackers: experiment trackers besides the log: ``tensorboard``, ``wandb``.
        card: free text for the model card.
    """

    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    context: int = 1024
    batch_rows: int = 16
    steps: int = 1000
    micro_rows: int = 0
    context_parallel: int = 1
    recompute: bool = False
    stages: tuple[Stage, ...] = ()
    precision: str = "auto"
    sharding: str = "none"
    compile: bool = False
    seed: int = 0
    report_every: int = 20
    evaluate_every: int = 200
    evaluate_windows: int = 64
    checkpoint_every: int = 100
    best: str = ""
    patience: int = 0
    release: str = "bf16"
    trackers: tuple[str, ...] = ()
    card: str = ""

    def __post_init__(self) -> None:
        for name in ("report_every", "evaluate_every", "evaluate_windows", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1", value=getattr(self, name))
        check_choice("precision", self.precision, ("auto", "bf16", "fp32"))
        check_choice("sharding", self.sharding, ("none", "fsdp"))
        check_choice("release", self.release, ("bf16", "fp32"))
        if self.patience < 0:
            raise InputError("patience must not be negative", value=self.patience)
        if self.patience and not self.best:
            raise InputError("patience requires best, the held-out metric to wait for", value=self.patience)
        for tracker in self.trackers:
            check_choice("tracker", tracker, ("tensorboard", "wandb"))
        if self.sharding == "fsdp" and self.optimizer.name != "adamw":
            name = self.optimizer.name
            raise InputError(f"{name} needs complete matrices, but fsdp shards them: choose adamw or sharding none")
        if self.stages and self._single_stage() != Stage(**_summary(self.stages)):
            raise InputError("a recipe with stages must set context, batch_rows, steps and so on in each stage")

    @property
    def all_stages(self) -> tuple[Stage, ...]:
        """The stages of the run; a single one if none are listed."""
        return self.stages or (self._single_stage(),)

    def staged(self, stages: tuple[Stage, ...]) -> Self:
        """Return the plan with other stages."""
        settings = {**_summary(stages), "micro_rows": 0, "context_parallel": 1, "recompute": False}
        return replace(self, stages=stages, **settings)

    def _single_stage(self) -> Stage:
        names = ("context", "batch_rows", "steps", "micro_rows", "context_parallel", "recompute")
        return Stage(**{name: getattr(self, name) for name in names})


def with_stages(values: Mapping[str, Any], stages: tuple[Stage, ...]) -> dict[str, Any]:
    """Return the settings of a plan with these stages, and the settings that correspond to them."""
    return {**values, "stages": stages, **_summary(stages)}


def _summary(stages: tuple[Stage, ...]) -> dict[str, Any]:
    """Return the top-level settings that correspond to these stages."""
    steps = sum(stage.steps for stage in stages)
    return {"context": stages[-1].context, "batch_rows": stages[0].batch_rows, "steps": steps}


def check_choice(what: str, value: str, known: tuple[str, ...]) -> None:
    """Raise an InputError unless the value is one of the known ones."""
    if value not in known:
        raise InputError(f"{what} must be {', '.join(known[:-1])} or {known[-1]}", value=value)
