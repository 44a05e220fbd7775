"""Next-base pretraining of a decoder from a recipe, on one device, resumable to the bit."""

from __future__ import annotations

import hashlib
import json
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from genolm.errors import RunError
from genolm.models.decoder import Decoder
from genolm.models.experts import expert_load, load_balancing_loss, router_z_loss
from genolm.models.precision import native_bf16
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.checkpoint import load_checkpoint, save_checkpoint
from genolm.training.corpus import Corpus, RowOrder, Rows, load_corpus
from genolm.training.heldout import bits_per_base, sample_windows
from genolm.training.initialisation import initialise
from genolm.training.optimizers import Optimizers, build_optimizer
from genolm.training.recipe import Recipe
from genolm.training.release import write_model
from genolm.training.run_log import Listener, RunLog


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
    the same weights, bit for bit, as one that was never interrupted (same machine, same number of threads).

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
        RunError: when ``out`` holds a run and ``resume`` is not set, or the run of another recipe.
        KeyboardInterrupt: after the checkpoint, when the run was asked to stop.
    """
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    out = Path(out)
    fingerprint = _claimable(out, recipe, resume)
    tokenizer = NucleotideTokenizer(iupac="N")
    corpus = load_corpus(recipe.corpus, tokenizer)
    _claim(out, recipe, fingerprint)  # only now, so that a corpus that cannot be used leaves nothing
    run = _Run(recipe, corpus, tokenizer, out, fingerprint, log)
    run.train(min(steps or recipe.steps, recipe.steps), resume)
    return write_model(out / "model", run.network, tokenizer, recipe, run.log.lines())


class _Run:
    """The state of one pretraining run."""

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        tokenizer: NucleotideTokenizer,
        out: Path,
        fingerprint: str,
        log: Listener | None,
    ) -> None:
        self.recipe, self.checkpoints, self.fingerprint = recipe, out / "checkpoints", fingerprint
        self.log = RunLog(out / "log.jsonl", log)
        self.network = initialise(Decoder(recipe.model, tokenizer.base_ids), recipe.seed)
        self.optimizer = build_optimizer(self.network, recipe.optimizer)
        self.rows = RowOrder(corpus.splits["train"], recipe.context, recipe.batch_rows, recipe.seed, tokenizer)
        self.bf16 = recipe.precision == "bf16" or (recipe.precision == "auto" and native_bf16())
        self._bases = torch.tensor(sorted(tokenizer.base_ids))
        self._held_out = {
            name: sample_windows(runs, recipe.context, recipe.evaluate_windows, recipe.seed)
            for name, runs in corpus.splits.items()
            if name != "train"
        }
        self._bases_of = {name: corpus.bases(name) for name in corpus.splits} | {"dropped": corpus.dropped}

    def train(self, steps: int, resume: bool) -> None:
        """Go on to ``steps`` steps from the newest checkpoint, or from the beginning."""
        step = (load_checkpoint(self.checkpoints, *self._state()) if resume else None) or 0
        self.log.rewind(step)
        if step == 0:
            self.log.add(step=0, bases=self._bases_of)
        with _stop_signals() as stopped:
            started, done = time.monotonic(), step
            while step < steps:
                loss = self._step(step)
                step += 1
                if stopped.is_set():
                    save_checkpoint(self.checkpoints, step, *self._state())
                    raise KeyboardInterrupt(f"stopped after step {step}; continue with --resume")
                if step % 20 == 0 or step == steps:
                    speed = (step - done) * self.recipe.batch_rows * self.recipe.context / (time.monotonic() - started)
                    self.log.add(step=step, **loss, tokens_per_second=round(speed))
                    started, done = time.monotonic(), step
                if step % self.recipe.evaluate_every == 0 or step == steps:
                    self.log.add(step=step, **self._evaluate())
                    started = time.monotonic()
                if step % self.recipe.checkpoint_every == 0 or step == steps:
                    save_checkpoint(self.checkpoints, step, *self._state())

    def _state(self) -> tuple[Decoder, Optimizers, str]:
        return self.network, self.optimizer, self.fingerprint

    def _step(self, step: int) -> dict[str, float]:
        share = schedule(step, self.recipe)
        for group in self.optimizer.param_groups:
            group["lr"] = share * group["peak"]
        loss, told = self._loss(self.rows.batch(step))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.optimizer.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return {**told, "gradient_norm": round(float(norm), 4), "learning_rate": share * self.recipe.optimizer.learning_rate}

    def _loss(self, rows: Rows) -> tuple[Tensor, dict[str, Any]]:
        ids = torch.from_numpy(rows.ids_RL.astype(np.int64))
        documents = None if rows.documents_RL is None else torch.from_numpy(rows.documents_RL)
        experts = self.recipe.model.num_experts > 0
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            inside = None if documents is None else documents[:, :-1]
            output = self.network(ids[:, :-1], documents_BL=inside, router=experts)
        assert output.logits_BLV is not None
        loss = next_base_loss(output.logits_BLV, ids, documents, self._bases)
        told: dict[str, Any] = {"bits_per_base": round(loss.item() / math.log(2), 5)}
        if experts:
            chosen = self.recipe.model.experts_per_token
            balance, z = load_balancing_loss(output.router, chosen), router_z_loss(output.router)
            loss = loss + self.recipe.model.router_aux_coef * balance + self.recipe.model.router_z_coef * z
            loads = [[round(share, 4) for share in expert_load(one, chosen).tolist()] for one in output.router]
            told |= {"load_balancing": balance.item(), "router_z": z.item(), "expert_load": loads}
        return loss, told

    def _evaluate(self) -> dict[str, Any]:
        bits = {name: bits_per_base(self.network, windows, self.bf16) for name, windows in self._held_out.items()}
        return {"held_out_bits_per_base": {name: round(value, 5) for name, value in bits.items()}}


def next_base_loss(logits_BLV: Tensor, ids_BM: Tensor, documents_BM: Tensor | None, base_ids: Tensor) -> Tensor:
    """Mean cross-entropy in nats over the bases that follow a base of their own document (M = L + 1)."""
    targets = ids_BM[:, 1:]
    counted = torch.isin(targets, base_ids)
    if documents_BM is not None:
        counted &= documents_BM[:, 1:] == documents_BM[:, :-1]
    return F.cross_entropy(logits_BLV[counted], targets[counted])


def schedule(step: int, recipe: Recipe) -> float:
    """Learning rate over its peak: linear warm-up, then a cosine to ``final_fraction`` at the last step."""
    plan = recipe.optimizer
    if step < plan.warmup_steps:
        return (step + 1) / plan.warmup_steps
    progress = (step - plan.warmup_steps) / max(1, recipe.steps - plan.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return plan.final_fraction + (1 - plan.final_fraction) * cosine


def _claimable(out: Path, recipe: Recipe, resume: bool) -> str:
    """Refuses a folder that is not for this recipe; returns the recipe's fingerprint."""
    fingerprint = hashlib.sha256(json.dumps(_told(recipe), sort_keys=True, default=str).encode()).hexdigest()
    marker = out / "recipe.json"
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file: choose another folder")
    if marker.exists() and not resume:
        raise RunError(f"{out} already holds a run: continue it with --resume or choose another folder")
    if marker.exists() and _fingerprint_in(marker) != fingerprint:
        raise RunError(f"{out} holds the run of another recipe: choose another folder")
    return fingerprint


def _fingerprint_in(marker: Path) -> str:
    try:
        return str(json.loads(marker.read_text())["fingerprint"])
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{marker} is damaged: choose another folder") from None


def _claim(out: Path, recipe: Recipe, fingerprint: str) -> None:
    """Takes the folder for this recipe."""
    out.mkdir(parents=True, exist_ok=True)
    told = {"fingerprint": fingerprint, "recipe": _told(recipe)}
    (out / "recipe.json").write_text(json.dumps(told, indent=1, default=str))


def _told(recipe: Recipe) -> dict[str, Any]:
    """What decides the weights: everything but the text of the card."""
    return asdict(replace(recipe, card=""))


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that a step is finished and saved before the run ends."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
