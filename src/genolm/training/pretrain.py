"""Pretraining of a decoder or an encoder from a recipe, on one or many processes, with bit-exact resume."""

from __future__ import annotations

import hashlib
import math
import os
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.distributed as dist
from torch import nn

from genolm.engine.interrupt import stop_signals
from genolm.errors import InputError, RunError
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.experts import SwiGLU
from genolm.models.networks.network import Network, make_network
from genolm.models.norm import RMSNorm
from genolm.models.precision import native_bf16
from genolm.parameters import Count, OutputFolder, PythonOnly
from genolm.remedies import Notice, Remedy
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import Tokenizer
from genolm.training.corpus import Rows, load_corpus
from genolm.training.corpus.haplotypes import Haplotypes, read_haplotypes
from genolm.training.feeds.row_feed import RowFeed
from genolm.training.feeds.tokenisation import Tokenisation
from genolm.training.feeds.training_passes import CausalPasses, MaskedPasses, Passes
from genolm.training.objectives.next_token import next_base_loss
from genolm.training.recipes.pretrain_recipe import Recipe, Stage
from genolm.training.recipes.schedule import schedule, stage_at
from genolm.training.trainer.held_out_loss import frequency_bits, held_out, sample_windows
from genolm.training.trainer.optimizers import build_optimizer
from genolm.training.trainer.release import write_model
from genolm.training.trainer.run_folder import Listener, RunLog, check_claim, claim, fingerprint_of, flatten
from genolm.training.trainer.throughput import Clock, Peak, device_peak
from genolm.training.trainer.training_checkpoint import Checkpoints
from genolm.training.trainer.training_step import DivergedError, Recomputation, TrainingStep
from genolm.training.trainer.weights import gathered_weights, initialise, sharded_network
from genolm.training.trainer.workers import Workers
from genolm.verbs import verb

__all__ = ["next_base_loss", "pretrain", "schedule"]

_HELD_OUT_SEED = 0x4E1D  # separates the seeds of held-out masks from those of training rows
_CPU_MICRO_TOKENS = 8192  # tokens of a micro-batch on a CPU, so that the activations of a layer stay in its caches


@verb(example="genolm pretrain recipe.yaml run")
def pretrain(
    recipe: Recipe | str | Path,
    out: OutputFolder,
    *,
    resume: bool = False,
    steps: Count | None = None,
    log: Annotated[Listener | None, PythonOnly()] = None,
) -> Path:
    """Pretrain a model from a recipe.

    For several GPUs or nodes, start it with torchrun.

    Decoders are trained on next tokens, encoders on masked ones. ``out`` receives ``log.jsonl`` (a line per report),
    ``checkpoints/`` and, at the end, ``model/``, which :func:`genolm.load` reads. On Ctrl-C or SIGTERM the run saves a
    checkpoint and stops. A resumed run gives the same weights, bit for bit, as an uninterrupted one (on the same
    machine, with the same number of threads and processes); only settings that do not affect the weights may differ
    then: ``name``, ``card``, ``trackers``, ``compile``, ``report_every``, ``evaluate_every``, ``evaluate_windows`` and
    ``checkpoint_every``. Started by torchrun, it runs on all its processes, and rank 0 writes.

    Args:
        recipe: Training recipe: a YAML file, or the name of a recipe that ships with genolm.
        out: Folder of the run: log, checkpoints and trained model.
        resume: Resume from the last checkpoint in the folder.
        steps: Stop after this many steps; the learning-rate schedule is unchanged. Default: the recipe's steps.
        log: function that receives every report as a mapping.

    Returns:
        Path of the model folder.

    Raises:
        InputError: the recipe or the corpus is invalid.
        RunError: ``out`` contains a run and ``resume`` is not set; ``resume`` is set and there is no run or no complete
            checkpoint; the run has another recipe, its input files have changed, or it is still active; ``out`` cannot
            be written; a loss or gradient is NaN or infinite (no checkpoint of such weights is written).
        GenolmError: a package required for training is not installed.
        KeyboardInterrupt: the run was asked to stop; raised after the checkpoint.
    """
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    out = Path(out)
    workers = Workers(recipe.trackers, out)
    _check_processes(recipe, workers.world)
    workers.on_first_rank(lambda: check_claim(out, recipe, resume))
    data = _Data(recipe)
    with ExitStack() as stack:
        # Only now, so that an invalid corpus leaves no folder behind.
        workers.on_first_rank(lambda: stack.enter_context(claim(out, recipe, data.digest, resume)))
        run = _Run(recipe, data, out, workers, log)
        stack.callback(run.feed.close)
        run.train(min(steps or recipe.steps, recipe.steps), resume)
        weights, model = gathered_weights(run.network, workers.first), out / "model"
        tokenizer = data.tokens.tokenizer
        workers.on_first_rank(lambda: write_model(model, weights, tokenizer, recipe, run.log.lines(), workers.world))
    return model


