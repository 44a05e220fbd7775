"""Routing of bases to experts by class, with shifted labels and a network with random weights as nulls."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from genolm.errors import ModelError
from genolm.parameters import Bases, OutputFolder, Seed
from genolm.tasks.explain.experts_task import ExpertsTask
from genolm.tasks.explain.explain_folder import Explanation, check_folder
from genolm.tasks.explain.gene_annotation import check_genes
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


@verb(example="genolm explain experts tiny-random chr22:1,001-2,000 experts --genome hg38.fa")
def explain_experts(
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
    """Show which experts each class of bases is routed to.

    Baselines: shifted labels, and an untrained model.

    Bases are grouped by letter (``base``: A, C, G, T, N), C and G by whether they are part of a CpG (``cpg``), and with
    genes by ``region`` (coding exon, UTR, exon of a transcript without a coding part, intron, intergenic; where
    transcripts disagree, the first of these). Nulls: the same labels shifted circularly along the bases, 99 times,
    which keeps runs of labels; and the same architecture with random weights, which routes by letter too. Regions
    longer than the context are read in windows that overlap by half.

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
    bulk = Bulk.of(run)
    opened = bulk.open(model, path)
    experts = opened.decoder.config.num_experts
    if not experts:
        raise ModelError(
            f"{opened.card.name} is not a mixture-of-experts model: its feed-forward blocks are dense",
            code="unsupported-by-model",
        )
    settings = (fitting_context(opened, context), experts, seed, annotation, tables)
    task = ExpertsTask(source, *settings, Provenance.of(opened))
    return Explanation(bulk.run(task, opened, path), ("association", "classes", "shares"), opened.card.name)
