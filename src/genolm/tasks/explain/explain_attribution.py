"""Attribution of a prediction to bases: in-silico mutagenesis and gradient × input, with their nulls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from genolm.engine.progress import Progress, as_progress, report_outcome, reporting
from genolm.engine.result import Result
from genolm.engine.summary import Summary, write_counts
from genolm.engine.target import check_target
from genolm.errors import InputError
from genolm.files.output_paths import refuse_replacing
from genolm.genome.fasta import Genome
from genolm.genome.in_memory import Sequences
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.explain.attribution import LONGEST, RUNS, AttributionRun, Explained, tabulate, write_tracks
from genolm.tasks.explain.attribution_picture import Shown, draw_attribution
from genolm.tasks.explain.explain_folder import Explanation, can_draw, check_folder, write_tables
from genolm.tasks.explain.gene_annotation import Annotation, read_annotation
from genolm.tasks.explain.region_task import contig, settle_regions
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.sources import IupacPolicy
from genolm.tasks.reading.track_pieces import base_starts, contig_lengths, pieces_in_order
from genolm.tasks.writing.output_folders import Form, output_folder, save_picture

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

MAX_FIGURES = 20


def explain_attribution(
    model: Model | str | Path,
    inputs: Sequences,
    out: Path | str | None = None,
    *,
    position: int | None = None,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    context: int | None = None,
    iupac: IupacPolicy = "raise",
    genes: str | Path | None = None,
    seed: int = 0,
    tables: Form = "tsv",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    overwrite: bool = False,
    progress: Progress | bool | None = None,
) -> Explanation:
    """Attribute a prediction to the bases of each sequence, by two methods that share only the network.

    The objective is the log-likelihood of the sequence (the sum over its bases, nats), or the log-probability of the
    base at ``position``; probabilities are normalised over A, C, G, T. ``mutagenesis`` is minus the mean change of the
    objective over the three substitutions of a base. ``gradient`` is gradient × input: the derivative of the objective
    in the one-hot bases, through the embedding and every k-mer table, relative to the mean of the other three bases. It
    is what mutagenesis would yield for a linear network. Both are positive if a base raises the objective.

    Nulls: the same for the dinucleotide-shuffled sequence and for the same architecture with random weights. The
    correlation of the two methods is reported for each.

    Args:
        model: a model, or any argument of :func:`genolm.load`.
        inputs: a path, a table, a list of sequences or intervals, or one interval such as ``chr22:1,001-1,200``; at
            most 1,000 bases each.
        out: output folder: the tables, a bigWig file for each method and network, and a figure of each of the first 20
            sequences. None returns the tables.
        position: base whose log-probability is explained, 1-based in the sequence as it is read; None for all bases.
        genome: FASTA file; required if the input holds coordinates.
        length: length in bases to which intervals are resized.
        context: bases of the genome before each interval that are read but not explained; None for 128, or fewer at the
            end of a contig or of the model's context. Sequences have no context.
        iupac: ambiguity codes in sequences: ``raise`` an error, read as ``N``, or ``sample`` a matching base.
        genes: GTF or GFF3 file of genes to draw.
        seed: random seed of the shuffling and of the random weights.
        tables: ``tsv`` or ``parquet``.
        device: device such as ``cuda:0``; None for the first CUDA device, else the CPU.
        dtype: precision of the weights; None for the default of model card and device.
        overwrite: replace the folder of an earlier run.
        progress: True for a progress bar on standard error.

    Returns:
        Three tables, in memory or in the folder ``out``. ``agreement``: ``id``, ``run`` (``model``, ``shuffled``,
        ``random_weights``), ``bases``, Pearson ``correlation`` of the two methods with its 95 % interval from blocks of
        10 bases, ``rank_correlation``, mean absolute values, and ``…_correlation_with_model``: correlation of the
        random network's values with the model's. ``positions``: ``id``, ``chrom``, ``start`` (0-based), ``strand``,
        ``base``, each method for each run, ``base_shuffled``. ``substitutions``: for each substituted base (``put``)
        its effect, the effect predicted by the gradient, and both for the random network.

    Raises:
        InputError: the input is invalid, has more than 1,000 bases in a sequence or no base at ``position``; intervals
            overlap when tracks are written.
        ModelError: the model does not exist, or a sequence exceeds its context.
        RunError: the output exists.
    """
    path = check_folder(out, tables)
    source = settle_regions(inputs, genome=genome, length=length, iupac=iupac)
    annotation = None if genes is None else read_annotation(Path(genes), source)
    if path is not None:
        check_target(path, overwrite=overwrite)
        refuse_replacing((*source.files(), genes), path)
    records = list(source.read() if path is None else pieces_in_order(source))
    _check_records(records, position)
    opened = Bulk(device, dtype).open(model)
    run = AttributionRun(opened, source, context, position, seed)
    reporter = as_progress(progress)
    with reporting(reporter, "explain attribution", sum(len(record.sequence) for record in records)):
        explained = []
        for record in records:
            explained.append(run.explain(record))
            reporter.advance(len(record.sequence))
    results = tabulate(explained)
    summary = Summary({"sequences": len(records), "bases": sum(len(record.sequence) for record in records)})
    outcome = Result(path, results if path is None else None, len(records), 1, 1, summary=summary)
    explanation = Explanation(outcome, tuple(results), opened.card.name)
    if path is None:
        return explanation
    with output_folder(path, run.described()) as folder:
        write_tables(results, folder, tables)
        write_tracks(explained, folder, contig_lengths(source))
        _draw(explained, results["agreement"], run, annotation, folder)
        write_counts(None, folder, summary)
    report_outcome(reporter, outcome)
    return explanation


def _check_records(records: list[SequenceRecord], position: int | None) -> None:
    if not records:
        raise InputError("no sequences to explain: the input is empty")
    for record in records:
        if len(record.sequence) > LONGEST:
            raise InputError(
                f"attribution is limited to {LONGEST:,} bases per sequence, got {len(record.sequence):,}; "
                "use --length to shorten intervals",
                value=record.id,
            )
        if position is not None and not 1 <= position <= len(record.sequence):
            raise InputError(f"position is outside {record.id}: expected 1 to {len(record.sequence):,}", value=position)
        if not set(record.sequence) - {"N"}:
            raise InputError("nothing to explain: the sequence consists of N only", value=record.id)
        if position is not None and record.sequence[position - 1] == "N":
            raise InputError(f"{record.id} has N at the requested position", value=position)


def _draw(
    explained: list[Explained],
    agreement: pl.DataFrame,
    run: AttributionRun,
    annotation: Annotation | None,
    folder: Path,
) -> None:
    if not can_draw():
        return
    rows = agreement.select("id", "run", "correlation").rows()
    for number, one in enumerate(explained[:MAX_FIGURES], start=1):
        runs = rows[(number - 1) * len(RUNS) : number * len(RUNS)]
        correlations = {run: r for _, run, r in runs}
        starts = base_starts(one.record)
        low, high = int(starts.min()), int(starts.max()) + 1
        strand = one.record.interval.strand if one.record.interval else "+"
        genes = [] if annotation is None else annotation.genes(contig(one.record), low, high)
        shown = Shown(one.record.id, contig(one.record), low, strand, run.model.card.name, run.target, genes)
        save_picture(draw_attribution(shown, one.runs, correlations), folder / f"sequence{number:02d}.png")
