"""Genome-wide surprisal tracks, and calls of intervals with unusual surprisal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from genolm.engine.analysis import stored_task
from genolm.engine.progress import Progress
from genolm.errors import InputError, ModelError
from genolm.genome.annotation.gene_map import read_gene_map
from genolm.genome.contig_names import chrom_aliases
from genolm.genome.in_memory import Sequences, hold_sequences
from genolm.genome.sequence_files import input_format
from genolm.genome.streams import is_stream
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.model_limits import context_bases, unreadable_letters
from genolm.tasks.reading.sources import Source, open_source
from genolm.tasks.scanning.base_values import Combine, Role
from genolm.tasks.scanning.gene_separation import GeneSettings
from genolm.tasks.scanning.genome_tiles import Tiling
from genolm.tasks.scanning.interval_calls import Calling, Side
from genolm.tasks.scanning.scan_analysis import OPTIONS, changed_calling, changed_genes
from genolm.tasks.scanning.scan_outputs import Outputs
from genolm.tasks.scanning.scan_picture import check_scan_plot, plot_scan
from genolm.tasks.scanning.scan_task import Reader, Scan, ScanTask
from genolm.tasks.writing.kept_parts import Request, analysed_by

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

__all__ = ["Scan", "scan"]

WINDOW = 45_000
OVERLAP = 5_000
"""Default window and overlap in bases, within the limits of the models."""

_RUN = 10  # shortest run of N at which a contig is split; shorter runs are context
_TAIL = 64  # bases read after a tile with multi-base tokens


def _analyse(request: Request) -> Any:
    """Analyse the parts of a scan."""
    given, bulk = request.given, Bulk(**request.running)
    picture = check_scan_plot(given.get("plot"))
    task = stored_task(request.parts, ScanTask)
    untrained = any(reader.role == "twin" for reader in task.readers)
    if untrained and given.get("seed", task.calling.seed) != task.calling.seed:
        raise InputError("the parts hold an untrained model that was drawn with another seed", value=given["seed"])
    task = replace(
        task,
        per_strand=given.get("per_strand", task.per_strand),
        calling=changed_calling(task.calling, given),
        genes=changed_genes(task.genes, given, task.calling.seed),
    )
    if untrained and task.genes is None:
        raise InputError("the untrained baseline needs an annotation: genes= (--genes)")
    annotation = () if task.genes is None or "genes" not in given else (task.genes.file,)
    path = None if request.out is None else Outputs.of(request.out).record
    result = bulk.analyse(request.parts, task, path, annotation)
    if picture is not None:
        _plot(task, result, picture)
    return result


@analysed_by(_analyse, OPTIONS)
def scan(
    model: Model | str | Path | None = None,
    genome: Sequences | None = None,
    out: Path | str | None = None,
    *,
    from_: Path | str | None = None,
    minus: Model | str | Path | None = None,
    combine: Combine = "mean",
    per_strand: bool = False,
    window: int | None = None,
    overlap: int | None = None,
    passes: int | None = None,
    side: Side = "high",
    smooth: int = 1000,
    enter: float = 3.0,
    leave: float = 1.5,
    min_length: int = 1000,
    max_fdr: float = 0.05,
    block: int = 250,
    shuffles: int = 100,
    seed: int = 0,
    genes: Path | str | None = None,
    gene_window: int = 100,
    order: int = 5,
    twin: bool = False,
    plot: Path | str | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
    keep_parts: bool = False,
) -> Any:
    """Compute the surprisal of each base of a genome, and call intervals in which it is high.

    The surprisal of a base is -ln p in nats: for a decoder given the preceding tokens, for an encoder given both sides
    while the token is masked. The surprisal of a multi-base token is divided evenly among its bases. Contigs of any
    length are read in overlapping windows; every base is scored once per strand, in the window with the most context
    on its left. Contigs are split at runs of 10 or more N (at every N if a model cannot read N).

    Both strands are read; values of the reverse strand are at the positions of their bases. With ``minus``, the track
    is the surprisal under ``model`` minus that under ``minus`` in the same windows: high where the second model
    predicts better.

    For calls, the track is smoothed, standardised by the standard deviation of shuffled tracks, and called where it
    stays beyond ``leave`` and reaches ``enter``; see :mod:`genolm.tasks.scanning.interval_calls`.

    Args:
        model: a model, or a name or path for :func:`genolm.load`.
        genome: FASTA, GenBank or EMBL file of contigs, a :class:`Genome`, or a dict or list of sequences. Ambiguity
            codes are read as N.
        out: prefix of the files ``.bw``, ``.bed`` and ``.json``; None returns a :class:`Scan`.
        from_: parts of a run with ``keep_parts`` (``PREFIX.json.parts``), to be analysed again without the model.
            Settings of calls, genes and plot that are omitted are those of the run; no other settings can be given.
        minus: second model, whose surprisal is subtracted from that of the first.
        combine: combination of the two strands: ``mean``; ``min``, the strand that predicts better; ``forward`` or
            ``reverse``, to read one strand only. If one strand has no value, that of the other is used.
        per_strand: also write ``.forward.bw`` and ``.reverse.bw``.
        window: number of bases read together; None: 45,000, or less if a model's limit is shorter.
        overlap: overlap of consecutive windows in bases; None: 5,000, or a quarter of the window if that is less.
        passes: number of masked passes of encoders, each masking every ``passes``-th token; None: 8.
        side: call intervals above the mean of the track (``high``), below it (``low``), ``both`` or ``none``.
        smooth: length of the smoothing window in bases.
        enter: z-score that a call must reach somewhere.
        leave: z-score that a call must keep throughout.
        min_length: minimum length of a call in bases.
        max_fdr: maximum false discovery rate of a call.
        block: length in bases of the blocks that are shuffled for the null, which keeps structure up to this length.
        shuffles: number of shuffled tracks.
        seed: random seed of shuffling and resampling.
        genes: annotation of the genome, ``.gff3``, ``.gtf``, ``.gbk`` or ``.embl`` (may be the scanned file): adds
            ``PREFIX.genes.tsv`` and, to ``PREFIX.json``, the separation of coding and intergenic windows by the track,
            with GC content and a Markov model as baselines.
        gene_window: length of these windows in bases.
        order: order of the Markov model.
        twin: add an untrained model as a baseline; doubles the cost.
        plot: ``.png``, ``.svg`` or ``.pdf`` with tracks, calls and genes of the longest contigs
            (:func:`genolm.tasks.scanning.scan_picture.plot_scan`); an existing file is replaced.
        device: device to compute on; None: the first CUDA device, else the CPU.
        dtype: precision of the weights; None: the preference of model card and device.
        token_budget: tokens per batch; None: as many as fit in memory.
        resume: continue from the finished parts of an interrupted run.
        overwrite: replace existing outputs.
        shard: ``"i/n"``: compute only the i-th of n shares, for :func:`genolm.merge` of ``PREFIX.json``.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return a :class:`genolm.engine.run.Estimate`.
        keep_parts: keep the parts in ``PREFIX.json.parts`` for ``from_``.

    Returns:
        The path of ``PREFIX.json``, or without ``out`` a :class:`Scan`.

    Raises:
        InputError: if the genome cannot be read or has no known base, or a setting is invalid.
        ModelError: if a model is unknown, the window exceeds a model's context, or ``passes`` is given without an
            encoder.
        RunError: if an output exists, or parts of another run are in the way.
        ResourceError: if memory or disk space is insufficient.
        GenolmError: if a plot is requested and matplotlib is not installed (extra ``plots``).
    """
    if model is None or genome is None:
        raise InputError("model and genome are required, except with from_")
    picture = check_scan_plot(plot)
    if picture is not None and shard is not None:
        raise InputError("a plot needs the complete track: omit it, and plot PREFIX.bw after the merge")
    calling = Calling(side, smooth, enter, leave, min_length, max_fdr, block, shuffles, seed)
    annotation = None if genes is None else GeneSettings(Path(genes), gene_window, order, seed)
    if combine not in get_args(Combine):
        raise InputError(f"combine must be one of {', '.join(get_args(Combine))}", value=combine)
    if twin and annotation is None:
        raise InputError("the untrained baseline needs an annotation: genes= (--genes)")
    source = _contigs(genome)
    if annotation is not None:
        lengths = {record.id: len(record.sequence) for record in source.read()}
        read_gene_map(annotation.file).on(lengths, chrom_aliases(source.place))
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run, keep_parts)
    path = None
    if out is not None:
        outputs = Outputs.of(Path(out))
        outputs.check(overwrite=overwrite, resume=resume)
        path = outputs.record
    models = _models(bulk, model, minus, path, seed if twin else None)
    if passes is not None and all(each.causal for each in models.values()):
        raise ModelError("passes applies to encoders, but no model is an encoder")
    task = ScanTask(
        source,
        tiling_of(tuple(models.values()), window, overlap),
        combine,
        per_strand,
        tuple(Reader.of(each, role, passes) for role, each in models.items()),
        calling,
        annotation,
    )
    from genolm.tasks.reading.model_group import group_models  # imports torch, which an analysis does not need

    result = bulk.run(task, group_models(tuple(models.values())), path)
    if picture is not None and not dry_run:
        _plot(task, result, picture)
    return result


def _plot(task: ScanTask, result: Any, out: Path) -> None:
    """Plot the result of a run: a scan, or the path of its ``PREFIX.json``."""
    lengths = {record.id: len(record.sequence) for record in task.source.read()}
    names = " − ".join(reader.provenance.model for reader in task.readers if reader.role in ("model", "minus"))
    strands = {"mean": "mean of both strands", "min": "minimum of both strands"}.get(
        task.combine, f"{task.combine} strand"
    )
    quantity = "Surprisal" if all(reader.role != "minus" for reader in task.readers) else "Difference of surprisal"
    source = result if isinstance(result, Scan) else Outputs(result)
    genes = None if task.genes is None else task.genes.file
    synonyms = chrom_aliases(task.source.place)
    subtitle = f"{names}, {strands}"
    plot_scan(source, lengths, out, genes=genes, quantity=quantity, subtitle=subtitle, synonyms=synonyms)


def _models(
    bulk: Bulk, model: Model | str | Path, minus: Model | str | Path | None, out: Path | None, twin: int | None
) -> dict[Role, Model]:
    """Return the models by role; ``twin`` is the seed of an untrained copy."""
    models: dict[Role, Model] = {"model": bulk.open(model, out)}
    if minus is not None:
        models["minus"] = bulk.open(minus)
    if twin is not None:
        from genolm.tasks.reading.random_model import untrained_copy

        models["twin"] = untrained_copy(models["model"], twin)
    return models


def _contigs(genome: Sequences) -> Source:
    """Return the source of the contigs; raise `InputError` for intervals and variants."""
    inputs = hold_sequences(genome)
    if isinstance(inputs, Path) and not is_stream(inputs):
        input_format(inputs, ("fasta", "genbank"))
    source = open_source(inputs, iupac="N")
    if source.kind != "sequences":
        raise InputError("scan needs complete contigs, not intervals or variants")
    return source


def tiling_of(models: Sequence[Model], window: int | None, overlap: int | None) -> Tiling:
    """Return the tiling for models that read the same windows.

    Args:
        models: the models.
        window: window in bases; None: 45,000, or less to fit the context of every model.
        overlap: overlap in bases; None: 5,000, or a quarter of the window if that is less.

    Raises:
        ModelError: if the window exceeds a model's context.
        InputError: if the overlap is not smaller than the window.
    """
    for model in models:
        context_bases(model, window)
    bases = window or min(WINDOW, *(_comfortable(model) for model in models))
    shared = min(OVERLAP, bases // 4) if overlap is None else overlap
    run = 1 if any("N" in unreadable_letters(model.tokenizer) for model in models) else _RUN
    if any(not model.causal for model in models):
        # Encoders need context on both sides; a decoder in the same run then has less on the left.
        return Tiling(bases, shared - shared // 2, shared // 2, run)
    tail = min(_TAIL, bases // 16) if any(model.tokenizer.bases_per_token > 1 for model in models) else 0
    return Tiling(bases, shared, tail, run)


def _comfortable(model: Model) -> int:
    """Return a window in bases that fits the context; with multi-base tokens, 10 % less than fits on average."""
    maximum = context_bases(model)
    return maximum if model.tokenizer.bases_per_token == 1 else max(1, maximum * 9 // 10)
