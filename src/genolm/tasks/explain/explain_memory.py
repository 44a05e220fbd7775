"""Strength of a k-mer memory along a genome, with random tables as the null."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genolm.engine.progress import Progress
from genolm.errors import ModelError
from genolm.genome.in_memory import Sequences
from genolm.tasks.explain.explain_folder import Explanation, check_folder
from genolm.tasks.explain.gene_annotation import check_genes
from genolm.tasks.explain.memory_task import MemoryTask, memory_layers
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


def explain_memory(
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
    """Measure how strongly the k-mer memory contributes at every base, compared with random tables.

    For each Gengram layer (counted from 1) and for tables at the input (layer 0): ``written``, the Euclidean norm of
    the memory's output; ``relative``, that norm over the norm of the residual stream it is added to (at the input: of
    the token embedding); ``gate``, 0 to 1 (Gengram only). The null replaces every table by normal random numbers of
    equal mean square and keeps all other weights: what it reproduces comes from the sequence, repeats above all, and
    not from learning.

    Args:
        model: a model with a k-mer memory, or any argument of :func:`genolm.load`.
        inputs: a path, a table, a list of sequences or intervals, or one interval such as ``chr22:1,001-2,000``.
        out: output folder: ``summary`` and ``positions`` tables, a bigWig file for each layer and quantity, a heat map
            of each of the first 20 regions. None returns the tables.
        genome: FASTA file; required if the input holds coordinates.
        length: length in bases to which intervals are resized.
        context: bases per window; None for the model's maximum, at most 8,192. Longer regions are read in windows that
            overlap by half.
        iupac: ambiguity codes in sequences: ``raise`` an error, read as ``N``, or ``sample`` a matching base.
        genes: GTF or GFF3 file of genes to draw.
        seed: random seed of the random tables.
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
        Two tables, in memory or in the folder ``out``. ``summary``: ``layer``, ``quantity``, ``bases``, mean and
        standard deviation of model and null, their Pearson ``correlation`` along the bases with its 95 % interval from
        blocks of 200 bases. ``positions``: ``id``, ``chrom``, ``start`` (0-based), ``strand``, ``base``, ``layer``,
        each quantity and that of the null (``…_random_tables``).

    Raises:
        InputError: the input is invalid, or its intervals overlap.
        ModelError: the model does not exist or has no k-mer memory, or the context exceeds its maximum.
        RunError: the output exists, or its folder holds parts of another run.
    """
    path = check_folder(out, tables)
    source = settle_regions(inputs, genome=genome, length=length, iupac=iupac)
    refuse_empty(source)
    annotation = check_genes(genes, source)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    layers = memory_layers(opened.decoder)
    if not layers:
        raise ModelError(f"{opened.card.name} has no k-mer memory: neither Gengram layers nor tables at its input")
    task = MemoryTask(source, fitting_context(opened, context), layers, seed, annotation, tables, Provenance.of(opened))
    return Explanation(bulk.run(task, opened, path), ("summary", "positions"), opened.card.name)