class _Data:
    """Training and held-out data of a run."""

    def __init__(self, recipe: Recipe) -> None:
        self.tokenizer = NucleotideTokenizer(iupac="N")
        self.corpus = load_corpus(recipe.corpus, self.tokenizer)
        self.tokens = Tokenisation(recipe, self.tokenizer, self.corpus.splits["train"])
        self.haplotypes: Haplotypes | None = None
        if recipe.haplotypes is not None:
            self.haplotypes = read_haplotypes(recipe.haplotypes, self.corpus.splits["train"], self.tokenizer)
        self.windows = {stage.context: self._windows(recipe, stage.context) for stage in recipe.plan}

    @property
    def digest(self) -> str:
        """Digest of all sequence, the tokenizer and the haplotypes."""
        parts = [self.corpus.fingerprint]
        if not self.tokens.plain:
            parts.append(self.tokens.tokenizer.to_json())
        if self.haplotypes is not None:
            parts.append(self.haplotypes.digest)
        return parts[0] if len(parts) == 1 else hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def metrics(self) -> dict[str, Any]:
        """Return what the first line of the log reports about the data."""
        bases = {name: self.corpus.bases(name) for name in self.corpus.splits} | {"dropped": self.corpus.dropped}
        entry: dict[str, Any] = {"bases": bases}
        if not self.tokens.plain:
            entry["bases_per_token"] = round(self.tokens.bases_per_token, 4)
        if self.haplotypes is not None:
            counts = {"samples": len(self.haplotypes.samples), "substitutions": len(self.haplotypes)}
            entry["haplotypes"] = counts | {"left_out": self.haplotypes.left_out}
        return entry

    def _windows(self, recipe: Recipe, context: int) -> dict[str, Rows]:
        """Return windows of every held-out split as rows of tokens; the masks depend only on the seed."""
        layout, splits = self.tokens.rows(context), {}
        for name, documents in self.corpus.splits.items():
            if name == "train":
                continue
            bases = self.tokens.row_bases(context)
            try:
                windows = sample_windows(documents, bases - 1, recipe.evaluate_windows, recipe.seed)
            except ValueError as error:
                raise InputError(f"{error}: the split {name!r} has none that long") from None
            seeds = [(recipe.seed, _HELD_OUT_SEED, number) for number in range(len(windows))]
            splits[name] = Rows(windows, None) if layout is None else layout.held_out(windows, seeds)
        return splits


