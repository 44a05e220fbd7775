"""Routing of bases to experts by class, with shifted labels and a network with random weights as nulls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genolm.engine.progress import Progress
from genolm.errors import ModelError
from genolm.genome.in_memory import Sequences
from genolm.tasks.explain.experts_task import ExpertsTask
from genolm.tasks.explain.explain_folder import Explanation, check_folder
from genolm.tasks.explain.gene_annotation import check_genes
from genolm.tasks.explain.region_task import (
    fitting_context,
    refuse_empty,
    settle_regions,
)
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.sources import IupacPolicy
from genolm.tasks.writing.output_folders import Form
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    import torch

    from genolm.genome.fasta import Genome
    from genolm.models.model import Model


def explain_experts(
    model: Model | str | Path,
    inputs: Sequences,
    out: Path | str | None = None,
    *,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    context: int | None = None,
    iupac: IupacPolicy = "raise",
    genes: str | Path | None = None,
    seed: int = 0,
    tables: Form = "tsv",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
) -> Explanation:
    """Compare the routing of classes of bases to experts, layer by layer, with what chance yields.

    Bases are grouped by letter (``base``: A, C, G, T, N), C and G by whether they are part of a CpG (``cpg``), and with
    genes by ``region`` (coding exon, UTR, exon of a transcript without a coding part, intron, intergenic; where
    transcripts disagree, the first of these). Nulls: the same labels shifted circularly along the bases, 99 times,
    which keeps runs of labels; and the same architecture with random weights, which routes by letter too.

    Args:
        model: a model with experts, or any argument of :func:`genolm.load`.
        inputs: a path, a table, a list of sequences or intervals, or one interval such as ``chr22:1,001-2,000``.
        out: output folder: the tables and a figure for each grouping. None returns the tables.
        genome: FASTA file; required if the input holds coordinates.
        length: length in bases to which intervals are resized.
        context: bases per window; None for the model's maximum, at most 8,192. Longer regions are read in windows that
            overlap by half.
        iupac: ambiguity codes in sequences: ``raise`` an error, read as ``N``, or ``sample`` a matching base.
        genes: GTF or GFF3 file; without it there is no grouping by region.
        seed: random seed of the random weights and of the shifts.
        tables: ``tsv`` or ``parquet``.
        device: device such as ``cuda:0``; None for the first CUDA device, else the CPU.
        dtype: precision of the weights; None for the default of model card and device.
        token_budget: maximum tokens per batch; None for as many as fit in memory.
        resume: continue an interrupted run from its finished parts.
        overwrite: replace the folder of an earlier run.
        shard: ``"i/n"``: compute the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return a :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        Three tables, in memory or in the folder ``out``, with ``network``, ``layer`` (from 1) and ``grouping``.
        ``association``: ``bases``, ``chi_square``, ``cramers_v`` and its mean, 97.5 % quantile and ``p_permuted`` under
        shifted labels. ``classes``: ``class``, ``bases``, entropy of its shares and of equal shares, busiest expert.
        ``shares``: ``class``, ``expert`` (from 0), ``share`` of the class's choices and the 95 % range under shifted
        labels.

    Raises:
        InputError: the input is invalid, or none of the genes lies on a contig of the input.
        ModelError: the model does not exist or has no experts, or the context exceeds its maximum.
        RunError: the output exists, or its folder holds parts of another run.
    """
    path = check_folder(out, tables)
    source = settle_regions(inputs, genome=genome, length=length, iupac=iupac)
    refuse_empty(source)
    annotation = check_genes(genes, source)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    experts = opened.decoder.config.num_experts
    if not experts:
        raise ModelError(f"{opened.card.name} is not a mixture-of-experts model: its feed-forward blocks are dense")
    settings = (fitting_context(opened, context), experts, seed, annotation, tables)
    task = ExpertsTask(source, *settings, Provenance.of(opened))
    return Explanation(bulk.run(task, opened, path), ("association", "classes", "shares"), opened.card.name)
