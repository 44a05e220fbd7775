"""Generation of DNA: continuation of prompts, into a FASTA file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genolm.engine.progress import Progress
from genolm.errors import InputError
from genolm.files.output_paths import refuse_replacing
from genolm.genome.in_memory import Sequences
from genolm.tasks.generation.follow_up_check import FollowUpCheck
from genolm.tasks.generation.generation_requests import SUFFIXES
from genolm.tasks.generation.generation_settings import GenerationSettings
from genolm.tasks.generation.vllm_generation import plan_with_vllm, refuse_engine_settings
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.sources import Source, open_source
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import check_suffix

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model


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
        ``out``, a FASTA file of prompts with their continuations; the header has the number of prompt bases, all
        settings, the model and the mean log-probability of the new bases in nats under the model. Without ``out`` a
        polars table: ``id``, ``prompt_id``, ``sample`` (from 1), ``prompt``, ``generated`` and
        ``mean_log_probability_nats_per_base``. With multi-base tokens also ``finish_reason``, ``tokens``,
        ``total_log_probability_nats`` and ``mean_log_probability_nats_per_token``; these count complete tokens, and
        probabilities are over the model's vocabulary.

    Raises:
        InputError: the prompts are invalid, or a setting is out of range.
        ModelError: the model does not exist, or a prompt and its continuation exceed its context.
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
    """
    path = check_suffix(out, SUFFIXES)
    settings = GenerationSettings(
        preset,
        n,
        length,
        min_length,
        max_tokens,
        min_tokens,
        ignore_end,
        whole_tokens,
        slide,
        temperature,
        top_k,
        top_p,
        repetition_penalty,
        seed,
    )
    source = open_source(prompts)
    follow_up = FollowUpCheck.planned(path, check, check_training, shard, overwrite=overwrite, resume=resume)
    if backend == "vllm":
        refuse_engine_settings(
            {"device": device, "token_budget": token_budget, "resume": resume, "shard": shard, "dry_run": dry_run}
        )
        result = _by_vllm(model, path, settings, source, dtype, Bulk(overwrite=overwrite, progress=progress))
    elif backend == "torch":
        bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
        opened = bulk.open(model, path)
        result = bulk.run(settings.task(opened, Provenance.of(opened), source), opened, path)
    else:
        raise InputError("invalid backend: expected torch or vllm", value=backend)
    if not dry_run:
        follow_up.run()
    return result


def _by_vllm(
    model: Model | str | Path,
    path: Path | None,
    settings: GenerationSettings,
    source: Source,
    dtype: torch.dtype | str | None,
    bulk: Bulk,
) -> Any:
    if path is not None:
        bulk.check_output(path)
        refuse_replacing(source.files(), path)
    planned = plan_with_vllm(model, settings, source, dtype)
    return bulk.run_without_engine(planned.task, iter([planned.table(bulk.progress)]), path)
