"""LogitLens: after which layer a network has made up its mind, beside a random network and constant predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from genolm.engine.progress import Progress
from genolm.errors import InputError
from genolm.genome.in_memory import Sequences
from genolm.tasks.explain.explain_folder import check_folder
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
) -> Any:
    """After which layer a network has made up its mind: every layer's hidden state read out as if it were the last.

    A layer is read out through the final norm and the head (LogitLens). For the prediction of each base:
    KL(final || readout) in nats, whether both prefer the same base, and the bits per base that the readout would reach.
    Beside it stand a network of the same shape with random weights, the network's own mean prediction (``unigram``)
    and the ``uniform`` distribution. A layer whose KL is above the unigram's knows less of the final prediction than a
    constant does.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        inputs: a path, a table, a list of sequences or intervals, or one interval as ``chr22:1,001-2,000``.
        out: folder to write: table ``lens`` and ``lens.png``. None returns the table.
        over: what probabilities add up to one over: the four ``bases``, or the model's whole ``vocabulary``.
        genome: FASTA, where the input holds coordinates.
        length: bases to which intervals are resized.
        context: bases read together; None for 8,192, or what the model reads. Longer regions are read in windows that
            overlap by half.
        iupac: for ambiguous letters of sequences: ``raise``, read as ``N``, or ``sample`` a base.
        seed: of the random network.
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
        ``out``, or without one a dict with the polars table ``lens``: ``network``, ``readout`` (``layer``,
        ``unigram``, ``uniform``), ``layer`` (0 the embedding), ``bases``, then ``kl_nats``, ``top1_agreement`` and
        ``bits_per_base``, each with the ends of its 95 % interval from blocks of 200 bases.

    Raises:
        InputError: input that cannot be used, or in which there is nothing to predict.
        ModelError: no such model, or a context beyond the model's.
        RunError: the output exists, or parts of another run are in the way.
    """
    path = check_folder(out, tables)
    if over not in get_args(Normalisation):
        raise InputError(f"over is one of {', '.join(get_args(Normalisation))}", value=over)
    source = settle_regions(inputs, genome=genome, length=length, iupac=iupac)
    refuse_empty(source, predicted=True)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    count = len(choices(opened.decoder, opened.tokenizer, over))
    settings = (fitting_context(opened, context), over, count, seed, tables)
    return bulk.run(LensTask(source, *settings, Provenance.of(opened)), opened, path)
