"""Log-likelihoods of sequences, per sequence, per base or as a track."""

from __future__ import annotations

from typing import Unpack

from genolm.genome.contig_lengths import warn_of_lengths
from genolm.parameters import Bases, Count, OutputFile
from genolm.tasks.reading.bulk import AnyModel, Bulk, Reference, RunOptions, SequenceInput
from genolm.tasks.reading.likelihood import OUTPUT_COLUMNS, Form, ScoreTask
from genolm.tasks.reading.log_probabilities import Normalisation
from genolm.tasks.reading.model_limits import context_bases
from genolm.tasks.reading.sources import IupacPolicy, open_source
from genolm.tasks.reading.token_scores import normalisation_of, passes_of
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.scores import Scores
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix
from genolm.tasks.writing.track_files import TRACK_SUFFIXES
from genolm.verbs import verb


@verb(example="genolm score genolm-nano genes.fa genes.tsv")
def score(
    model: AnyModel,
    inputs: SequenceInput,
    out: OutputFile | None = None,
    *,
    rc: bool = False,
    per_base: bool = False,
    normalise: Normalisation | None = None,
    passes: Count | None = None,
    context: Bases | None = None,
    genome: Reference | None = None,
    length: Bases | None = None,
    iupac: IupacPolicy = "raise",
    **run: Unpack[RunOptions],
) -> Scores:
    """Compute log-likelihoods of sequences, in total or per base.

    Log-likelihoods are in nats. The suffix of the output determines its form: a table (.parquet, .tsv, .csv) or a
    genome track (.bw, .bedgraph).

    A decoder predicts each token from the preceding tokens; the sum is the log-likelihood. An encoder predicts tokens
    from both sides while they are masked, over several passes; the sum is a pseudo-log-likelihood.

    The log-probability of a multi-base token is divided evenly among its bases. First bases without a token before
    them, and tokens with letters other than A, C, G and T, have no score and are not counted. A sequence longer than
    the context is scored in overlapping windows, so that a decoder has at least half a context to the left of every
    base except the first ones, and an encoder an eighth on either side. The cost of long sequences grows with the
    context; 8,192 bases are sufficient for chromosomes.

    Args:
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.
        inputs: Sequences (FASTA, FASTQ, GenBank, EMBL) or coordinates (BED, VCF, TSV, CSV, Parquet; with `genome`).
            Text formats may be gzipped. Use - for standard input.
        out: File to write: .parquet, .tsv or .csv; .bw or .bedgraph for per-base tracks.
        rc: Average the results of both strands, base by base.
        per_base: One log-probability per base; implied by .bw and .bedgraph output.
        normalise: Normalise probabilities over the four bases, or over all tokens of the vocabulary. Default: bases
            for decoders with single-base tokens, otherwise vocabulary.
        passes: Encoders: mask every N-th token, in N passes, so that each token is masked once. Default: 8.
        context: Maximum window length in bases. Default: the model's maximum.
        genome: Reference genome (FASTA, plain or bgzipped); required for coordinates.
        length: Resize each interval to this many bases, keeping its centre; required for VCF input. Default: intervals
            as given.
        iupac: IUPAC ambiguity codes such as R: raise an error, read as N, or sample one of the bases they stand for.

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
    track = path is not None and path.name.lower().endswith(TRACK_SUFFIXES)
    form: Form = "track" if track else "base" if per_base else "sequence"
    kept = OUTPUT_COLUMNS if form == "sequence" else None
    source = open_source(inputs, genome=genome, length=length, iupac=iupac, output_columns=kept)
    bulk = Bulk.of(run)
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
    outcome = bulk.run(task, opened, path)
    return Scores(outcome, task.score_column, form != "sequence", opened.card.name, task.schema)
