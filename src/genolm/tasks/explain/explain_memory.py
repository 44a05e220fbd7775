"""Strength of a k-mer memory along a genome, with random tables as the null."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from genolm.errors import ModelError
from genolm.parameters import Bases, OutputFolder, Seed
from genolm.tasks.explain.explain_folder import Explanation, check_folder
from genolm.tasks.explain.gene_annotation import check_genes
from genolm.tasks.explain.memory_task import MemoryTask, memory_layers
from genolm.tasks.explain.region_task import (
    fitting_context,
    refuse_empty,
    settle_regions,
)
from genolm.tasks.reading.bulk import AnyModel, Bulk, Reference, RunOptions, SequenceInput
from genolm.tasks.reading.sources import IupacPolicy
from genolm.tasks.writing.output_folders import Form
from genolm.tasks.writing.provenance import Provenance
from genolm.verbs import verb


@verb(example="genolm explain memory genolm-nano regions.bed memory --genome hg38.fa")
def explain_memory(
    model: AnyModel,
    inputs: SequenceInput,
    out: OutputFolder | None = None,
    *,
    genes: Path | str | None = None,
    genome: Reference | None = None,
    length: Bases | None = None,
    iupac: IupacPolicy = "raise",
    context: Bases | None = None,
    seed: Seed = 0,
    tables: Form = "tsv",
    **run: Unpack[RunOptions],
) -> Explanation:
    """Show where a k-mer memory acts, and how strongly.

    Writes tables, a bigWig per layer and quantity, and a heat map of each region. Baseline: random k-mer tables.

    For each Gengram layer (counted from 1) and for tables at the input (layer 0): ``written``, the Euclidean norm of
    the memory's output; ``relative``, that norm over the norm of the residual stream it is added to (at the input: of
    the token embedding); ``gate``, 0 to 1 (Gengram only). The null replaces every table by normal random numbers of
    equal mean square and keeps all other weights: what it reproduces comes from the sequence, repeats above all, and
    not from learning. Regions longer than the context are read in windows that overlap by half; the first 20 regions
    have a heat map.

    Args:
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.
        inputs: Sequences (FASTA), coordinates (BED, TSV, CSV, Parquet; with `genome`), or one interval, 1-based and
            inclusive: chr22:1,001-2,000; or - for standard input.
        out: Output folder; it appears when it is complete.
        genes: Gene annotation: GTF or GFF3.
        genome: Reference genome (FASTA, plain or bgzipped); required for coordinates.
        length: Resize each interval to this many bases, keeping its centre; required for VCF input. Default: intervals
            as given.
        iupac: IUPAC ambiguity codes such as R: raise an error, read as N, or sample one of the bases they stand for.
        context: Window length in bases. Default: 8,192, or the model's maximum if that is shorter.
        seed: Random seed, 0 or higher.
        tables: Format of the tables.

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
    bulk = Bulk.of(run)
    opened = bulk.open(model, path)
    layers = memory_layers(opened.decoder)
    if not layers:
        raise ModelError(
            f"{opened.card.name} has no k-mer memory: neither Gengram layers nor tables at its input",
            code="unsupported-by-model",
        )
    task = MemoryTask(source, fitting_context(opened, context), layers, seed, annotation, tables, Provenance.of(opened))
    return Explanation(bulk.run(task, opened, path), ("summary", "positions"), opened.card.name)
