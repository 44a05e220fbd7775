"""Generation of DNA: continuation of prompts, into a FASTA file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Unpack

from genolm.files.output_paths import refuse_replacing
from genolm.genome.in_memory import Sequences
from genolm.models.model import Model
from genolm.parameters import Bases, Count, Fasta, OutputFile, Seed, Several, Short, Shown
from genolm.tasks.generation.follow_up_check import FollowUpCheck
from genolm.tasks.generation.generated_sequences import Generated
from genolm.tasks.generation.generation_requests import SUFFIXES
from genolm.tasks.generation.generation_settings import GenerationSettings
from genolm.tasks.generation.presets import PresetName
from genolm.tasks.generation.vllm_generation import plan_with_vllm, refuse_engine_settings
from genolm.tasks.reading.bulk import AnyModel, Bulk, RunOptions
from genolm.tasks.reading.continuation.sampling import Penalty, Temperature, TopK, TopP
from genolm.tasks.reading.sources import Source, open_source, refuse_located
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import check_suffix
from genolm.verbs import verb

_WITH_VLLM = ("dtype", "overwrite", "progress")
"""Options of a run that the vllm backend supports."""


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
    settings = GenerationSettings(
        preset, n, length, min_length, max_tokens, min_tokens, ignore_end, whole_tokens, slide, temperature, top_k,
        top_p, repetition_penalty, seed,
    )  # fmt: skip
    source = open_source(prompts)
    bulk = Bulk.of(run)
    refuse_located(source, "prompts must be sequences")
    follow_up = FollowUpCheck.planned(
        path, check, check_training, bulk.shard, overwrite=bulk.overwrite, resume=bulk.resume
    )
    if backend == "vllm":
        refuse_engine_settings(
            {name: value for name, value in run.items() if name not in _WITH_VLLM and value != "local"}
        )
        made = _by_vllm(model, path, settings, source, bulk)
    else:
        opened = bulk.open(model, path)
        task = settings.task(opened, Provenance.of(opened), source)
        made = Generated(bulk.run(task, opened, path), opened.card.name)
    if not bulk.dry_run:
        follow_up.run()
    return made


def _by_vllm(
    model: Model | str | Path,
    path: Path | None,
    settings: GenerationSettings,
    source: Source,
    bulk: Bulk,
) -> Generated:
    if path is not None:
        bulk.check_output(path)
        refuse_replacing(source.files(), path)
    planned = plan_with_vllm(model, settings, source, bulk.dtype)
    rows = planned.table(bulk.progress)
    return Generated(bulk.run_without_engine(planned.task, iter([rows]), path), planned.model.card.name)
