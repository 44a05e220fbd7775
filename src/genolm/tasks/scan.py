"""Surprise along whole genomes: how unlikely each base is to a model, and where it stays unlike the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import polars as pl

from genolm.engine.atomic import atomic_file
from genolm.engine.parts import PartsFolder
from genolm.engine.progress import Progress
from genolm.engine.windows import Window, cut
from genolm.errors import InputError, ModelError
from genolm.genome.coding import read_gene_map
from genolm.genome.formats import file_format
from genolm.tasks.bulk import Bulk
from genolm.tasks.embed import context_bases
from genolm.tasks.likelihood import normalisation_of, passes_of
from genolm.tasks.log_probabilities import Normalisation
from genolm.tasks.provenance import Provenance
from genolm.tasks.scanning.calls import Calling, Side, call, write_bed
from genolm.tasks.scanning.genes import GeneSettings, gene_table, separation
from genolm.tasks.scanning.outputs import (
    Outputs,
    contig_table,
    contigs_of,
    write_record,
    write_tracks,
)
from genolm.tasks.scanning.pair import ModelPair, models_of
from genolm.tasks.scanning.tiles import Tile, Tiling
from genolm.tasks.scanning.tracks import Combine, Tracks
from genolm.tasks.sources import Source, settle
from genolm.tasks.stretches import Float32, Scored, joined_stretches, own_tokens, token_lengths
from genolm.tasks.tables import write_delimited
from genolm.tasks.token_scores import causal_scores, masked_scores

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model
    from genolm.tokens.tokenizer import Tokenizer

WINDOW = 45_000
OVERLAP = 5_000
"""Bases of a window and of its overlap where the models read as much."""

_RUN = 10  # of N at which a contig is cut; shorter ones stay inside as context
_TAIL = 64  # bases after a tile of longer tokens


@dataclass(frozen=True, slots=True)
class Reader:
    """How one of the models reads windows.

    Attributes:
        normalise: what probabilities add up to one over.
        passes: of an encoder, each with other tokens masked; 0 for a decoder.
        bases_per_token: of its tokenizer, on average.
        provenance: the model.
    """

    normalise: Normalisation
    passes: int
    bases_per_token: float
    provenance: Provenance

    @classmethod
    def of(cls, model: Model, passes: int | None) -> Reader:
        """How a model reads."""
        asked = None if model.causal else passes
        return cls(
            normalisation_of(model, None),
            passes_of(model, asked),
            model.tokenizer.bases_per_token,
            Provenance.of(model),
        )

    def cost(self, bases: int) -> int:
        """Tokens that go through the model, about."""
        return int(bases / self.bases_per_token * max(1, self.passes)) + 1

    def scores(self, model: Model, windows: Sequence[Window]) -> list[Float32]:
        """The log-probability of every token of every window."""
        if self.passes:
            return masked_scores(model, windows, self.passes)
        return causal_scores(model, windows, self.normalise)


@dataclass(frozen=True)
class ScanTask:
    """Scanning as the engine runs it; :func:`scan` makes one.

    Attributes:
        source: the contigs.
        tiling: how they are cut.
        combine: how two strands become one.
        per_strand: write the tracks of the strands too.
        readers: how each model reads; of two, the difference is taken.
        calling: how intervals are called.
        genes: the annotation, and how coding and intergenic sequence are told apart; None for neither.
    """

    source: Source
    tiling: Tiling
    combine: Combine
    per_strand: bool
    readers: tuple[Reader, ...]
    calling: Calling
    genes: GeneSettings | None
    name: ClassVar[str] = "scan"
    part_tokens: ClassVar[int] = 131_072

    def items(self) -> Iterator[Tile]:
        """The tiles of every contig, of one strand and then of the other."""
        names = set[str]()
        any_base = False
        for record in self.source.read():
            if record.id in names:
                raise InputError("two contigs have this name", file=_file(self.source), value=record.id)
            names.add(record.id)
            for tile in self.tiling.tiles(record, self.strands):
                any_base = True
                yield tile
        if not any_base:
            raise InputError("there is nothing to scan: no contig has a base other than N", file=_file(self.source))

    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (*self.source.files(), *([] if self.genes is None else [self.genes.file]))

    def cost(self, item: Tile) -> int:
        """Tokens that go through the models, about."""
        return sum(reader.cost(len(item.sequence)) for reader in self.readers)

    def windows(self, items: Sequence[Tile], model: Model) -> list[Window]:
        """One window for each tile and model, more where a model's tokens are too many for one."""
        overlap = (self.tiling.before + self.tiling.after) / self.tiling.window
        windows = list[Window]()
        for number, tile in enumerate(items):
            for which, one in enumerate(models_of(model)):
                pieces = cut(tile.sequence, one, self.tiling.window, overlap=overlap, origin=(number, which))
                windows += [replace(piece, tokens=piece.token_count(1.0)) for piece in pieces]
        return windows

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Float32]:
        """The log-probability of every token of every window, under the model that the window is for."""
        outputs: dict[int, Float32] = {}
        for which, (one, reader) in enumerate(zip(models_of(model), self.readers, strict=True)):
            places = [place for place, window in enumerate(windows) if window.origin[1] == which]
            if places:
                outputs.update(zip(places, reader.scores(one, [windows[place] for place in places]), strict=True))
        return [outputs[place] for place in range(len(windows))]

    def rows(self, items: Sequence[Tile], windows: Sequence[Window], outputs: Sequence[Float32]) -> pl.DataFrame:
        """A row for each tile: the surprise of its own bases under each model, in the order of the forward strand."""
        surprises = [self._surprises(which, items, windows, outputs) for which in range(len(self.readers))]
        columns = {
            "chrom": [tile.chrom for tile in items],
            "reverse": [tile.reverse for tile in items],
            "start": [tile.start for tile in items],
            **{
                f"surprise{which}": pl.Series([pl.Series(one, dtype=pl.Float32) for one in own], dtype=_VALUES)
                for which, own in enumerate(surprises)
            },
        }
        return pl.DataFrame(columns, schema_overrides={"chrom": pl.String, "reverse": pl.Boolean, "start": pl.Int64})

    def _surprises(
        self, which: int, items: Sequence[Tile], windows: Sequence[Window], outputs: Sequence[Float32]
    ) -> list[Float32]:
        places = [place for place, window in enumerate(windows) if window.origin[1] == which]
        own_windows = [windows[place] for place in places]
        stretches: dict[int, list[Scored]] = {}
        for place, window, own in zip(
            places, own_windows, own_tokens(own_windows, masked=self.readers[which].passes > 0)
        ):
            scored = Scored(outputs[place][own], token_lengths(window)[own])
            stretches.setdefault(window.origin[0], []).append(scored)
        return [_own(tile, joined_stretches(stretches[number])) for number, tile in enumerate(items)]

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Writes the files; ``out`` is the record."""
        outputs = Outputs(out)
        result = self._result(frames, PartsFolder.of(out).path)
        written = write_tracks(result.tracks, outputs, self.combine, per_strand=self.per_strand)
        write_bed(result.calls, outputs.calls, self._depth)
        written.add(outputs.calls)
        if result.genes is not None:
            with atomic_file(outputs.genes) as partial:
                write_delimited(iter([result.genes]), partial, "\t")
            written.add(outputs.genes)
        outputs.clear(written)
        write_record(out, result.record)

    def collect(self, frames: Iterator[pl.DataFrame]) -> Scan:
        """The result in memory."""
        return self._result(frames, None)

    def _result(self, frames: Iterator[pl.DataFrame], folder: Path | None) -> Scan:
        contigs = contigs_of(self.source, self.tiling)
        lengths = {name: contig.length for name, contig in contigs.items()}
        tracks = Tracks(lengths, self.strands, len(self.readers), folder)
        tracks.fill(frames)
        rows, called = call(((name, tracks.combined(name, self.combine)) for name in contigs), self.calling)
        record = {
            **self._described(),
            "contigs": contig_table(contigs, tracks, self.combine),
            "calls": called,
        }
        if self.genes is None:
            return Scan(tracks, rows, record, self.combine)
        gene_map = read_gene_map(self.genes.file).on(lengths)
        record["genes"] = separation(gene_map, self.genes, self.source.read(), tracks, self.combine)
        return Scan(tracks, rows, record, self.combine, gene_table(gene_map, tracks, self.combine))

    def _described(self) -> dict[str, Any]:
        """Everything that says how the track was made."""
        models = [self._model(reader) for reader in self.readers]
        return {
            "genolm_version": models[0].pop("genolm_version"),
            "track": f"{self._quantity}, nats per base",
            "model": models[0],
            "minus": models[1] if len(models) > 1 else None,
            "combine": self.combine,
            "strands": ["reverse" if reverse else "forward" for reverse in self.strands],
            "window_bases": self.tiling.window,
            "overlap_bases": self.tiling.before + self.tiling.after,
            "cut_at_runs_of_N": self.tiling.shortest_run,
            "calling": {name: getattr(self.calling, name) for name in self.calling.__dataclass_fields__},
        }

    def _model(self, reader: Reader) -> dict[str, Any]:
        masked = {"masked_passes": reader.passes} if reader.passes else {}
        texts = reader.provenance.described(normalised_over=reader.normalise)
        texts["fingerprint"] = texts.pop("model_fingerprint")
        if reader is not self.readers[0]:
            texts.pop("genolm_version")
        return {**texts, **masked}

    @property
    def strands(self) -> tuple[bool, ...]:
        """The strands that are read; True is the reverse one."""
        return {"forward": (False,), "reverse": (True,)}.get(self.combine, (False, True))

    @property
    def _quantity(self) -> str:
        return "surprise" if len(self.readers) == 1 else "surprise_difference"

    @property
    def _depth(self) -> str:
        return f"depth_{self._quantity}_nats_per_base"


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan in memory.

    Attributes:
        tracks: the values of the strands.
        calls: the called intervals, 0-based and half-open (:data:`genolm.tasks.scanning.calls.COLUMNS`).
        record: settings, contigs and counts.
        combine: how strands become one.
        genes: a row for each coding gene, where an annotation was given.
    """

    tracks: Tracks
    calls: pl.DataFrame
    record: dict[str, Any]
    combine: Combine
    genes: pl.DataFrame | None = None

    def values(self, chrom: str) -> Float32:
        """The combined track of a contig, nats per base, NaN where nothing was scored."""
        return self.tracks.combined(chrom, self.combine)


