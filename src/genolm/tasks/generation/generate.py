"""Generation of DNA: continuation of prompts, into a FASTA file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genolm.engine.progress import Progress
from genolm.errors import InputError, ModelError
from genolm.files.output_paths import refuse_replacing
from genolm.genome.in_memory import Sequences
from genolm.models.precision import parse_dtype
from genolm.tasks.generation.follow_up_check import FollowUpCheck
from genolm.tasks.generation.generate_bases_task import GenerateTask
from genolm.tasks.generation.generate_tokens_task import GenerateTokensTask, check_prompts
from genolm.tasks.generation.generated_sequences import Generated
from genolm.tasks.generation.generation_requests import SUFFIXES
from genolm.tasks.generation.presets import Preset
from genolm.tasks.generation.presets import preset as preset_named
from genolm.tasks.generation.vllm_backend import (
    check_limits,
    generate_with_vllm,
    open_without_weights,
    refuse_engine_settings,
)
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.model_limits import context_bases
from genolm.tasks.reading.sampling import Sampler
from genolm.tasks.reading.seeds import check_seed
from genolm.tasks.reading.sources import Source, open_source
from genolm.tasks.reading.token_continuation import Limits
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import check_suffix

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

_BASES = 256
"""Default number of new bases."""


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
) -> Generated:
    """Continue prompts, base by base or token by token, depending on the model.

    Only A, C, G and T are generated. The random numbers of each sequence depend on ``seed``, the index of the prompt
    and the index of the sample only: a sequence does not depend on what else is generated with it.

    With multi-base tokens the prompt follows the model's begin tokens, and a sequence ends with the model's end token
    (``stop``), at a maximum (``length``) or at the end of the context (``context``).

    Args:
        model: a model, or any argument of :func:`genolm.load`.
        prompts: a FASTA or another sequence file, a table, a dict of names and texts, or a list of texts. An empty text
            starts after the model's begin tokens or, if it has none, after the end-of-document token.
        out: ``.fa``, ``.fasta`` or ``.fna``; None returns the table.
        preset: published settings for multi-base tokens: ``conservative``, ``conservative-long``, ``creative`` or
            ``creative-long``. Explicit arguments override the preset.
        n: sequences per prompt; None for the preset's number, else 1.
        length: new bases per sequence; with multi-base tokens an upper limit. None for 256, unless ``max_tokens`` or a
            preset is given.
        min_length: minimum of new bases. This and the following five arguments are for multi-base tokens.
        max_tokens: maximum of new tokens.
        min_tokens: minimum of new tokens; None for 1.
        ignore_end: never sample the end token.
        whole_tokens: keep all bases of the last token if it extends beyond ``length``.
        slide: at the end of the context, drop its older half and continue.
        temperature: values below 1 favour likely bases, above 1 diversity; 0 is greedy. None for 1.
        top_k: sample from the k most likely choices; 0 for all. None for 0.
        top_p: sample from the most likely choices with a total probability of p. None for 1.
        repetition_penalty: values above 1 penalise what was already generated and, with multi-base tokens, what the
            prompt contains. None for 1.
        seed: random seed.
        check: native genomes as FASTA; the output is then compared with them by :func:`genolm.check_generated`, into
            the folder ``OUT.check``.
        check_training: FASTA files that novelty is measured against in that check; empty for the native genomes.
        backend: ``torch``, or ``vllm`` for a Hugging Face folder of a model with multi-base tokens (extra ``vllm``).
            vLLM samples other sequences from the same seed and supports, of the following settings, ``dtype``,
            ``overwrite`` and ``progress`` only.
        device: device such as ``cuda:0``; None for the first CUDA device, else the CPU.
        dtype: precision of the weights; None for the default of model card and device.
        token_budget: maximum tokens per batch; None for as many as fit in memory.
        resume: continue an interrupted run from its finished parts.
        overwrite: replace an existing output.
        shard: ``"i/n"``: compute the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return a :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        The sequences, in memory or written to ``out``, a FASTA file of prompts with their continuations: the header has
        the number of prompt bases, all settings, the model and the mean log-probability of the new bases in nats under
        the model. `sequences` has them by name, and `table` the columns of
        :class:`genolm.tasks.generation.generated_sequences.Generated`.

    Raises:
        InputError: the prompts are invalid, or a setting is out of range.
        ModelError: the model does not exist, or a prompt and its continuation exceed its context.
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
    """
    path = check_suffix(out, SUFFIXES)
    base = preset_named(preset)
    request = _Request(n, length, min_length, max_tokens, min_tokens, ignore_end, whole_tokens, slide)
    request.check()
    check_seed(seed)
    sampler = base.sampler(temperature, top_k, top_p, repetition_penalty)
    source = open_source(prompts)
    follow_up = FollowUpCheck.planned(path, check, check_training, shard, overwrite=overwrite, resume=resume)
    if backend == "vllm":
        refuse_engine_settings(
            {"device": device, "token_budget": token_budget, "resume": resume, "shard": shard, "dry_run": dry_run}
        )
        made = _by_vllm(model, path, request, source, sampler, seed, preset, dtype, overwrite, progress)
    elif backend == "torch":
        bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
        opened = bulk.open(model, path)
        if opened.tokenizer.bases_per_token == 1:
            task: Any = request.by_bases(opened, source, sampler, seed, preset)
        else:
            task = request.by_tokens(opened, Provenance.of(opened), source, sampler, seed, preset)
        made = Generated(bulk.run(task, opened, path), opened.card.name)
    else:
        raise InputError("invalid backend: expected torch or vllm", value=backend)
    if not dry_run:
        follow_up.run()
    return made


def _by_vllm(
    model: Model | str | Path,
    path: Path | None,
    request: _Request,
    source: Source,
    sampler: Sampler,
    seed: int,
    preset: str | None,
    dtype: torch.dtype | str | None,
    overwrite: bool,
    progress: Progress | bool | None,
) -> Generated:
    bulk = Bulk(overwrite=overwrite, progress=progress)
    if path is not None:
        bulk.check_output(path)
        refuse_replacing(source.files(), path)
    if not isinstance(model, str | Path):
        raise ModelError("the vllm backend loads the model itself: pass its folder")
    check_limits(request.limits(preset_named(preset)), sampler.top_p)
    folder = Path(model)
    opened, provenance = open_without_weights(folder)
    task = replace(request.by_tokens(opened, provenance, source, sampler, seed, preset), backend="vllm")
    precision = None if dtype is None else str(parse_dtype(dtype)).removeprefix("torch.")
    task = replace(task, provenance=replace(provenance, precision=precision or provenance.precision))
    table = generate_with_vllm(opened, task, folder, precision, progress)
    return Generated(bulk.run_without_engine(task, iter([table]), path), provenance.model)


@dataclass(frozen=True, slots=True)
class _Request:
    """Requested counts and lengths; None where unspecified."""

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
                raise InputError(f"{name} must be at least 1", value=value)

    def by_bases(self, model: Model, source: Source, sampler: Sampler, seed: int, preset: str | None) -> GenerateTask:
        model.decoder  # noqa: B018  # raises ModelError for an encoder
        token_options = ("min_length", "max_tokens", "min_tokens", "ignore_end", "whole_tokens", "slide")
        unsupported = [name for name in token_options if getattr(self, name)] + (["preset"] if preset else [])
        if unsupported:
            raise ModelError(
                f"{model.card.name} has one token per base, but {', '.join(unsupported)}"
                f" {'require' if unsupported[1:] else 'requires'} a model with multi-base tokens"
            )
        length = _BASES if self.length is None else self.length
        return GenerateTask(source, self.n or 1, length, sampler, seed, context_bases(model), Provenance.of(model))

    def by_tokens(
        self, model: Model, provenance: Provenance, source: Source, sampler: Sampler, seed: int, preset: str | None
    ) -> GenerateTokensTask:
        model.decoder  # noqa: B018  # raises ModelError for an encoder
        base = preset_named(preset)
        limits = self.limits(base)
        bases_per_token = model.tokenizer.bases_per_token
        token_limits = [self.max_tokens, None if self.length is None else math.ceil(self.length / bases_per_token)]
        if preset is None and limits.max_bases is not None:
            token_limits.append(math.ceil(limits.max_bases / bases_per_token))
        requested = min((count for count in token_limits if count is not None), default=limits.min_tokens)
        needed = max(requested, limits.min_tokens, math.ceil(limits.min_bases / bases_per_token))
        check_prompts(source, model, limits, needed)
        maximum = limits.max_tokens or model.context
        planned = min(maximum, model.context) if requested == limits.min_tokens and preset else needed
        n, whole = self.n or base.n, self.whole_tokens
        return GenerateTokensTask(
            source, n, limits, whole, sampler, seed, planned, bases_per_token, provenance, preset or ""
        )

    def limits(self, base: Preset) -> Limits:
        maximum = base.max_tokens if self.max_tokens is None else self.max_tokens
        minimum = base.min_tokens if self.min_tokens is None else self.min_tokens
        if self.min_tokens is None and self.max_tokens is not None:
            minimum = min(minimum, self.max_tokens)
        length = _BASES if self.length is None and maximum is None else self.length
        return Limits(minimum, maximum, self.min_length or 0, length, self.ignore_end, self.slide)
