"""Generation of DNA: continuation of prompts, into a FASTA file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Unpack

from genolm.errors import ModelError
from genolm.files.output_paths import refuse_replacing
from genolm.genome.in_memory import Sequences
from genolm.models.model import Model
from genolm.models.precision import parse_dtype
from genolm.tasks.generation.follow_up_check import FollowUpCheck
from genolm.tasks.generation.generate_bases_task import GenerateTask
from genolm.tasks.generation.generate_tokens_task import GenerateTokensTask, check_prompts
from genolm.tasks.generation.generated_sequences import Generated
from genolm.tasks.generation.generation_requests import SUFFIXES
from genolm.tasks.generation.presets import Preset, PresetName
from genolm.tasks.generation.presets import preset as preset_named
from genolm.tasks.generation.vllm_backend import (
    check_limits,
    generate_with_vllm,
    open_without_weights,
    refuse_engine_settings,
)
from genolm.tasks.reading.bulk import AnyModel, Bulk, RunOptions
from genolm.tasks.reading.model_limits import context_bases
from genolm.tasks.reading.sampling import Penalty, Sampler, Temperature, TopK, TopP
from genolm.tasks.reading.sources import Source, open_source, refuse_located
from genolm.tasks.reading.token_continuation import Limits
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import check_suffix
from genolm.verbs import Bases, Count, Fasta, OutputFile, Seed, Several, Short, Shown, verb

_BASES = 256
"""Default number of new bases."""


@verb(example="genolm generate genolm-nano prompts.fa continued.fa -n 4 --length 200")
def generate(
    model: AnyModel,
    prompts: Annotated[Sequences, Several(), Shown("PROMPTS")],
    out: OutputFile | None = None,
    *,
    preset: PresetName | None = None,
    n: Annotated[Count | None, Short("-n")] = None,
    length: Bases | None = None,
    min_length: Bases | None = None,
    max_tokens: Count | None = None,
    min_tokens: Count | None = None,
    ignore_end: bool = False,
    whole_tokens: bool = False,
    slide: bool = False,
    temperature: Temperature | None = None,
    top_k: TopK | None = None,
    top_p: TopP | None = None,
    repetition_penalty: Penalty | None = None,
    seed: Seed = 0,
    check: Fasta | Sequence[Fasta] = (),
    check_training: Fasta | Sequence[Fasta] = (),
    backend: Literal["torch", "vllm"] = "torch",
    **run: Unpack[RunOptions],
) -> Generated:
    """Generate DNA that continues prompts.

    Sequences are sampled token by token: one base at a time (Genos), or several (GenomeOcean). Prompt and settings are
    recorded in the FASTA headers.

    Only A, C, G and T are generated. The random numbers of each sequence depend on ``seed``, the index of the prompt
    and the index of the sample only: a sequence does not depend on what else is generated with it. An empty prompt
    starts after the model's begin tokens or, if it has none, after the end-of-document token.

    With multi-base tokens the prompt follows the model's begin tokens, and a sequence ends with the model's end token
    (``stop``), at a maximum (``length``) or at the end of the context (``context``).

    Args:
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.
        prompts: Prompts: FASTA files or other files of sequences, or bases such as ACGT.
        out: FASTA file to write: .fa, .fasta or .fna.
        preset: Published sampling settings of GenomeOcean; explicit options override the preset.
        n: Sequences per prompt. Default: 1.
        length: Number of new bases per sequence; a maximum for multi-base tokens. Default: 256, unless `max_tokens` or
            a preset sets a limit.
        min_length: Multi-base tokens: minimum number of new bases.
        max_tokens: Multi-base tokens: maximum number of new tokens.
        min_tokens: Multi-base tokens: minimum number of new tokens. Default: 1.
        ignore_end: Multi-base tokens: never sample the end-of-sequence token.
        whole_tokens: Multi-base tokens: do not trim the last token if it exceeds `length`.
        slide: Multi-base tokens: when the context is full, drop its older half and continue.
        temperature: Sampling temperature: lower is less random; 0 always takes the likeliest token. Default: 1.
        top_k: Sample from the K likeliest tokens; 0: from all. Default: 0.
        top_p: Sample from the likeliest tokens whose probabilities sum to P. Default: 1.
        repetition_penalty: Values above 1 make tokens that already occurred less likely. Default: 1.
        seed: Random seed, 0 or higher.
        check: Native genome: compare the output with it, as check does, and write OUTPUT.check.
        check_training: Training sequences, to measure the novelty for `check`. Default: those of `check`.
        backend: Backend; vllm needs a model folder in Hugging Face layout (extra: vllm). It samples other sequences
            from the same seed, and supports only `dtype` and `overwrite` of the options of a run.

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
    sampler = base.sampler(temperature, top_k, top_p, repetition_penalty)
    source = open_source(prompts)
    bulk = Bulk.of(run)
    refuse_located(source, "prompts must be sequences")
    follow_up = FollowUpCheck.planned(
        path, check, check_training, bulk.shard, overwrite=bulk.overwrite, resume=bulk.resume
    )
    if backend == "vllm":
        refuse_engine_settings(
            {name: getattr(bulk, name) for name in ("device", "batch_tokens", "resume", "shard", "dry_run")}
        )
        made = _by_vllm(model, path, request, source, sampler, seed, preset, bulk)
    else:
        opened = bulk.open(model, path)
        if opened.tokenizer.bases_per_token == 1:
            task: Any = request.by_bases(opened, source, sampler, seed, preset)
        else:
            task = request.by_tokens(opened, Provenance.of(opened), source, sampler, seed, preset)
        made = Generated(bulk.run(task, opened, path), opened.card.name)
    if not bulk.dry_run:
        follow_up.run()
    return made


def _by_vllm(
    model: Model | str | Path,
    path: Path | None,
    request: _Request,
    source: Source,
    sampler: Sampler,
    seed: int,
    preset: PresetName | None,
    bulk: Bulk,
) -> Generated:
    if path is not None:
        bulk.check_output(path)
        refuse_replacing(source.files(), path)
    if not isinstance(model, str | Path):
        raise ModelError("the vllm backend loads the model itself: pass its folder")
    check_limits(request.limits(preset_named(preset)), sampler.top_p)
    folder = Path(model)
    opened, provenance = open_without_weights(folder)
    task = replace(request.by_tokens(opened, provenance, source, sampler, seed, preset), backend="vllm")
    precision = None if bulk.dtype is None else str(parse_dtype(bulk.dtype)).removeprefix("torch.")
    task = replace(task, provenance=replace(provenance, precision=precision or provenance.precision))
    table = generate_with_vllm(opened, task, folder, precision, bulk.progress)
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

    def by_bases(self, model: Model, source: Source, sampler: Sampler, seed: int, preset: str | None) -> GenerateTask:
        model.decoder  # noqa: B018  # raises ModelError for an encoder
        token_options = ("min_length", "max_tokens", "min_tokens", "ignore_end", "whole_tokens", "slide")
        unsupported = [name for name in token_options if getattr(self, name)] + (["preset"] if preset else [])
        if unsupported:
            raise ModelError(
                f"{model.card.name} has one token per base, but {', '.join(unsupported)}"
                f" {'require' if unsupported[1:] else 'requires'} a model with multi-base tokens",
                code="unsupported-by-model",
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
