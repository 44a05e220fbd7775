"""Logit lens: predictions read out from every layer, with a random network and constant predictions as nulls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from genolm.engine.progress import Progress
from genolm.errors import InputError
from genolm.genome.in_memory import Sequences
from genolm.tasks.explain.explain_folder import Explanation, check_folder
from genolm.tasks.explain.lens_task import LensTask
from genolm.tasks.explain.readouts import choices
from genolm.tasks.explain.region_task import (
    fitting_context,
    refuse_empty,
    settle_regions,
)
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.log_probabilities import Normalisation
from genolm.tasks.reading.sources import IupacPolicy
from genolm.tasks.writing.output_folders import Form
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    import torch

    from genolm.genome.fasta import Genome
    from genolm.models.model import Model


def explain_lens(
    model: Model | str | Path,
    inputs: Sequences,
    out: Path | str | None = None,
    *,
    over: Normalisation = "bases",
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    context: int | None = None,
    iupac: IupacPolicy = "raise",
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
    """Read out a prediction from the hidden state of every layer (logit lens) and compare it with the final prediction.

    A layer is read out through the final norm and the output head. For the prediction of each base: KL(final ||
    readout) in nats, agreement of the top bases, and the bits per base of the readout. Nulls: the same architecture
    with random weights, the network's mean prediction (``unigram``) and the ``uniform`` distribution. A layer with a KL
    above the unigram's is less informative about the final prediction than a constant.

    Args:
        model: a model, or any argument of :func:`genolm.load`.
        inputs: a path, a table, a list of sequences or intervals, or one interval such as ``chr22:1,001-2,000``.
        out: output folder: table ``lens`` and ``lens.png``. None returns the table.
        over: normalisation of probabilities: over the four ``bases``, or the model's ``vocabulary``.
        genome: FASTA file; required if the input holds coordinates.
        length: length in bases to which intervals are resized.
        context: bases per window; None for the model's maximum, at most 8,192. Longer regions are read in windows that
            overlap by half.
        iupac: ambiguity codes in sequences: ``raise`` an error, read as ``N``, or ``sample`` a matching base.
        seed: random seed of the random weights.
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
        The table ``lens``, in memory or in the folder ``out``: ``network``, ``readout`` (``layer``, ``unigram``,
        ``uniform``), ``layer`` (0: embedding), ``bases``, then ``kl_nats``, ``top1_agreement`` and ``bits_per_base``,
        each with its 95 % interval from blocks of 200 bases.

    Raises:
        InputError: the input is invalid, or has no base to predict.
        ModelError: the model does not exist, or the context exceeds its maximum.
        RunError: the output exists, or its folder holds parts of another run.
    """
    path = check_folder(out, tables)
    if over not in get_args(Normalisation):
        raise InputError(f"invalid normalisation: expected one of {', '.join(get_args(Normalisation))}", value=over)
    source = settle_regions(inputs, genome=genome, length=length, iupac=iupac)
    refuse_empty(source, predicted=True)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    count = len(choices(opened.decoder, opened.tokenizer, over))
    settings = (fitting_context(opened, context), over, count, seed, tables)
    task = LensTask(source, *settings, Provenance.of(opened))
    return Explanation(bulk.run(task, opened, path), ("lens",), opened.card.name)