_VALUES = pl.List(pl.Float32)


def _own(tile: Tile, scored: Scored) -> Float32:
    """The surprise of a tile's own bases on the forward strand."""
    values = -scored.per_base()[tile.before : tile.before + tile.end - tile.start]
    return values[::-1] if tile.reverse else values


def scan(
    model: Model | str | Path,
    genome: Any,
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
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
) -> Any:
    """Surprise of a model along whole genomes, base by base, and the intervals where it stays high.

    The surprise of a base is -ln p, in nats: of a decoder's token given those before it, of an encoder's given those
    around it while it is masked. A token of several bases shares its surprise out evenly. Contigs of any length are
    read in overlapping windows and every base is scored once on each strand, that with the most context on its left
    being kept. Contigs are cut at runs of 10 N and more (at every N where a model cannot read it).

    Both strands are read; the values of the reverse one lie on the bases they belong to. With ``minus`` the track is
    the surprise under ``model`` less that under ``minus`` on the same windows: high where the second knows better.

    Intervals: the track is smoothed, standardised by the spread of shuffled tracks, and called where it stays beyond
    ``leave`` and reaches ``enter``; see :mod:`genolm.tasks.scanning.calls`.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        genome: a FASTA of whole contigs, or a list of sequences. Ambiguous letters read N.
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
        genes: annotation of the genome, ``.gff3``, ``.gtf``, ``.gbk`` or ``.embl``: adds ``PREFIX.genes.tsv`` and, in
            the record, how well the track tells coding windows from intergenic ones, beside G + C and a Markov model.
        gene_window: bases of those windows.
        order: bases that the Markov model depends on.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace existing outputs.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge` of ``PREFIX.json``.
        progress: True for a bar on standard error.

    Returns:
        The path of ``PREFIX.json``, or without ``out`` a :class:`Scan`.

    Raises:
        InputError: a genome that cannot be read or has no base, settings that make no sense.
        ModelError: no such model, a window beyond the model's context, ``passes`` where no model is an encoder.
        RunError: an output exists, or parts of another run are in the way.
        ResourceError: not enough memory or disk.
    """
    calling = Calling(side, smooth, enter, leave, min_length, max_fdr, block, shuffles, seed)
    annotation = None if genes is None else GeneSettings(Path(genes), gene_window, order, seed)
    if combine not in get_args(Combine):
        raise InputError(f"combine is one of {', '.join(get_args(Combine))}", value=combine)
    source = _contigs(genome)
    if annotation is not None:
        read_gene_map(annotation.file).on({record.id: len(record.sequence) for record in source.read()})
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress)
    path = None
    if out is not None:
        outputs = Outputs.of(Path(out))
        outputs.check(overwrite=overwrite, resume=resume)
        path = outputs.record
    opened = bulk.open(model, path)
    if minus is not None:
        opened = ModelPair(opened, bulk.open(minus))
    models = models_of(opened)
    if passes is not None and all(one.causal for one in models):
        raise ModelError("only encoders have passes, and no model here is one")
    task = ScanTask(
        source,
        tiling_of(models, window, overlap),
        combine,
        per_strand,
        tuple(Reader.of(one, passes) for one in models),
        calling,
        annotation,
    )
    return bulk.run(task, opened, path)


