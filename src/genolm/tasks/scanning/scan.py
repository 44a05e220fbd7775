"""Surprise along whole genomes: how unlikely each base is to a model, and where it stays unlike the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from genolm.engine.progress import Progress
from genolm.errors import InputError, ModelError
from genolm.genome.annotation.gene_map import read_gene_map
from genolm.genome.in_memory import Sequences, hold_sequences
from genolm.genome.sequence_files import input_format
from genolm.genome.streams import is_stream
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.model_group import together
from genolm.tasks.reading.model_limits import context_bases, unreadable_letters
from genolm.tasks.reading.random_model import random_twin
from genolm.tasks.reading.sources import Source, settle
from genolm.tasks.scanning.base_values import Combine, Role
from genolm.tasks.scanning.gene_separation import GeneSettings
from genolm.tasks.scanning.genome_tiles import Tiling
from genolm.tasks.scanning.interval_calls import Calling, Side
from genolm.tasks.scanning.scan_outputs import Outputs
from genolm.tasks.scanning.scan_picture import check_scan_plot, plot_scan
from genolm.tasks.scanning.scan_task import Reader, Scan, ScanTask

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

__all__ = ["Scan", "scan"]

WINDOW = 45_000
OVERLAP = 5_000
"""Bases of a window and of its overlap where the models read as much."""

_RUN = 10  # of N at which a contig is cut; shorter ones stay inside as context
_TAIL = 64  # bases after a tile of longer tokens


def scan(
    model: Model | str | Path,
    genome: Sequences,
    out: Path | str | None = None,
    *,
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
) -> Any:
    """Surprise of a model along whole genomes, base by base, and the intervals where it stays high.

    The surprise of a base is -ln p, in nats: of a decoder's token given those before it, of an encoder's given those
    around it while it is masked. A token of several bases shares its surprise out evenly. Contigs of any length are
    read in overlapping windows and every base is scored once on each strand, that with the most context on its left
    being kept. Contigs are cut at runs of 10 N and more (at every N where a model cannot read it).

    Both strands are read; the values of the reverse one lie on the bases they belong to. With ``minus`` the track is
    the surprise under ``model`` less that under ``minus`` on the same windows: high where the second knows better.

    Intervals: the track is smoothed, standardised by the spread of shuffled tracks, and called where it stays beyond
    ``leave`` and reaches ``enter``; see :mod:`genolm.tasks.scanning.interval_calls`.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        genome: a FASTA, GenBank or EMBL file of whole contigs, a :class:`Genome`, or a dict or list of sequences.
            Ambiguous letters read N.
        out: prefix of the files ``.bw``, ``.bed`` and ``.json``; None returns a :class:`Scan`.
        minus: a second model.
        combine: how the two strands' values of a base become one: their ``mean`` (the sum over a genome stays a mean
            log-likelihood), or the ``min``, the strand that knows better; ``forward`` or ``reverse`` reads one only.
            Where one strand has no value, the other's counts.
        per_strand: write ``.forward.bw`` and ``.reverse.bw`` too.
        window: bases read together; None for 45,000, or what the models can read.
        overlap: bases of a window that are read again in the next; None for 5,000, or a quarter of the window.
        passes: of encoders, each masking every so many-th token; None for 8.
        side: call intervals above the mean of the track (``high``), below it (``low``), ``both`` or ``none``.
        smooth: bases of the smoothing window.
        enter: z-score that a call reaches somewhere.
        leave: z-score that it keeps throughout.
        min_length: fewest bases of a call.
        max_fdr: largest false-discovery rate of a call.
        block: bases of the blocks that are shuffled for the null: structure up to this length is in it.
        shuffles: how often.
        seed: of the shuffling and resampling.
        genes: annotation of the genome, ``.gff3``, ``.gtf``, ``.gbk`` or ``.embl`` (it may be the scanned file itself):
            adds ``PREFIX.genes.tsv`` and, in the record, how well the track separates coding windows from
            intergenic ones, beside G + C and a Markov model.
        gene_window: bases of those windows.
        order: bases that the Markov model depends on.
        twin: beside them, the surprise of a model of the same shape with random weights; as much work again.
        plot: ``.png``, ``.svg`` or ``.pdf`` of the tracks, calls and genes of the longest contigs
            (:func:`genolm.tasks.scanning.scan_picture.plot_scan`); replaced when it exists.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace existing outputs.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge` of ``PREFIX.json``.
        progress: True for a bar on standard error.
        dry_run: write nothing; measure a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        The path of ``PREFIX.json``, or without ``out`` a :class:`Scan`.

    Raises:
        InputError: a genome that cannot be read or has no base, settings that make no sense.
        ModelError: no such model, a window beyond the model's context, ``passes`` where no model is an encoder.
        RunError: an output exists, or parts of another run are in the way.
        ResourceError: not enough memory or disk.
        GenolmError: a plot, and matplotlib is not installed (extra ``plots``).
    """
    picture = check_scan_plot(plot)
    if picture is not None and shard is not None:
        raise InputError("a plot needs the whole track: leave it out, and plot PREFIX.bw after the merge")
    calling = Calling(side, smooth, enter, leave, min_length, max_fdr, block, shuffles, seed)
    annotation = None if genes is None else GeneSettings(Path(genes), gene_window, order, seed)
    if combine not in get_args(Combine):
        raise InputError(f"combine is one of {', '.join(get_args(Combine))}", value=combine)
    if twin and annotation is None:
        raise InputError("a twin of random weights is a baseline for genes: give their annotation, genes=, --genes")
    source = _contigs(genome)
    if annotation is not None:
        read_gene_map(annotation.file).on({record.id: len(record.sequence) for record in source.read()})
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    path = None
    if out is not None:
        outputs = Outputs.of(Path(out))
        outputs.check(overwrite=overwrite, resume=resume)
        path = outputs.record
    models = _models(bulk, model, minus, path, seed if twin else None)
    if passes is not None and all(one.causal for one in models.values()):
        raise ModelError("only encoders have passes, and no model here is one")
    task = ScanTask(
        source,
        tiling_of(tuple(models.values()), window, overlap),
        combine,
        per_strand,
        tuple(Reader.of(one, role, passes) for role, one in models.items()),
        calling,
        annotation,
    )
    result = bulk.run(task, together(tuple(models.values())), path)
    if picture is not None and not dry_run:
        _plot(task, result, picture)
    return result


def _plot(task: ScanTask, result: Any, out: Path) -> None:
    """Draws what the run returned: a scan, or the path of the record of its files."""
    lengths = {record.id: len(record.sequence) for record in task.source.read()}
    names = " − ".join(reader.provenance.model for reader in task.readers if reader.role in ("model", "minus"))
    strands = {"mean": "mean of both strands", "min": "minimum of both strands"}.get(
        task.combine, f"{task.combine} strand"
    )
    quantity = "Surprise" if all(reader.role != "minus" for reader in task.readers) else "Difference of surprise"
    source = result if isinstance(result, Scan) else Outputs(result)
    genes = None if task.genes is None else task.genes.file
    plot_scan(source, lengths, out, genes=genes, quantity=quantity, about=f"{names}, {strands}")


def _models(
    bulk: Bulk, model: Model | str | Path, minus: Model | str | Path | None, out: Path | None, twin: int | None
) -> dict[Role, Model]:
    """The models by what they are for; ``twin`` is the seed of its weights."""
    models: dict[Role, Model] = {"model": bulk.open(model, out)}
    if minus is not None:
        models["minus"] = bulk.open(minus)
    if twin is not None:
        models["twin"] = random_twin(models["model"], twin)
    return models


def _contigs(genome: Sequences) -> Source:
    """Whole sequences, and no intervals."""
    held = hold_sequences(genome)
    if isinstance(held, Path) and not is_stream(held):
        input_format(held, ("fasta", "genbank"))
    source = settle(held, iupac="N")
    if source.kind != "sequences":
        raise InputError("a scan reads whole contigs, not intervals or variants")
    return source


def tiling_of(models: Sequence[Model], window: int | None, overlap: int | None) -> Tiling:
    """How contigs are cut for models that read the same windows.

    Args:
        models: one or two.
        window: bases; None for 45,000 or a little less than what fits into every model's context.
        overlap: bases; None for 5,000 or a quarter of the window.

    Raises:
        ModelError: a window beyond a model's context.
        InputError: an overlap that leaves nothing of a window.
    """
    for model in models:
        context_bases(model, window)
    bases = window or min(WINDOW, *(_comfortable(model) for model in models))
    shared = min(OVERLAP, bases // 4) if overlap is None else overlap
    run = 1 if any("N" in unreadable_letters(model.tokenizer) for model in models) else _RUN
    if any(not model.causal for model in models):
        # Two models of different kinds read the same windows: what the encoder needs on the right costs the decoder.
        return Tiling(bases, shared - shared // 2, shared // 2, run)
    tail = min(_TAIL, bases // 16) if any(model.tokenizer.bases_per_token > 1 for model in models) else 0
    return Tiling(bases, shared, tail, run)


def _comfortable(model: Model) -> int:
    """Bases of a window; of longer tokens nine tenths of what fits on average, so that most windows need no cut."""
    most = context_bases(model)
    return most if model.tokenizer.bases_per_token == 1 else max(1, most * 9 // 10)
