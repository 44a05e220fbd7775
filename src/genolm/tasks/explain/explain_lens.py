"""Logit lens: predictions read out from every layer, with a random network and constant predictions as nulls."""

from __future__ import annotations

from typing import Unpack

from genolm.parameters import Bases, OutputFolder, Seed
from genolm.tasks.explain.explain_folder import Explanation, check_folder
from genolm.tasks.explain.lens_task import LensTask
from genolm.tasks.explain.readouts import choices
from genolm.tasks.explain.region_task import (
    fitting_context,
    refuse_empty,
    settle_regions,
)
from genolm.tasks.reading.bulk import AnyModel, Bulk, Reference, RunOptions, SequenceInput
from genolm.tasks.reading.log_probabilities import Normalisation
from genolm.tasks.reading.sources import IupacPolicy
from genolm.tasks.writing.output_folders import Form
from genolm.tasks.writing.provenance import Provenance
from genolm.verbs import verb


@verb(example="genolm explain lens genolm-nano chr22:1,001-2,000 lens --genome hg38.fa")
def explain_lens(
    model: AnyModel,
    inputs: SequenceInput,
    out: OutputFolder | None = None,
    *,
    over: Normalisation = "bases",
    genome: Reference | None = None,
    length: Bases | None = None,
    iupac: IupacPolicy = "raise",
    context: Bases | None = None,
    seed: Seed = 0,
    tables: Form = "tsv",
    **run: Unpack[RunOptions],
) -> Explanation:
    """Show the prediction after each layer (logit lens).

    Baseline: an untrained model.

    A layer is read out through the final norm and the output head. For the prediction of each base: KL(final ||
    readout) in nats, agreement of the top bases, and the bits per base of the readout. Nulls: the same architecture
    with random weights, the network's mean prediction (``unigram``) and the ``uniform`` distribution. A layer with a KL
    above the unigram's is less informative about the final prediction than a constant. Longer regions are read in
    windows that overlap by half.

    Args:
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.
        inputs: Sequences (FASTA), coordinates (BED, TSV, CSV, Parquet; with `genome`), or one interval, 1-based and
            inclusive: chr22:1,001-2,000; or - for standard input.
        out: Output folder; it appears when it is complete.
        over: Normalise probabilities over the four bases, or over all tokens of the vocabulary.
        genome: Reference genome (FASTA, plain or bgzipped); required for coordinates.
        length: Resize each interval to this many bases, keeping its centre; required for VCF input. Default: intervals
            as given.
        iupac: IUPAC ambiguity codes such as R: raise an error, read as N, or sample one of the bases they stand for.
        context: Window length in bases. Default: 8,192, or the model's maximum if that is shorter.
        seed: Random seed, 0 or higher.
        tables: Format of the tables.

    Returns:
        The table ``lens``, in memory or in the folder ``out``: ``network``, ``readout`` (``layer``, ``unigram``,
        ``uniform``), ``layer`` (0: embedding), ``bases``, then ``kl_nats``, ``top1_agreement`` and ``bits_per_base``,
        each with its 95 % interval from blocks of 200 bases.

    Raises:
        InputError: the input is invalid, or has no base to predict.
        ModelError: the model does not exist, or the context exceeds its maximum.
        RunError: the output exists, or its folder holds parts of another run.
    """
    path = check_folder(out, tables)
    source = settle_regions(inputs, genome=genome, length=length, iupac=iupac)
    refuse_empty(source, predicted=True)
    bulk = Bulk.of(run)
    opened = bulk.open(model, path)
    count = len(choices(opened.decoder, opened.tokenizer, over))
    settings = (fitting_context(opened, context), over, count, seed, tables)
    task = LensTask(source, *settings, Provenance.of(opened))
    return Explanation(bulk.run(task, opened, path), ("lens",), opened.card.name)
