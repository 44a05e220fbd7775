"""The training loop, independent of objective and data: steps, reports, held-out evaluations, checkpoints, stops."""

from __future__ import annotations

import ctypes
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from genolm.engine.interrupt import stop_signals
from genolm.errors import InputError, RunError
from genolm.models.heads.headed_network import HeadedNetwork
from genolm.models.networks.experts import SwiGLU
from genolm.models.networks.network import Network
from genolm.models.norm import RMSNorm
from genolm.models.precision import native_bf16
from genolm.remedies import Notice, Remedy
from genolm.training.trainer.evaluation import held_out
from genolm.training.trainer.finite_values import DivergedError, first_not_finite
from genolm.training.trainer.objective import Feed, Objective
from genolm.training.trainer.optimizers import build_optimizer, freeze
from genolm.training.trainer.run_folder import Listener, RunLog, RunSettings, flatten
from genolm.training.trainer.schedule import schedule, stage_at
from genolm.training.trainer.selection import Selection, is_higher_better, metric_value
from genolm.training.trainer.throughput import Clock, Peak, device_peak
from genolm.training.trainer.training_checkpoint import Checkpoints
from genolm.training.trainer.training_plan import Stage, TrainingPlan
from genolm.training.trainer.training_step import Recomputation, TrainingStep
from genolm.training.trainer.weights import initialise, shard, sharded_network
from genolm.training.trainer.workers import Workers

NetworkT = TypeVar("NetworkT", bound=nn.Module)

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt
_CPU_MICRO_TOKENS = 8192  # tokens of a micro-batch on a CPU, so that the activations of a layer stay in its caches


