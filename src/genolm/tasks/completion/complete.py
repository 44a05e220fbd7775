"""Completion of genes from their first part, compared with baselines."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.progress import Progress
from genolm.engine.target import check_target
from genolm.errors import InputError
from genolm.genome.labelled.fragments import single_path
from genolm.tasks.completion.completion_baselines import MAX_ORDER
from genolm.tasks.completion.completion_metrics import require_edlib
from genolm.tasks.completion.completion_task import CompletionTask, summary_path
from genolm.tasks.completion.gene_selection import Gene, GeneSelection, choose_genes
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.continuation.prompts import prompt_ids
from genolm.tasks.reading.continuation.sampling import Sampler
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model


def complete(
    model: Model | str | Path,
    genes: Path | str,
    out: Path | str | None = None,
    *,
    genome: Path | str | None = None,
    reference: Path | str | None = None,
    prompt_fraction: float = 0.3,
    n: int = 4,
    draw: int = 0,
    shortest: int = 300,
    longest: int = 0,
    order: int = 5,
    code: int = 11,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    repetition_penalty: float = 1.0,
    seed: int = 0,
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
) -> Any:
    """Complete genes from their first part, and compare the completions with the native sequence.

    A completion is as long as the truth; the model's end token is not sampled. Baselines: a Markov model that continues
    the prompt, the corresponding part of another gene of the file, and the shuffled truth.

    Args:
        model: a causal model, or any argument of :func:`genolm.load`.
        genes: GenBank or EMBL with sequence (extra ``genbank``); GFF3 or GTF together with ``genome``; otherwise a
            FASTA file of coding sequences. Genes on the minus strand are read in their own direction.
        out: ``.parquet``, ``.tsv`` or ``.csv``; ``OUT.summary.tsv`` is written next to it. None returns the table.
        genome: FASTA file of the contigs of a GFF3 or GTF.
        reference: FASTA file that the Markov model is fitted to. None for ``genome``, for the sequences of a GenBank or
            EMBL file, or else for the other genes. The gene itself is excluded, except from a ``reference``.
        prompt_fraction: part of each gene that is the prompt, rounded down to complete codons.
        n: completions per gene.
        draw: number of genes to sample; 0 for all.
        shortest: minimum length of a gene in bases.
        longest: maximum length in bases; 0 for no limit. Genes that exceed the model's context are left out and counted
            before genes are sampled.
        order: order of the Markov model, 0 to 10.
        code: NCBI number of the genetic code if the annotation has none: 1, 4, 11 or 25.
        temperature: see :func:`genolm.generate`.
        top_k: see :func:`genolm.generate`.
        top_p: see :func:`genolm.generate`.
        repetition_penalty: see :func:`genolm.generate`; the prompt counts as generated.
        seed: random seed.
        device: device such as ``cuda:0``; None for the first CUDA device, else the CPU.
        dtype: precision of the weights; None for the default of model card and device.
        token_budget: maximum tokens per batch; None for as many as fit in memory.
        resume: continue an interrupted run from its finished parts.
        overwrite: replace an existing output.
        shard: ``"i/n"``: compute the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return a :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without it a polars table: ``id``, ``place`` (1-based, inclusive), ``source`` (``model``,
        ``markov``, ``natural`` for another gene, or ``shuffled``), ``sample``, ``prompt_bases``, ``truth_bases``,
        ``nucleotide_identity``, ``protein_identity``, ``longest_frame_bases``, ``frame_to_stop_bases``,
        ``mean_log_probability_nats_per_base`` and ``completion``. A baseline that cannot be computed, for example
        because no other gene is long enough, is null.

    Raises:
        InputError: no gene can be completed, a file cannot be read, or a setting is out of range.
        ModelError: the model does not exist or is an encoder.
        GenolmError: edlib is not installed, or Biopython for GenBank and EMBL.
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
    """
    require_edlib()
    path = check_suffix(out, SUFFIXES)
    for name, number, low in (("n", n, 1), ("draw", draw, 0), ("shortest", shortest, 6)):
        if number < low:
            raise InputError(f"{name} must be at least {low}", value=number)
    if not 0 <= order <= MAX_ORDER:
        raise InputError(f"order must be from 0 to {MAX_ORDER}", value=order)
    genome_path = None if genome is None else Path(genome)
    choice = GeneSelection(single_path(genes), genome_path, prompt_fraction, shortest, longest, draw, seed, code)
    sampler = Sampler(repetition_penalty, temperature, top_k, top_p)
    choose_genes(choice)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    for target in [] if path is None else [path, summary_path(path)]:
        check_target(target, overwrite=overwrite, resume=resume, run=path)
    opened = bulk.open(model, path)
    choice = _fitting(opened, choice)
    provenance, width = Provenance.of(opened), opened.tokenizer.bases_per_token
    reference_path = None if reference is None else Path(reference)
    return bulk.run(CompletionTask(choice, n, sampler, seed, reference_path, order, width, provenance), opened, path)


def _fitting(model: Model, choice: GeneSelection) -> GeneSelection:
    """Return the selection without the genes that exceed the model's context.

    Raises:
        ModelError: the model is an encoder.
        InputError: no gene is left.

    Warns:
        UserWarning: genes were left out.
    """
    model.decoder  # noqa: B018  # raises ModelError for an encoder
    candidates = choose_genes(replace(choice, count=0)).genes
    beyond = [number for number, gene in enumerate(candidates) if _tokens(model, gene) > model.context]
    if not beyond:
        return choice
    fitting = replace(choice, beyond=f"{sum(1 << number for number in beyond):x}")
    choose_genes(fitting)
    warnings.warn(
        f"{len(beyond):,} of {len(candidates):,} genes are left out: they exceed the context of {model.card.name}"
        f" ({model.context:,} tokens)",
        stacklevel=3,
    )
    return fitting


def _tokens(model: Model, gene: Gene) -> int:
    """Return the approximate number of tokens of prompt and truth."""
    return len(prompt_ids(model, gene.prompt)) + math.ceil(len(gene.truth) / model.tokenizer.bases_per_token)