class _Run:
    """State of a pretraining run."""

    def __init__(self, recipe: Recipe, data: _Data, out: Path, workers: Workers, listener: Listener | None) -> None:
        self.recipe, self.workers, self.data = recipe, workers, data
        self.log = RunLog(out / "log.jsonl" if workers.first else None, listener)
        self.bf16 = _uses_bf16(recipe, workers.device)
        _make_deterministic(workers.device)
        _limit_onednn_cache()
        tokenizer = data.tokens.tokenizer
        self.network, wrapped = _network(recipe, tokenizer, workers)
        self.recomputation = Recomputation(self.network)
        self.optimizer = build_optimizer(self.network, recipe.optimizer)
        bases_V = data.tokens.bases_V
        self.bases_V = None if bases_V is None else bases_V.to(workers.device)
        clip = recipe.optimizer.clip
        self.take_step = TrainingStep(recipe.model, wrapped, self.optimizer, clip, workers, self.bases_V)
        sharded = recipe.sharding == "fsdp"
        self.checkpoints = Checkpoints(out / "checkpoints", fingerprint_of(recipe), workers, sharded)
        tokens = None if data.tokens.plain else data.tokens
        self.feed = RowFeed(data.corpus.splits["train"], recipe, data.tokenizer, tokens, data.haplotypes)
        self.passes = _passes_by_group_size(recipe, data.tokens, workers, self.bf16)

    def train(self, steps: int, resume: bool) -> None:
        """Train up to ``steps`` steps, from the newest checkpoint or from the beginning."""
        step = self.checkpoints.load(self.network, self.optimizer) if resume else 0
        peak = device_peak(self.workers.device, self.bf16)
        self.log.rewind(step)
        self._begin(step, peak)
        clock = Clock(self.recipe, peak, self.workers.world, step)
        with stop_signals() as stopped:
            while step < steps:
                self._step(step)
                step += 1
                if self.workers.any_rank(stopped.is_set()):
                    self.checkpoints.save(step, self.network, self.optimizer)
                    raise KeyboardInterrupt(Notice(f"stopped after step {step}", (Remedy("resume", True, "continue"),)))
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
        peak_record = {"peak_flops": peak.flops, "peak_source": peak.source}
        entry = {**self.data.metrics(), **self._baseline()} if step == 0 else {}
        self.log.add(step=step, **entry, **machine, **peak_record)
        self.workers.start_trackers(self.recipe.name, _plain(flatten(asdict(self.recipe))))

    def _baseline(self) -> dict[str, Any]:
        """Return the held-out bits per base of token frequencies alone, for multi-base tokens."""
        if self.bases_V is None:
            return {}
        stage, shares_V = self.recipe.plan[-1], self.data.tokens.frequencies()
        passes, windows = self.passes[stage.context_parallel], self.data.windows[stage.context]
        bits = {name: frequency_bits(shares_V, rows, passes, self.bases_V) for name, rows in windows.items()}
        entry = {name: round(value, 5) for name, value in bits.items() if value is not None}
        return {"frequency_bits_per_base": entry}

    def _step(self, step: int) -> None:
        index, stage, offset = stage_at(step, self.recipe)
        if offset == 0 and len(self.recipe.plan) > 1:
            self.log.add(step=step, stage=index + 1, context=stage.context, batch_rows=stage.batch_rows)
        self.recomputation.switch(stage.recompute)
        teams, team = self.workers.world // stage.context_parallel, self.workers.rank // stage.context_parallel
        passes = self.passes[stage.context_parallel]
        batch = passes.tensors(self.feed.rows(step, team, teams))
        micro = _micro_rows(stage, self.workers.device)
        try:
            self.take_step(passes, batch, micro, schedule(step, self.recipe), stage.context_parallel)
        except DivergedError as error:
            raise RunError(f"step {step + 1}: {error}; {self._advice()}", code="training-diverged") from None

    def _advice(self) -> str:
        newest = self.checkpoints.newest()
        kept = "no checkpoint was written yet" if newest is None else f"the newest checkpoint is {newest}"
        return (
            f"training stopped, and {kept}. Try a lower optimizer.learning_rate, a longer warm-up (warmup_steps),"
            " stronger clipping (optimizer.clip) or precision: fp32"
        )

    def _report(self, step: int, clock: Clock) -> None:
        rate = schedule(step - 1, self.recipe) * self.recipe.optimizer.learning_rate
        entry = {**self.take_step.metrics(), "learning_rate": rate, **clock.metrics(step)}
        self.log.add(step=step, **entry)
        self.workers.track(_only_numbers(entry), step)

    def _report_held_out(self, step: int) -> float:
        """Evaluate on held-out windows; return the elapsed seconds."""
        started = time.monotonic()
        stage = stage_at(step - 1, self.recipe).stage
        passes, rows = self.passes[stage.context_parallel], _micro_rows(stage, self.workers.device)
        self.network.eval()
        measured = {
            name: held_out(self.network, windows, passes, rows, self.workers, stage.context_parallel, self.bases_V)
            for name, windows in self.data.windows[stage.context].items()
        }
        self.network.train()
        losses = {name: loss for name, loss in measured.items() if loss is not None}
        if wrong := [name for name, loss in losses.items() if not math.isfinite(loss.nats_per_token)]:
            raise RunError(
                f"step {step}: the held-out loss of {wrong[0]!r} is not finite; {self._advice()}",
                code="training-diverged",
            )
        bits = {name: round(loss.bits_per_base, 5) for name, loss in losses.items()}
        entry: dict[str, Any] = {"held_out_bits_per_base": bits}
        if self.bases_V is not None:
            entry["held_out_nats_per_token"] = {name: round(loss.nats_per_token, 5) for name, loss in losses.items()}
            entry["held_out_accuracy"] = {name: round(loss.accuracy, 5) for name, loss in losses.items()}
        self.log.add(step=step, **entry)
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
        raise InputError("sharding fsdp needs several processes: start the run with torchrun", value="fsdp")


