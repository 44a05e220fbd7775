"""Genome-wide surprisal tracks, and calls of intervals with unusual surprisal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Unpack

from genolm.engine.analysis import stored_task
from genolm.engine.result import Result
from genolm.errors import InputError, ModelError
from genolm.genome.annotation.gene_map import read_gene_map
from genolm.genome.contig_names import chrom_aliases
from genolm.genome.in_memory import Sequences, hold_sequences
from genolm.genome.sequence_files import input_format
from genolm.genome.streams import is_stream
from genolm.parameters import AtLeast, Bases, Between, Count, KeptParts, ReplacedBy, Seed, Shown, Single
from genolm.remedies import Remedy
from genolm.tasks.reading.bulk import AnyModel, Bulk, RunOptions
from genolm.tasks.reading.model_limits import context_bases, unreadable_letters
from genolm.tasks.reading.sources import Source, open_source
from genolm.tasks.scanning.base_values import Combine, Role
from genolm.tasks.scanning.gene_separation import GeneSettings
from genolm.tasks.scanning.genome_tiles import Tiling
from genolm.tasks.scanning.interval_calls import Calling, Side
from genolm.tasks.scanning.scan_analysis import OPTIONS, changed_calling, changed_genes
from genolm.tasks.scanning.scan_outputs import Outputs
from genolm.tasks.scanning.scan_picture import check_scan_plot, plot_scan
from genolm.tasks.scanning.scan_results import Scan
from genolm.tasks.scanning.scan_task import Reader, Scanned, ScanTask
from genolm.tasks.writing.kept_parts import Request, analysed_by
from genolm.verbs import verb

if TYPE_CHECKING:
    from genolm.models.model import Model

__all__ = ["Scan", "scan"]

WINDOW = 45_000
OVERLAP = 5_000
"""Default window and overlap in bases, within the limits of the models."""

_RUN = 10  # shortest run of N at which a contig is split; shorter runs are context
_TAIL = 64  # bases read after a tile with multi-base tokens


def _analyse(request: Request) -> Scan:
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
        raise InputError("the untrained baseline needs an annotation", code="missing-argument", remedy=Remedy("genes"))
    annotation = () if task.genes is None or "genes" not in given else (task.genes.file,)
    path = None if request.out is None else Outputs.of(request.out).record
    return _scanned(task, bulk.analyse(request.parts, task, path, annotation), picture)


@verb(example="genolm scan genolm-nano genome.fa surprisal")
@analysed_by(_analyse, OPTIONS)
def scan(
    model: Annotated[AnyModel | None, ReplacedBy("from_")] = None,
    genome: Annotated[Sequences | None, Single(), Shown("GENOME"), ReplacedBy("from_")] = None,
    out: Annotated[Path | str, Shown("PREFIX")] | None = None,
    *,
    from_: KeptParts | None = None,
    minus: Annotated[AnyModel, Shown("MODEL")] | None = None,
    combine: Combine = "mean",
    per_strand: bool = False,
    window: Bases | None = None,
    overlap: Annotated[int | None, AtLeast(0), Shown("BASES")] = None,
    passes: Count | None = None,
    call: Side = "high",
    smooth: Bases = 1000,
    enter: Annotated[float, AtLeast(0), Shown("Z")] = 3.0,
    leave: Annotated[float, AtLeast(0), Shown("Z")] = 1.5,
    min_length: Bases = 1000,
    fdr: Annotated[float, Between(0, 1), Shown("RATE")] = 0.05,
    block: Bases = 250,
    shuffles: Count = 100,
    seed: Seed = 0,
    genes: Path | str | None = None,
    gene_window: Bases = 100,
    order: Annotated[int, Between(0, 9), Shown("K")] = 5,
    twin: bool = False,
    plot: Path | str | None = None,
    **run: Unpack[RunOptions],
) -> Scan:
    """Compute surprisal along genomes and call unusual intervals.

    PREFIX.bw has the surprisal of each base in nats, PREFIX.bed the called intervals, PREFIX.json the settings and a
    summary of each contig.

    The surprisal of a base is -ln p in nats: for a decoder given the preceding tokens, for an encoder given both sides
    while the token is masked. The surprisal of a multi-base token is divided evenly among its bases. Contigs of any
    length are read in overlapping windows; every base is scored once per strand, in the window with the most context
    on its left. Contigs are split at runs of 10 or more N (at every N if a model cannot read N). Ambiguity codes are
    read as N.

    Both strands are read; values of the reverse strand are at the positions of their bases. If one strand has no value,
    that of the other is used. With ``minus``, the track is the surprisal under ``model`` minus that under ``minus`` in
    the same windows: high where the second model predicts better.

    For calls, the track is smoothed, standardised by the standard deviation of shuffled tracks, and called where it
    stays beyond ``leave`` and reaches ``enter``; see :mod:`genolm.tasks.scanning.interval_calls`. Genes add
    ``PREFIX.genes.tsv`` and, to ``PREFIX.json``, the separation of coding and intergenic windows by the track, with GC
    content and a Markov model as baselines.

    Args:
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.
        genome: Genome: FASTA, GenBank or EMBL; may be gzipped.
        out: Output prefix: writes PREFIX.bw, PREFIX.bed and PREFIX.json.
        from_: Parts of a run with `keep_parts` (OUTPUT.parts) to analyse again, without the model. Omitted options
            are as in the run. Options of calls, genes and plot may change.
        minus: Second model; its surprisal is subtracted from the first's.
        combine: How to combine the surprisal of the two strands; forward and reverse read one strand only.
        per_strand: Also write PREFIX.forward.bw and PREFIX.reverse.bw.
        window: Window length in bases. Default: 45,000, or the model's maximum if that is shorter.
        overlap: Overlap of neighbouring windows in bases. Default: 5,000, or a quarter of a shorter window.
        passes: Encoders: mask every N-th token, in N passes, so that each token is masked once. Default: 8.
        call: Call intervals of high surprisal, low surprisal, both or none.
        smooth: Smoothing window in bases, applied before calling.
        enter: z-score that an interval must reach somewhere.
        leave: z-score that an interval must keep throughout.
        min_length: Minimum length of an interval in bases.
        fdr: Maximum false-discovery rate (0 to 1).
        block: Block length of the shuffled null track in bases.
        shuffles: Number of shuffled null tracks.
        seed: Random seed, 0 or higher.
        genes: Gene annotation (GFF3, GTF, GenBank or EMBL): measure how well surprisal separates coding from
            intergenic sequence.
        gene_window: Window length in bases for `genes`.
        order: Order of the Markov baseline for `genes`, 0 to 9.
        twin: Add an untrained model as a baseline for `genes`; doubles the computing time.
        plot: Also plot tracks, intervals and genes: .png, .svg or .pdf (extra: plots). An existing file is replaced.

    Returns:
        The scan, in memory or written to the files of ``out``: `intervals`, `tracks` (values by contig), `genes` and
        `record`, the content of ``PREFIX.json``.

    Raises:
        InputError: if the genome cannot be read or has no known base, or a setting is invalid.
        ModelError: if a model is unknown, the window exceeds a model's context, or ``passes`` is given without an
            encoder.
        RunError: if an output exists, or parts of another run are in the way.
        ResourceError: if memory or disk space is insufficient.
        GenolmError: if a plot is requested and matplotlib is not installed (extra ``plots``).
    """
    if model is None or genome is None:
        raise InputError(
            "a model and a genome are required",
            code="missing-argument",
            remedy=Remedy("from_", None, "analyse kept parts"),
        )
    bulk = Bulk.of(run)
    picture = check_scan_plot(plot)
    if picture is not None and bulk.shard is not None:
        raise InputError("a plot needs the complete track: omit it, and plot PREFIX.bw after the merge")
    calling = Calling(call, smooth, enter, leave, min_length, fdr, block, shuffles, seed)
    annotation = None if genes is None else GeneSettings(Path(genes), gene_window, order, seed)
    if twin and annotation is None:
        raise InputError("the untrained baseline needs an annotation", code="missing-argument", remedy=Remedy("genes"))
    source = _contigs(genome)
    if annotation is not None:
        lengths = {record.id: len(record.sequence) for record in source.read()}
        read_gene_map(annotation.file).on(lengths, chrom_aliases(source.place))
    path = None
    if out is not None:
        outputs = Outputs.of(Path(out))
        outputs.check(overwrite=bulk.overwrite, resume=bulk.resume)
        path = outputs.record
    models = _models(bulk, model, minus, path, seed if twin else None)
    if passes is not None and all(each.causal for each in models.values()):
        raise ModelError("passes applies to encoders, but no model is an encoder", code="unsupported-by-model")
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

    return _scanned(task, bulk.run(task, group_models(tuple(models.values())), path), picture)


def _scanned(task: ScanTask, outcome: Result, picture: Path | None) -> Scan:
    """Return the scan of a run, and plot it unless it was a dry run."""
    names = " − ".join(reader.provenance.model for reader in task.readers if reader.role != "twin")
    if picture is not None and outcome.estimate is None:
        _plot(task, outcome.table if outcome.out is None else Outputs(outcome.out), names, picture)
    return Scan(outcome, task.combine, names)


def _plot(task: ScanTask, scanned: Scanned | Outputs, names: str, out: Path) -> None:
    """Plot the result of a run, in memory or in files."""
    lengths = {record.id: len(record.sequence) for record in task.source.read()}
    strands = {"mean": "mean of both strands", "min": "minimum of both strands"}.get(
        task.combine, f"{task.combine} strand"
    )
    quantity = "Surprisal" if all(reader.role != "minus" for reader in task.readers) else "Difference of surprisal"
    genes = None if task.genes is None else task.genes.file
    synonyms = chrom_aliases(task.source.place)
    subtitle = f"{names}, {strands}"
    plot_scan(scanned, lengths, out, genes=genes, quantity=quantity, subtitle=subtitle, synonyms=synonyms)


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