class Trainer:
    """A run: trains a network on the rows of a feed.

    Args:
        name: name of the run, for trackers.
        plan: training plan.
        settings: settings that identify the run.
        network: the network, on its device and sharded as planned.
        objectives: the objective, by the number of processes that share a row.
        feed: rows of every step.
        out: folder of the run.
        workers: processes of the run.
        listener: function that receives every report.
    """

    def __init__(
        self,
        name: str,
        plan: TrainingPlan,
        settings: RunSettings,
        network: Network | HeadedNetwork,
        objectives: Mapping[int, Objective],
        feed: Feed,
        out: Path,
        workers: Workers,
        listener: Listener | None = None,
    ) -> None:
        self.name, self.plan, self.workers, self.feed, self.network = name, plan, workers, feed, network
        self.settings, self.objectives = settings, objectives
        self.log = RunLog(out / "log.jsonl" if workers.first else None, listener)
        self.bf16 = uses_bf16(plan, workers.device)
        if plan.compile:
            _compile(network)
        sharded = plan.sharding == "fsdp"
        freeze(network, plan.optimizer)
        wrapped = network if sharded else workers.replicated(network)
        self.recomputation = Recomputation(network)
        self.optimizer = build_optimizer(network, plan.optimizer)
        self.take_step = TrainingStep(wrapped, self.optimizer, plan.optimizer.clip, workers, plan.seed)
        self.selection = Selection()
        self.checkpoints = Checkpoints(out / "checkpoints", settings.fingerprint, workers, sharded)

    def train(self, steps: int, resume: bool, first_report: Callable[[], dict[str, Any]] = dict) -> int:
        """Train up to ``steps`` steps, from the newest checkpoint or from the beginning.

        At the end the network has the best weights if the plan chooses these, otherwise the last ones.

        Args:
            steps: number of steps.
            resume: whether to start from the newest checkpoint.
            first_report: function that returns further values for the first line of the log.

        Returns:
            The step of these weights.

        Raises:
            RunError: a loss, gradient or weight is NaN or infinite; there is no complete checkpoint to resume from.
            KeyboardInterrupt: the run was asked to stop; raised after the checkpoint.
        """
        step = 0
        if resume:
            step, self.selection = self.checkpoints.load(self.network, self.optimizer)
        peak = device_peak(self.workers.device, self.bf16)
        self.log.rewind(step)
        self._begin(step, peak, first_report)
        clock = Clock(self.plan, self.network.config, peak, self.workers.world, step)
        with stop_signals() as stopped:
            while step < steps and not self._waited_enough():
                self._step(step)
                step += 1
                if self.workers.any_rank(stopped.is_set()):
                    if self._chooses(step) or step == steps:  # what a resumed run would not evaluate again
                        self._report_held_out(step)
                    self._save(step)
                    raise KeyboardInterrupt(Notice(f"stopped after step {step}", (Remedy("resume", True, "continue"),)))
                self._after(step, steps, clock)
        self.workers.finish_trackers()
        best = self.selection.step
        if best is None or best == step:
            return step
        self.checkpoints.load_weights(best, self.network)
        return best

    def log_until(self, step: int) -> list[dict[str, Any]]:
        """Return the reports of the first ``step`` steps."""
        return [line for line in self.log.lines() if line["step"] <= step]

    def _after(self, step: int, steps: int, clock: Clock) -> None:
        """Report, evaluate and save after a step, as planned; at the end of the run in any case."""
        last = step == steps
        if step == 1 or step % self.plan.report_every == 0 or last:
            self._report(step, clock)
        if step % self.plan.evaluate_every == 0 or last:
            clock.without(self._report_held_out(step))
        is_best = self.selection.step == step
        if step % self.plan.checkpoint_every == 0 or last or is_best or self._waited_enough():
            self._save(step)

    def _chooses(self, step: int) -> bool:
        """Return whether weights are chosen after a step: not at the end of a part, where a whole run does not."""
        return bool(self.plan.best) and (step % self.plan.evaluate_every == 0 or step == self.plan.steps)

    def _waited_enough(self) -> bool:
        return 0 < self.plan.patience <= self.selection.waited

    def _save(self, step: int) -> None:
        try:
            self.checkpoints.save(step, self.network, self.optimizer, self.selection)
        except DivergedError as error:
            raise self._diverged(step, error) from None

    def _begin(self, step: int, peak: Peak, first_report: Callable[[], dict[str, Any]]) -> None:
        machine = {"processes": self.workers.world, "device": str(self.workers.device), "bf16": self.bf16}
        peak_record = {"peak_flops": peak.flops, "peak_source": peak.source}
        entry = {**self.feed.metrics(), **first_report()} if step == 0 else {}
        self.log.add(step=step, **entry, **machine, **peak_record)
        self.workers.start_trackers(self.name, _plain(flatten(self.settings.every)))

    def _step(self, step: int) -> None:
        index, stage, offset = stage_at(step, self.plan)
        if offset == 0 and len(self.plan.all_stages) > 1:
            self.log.add(step=step, stage=index + 1, context=stage.context, batch_rows=stage.batch_rows)
        self.recomputation.switch(stage.recompute)
        teams, team = self.workers.world // stage.context_parallel, self.workers.rank // stage.context_parallel
        objective = self.objectives[stage.context_parallel]
        batch = objective.batch(self.feed.rows(step, team, teams))
        micro = _micro_rows(stage, self.workers.device)
        try:
            self.take_step(objective, batch, micro, schedule(step, self.plan), stage.context_parallel, step)
        except DivergedError as error:
            raise self._diverged(step + 1, error) from None

    def _diverged(self, step: int, what: object) -> RunError:
        return RunError(f"step {step}: {what}; {self._advice()}", code="training-diverged")

    def _advice(self) -> str:
        newest = self.checkpoints.newest()
        kept = "no checkpoint was written yet" if newest is None else f"the newest checkpoint is {newest}"
        return (
            f"training stopped, and {kept}. Try a lower optimizer.learning_rate, a longer warm-up (warmup_steps),"
            " stronger clipping (optimizer.clip) or precision: fp32"
        )

    def _report(self, step: int, clock: Clock) -> None:
        rate = schedule(step - 1, self.plan) * self.plan.optimizer.learning_rate
        entry = {**self.take_step.metrics(), "learning_rate": rate, **clock.metrics(step)}
        self.log.add(step=step, **entry)
        self.workers.track(_only_numbers(entry), step)

    def _report_held_out(self, step: int) -> float:
        """Evaluate on held-out rows; return the elapsed seconds."""
        started = time.monotonic()
        stage = stage_at(step - 1, self.plan).stage
        objective, rows = self.objectives[stage.context_parallel], _micro_rows(stage, self.workers.device)
        self.network.eval()
        measured = {
            name: held_out(self.network, windows, objective, rows, self.workers, stage.context_parallel)
            for name, windows in self.feed.held_out(stage).items()
        }
        self.network.train()
        metrics = {name: values for name, values in measured.items() if values is not None}
        for name, values in metrics.items():
            if not all(value is None or math.isfinite(value) for value in values.values()):
                culprit = first_not_finite(self.workers, self.network) or "the loss"
                raise self._diverged(step, f"the held-out loss of {name!r} is not finite: {culprit}")
        entry = _by_metric(metrics)
        if self._chooses(step):
            higher = is_higher_better(self.plan.best, objective.higher_is_better)
            self.selection = self.selection.after(step, metric_value(self.plan.best, metrics), higher)
        self.log.add(step=step, **({f"held_out_{name}": values for name, values in entry.items()}))
        for metric, by_split in entry.items():
            self.workers.track({f"{name}_{metric}": value for name, value in by_split.items()}, step)
        return time.monotonic() - started


