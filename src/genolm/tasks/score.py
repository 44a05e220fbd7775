"""Log-likelihood of sequences under a model, whole or base by base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from genolm.engine.progress import Progress
from genolm.errors import InputError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.in_memory import Sequences
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.likelihood import OWN, Form, ScoreTask
from genolm.tasks.reading.log_probabilities import Normalisation
from genolm.tasks.reading.model_limits import context_bases
from genolm.tasks.reading.sources import IupacPolicy, settle
from genolm.tasks.reading.token_scores import normalisation_of, passes_of
from genolm.tasks.writing.provenance import Provenance
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
) -> Any:
    """Log-likelihood of sequences: of each token given those to its left, in nats, and the sum over the sequence.

    A decoder's sum is the log-likelihood. An encoder reads both ways and has none: its tokens are masked, some in each
    of several passes, and predicted from all around them; the sum is a pseudo-log-likelihood, and named so.

    A token of several bases shares its log-probability out evenly over them. The first base of a sequence where nothing
    precedes it, and tokens that are not made of A, C, G and T alone, have no score and are not counted. A sequence
    beyond the context is scored in overlapping windows, so that a decoder has at least half a context to the left of
    every base but the first ones, and an encoder an eighth on either side.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        inputs: a path, a table, a dict of names and sequences, or a list of sequences, intervals or variants.
        out: ``.parquet``, ``.tsv`` or ``.csv``; ``.bw``, ``.bigwig``, ``.bedgraph`` (``.gz``) for values along a
            genome. None returns the table.
        rc: the mean over both strands base by base: each base is predicted from its left and from its right. The first
            and the last base have one of the two.
        per_base: a row for each base; implied by a track.
        normalise: probabilities add up to one over the four ``bases`` (the default where a token is one base), or over
            the model's whole ``vocabulary`` (with longer tokens, and for encoders, always).
        passes: for an encoder: in how many passes its tokens are masked, every so many-th in each; None for 8. More
            passes cost more and hide less of the context.
        genome: FASTA, where the input holds coordinates.
        length: bases to which intervals are resized; variants need it.
        context: most bases that go through the model together; None for what it can read. The work of a long sequence
            grows with it: 8,192 is plenty for whole chromosomes.
        iupac: for ambiguous letters of sequences: ``raise``, read as ``N``, or ``sample`` a base.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.
        dry_run: write nothing; measure a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without one a polars table. For each sequence: ``id``, coordinates (0-based, half-open) where known,
        ``length``, ``scored_bases``, ``log_likelihood_sum_nats``, ``log_likelihood_mean_nats_per_base`` and
        ``bits_per_base`` (lower is likelier; these three are null where no base has a score), with tokens of several
        bases ``scored_tokens`` (of all strands) and ``log_likelihood_mean_nats_per_token``, ``strands``, and the
        further columns of a table. For each base:
        ``id``, ``chrom``, ``start`` (0-based) and ``strand`` of the base for intervals, ``position`` in the sequence
        (0-based), ``base``, ``log_probability_nats``. Of encoders the names begin with ``pseudo_`` and ``masked_``.

    Raises:
        InputError: input that cannot be used; a track of input without coordinates or with overlaps.
        ModelError: no such model, a context beyond the model's, ``passes`` for a decoder, or probabilities over
            ``bases`` where the model has none; numbers of the model that are NaN or infinite.
        RunError: the output exists, or parts of another run are in the way.
        ResourceError: not enough memory or disk.
    """
    path = check_suffix(out, (*SUFFIXES, *TRACK_SUFFIXES))
    if normalise is not None and normalise not in get_args(Normalisation):
        raise InputError(f"normalise is one of {', '.join(get_args(Normalisation))}", value=normalise)
    if passes is not None and passes < 1:
        raise InputError("passes is at least 1", value=passes)
    track = path is not None and path.name.lower().endswith(TRACK_SUFFIXES)
    form: Form = "track" if track else "base" if per_base else "sequence"
    kept = OWN if form == "sequence" else None
    source = settle(inputs, genome=genome, length=length, iupac=iupac, keep_beside=kept)
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
    return bulk.run(task, opened, path)
