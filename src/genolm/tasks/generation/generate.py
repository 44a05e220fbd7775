"""Continuing prompts, base by base, into a FASTA."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genolm.engine.progress import Progress
from genolm.engine.target import refuse_replacing
from genolm.errors import InputError, ModelError
from genolm.genome.in_memory import Sequences
from genolm.models.precision import parse_dtype
from genolm.tasks.generation.follow_up_check import FollowingCheck
from genolm.tasks.generation.generate_bases_task import GenerateTask
from genolm.tasks.generation.generate_tokens_task import GenerateTokensTask, check_prompts
from genolm.tasks.generation.generation_requests import SUFFIXES
from genolm.tasks.generation.presets import Preset
from genolm.tasks.generation.presets import preset as preset_named
from genolm.tasks.generation.vllm_backend import check_limits, described, generate_with_vllm, refuse_engine_settings
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.model_limits import context_bases
from genolm.tasks.reading.sampling import Sampler
from genolm.tasks.reading.seeds import check_seed
from genolm.tasks.reading.sources import Source, settle
from genolm.tasks.reading.token_continuation import Limits
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import check_suffix

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

_BASES = 256
"""New bases where nothing is said."""


def generate(
    model: Model | str | Path,
    prompts: Sequences,
    out: Path | str | None = None,
    *,
    preset: str | None = None,
    n: int | None = None,
    length: int | None = None,
    min_length: int | None = None,
    max_tokens: int | None = None,
    min_tokens: int | None = None,
    ignore_end: bool = False,
    whole_tokens: bool = False,
    slide: bool = False,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float | None = None,
    seed: int = 0,
    check: Path | str | Sequence[Path | str] = (),
    check_training: Path | str | Sequence[Path | str] = (),
    backend: Literal["torch", "vllm"] = "torch",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
) -> Any:
    """Continues prompts, base by base or token by token, whichever the model reads.

    Only A, C, G and T are written. Each sequence has its own random numbers, which follow from ``seed``, the prompt's
    number and the sample's number: it does not depend on what else is generated with it.

    With tokens of several bases the prompt stands behind the model's begin tokens, and a sequence ends with the
    model's end token (``stop``), at a maximum (``length``) or where the context is full (``context``).

    Args:
        model: a model, or any argument of :func:`genolm.load`.
        prompts: a FASTA or another file of sequences, a table, a dict of names and texts, or a list of texts; an empty
            text begins after the model's begin tokens, or, where it has none, after the token that ends a document.
        out: ``.fa``, ``.fasta`` or ``.fna``; None returns the table.
        preset: published settings, ``conservative``, ``conservative-long``, ``creative`` or ``creative-long``; what is
            given beside it goes before. For tokens of several bases.
        n: sequences for each prompt; 1 where neither this nor a preset says.
        length: new bases for each sequence; with tokens of several bases at most so many. 256 where neither this nor
            ``max_tokens`` nor a preset says.
        min_length: new bases at least. This and the following five are for tokens of several bases.
        max_tokens: new tokens at most.
        min_tokens: new tokens at least; 1 where nothing is said.
        ignore_end: never draw the token that ends a sequence.
        whole_tokens: keep the last token whole where it reaches beyond ``length``.
        slide: where the context is full, go on after forgetting the older half of it.
        temperature: below 1 likelier, above 1 more varied; 0 always takes the likeliest. 1 where nothing is said.
        top_k: sample among the k likeliest; 0, as where nothing is said, for all.
        top_p: sample among the likeliest that together reach p; 1 where nothing is said.
        repetition_penalty: above 1 what was already written becomes less likely, with tokens of several bases also
            what stands in the prompt; 1 where nothing is said.
        seed: same seed, same sequences.
        check: natural genomes, as FASTA, beside which what was written is then checked: :func:`genolm.check_generated`
            writes the folder ``OUT.check``.
        check_training: FASTA that novelty is measured against in that check; none for the natural genomes.
        backend: ``torch``, or ``vllm`` for a folder in the layout of Hugging Face whose tokens stand for several bases
            (extra ``vllm``); it draws other sequences from the same seed and takes none of the settings that follow but
            ``dtype``, ``overwrite`` and ``progress``.
        device: device such as ``cuda:0``; None for the best available.
        dtype: precision of the weights; None for the default of model card and device.
        token_budget: maximum tokens per batch; None for as many as fit in memory.
        resume: continue an interrupted run from its finished parts.
        overwrite: replace an existing output.
        shard: ``"i/n"``: compute the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, a FASTA of prompts with their continuations; the header line holds the number of prompt bases, all
        settings, the model and the mean log-probability of the new bases in nats under the model itself. Without
        ``out`` a polars table: ``id, prompt_id, sample`` (from 1) ``, prompt, generated,
        mean_log_probability_nats_per_base``. With tokens of several bases also ``finish_reason, tokens,
        total_log_probability_nats, mean_log_probability_nats_per_token``; these count whole tokens, over the model's
        whole vocabulary.

    Raises:
        InputError: prompts that cannot be used, or a setting out of its range.
        ModelError: no such model, or a prompt and its continuation are longer than its context.
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
    """
    path = check_suffix(out, SUFFIXES)
    base = preset_named(preset)
    asked = _Asked(n, length, min_length, max_tokens, min_tokens, ignore_end, whole_tokens, slide)
    asked.check()
    check_seed(seed)
    sampler = base.sampler(temperature, top_k, top_p, repetition_penalty)
    source = settle(prompts)
    report = FollowingCheck.planned(path, check, check_training, shard, overwrite=overwrite, resume=resume)
    if backend == "vllm":
        refuse_engine_settings(
            {"device": device, "token_budget": token_budget, "resume": resume, "shard": shard, "dry_run": dry_run}
        )
        return report.after(_by_vllm(model, path, asked, source, sampler, seed, preset, dtype, overwrite, progress))
    if backend != "torch":
        raise InputError("the backends are torch and vllm", value=backend)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    if opened.tokenizer.bases_per_token == 1:
        task: Any = asked.by_bases(opened, source, sampler, seed, preset)
    else:
        task = asked.by_tokens(opened, Provenance.of(opened), source, sampler, seed, preset)
    result = bulk.run(task, opened, path)
    return result if dry_run else report.after(result)


def _by_vllm(
    model: Model | str | Path,
    path: Path | None,
    asked: _Asked,
    source: Source,
    sampler: Sampler,
    seed: int,
    preset: str | None,
    dtype: torch.dtype | str | None,
    overwrite: bool,
    progress: Progress | bool | None,
) -> Any:
    bulk = Bulk(overwrite=overwrite, progress=progress)
    if path is not None:
        bulk.check_output(path)
        refuse_replacing(source.files(), path)
    if not isinstance(model, str | Path):
        raise ModelError("the backend vllm loads its model itself: give it the folder")
    check_limits(asked.limits(preset_named(preset)), sampler.top_p)
    folder = Path(model)
    opened, provenance = described(folder)
    task = replace(asked.by_tokens(opened, provenance, source, sampler, seed, preset), backend="vllm")
    precision = None if dtype is None else str(parse_dtype(dtype)).removeprefix("torch.")
    task = replace(task, provenance=replace(provenance, precision=precision or provenance.precision))
    table = generate_with_vllm(opened, task, folder, precision, progress)
    return bulk.run_without_engine(task, iter([table]), path)


@dataclass(frozen=True, slots=True)
class _Asked:
    """How much to write, as the user said it; None where nothing was said."""

    n: int | None
    length: int | None
    min_length: int | None
    max_tokens: int | None
    min_tokens: int | None
    ignore_end: bool
    whole_tokens: bool
    slide: bool

    def check(self) -> None:
        for name in ("n", "length", "min_length", "max_tokens", "min_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is at least 1", value=value)

    def by_bases(self, model: Model, source: Source, sampler: Sampler, seed: int, preset: str | None) -> GenerateTask:
        model.decoder  # noqa: B018  # says so where it is none
        others = ("min_length", "max_tokens", "min_tokens", "ignore_end", "whole_tokens", "slide")
        told = [name for name in others if getattr(self, name)] + (["preset"] if preset else [])
        if told:
            raise ModelError(
                f"{model.card.name} has one token per base; {', '.join(told)} {'are' if told[1:] else 'is'} for models"
                " whose tokens stand for several bases"
            )
        length = _BASES if self.length is None else self.length
        return GenerateTask(source, self.n or 1, length, sampler, seed, context_bases(model), Provenance.of(model))

    def by_tokens(
        self, model: Model, provenance: Provenance, source: Source, sampler: Sampler, seed: int, preset: str | None
    ) -> GenerateTokensTask:
        model.decoder  # noqa: B018  # says so where it is none
        base = preset_named(preset)
        limits = self.limits(base)
        bases_per_token = model.tokenizer.bases_per_token
        asked = [self.max_tokens, None if self.length is None else math.ceil(self.length / bases_per_token)]
        if preset is None and limits.max_bases is not None:
            asked.append(math.ceil(limits.max_bases / bases_per_token))
        wanted = min((count for count in asked if count is not None), default=limits.min_tokens)
        needed = max(wanted, limits.min_tokens, math.ceil(limits.min_bases / bases_per_token))
        check_prompts(source, model, limits, needed)
        most = limits.max_tokens or model.context
        planned = min(most, model.context) if wanted == limits.min_tokens and preset else needed
        n, whole = self.n or base.n, self.whole_tokens
        return GenerateTokensTask(
            source, n, limits, whole, sampler, seed, planned, bases_per_token, provenance, preset or ""
        )

    def limits(self, base: Preset) -> Limits:
        most = base.max_tokens if self.max_tokens is None else self.max_tokens
        least = base.min_tokens if self.min_tokens is None else self.min_tokens
        if self.min_tokens is None and self.max_tokens is not None:
            least = min(least, self.max_tokens)
        length = _BASES if self.length is None and most is None else self.length
        return Limits(least, most, self.min_length or 0, length, self.ignore_end, self.slide)
