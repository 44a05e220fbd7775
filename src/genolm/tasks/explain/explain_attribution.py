"""Attribution of a prediction to bases: in-silico mutagenesis and gradient × input, with their nulls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import polars as pl
import torch

from genolm.engine.events import Advanced, Finished, Listener, current_observer, observed
from genolm.engine.executors.in_process import InProcess
from genolm.engine.progress import as_listener
from genolm.engine.result import Result
from genolm.engine.summary import Summary, write_counts
from genolm.engine.target import check_target
from genolm.errors import InputError
from genolm.files.output_paths import refuse_replacing
from genolm.genome.sequences import SequenceRecord
from genolm.models.precision import Device, Precision
from genolm.parameters import Bases, Count, OutputFolder, PythonOnly, Seed
from genolm.remedies import Remedy
from genolm.tasks.explain.attribution import LONGEST, RUNS, AttributionRun, Explained, tabulate, write_tracks
from genolm.tasks.explain.attribution_picture import Shown, draw_attribution
from genolm.tasks.explain.explain_folder import Explanation, can_draw, check_folder, write_tables
from genolm.tasks.explain.gene_annotation import Annotation, read_annotation
from genolm.tasks.explain.region_task import contig, settle_regions
from genolm.tasks.reading.bulk import AnyModel, Bulk, Reference, SequenceInput
from genolm.tasks.reading.sources import IupacPolicy
from genolm.tasks.reading.track_pieces import base_starts, contig_lengths, pieces_in_order
from genolm.tasks.writing.output_folders import Form, output_folder, save_picture
from genolm.verbs import verb

MAX_FIGURES = 20


@verb(example="genolm explain attribution genolm-nano chr22:1,001-1,060 bases --genome hg38.fa")
def explain_attribution(
    model: AnyModel,
    inputs: SequenceInput,
    out: OutputFolder | None = None,
    *,
    position: Count | None = None,
    genes: Path | str | None = None,
    genome: Reference | None = None,
    length: Bases | None = None,
    iupac: IupacPolicy = "raise",
    context: Bases | None = None,
    seed: Seed = 0,
    tables: Form = "tsv",
    device: Device | None = None,
    dtype: torch.dtype | Precision | None = None,
    overwrite: bool = False,
    progress: Annotated[Listener | bool | None, PythonOnly()] = None,
) -> Explanation:
    """Show which bases a prediction depends on.

    Uses in-silico mutagenesis and gradient × input, with null distributions. Sequences may have at most 1,000 bases.

    The two methods share only the network. The objective is the log-likelihood of the sequence (the sum over its bases,
    nats), or the log-probability of the base at ``position``; probabilities are normalised over A, C, G, T.
    ``mutagenesis`` is minus the mean change of the objective over the three substitutions of a base. ``gradient`` is
    gradient × input: the derivative of the objective in the one-hot bases, through the embedding and every k-mer table,
    relative to the mean of the other three bases. It is what mutagenesis would yield for a linear network. Both are
    positive if a base raises the objective.

    Nulls: the same for the dinucleotide-shuffled sequence and for the same architecture with random weights. The
    correlation of the two methods is reported for each. The folder has the tables, a bigWig file for each method and
    network, and a figure of each of the first 20 sequences.

    Args:
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.
        inputs: Sequences (FASTA), coordinates (BED, TSV, CSV, Parquet; with `genome`), or one interval, 1-based and
            inclusive: chr22:1,001-2,000; or - for standard input.
        out: Output folder; it appears when it is complete.
        position: Explain the prediction of this base only; 1-based in the sequence as it is read. Default: all bases.
        genes: Gene annotation: GTF or GFF3.
        genome: Reference genome (FASTA, plain or bgzipped); required for coordinates.
        length: Resize each interval to this many bases, keeping its centre; required for VCF input. Default: intervals
            as given.
        iupac: IUPAC ambiguity codes such as R: raise an error, read as N, or sample one of the bases they stand for.
        context: Context to read before each interval, in bases; it is not explained. Default: 128, or less at the
            start of a contig.
        seed: Random seed, 0 or higher.
        tables: Format of the tables.
        device: Device: cpu, cuda, cuda:1 or mps. Default: the first CUDA device, or else the CPU.
        dtype: Numerical precision. Default: chosen from the model card and the device.
        overwrite: Overwrite existing output.
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
    opened = Bulk(device, dtype, executor=InProcess()).open(model)
    run = AttributionRun(opened, source, context, position, seed)
    observer = current_observer().also(as_listener(progress))
    bases = sum(len(record.sequence) for record in records)
    explained = []
    with observed(observer), observer.computing("explain attribution", bases):
        for record in records:
            observer.check()
            explained.append(run.explain(record))
            observer.emit(Advanced(len(record.sequence)))
    results = tabulate(explained)
    summary = Summary({"sequences": len(records), "bases": bases})
    outcome = Result(path, results if path is None else None, len(records), 1, 1, summary=summary)
    explanation = Explanation(outcome, tuple(results), opened.card.name)
    if path is None:
        return explanation
    with output_folder(path, run.described()) as folder:
        write_tables(results, folder, tables)
        write_tracks(explained, folder, contig_lengths(source))
        _draw(explained, results["agreement"], run, annotation, folder)
        write_counts(None, folder, summary)
    observer.emit(Finished(outcome))
    return explanation


def _check_records(records: list[SequenceRecord], position: int | None) -> None:
    if not records:
        raise InputError("no sequences to explain: the input is empty", code="empty-input")
    for record in records:
        if len(record.sequence) > LONGEST:
            raise InputError(
                f"attribution is limited to {LONGEST:,} bases per sequence, got {len(record.sequence):,}",
                value=record.id,
                remedy=Remedy("length", purpose="shorten intervals"),
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
