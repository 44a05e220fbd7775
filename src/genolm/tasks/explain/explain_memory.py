"""How strongly a k-mer memory writes along a genome, beside the same network with random tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.progress import Progress
from genolm.errors import ModelError
from genolm.genome.in_memory import Sequences
from genolm.tasks.explain.explain_folder import check_folder
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
) -> Any:
    """How strongly the k-mer memory writes at every base, beside the same network with random tables.

    For each Gengram layer (counted from 1) and for tables at the input (layer 0): ``written``, the Euclidean norm of
    what the memory adds to the residual stream; ``relative``, that over the norm of the stream it is added to (at the
    input: of the token embedding); ``gate``, 0 to 1 (Gengram only). The null replaces every table by normal numbers of
    equal mean square and leaves all other weights: what it reproduces comes from the shape of the sequence, repeats
    above all, and not from what was learned.

    Args:
        model: a model with a k-mer memory, or what :func:`genolm.load` takes.
        inputs: a path, a table, a list of sequences or intervals, or one interval as ``chr22:1,001-2,000``.
        out: folder to write: ``summary`` and ``positions`` tables, a bigWig for each layer and quantity, a heat map
            for each of the first 20 regions. None returns the tables.
        genome: FASTA, where the input holds coordinates.
        length: bases to which intervals are resized.
        context: bases read together; None for 8,192, or what the model reads. Longer regions are read in windows that
            overlap by half.
        iupac: for ambiguous letters of sequences: ``raise``, read as ``N``, or ``sample`` a base.
        genes: GTF or GFF3 of genes to draw on top.
        seed: of the random tables.
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
        ``out``, or without one a dict of two polars tables. ``summary``: ``layer``, ``quantity``, ``bases``, mean and
        standard deviation of model and null, Pearson ``correlation`` between them along the bases with its 95 %
        interval from blocks of 200 bases. ``positions``: ``id``, ``chrom``, ``start`` (0-based), ``strand``, ``base``,
        ``layer``, each quantity and the null's (``…_random_tables``).

    Raises:
        InputError: input that cannot be used; intervals that overlap.
        ModelError: no such model, one without a k-mer memory, or a context beyond the model's.
        RunError: the output exists, or parts of another run are in the way.
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
    return bulk.run(task, opened, path)
