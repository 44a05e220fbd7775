"""Which experts the bases of a class go to, beside permuted labels and a network with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.progress import Progress
from genolm.errors import ModelError
from genolm.genome.in_memory import Sequences
from genolm.tasks.explain.experts_task import ExpertsTask
from genolm.tasks.explain.explain_folder import check_folder
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
) -> Any:
    """Which experts the bases of a class go to, layer by layer, and whether that is more than chance.

    Bases are grouped by letter (``base``: A, C, G, T, N), C and G by whether they stand in a CpG (``cpg``), and with
    genes by ``region`` (coding exon, UTR, exon of a transcript without a coding part, intron, intergenic; where
    transcripts disagree the first of these counts). Beside every value stands that of the same labels moved along the
    bases as a ring, 99 times, which keeps their runs, and all of it for a network of the same shape with random
    weights, which routes by letter too.

    Args:
        model: a model with experts, or what :func:`genolm.load` takes.
        inputs: a path, a table, a list of sequences or intervals, or one interval as ``chr22:1,001-2,000``.
        out: folder to write: the tables and a picture for each grouping. None returns the tables.
        genome: FASTA, where the input holds coordinates.
        length: bases to which intervals are resized.
        context: bases read together; None for 8,192, or what the model reads. Longer regions are read in windows that
            overlap by half.
        iupac: for ambiguous letters of sequences: ``raise``, read as ``N``, or ``sample`` a base.
        genes: GTF or GFF3; without it there is no grouping by region.
        seed: of the random network and of the permutations.
        tables: ``tsv`` or ``parquet``.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace a folder that an earlier run wrote.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.
        dry_run: write nothing; measure a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without one a dict of three polars tables, all with ``network``, ``layer`` (from 1) and
        ``grouping``. ``association``: ``bases``, ``chi_square``, ``cramers_v`` and its mean, 97.5 % quantile and
        ``p_permuted`` under permuted labels. ``classes``: ``class``, ``bases``, ``entropy_nats`` of its shares and of
        equal ones, its busiest expert. ``shares``: ``class``, ``expert`` (from 0), ``share`` of the class's choices and
        the 95 % range under permuted labels.

    Raises:
        InputError: input that cannot be used, genes none of which lies on a contig of the input.
        ModelError: no such model, one without experts, or a context beyond the model's.
        RunError: the output exists, or parts of another run are in the way.
    """
    path = check_folder(out, tables)
    source = settle_regions(inputs, genome=genome, length=length, iupac=iupac)
    refuse_empty(source)
    annotation = check_genes(genes, source)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    experts = opened.decoder.config.num_experts
    if not experts:
        raise ModelError(f"{opened.card.name} has no experts: its feed-forward blocks are dense")
    settings = (fitting_context(opened, context), experts, seed, annotation, tables)
    return bulk.run(ExpertsTask(source, *settings, Provenance.of(opened)), opened, path)