def _contigs(genome: Any) -> Source:
    """Whole sequences, and no intervals."""
    path = Path(genome) if isinstance(genome, str | Path) else None
    if path is not None and str(path) != "-" and file_format(path) != "fasta":
        raise InputError("a scan reads whole contigs out of a FASTA", file=path)
    source = settle(genome, iupac="N")
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
    run = _RUN if all(_reads_n(model.tokenizer) for model in models) else 1
    if any(not model.causal for model in models):
        # Two models of different kinds read the same windows: what the encoder needs on the right costs the decoder.
        return Tiling(bases, shared - shared // 2, shared // 2, run)
    tail = min(_TAIL, bases // 16) if any(model.tokenizer.bases_per_token > 1 for model in models) else 0
    return Tiling(bases, shared, tail, run)


def _comfortable(model: Model) -> int:
    """Bases of a window; of longer tokens nine tenths of what fits on average, so that most windows need no cut."""
    most = context_bases(model)
    return most if model.tokenizer.bases_per_token == 1 else max(1, most * 9 // 10)


def _reads_n(tokenizer: Tokenizer) -> bool:
    try:
        tokenizer.encode("ANA")
    except InputError:
        return False
    return True


def _file(source: Source) -> Path | None:
    return source.place if isinstance(source.place, Path) else None
