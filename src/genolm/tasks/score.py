"""Log-likelihoods of sequences, per sequence, per base or as a track."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from genolm.engine.progress import Progress
from genolm.errors import InputError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.in_memory import Sequences
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.likelihood import OUTPUT_COLUMNS, Form, ScoreTask
from genolm.tasks.reading.log_probabilities import Normalisation
from genolm.tasks.reading.model_limits import context_bases
from genolm.tasks.reading.sources import IupacPolicy, open_source
from genolm.tasks.reading.token_scores import normalisation_of, passes_of
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.scores import Scores
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix
from genolm.tasks.writing.track_files import TRACK_SUFFIXES

if TYPE_CHECKING:
    import torch

    from genolm.genome.fasta import Genome
    from genolm.models.model import Model


def score(
    model: Model | str | Path,
    inputs: Sequences,
    out: Path | str | None = None,
    *,
    rc: bool = False,
    per_base: bool = False,
    normalise: Normalisation | None = None,
    passes: int | None = None,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    context: int | None = None,
    iupac: IupacPolicy = "raise",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
) -> Scores:
    """Score sequences by log-likelihood: the log-probability of each token, in nats, and its sum over the sequence.

    A decoder predicts each token from the preceding tokens; the sum is the log-likelihood. An encoder predicts tokens
    from both sides while they are masked, over several passes; the sum is a pseudo-log-likelihood.

    The log-probability of a multi-base token is divided evenly among its bases. First bases without a token before
    them, and tokens with letters other than A, C, G and T, have no score and are not counted. A sequence longer than
    the context is scored in overlapping windows, so that a decoder has at least half a context to the left of every
    base except the first ones, and an encoder an eighth on either side.

    Args:
        model: a model, or a name or path for :func:`genolm.load`.
        inputs: a path, a table, a dict of names and sequences, or a list of sequences, intervals or variants.
        out: ``.parquet``, ``.tsv`` or ``.csv``; ``.bw``, ``.bigwig`` or ``.bedgraph`` (``.gz``) for a track. None
            returns the table.
        rc: average both strands per base: each base is predicted from its left and from its right. The first and the
            last base have one value only.
        per_base: one row per base; implied by a track.
        normalise: set over which probabilities sum to one: ``bases`` (A, C, G and T; default for single-base decoders)
            or ``vocabulary`` (always for multi-base tokenizers and encoders).
        passes: number of masked passes of an encoder, each masking every ``passes``-th token; None: 8. More passes
            take longer and mask less of the context.
        genome: FASTA of the genome, if the input has coordinates.
        length: length in bases to which intervals are resized; required for variants.
        context: maximum window length in bases; None: the model's maximum. The cost of long sequences grows with it;
            8,192 is sufficient for chromosomes.
        iupac: treatment of ambiguity codes in sequences: ``raise`` an error, read as ``N``, or ``sample`` a matching
            base.
        device: device to compute on; None: the first CUDA device, else the CPU.
        dtype: precision of the weights; None: the preference of model card and device.
        token_budget: tokens per batch; None: as many as fit in memory.
        resume: continue from the finished parts of an interrupted run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: compute only the i-th of n shares, for :func:`genolm.merge`.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return a :class:`genolm.engine.run.Estimate`.

    Returns:
        The scores, in memory or written to ``out``; `table` has the columns of
        :class:`genolm.tasks.writing.scores.Scores`.

    Raises:
        InputError: if the input cannot be read, or a track is requested for input without coordinates or with overlaps.
        ModelError: if the model is unknown, the context exceeds the model's, or ``passes`` or ``normalise`` does not
            apply to the model; if the model returns NaN or infinity.
        RunError: if the output exists, or parts of another run are in the way.
        ResourceError: if memory or disk space is insufficient.
    """
    path = check_suffix(out, (*SUFFIXES, *TRACK_SUFFIXES))
    if normalise is not None and normalise not in get_args(Normalisation):
        raise InputError(f"normalise must be one of {', '.join(get_args(Normalisation))}", value=normalise)
    if passes is not None and passes < 1:
        raise InputError("passes must be at least 1", value=passes)
    track = path is not None and path.name.lower().endswith(TRACK_SUFFIXES)
    form: Form = "track" if track else "base" if per_base else "sequence"
    kept = OUTPUT_COLUMNS if form == "sequence" else None
    source = open_source(inputs, genome=genome, length=length, iupac=iupac, output_columns=kept)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    task = ScoreTask(
        source,
        form,
        rc,
        normalisation_of(opened, normalise),
        passes_of(opened, passes),
        context_bases(opened, context),
        opened.tokenizer.bases_per_token,
        Provenance.of(opened),
    )
    warn_of_lengths(source.place, source.genome)
    run = bulk.run(task, opened, path)
    return Scores(run, task.score_column, form != "sequence", opened.card.name, task.schema)
