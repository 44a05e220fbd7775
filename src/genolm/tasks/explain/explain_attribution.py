"""Which bases a prediction listens to: in-silico mutagenesis and gradient × input, beside their nulls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from genolm.engine.progress import Progress, chosen, hand_over, showing
from genolm.engine.result import Result
from genolm.engine.summary import Summary, write_counts
from genolm.engine.target import check_target, refuse_replacing
from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.in_memory import Sequences
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.explain.attribution import LONGEST, RUNS, _Asked, _Explained, _write_tracks, tabulate
from genolm.tasks.explain.attribution_picture import Shown, draw_attribution
from genolm.tasks.explain.explain_folder import can_draw, check_folder, write_tables
from genolm.tasks.explain.gene_annotation import Annotation, read_annotation
from genolm.tasks.explain.region_task import contig, settle_regions
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.sources import IupacPolicy
from genolm.tasks.reading.track_pieces import base_starts, contig_lengths, pieces_in_order
from genolm.tasks.writing.output_folders import Form, save_picture, whole_folder

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model


MOST_PICTURES = 20


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
) -> Any:
    """Which bases of a sequence a prediction listens to, by two methods that share nothing but the network.

    The objective is the log-likelihood of the whole sequence (the sum over its bases, nats), or the log-probability of
    the one base at ``position``; probabilities add up to one over A, C, G, T. ``mutagenesis`` puts each other base in
    place and runs the network: minus the mean change of the objective. ``gradient`` is gradient × input of the same
    objective in the one-hot bases, through the embedding and through every table of k-mers, against the mean of the
    other three bases: what mutagenesis would give if the network were linear. Both are positive where a base raises the
    objective.

    Beside them stand the same for the sequence with its dinucleotides shuffled and for a network of the same shape with
    random weights, and the correlation of the two methods in each.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        inputs: a path, a table, a list of sequences or intervals, or one interval as ``chr22:1,001-1,200``; at most
            1,000 bases each.
        out: folder to write: the tables, a bigWig for each method and network, a picture of each of the first 20
            sequences. None returns the tables.
        position: the base whose log-probability is explained, 1-based in the sequence as it is read; None for all.
        genome: FASTA, where the input holds coordinates.
        length: bases to which intervals are resized.
        context: bases of the genome that are read before an interval without being explained; None for 128, or less
            where the contig or the model has less. Sequences have none.
        iupac: for ambiguous letters of sequences: ``raise``, read as ``N``, or ``sample`` a base.
        genes: GTF or GFF3 of genes to draw on top.
        seed: of shuffling and of the random network.
        tables: ``tsv`` or ``parquet``.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        overwrite: replace a folder that an earlier run wrote.
        progress: True for a bar on standard error.

    Returns:
        ``out``, or without one a dict of three polars tables. ``agreement``: ``id``, ``run`` (``model``, ``shuffled``,
        ``random_weights``), ``bases``, ``correlation`` of the two methods (Pearson, with its 95 % interval from blocks
        of 10 bases) and ``rank_correlation``, mean absolute values, and ``correlation_with_model``: of the random
        network's values with the model's. ``positions``: ``id``, ``chrom``, ``start`` (0-based), ``strand``, ``base``,
        each method for each run, ``base_shuffled``. ``substitutions``: for each base put in place the effect, that
        which the gradient predicts, and those of the random network.

    Raises:
        InputError: input that cannot be used, is longer than 1,000 bases, or has no base at ``position``; intervals
            that overlap, where tracks are written.
        ModelError: no such model, or one that cannot read so much.
        RunError: the output exists.
    """
    path = check_folder(out, tables)
    source = settle_regions(inputs, genome=genome, length=length, iupac=iupac)
    drawn = None if genes is None else read_annotation(Path(genes), source)
    if path is not None:
        check_target(path, overwrite=overwrite)
        refuse_replacing((*source.files(), genes), path)
    records = list(source.read() if path is None else pieces_in_order(source))
    _check_records(records, position)
    opened = Bulk(device, dtype).open(model)
    asked = _Asked(opened, source, context, position, seed)
    told = chosen(progress)
    with showing(told, "explain attribution", sum(len(record.sequence) for record in records)):
        explained = []
        for record in records:
            explained.append(asked.explain(record))
            told.advance(len(record.sequence))
    found = tabulate(explained)
    summary = Summary({"sequences": len(records), "bases": sum(len(record.sequence) for record in records)})
    if path is None:
        return found
    with whole_folder(path, asked.described()) as folder:
        write_tables(found, folder, tables)
        _write_tracks(explained, folder, contig_lengths(source))
        _draw(explained, found["agreement"], asked, drawn, folder)
        write_counts(None, folder, summary)
    hand_over(told, Result(path, None, len(records), 1, 1, summary=summary))
    return path


def _check_records(records: list[SequenceRecord], position: int | None) -> None:
    if not records:
        raise InputError("there are no sequences to explain")
    for record in records:
        if len(record.sequence) > LONGEST:
            raise InputError(
                f"attribution takes at most {LONGEST:,} bases of a sequence, not {len(record.sequence):,}; "
                "--length cuts intervals",
                value=record.id,
            )
        if position is not None and not 1 <= position <= len(record.sequence):
            raise InputError(f"{record.id} has bases 1 to {len(record.sequence):,}", value=position)
        if not set(record.sequence) - {"N"}:
            raise InputError("a sequence with only N cannot be explained", value=record.id)
        if position is not None and record.sequence[position - 1] == "N":
            raise InputError(f"{record.id} has N at the position to explain", value=position)


def _draw(
    explained: list[_Explained], agreement: pl.DataFrame, asked: _Asked, drawn: Annotation | None, folder: Path
) -> None:
    if not can_draw():
        return
    rows = agreement.select("id", "run", "correlation").rows()
    for number, one in enumerate(explained[:MOST_PICTURES], start=1):
        own = rows[(number - 1) * len(RUNS) : number * len(RUNS)]
        correlations = {run: r for _, run, r in own}
        starts = base_starts(one.record)
        low, high = int(starts.min()), int(starts.max()) + 1
        strand = one.record.interval.strand if one.record.interval else "+"
        genes = [] if drawn is None else drawn.genes(contig(one.record), low, high)
        shown = Shown(one.record.id, contig(one.record), low, strand, asked.model.card.name, asked.target, genes)
        save_picture(draw_attribution(shown, one.runs, correlations), folder / f"sequence{number:02d}.png")
