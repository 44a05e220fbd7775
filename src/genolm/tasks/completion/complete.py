"""Completion of genes from their first part, compared with baselines."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Unpack

from genolm.engine.target import check_target
from genolm.genome.labelled.fragments import single_path
from genolm.models.model import Model
from genolm.notes import note
from genolm.parameters import AtLeast, Between, Count, Fasta, OutputFile, Seed, Short, Shown
from genolm.tasks.completion.completion_baselines import MAX_ORDER
from genolm.tasks.completion.completion_metrics import require_edlib
from genolm.tasks.completion.completion_task import CompletionTask, summary_path
from genolm.tasks.completion.completions import Completions
from genolm.tasks.completion.gene_selection import Gene, GeneSelection, choose_genes
from genolm.tasks.reading.bulk import AnyModel, Bulk, RunOptions
from genolm.tasks.reading.continuation.prompts import prompt_ids
from genolm.tasks.reading.continuation.sampling import Penalty, Sampler, Temperature, TopK, TopP
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix
from genolm.verbs import verb


@verb(example="genolm complete genolm-nano genome.gbk completed.tsv --draw 20")
def complete(
    model: AnyModel,
    genes: Path | str,
    out: OutputFile | None = None,
    *,
    genome: Fasta | None = None,
    reference: Fasta | None = None,
    prompt_fraction: Annotated[float, Shown("FRACTION")] = 0.3,
    n: Annotated[Count, Short("-n")] = 4,
    draw: Annotated[int, AtLeast(0)] = 0,
    shortest: Annotated[int, AtLeast(6), Shown("BASES")] = 300,
    longest: Annotated[int, AtLeast(0), Shown("BASES")] = 0,
    order: Annotated[int, Between(0, MAX_ORDER), Shown("K")] = 5,
    code: int = 11,
    temperature: Temperature = 1.0,
    top_k: TopK = 0,
    top_p: TopP = 1.0,
    repetition_penalty: Penalty = 1.0,
    seed: Seed = 0,
    **run: Unpack[RunOptions],
) -> Completions:
    """Complete genes and compare them with the native sequence.

    Each completion is compared with the rest of the native gene; baselines are a Markov model, another gene and
    shuffled bases.

    A completion is as long as the truth; the model's end token is not sampled. Genes on the minus strand are read in
    their own direction. Genes that exceed the model's context are left out and counted before genes are sampled. The
    Markov model excludes the gene itself, unless it has a reference of its own.

    Args:
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.
        genes: Genes: GenBank or EMBL with sequence (extra: genbank), GFF3 or GTF with `genome`, or FASTA of coding
            sequences.
        out: Table to write: .parquet, .tsv or .csv; also writes OUTPUT.summary.tsv.
        genome: Genome of the annotation; required for GFF3 and GTF.
        reference: Sequences to train the Markov baseline on. Default: the genome, or the other genes if there is no
            genome.
        prompt_fraction: Fraction of each gene that the model is prompted with, rounded down to complete codons.
        n: Number of completions per gene.
        draw: Number of genes to sample; 0: use all genes.
        shortest: Minimum gene length in bases.
        longest: Maximum gene length in bases; 0: limited only by the model.
        order: Order of the Markov baseline, 0 to 10.
        code: NCBI genetic code (transl_table), where the annotation does not give one: 1, 4, 11 or 25.
        temperature: Sampling temperature: lower is less random; 0 always takes the likeliest token.
        top_k: Sample from the K likeliest tokens; 0: from all.
        top_p: Sample from the likeliest tokens whose probabilities sum to P.
        repetition_penalty: Values above 1 make tokens that already occurred less likely; the prompt counts.
        seed: Random seed, 0 or higher.

    Returns:
        The completions of model and baselines, in memory or written to ``out``; `table` has the columns of
        :class:`genolm.tasks.completion.completions.Completions`, and `means` the means over genes.

    Raises:
        InputError: no gene can be completed, a file cannot be read, or a setting is out of range.
        ModelError: the model does not exist or is an encoder.
        GenolmError: edlib is not installed, or Biopython for GenBank and EMBL.
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
    """
    require_edlib()
    path = check_suffix(out, SUFFIXES)
    genome_path = None if genome is None else Path(genome)
    choice = GeneSelection(single_path(genes), genome_path, prompt_fraction, shortest, longest, draw, seed, code)
    sampler = Sampler(repetition_penalty, temperature, top_k, top_p)
    choose_genes(choice)
    bulk = Bulk.of(run)
    for target in [] if path is None else [path, summary_path(path)]:
        check_target(target, overwrite=bulk.overwrite, resume=bulk.resume, run=path)
    opened = bulk.open(model, path)
    choice = _fitting(opened, choice)
    provenance, width = Provenance.of(opened), opened.tokenizer.bases_per_token
    reference_path = None if reference is None else Path(reference)
    task = CompletionTask(choice, n, sampler, seed, reference_path, order, width, provenance)
    return Completions(bulk.run(task, opened, path), provenance.model, seed)


def _fitting(model: Model, choice: GeneSelection) -> GeneSelection:
    """Return the selection without the genes that exceed the model's context.

    Raises:
        ModelError: the model is an encoder.
        InputError: no gene is left.

    Notes:
        Genes were left out.
    """
    model.decoder  # noqa: B018  # raises ModelError for an encoder
    candidates = choose_genes(replace(choice, count=0)).genes
    beyond = [number for number, gene in enumerate(candidates) if _tokens(model, gene) > model.context]
    if not beyond:
        return choice
    fitting = replace(choice, beyond=f"{sum(1 << number for number in beyond):x}")
    choose_genes(fitting)
    note(
        f"{len(beyond):,} of {len(candidates):,} genes are left out: they exceed the context of {model.card.name}"
        f" ({model.context:,} tokens)"
    )
    return fitting


def _tokens(model: Model, gene: Gene) -> int:
    """Return the approximate number of tokens of prompt and truth."""
    return len(prompt_ids(model, gene.prompt)) + math.ceil(len(gene.truth) / model.tokenizer.bases_per_token)
