"""Next-base pretraining of a decoder from a recipe, on one process or many, resumable to the bit."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from genolm.errors import InputError
from genolm.models.decoder import Decoder
from genolm.models.experts import SwiGLU
from genolm.models.norm import RMSNorm
from genolm.models.precision import native_bf16
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.checkpoint import Checkpoints
from genolm.training.corpus import Corpus, load_corpus
from genolm.training.evaluation import held_out_bits
from genolm.training.heldout import Windows, sample_windows
from genolm.training.initialisation import initialise
from genolm.training.objective import next_base_loss
from genolm.training.optimizers import build_optimizer
from genolm.training.passes import Passes
from genolm.training.recipe import Recipe, Stage
from genolm.training.recompute import Recomputation
from genolm.training.release import write_model
from genolm.training.row_feed import RowFeed
from genolm.training.run_folder import check_claim, claimed, fingerprint_of
from genolm.training.run_log import Listener, RunLog
from genolm.training.schedule import place, schedule
from genolm.training.sharding import sharded_decoder, whole_weights
from genolm.training.stopping import stop_signals
from genolm.training.throughput import Clock, Peak, device_peak
from genolm.training.training_step import TrainingStep
from genolm.training.workers import Workers

__all__ = ["next_base_loss", "pretrain", "schedule"]

_TOKENS_AT_A_TIME = 8192  # of one micro-batch on a CPU: what a layer makes of them stays in its caches


def pretrain(
    recipe: Recipe | str | Path,
    out: str | Path,
    *,
    resume: bool = False,
    steps: int | None = None,
    log: Listener | None = None,
) -> Path:
    """Train a decoder on next-base prediction and write it as a model folder.

    ``out`` receives ``log.jsonl`` (a line per report), ``checkpoints/`` and, at the end, ``model/``, which
    :func:`genolm.load` reads. Interrupted by Ctrl-C or SIGTERM the run saves a checkpoint and stops; resumed it gives
    the same weights, bit for bit, as one that was never interrupted (same machine, same number of threads and
    processes). Started by torchrun it runs on all its processes; the first one writes.

    Args:
        recipe: a recipe, a YAML file, or the name of a shipped recipe.
        out: folder of the run.
        resume: continue from the newest whole checkpoint in ``out``.
        steps: stop after this many steps of the recipe instead of all (the schedule stays the recipe's).
        log: receives every report as a mapping, besides the file.

    Returns:
        The model folder.

    Raises:
        InputError: for a recipe or corpus that cannot be used.
        RunError: when ``out`` holds a run and ``resume`` is not set, the run of another recipe, of files that changed
            meanwhile, or one that is going on.
        GenolmError: a package that training needs is not installed.
        KeyboardInterrupt: after the checkpoint, when the run was asked to stop.
    """
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    out = Path(out)
    workers = Workers(recipe.trackers, out)
    _check_processes(recipe, workers.world)
    workers.first_alone(lambda: check_claim(out, recipe, resume))
    tokenizer = NucleotideTokenizer(iupac="N")
    corpus = load_corpus(recipe.corpus, tokenizer)
    windows = _held_out_windows(recipe, corpus)
    with ExitStack() as held:
        # Only now, so that a corpus that cannot be used leaves nothing.
        workers.first_alone(lambda: held.enter_context(claimed(out, recipe, corpus.fingerprint, resume)))
        run = _Run(recipe, corpus, tokenizer, windows, out, workers, log)
        held.callback(run.feed.close)
        run.train(min(steps or recipe.steps, recipe.steps), resume)
        weights, model = whole_weights(run.network, workers.first), out / "model"
        workers.first_alone(lambda: write_model(model, weights, tokenizer, recipe, run.log.lines(), workers.world))
    return model


class _Run:
    """The state of one pretraining run."""

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        tokenizer: NucleotideTokenizer,
        windows: dict[int, dict[str, Windows]],
        out: Path,
        workers: Workers,
        listener: Listener | None,
    ) -> None:
        self.recipe, self.workers, self.windows = recipe, workers, windows
        self.log = RunLog(out / "log.jsonl" if workers.first else None, listener)
        self.bf16 = _uses_bf16(recipe, workers.device)
        _make_deterministic(workers.device)
        self.network, wrapped = _network(recipe, tokenizer, workers)
        self.recomputation = Recomputation(self.network)
        self.optimizer = build_optimizer(self.network, recipe.optimizer)
        self.take_step = TrainingStep(recipe.model, wrapped, self.optimizer, recipe.optimizer.clip, workers)
        sharded = recipe.sharding == "fsdp"
        self.checkpoints = Checkpoints(out / "checkpoints", fingerprint_of(recipe), workers, sharded)
        self.feed = RowFeed(corpus.splits["train"], recipe, tokenizer)
        self.passes = _passes_of_stages(recipe, tokenizer, workers, self.bf16)
        self._bases_of = {name: corpus.bases(name) for name in corpus.splits} | {"dropped": corpus.dropped}

    def train(self, steps: int, resume: bool) -> None:
        """Go on to ``steps`` steps from the newest checkpoint, or from the beginning."""
        step = self.checkpoints.load(self.network, self.optimizer) if resume else 0
        peak = device_peak(self.workers.device, self.bf16)
        self.log.rewind(step)
        self._begin(step, peak)
        clock = Clock(self.recipe, peak, self.workers.world, step)
        with stop_signals() as stopped:
            while step < steps:
                self._step(step)
                step += 1
                if self.workers.any(stopped.is_set()):
                    self.checkpoints.save(step, self.network, self.optimizer)
                    raise KeyboardInterrupt(f"stopped after step {step}; continue with --resume")
                last = step == steps
                if step == 1 or step % self.recipe.report_every == 0 or last:
                    self._report(step, clock)
                if step % self.recipe.evaluate_every == 0 or last:
                    clock.without(self._report_held_out(step))
                if step % self.recipe.checkpoint_every == 0 or last:
                    self.checkpoints.save(step, self.network, self.optimizer)
        self.workers.finish_trackers()

    def _begin(self, step: int, peak: Peak) -> None:
        machine = {"processes": self.workers.world, "device": str(self.workers.device), "bf16": self.bf16}
        arithmetic = {"peak_flops": peak.flops, "peak_source": peak.source}
        bases = {"bases": self._bases_of} if step == 0 else {}
        self.log.add(step=step, **bases, **machine, **arithmetic)
        self.workers.start_trackers(self.recipe.name, _flat(asdict(self.recipe)))

    def _step(self, step: int) -> None:
        index, stage, at = place(step, self.recipe)
        if at == 0 and len(self.recipe.plan) > 1:
            self.log.add(step=step, stage=index + 1, context=stage.context, batch_rows=stage.batch_rows)
        self.recomputation.switch(stage.recompute)
        teams, own = self.workers.world // stage.context_parallel, self.workers.rank // stage.context_parallel
        passes = self.passes[stage.context_parallel]
        rows = passes.tensors(*self.feed.rows(step, own, teams))
        micro = _micro_rows(stage, self.workers.device)
        self.take_step(passes, *rows, micro, schedule(step, self.recipe), stage.context_parallel)

    def _report(self, step: int, clock: Clock) -> None:
        rate = schedule(step - 1, self.recipe) * self.recipe.optimizer.learning_rate
        told = {**self.take_step.told(), "learning_rate": rate, **clock.told(step)}
        self.log.add(step=step, **told)
        self.workers.track(_numbers(told), step)

    def _report_held_out(self, step: int) -> float:
        """Evaluates; returns the seconds that it took."""
        started = time.monotonic()
        stage = place(step - 1, self.recipe).stage
        passes, rows = self.passes[stage.context_parallel], _micro_rows(stage, self.workers.device)
        self.network.eval()
        bits = {
            name: round(held_out_bits(self.network, windows, passes, rows, self.workers, stage.context_parallel), 5)
            for name, windows in self.windows[stage.context].items()
        }
        self.network.train()
        self.log.add(step=step, held_out_bits_per_base=bits)
        self.workers.track({f"{name}_bits_per_base": value for name, value in bits.items()}, step)
        return time.monotonic() - started


def _check_processes(recipe: Recipe, world: int) -> None:
    for stage in recipe.plan:
        if world % stage.context_parallel:
            raise InputError(f"context_parallel must divide the {world} processes", value=stage.context_parallel)
        teams = world // stage.context_parallel
        if stage.batch_rows % teams:
            raise InputError(f"batch_rows must be a multiple of the {teams} processes", value=stage.batch_rows)
    if recipe.sharding == "fsdp" and not dist.is_initialized():
        raise InputError("sharding fsdp spreads weights over processes: start it with torchrun", value="fsdp")


def _held_out_windows(recipe: Recipe, corpus: Corpus) -> dict[int, dict[str, Windows]]:
    """Windows of every held-out split, for each context of the run."""
    found: dict[int, dict[str, Windows]] = {}
    for context in {stage.context for stage in recipe.plan}:
        found[context] = {}
        for name, runs in corpus.splits.items():
            if name == "train":
                continue
            try:
                found[context][name] = sample_windows(runs, context, recipe.evaluate_windows, recipe.seed)
            except ValueError as error:
                raise InputError(f"{error}: the split {name!r} has none that long") from None
    return found


def _network(recipe: Recipe, tokenizer: NucleotideTokenizer, workers: Workers) -> tuple[Decoder, nn.Module]:
    """The decoder, and the same as its processes train it."""
    if recipe.sharding == "fsdp":
        with torch.device("meta"):
            network = Decoder(recipe.model, tokenizer.base_ids, tokenizer.n_id)
        network = sharded_decoder(network, recipe.seed, workers.device, workers.world)
    else:
        network = initialise(Decoder(recipe.model, tokenizer.base_ids, tokenizer.n_id), recipe.seed).to(workers.device)
    if recipe.compile:
        for module in network.modules():
            if isinstance(module, RMSNorm | SwiGLU):
                module.compile(dynamic=False)
    return network, network if recipe.sharding == "fsdp" else workers.replicated(network)


def _passes_of_stages(
    recipe: Recipe, tokenizer: NucleotideTokenizer, workers: Workers, bf16: bool
) -> dict[int, Passes]:
    """How batches go through the network, by the number of processes that share a row."""
    found = {}
    for sharers in sorted({stage.context_parallel for stage in recipe.plan}):
        group = workers.groups(sharers)[workers.rank // sharers] if sharers > 1 else None
        found[sharers] = Passes(recipe.model, tokenizer.base_ids, workers.device, bf16, group)
    return found


def _micro_rows(stage: Stage, device: torch.device) -> int:
    if stage.micro_rows or device.type != "cpu":
        return stage.micro_rows or stage.batch_rows
    return max(1, _TOKENS_AT_A_TIME // stage.context)


def _uses_bf16(recipe: Recipe, device: torch.device) -> bool:
    native = native_bf16() if device.type == "cpu" else torch.cuda.is_bf16_supported()
    return recipe.precision == "bf16" or (recipe.precision == "auto" and native)


def _make_deterministic(device: torch.device) -> None:
    """A GPU adds up in an order of its own unless it is told not to; a CPU does not."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def _numbers(told: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in told.items() if isinstance(value, int | float)}


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Settings as trackers take them: one level, plain values."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{before}{name}.")
        else:
            found[before + name] = value if isinstance(value, int | float | str) else str(value)
    return found