def _network(recipe: Recipe, tokenizer: Tokenizer, workers: Workers) -> tuple[Network, nn.Module]:
    """Return the network, and the network wrapped for its processes."""
    if recipe.sharding == "fsdp":
        with torch.device("meta"):
            network = make_network(recipe.model, tokenizer.base_ids, tokenizer.n_id)
        network = sharded_network(network, recipe.seed, workers.device, workers.world)
    else:
        network = make_network(recipe.model, tokenizer.base_ids, tokenizer.n_id)
        network = initialise(network, recipe.seed).to(workers.device)
    if recipe.compile:
        for module in network.modules():
            if isinstance(module, RMSNorm | SwiGLU):
                module.compile(dynamic=False)
    return network, network if recipe.sharding == "fsdp" else workers.replicated(network)


def _passes_by_group_size(recipe: Recipe, tokens: Tokenisation, workers: Workers, bf16: bool) -> dict[int, Passes]:
    """Return the passes through the network by the number of processes that share a row."""
    if isinstance(recipe.model, EncoderConfig):
        return {1: MaskedPasses(recipe.model, workers.device, bf16)}
    passes: dict[int, Passes] = {}
    for sharers in sorted({stage.context_parallel for stage in recipe.plan}):
        group = workers.groups(sharers)[workers.rank // sharers] if sharers > 1 else None
        passes[sharers] = CausalPasses(recipe.model, tokens.targets_V, workers.device, bf16, group)
    return passes


def _micro_rows(stage: Stage, device: torch.device) -> int:
    if stage.micro_rows or device.type != "cpu":
        return stage.micro_rows or stage.batch_rows
    return max(1, _CPU_MICRO_TOKENS // stage.context)


def _uses_bf16(recipe: Recipe, device: torch.device) -> bool:
    native = native_bf16() if device.type == "cpu" else torch.cuda.is_bf16_supported()
    return recipe.precision == "bf16" or (recipe.precision == "auto" and native)


def _make_deterministic(device: torch.device) -> None:
    """Select deterministic kernels on a GPU; those of a CPU are deterministic anyway."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def _limit_onednn_cache() -> None:
    """Limit oneDNN's cache of primitives; it would grow to gigabytes, as masked rows differ in shape at every step.

    oneDNN reads the setting at its first product; afterwards it has no effect.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")


def _only_numbers(entry: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in entry.items() if isinstance(value, int | float)}


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with the types that trackers accept; anything else becomes text."""
    return {name: value if isinstance(value, int | float | str) else str(value) for name, value in settings.items()}