def check_processes(plan: TrainingPlan, world: int) -> None:
    """Raise an InputError unless rows can be divided over the processes of the run."""
    for stage in plan.all_stages:
        if world % stage.context_parallel:
            raise InputError(f"context_parallel must divide the {world} processes", value=stage.context_parallel)
        teams = world // stage.context_parallel
        if stage.batch_rows % teams:
            raise InputError(f"batch_rows must be a multiple of the {teams} processes", value=stage.batch_rows)
    if plan.sharding == "fsdp" and not dist.is_initialized():
        raise InputError("sharding fsdp needs several processes: start the run with torchrun", value="fsdp")


def initial_network(make: Callable[[], Network], plan: TrainingPlan, workers: Workers) -> Network:
    """Return a network with initial weights on its device, sharded as planned.

    Args:
        make: function that makes the network.
        plan: training plan.
        workers: processes of the run.
    """
    if plan.sharding != "fsdp":
        return initialise(make(), plan.seed).to(workers.device)
    with torch.device("meta"):
        network = make()
    return sharded_network(network, plan.seed, workers.device, workers.world)


def started_network(network: NetworkT, plan: TrainingPlan, workers: Workers) -> NetworkT:
    """Return a network with weights for training on its device, sharded as planned.

    Args:
        network: network on the CPU, the same on every rank; it is changed.
        plan: training plan.
        workers: processes of the run.
    """
    network.train()
    if plan.sharding != "fsdp":
        return network.to(workers.device)
    shard(network, workers.device, workers.world)
    return network


def uses_bf16(plan: TrainingPlan, device: torch.device) -> bool:
    """Return whether matrix products are in bf16."""
    native = native_bf16() if device.type == "cpu" else torch.cuda.is_bf16_supported()
    return plan.precision == "bf16" or (plan.precision == "auto" and native)


def prepare_device(device: torch.device) -> None:
    """Prepare the device before the first pass: deterministic kernels on a GPU (those of a CPU are), memory on a CPU.

    oneDNN's cache of primitives would grow to gigabytes, as masked rows differ in shape at every step. oneDNN reads the
    setting at its first product; afterwards it has no effect. The C library keeps freed memory for the next step
    instead of returning it to the system, which took about a tenth of a step of genolm-nano.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    if device.type == "cpu" and sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):  # glibc
            library.mallopt(_MMAP_THRESHOLD, 1 << 30)
            library.mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


def _compile(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, RMSNorm | SwiGLU):
            module.compile(dynamic=False)


def _micro_rows(stage: Stage, device: torch.device) -> int:
    if stage.micro_rows or device.type != "cpu":
        return stage.micro_rows or stage.batch_rows
    return max(1, _CPU_MICRO_TOKENS // stage.context)


def _by_metric(metrics: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, float]]:
    """Return held-out metrics by metric and split, rounded; undefined ones are left out."""
    found: dict[str, dict[str, float]] = {}
    for split, values in metrics.items():
        for metric, value in values.items():
            if value is not None:
                found.setdefault(metric, {})[split] = round(value, 5)
    return found


def _only_numbers(entry: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in entry.items() if isinstance(value, int | float)}


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with the types that trackers accept; anything else becomes text."""
    return {name: value if isinstance(value, int | float | str) else str(value) for name, value in settings.items()}
