"""Which experts the bases of a class go to, beside permuted labels and a network with random weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.engine.batches import Batch, collate
from genolm.engine.progress import Progress
from genolm.engine.windows import Window
from genolm.errors import ModelError
from genolm.genome.in_memory import Sequences
from genolm.genome.interval import Interval
from genolm.genome.sequences import SequenceRecord
from genolm.models.finite import first_not_finite, not_finite
from genolm.models.networks.experts import choose_experts
from genolm.tasks.explain.experts_picture import draw_experts
from genolm.tasks.explain.explain_folder import can_draw, check_folder
from genolm.tasks.explain.gene_annotation import read_annotation
from genolm.tasks.explain.random_copies import NETWORKS, random_weights
from genolm.tasks.explain.region_task import (
    bases_of_twins,
    contig,
    cut,
    first_own,
    fitting_context,
    refuse_empty,
    settle_regions,
)
from genolm.tasks.explain.routing import Association, associate, class_entropies
from genolm.tasks.explain.token_classes import CLASSES, Grouping, Labels
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.sources import IupacPolicy, Source
from genolm.tasks.writing.output_folders import Form, Spool, save_picture, whole_folder, write_rows
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    import torch

    from genolm.genome.fasta import Genome
    from genolm.models.model import Model
    from genolm.models.networks.decoder import Decoder

Choices = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class ExpertsTask:
    """Choices of experts as the engine computes them; :func:`explain_experts` makes one.

    Attributes:
        source: the sequences.
        context: bases read together.
        experts: experts of a layer.
        seed: of the random network and of the permutations.
        genes: file of genes that tells region types.
        tables: what tables are written as.
        provenance: the model.
    """

    source: Source
    context: int
    experts: int
    seed: int
    genes: Path | None
    tables: Form
    provenance: Provenance
    name: ClassVar[str] = "explain experts"
    unit: ClassVar[str] = "sequences"

    def items(self) -> Iterator[SequenceRecord]:
        """The sequences."""
        return self.source.read()

    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return (*self.source.files(), *(() if self.genes is None else (self.genes,)))

    def cost(self, item: SequenceRecord) -> int:
        """Bases that go through the two networks, about."""
        return bases_of_twins(item, self.context)

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window]:
        """Windows of the context that overlap by half."""
        return cut(items, self.context)

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Choices]:
        """For every window the experts of its own bases: (2 networks, layers, bases, chosen)."""
        batch = collate([window.sequence for window in windows], model.tokenizer, device=model.device)
        networks = model.decoder, random_weights(model, self.seed)
        chosen = np.stack([_chosen(model, network, batch) for network in networks], 1)
        return [row[:, :, first_own(window, self.context) : len(window)].copy() for row, window in zip(chosen, windows)]

    def subject(self, items: Sequence[SequenceRecord], window: Window, part: int) -> str:
        """The sequence of a window, in words."""
        return items[window.origin].named

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window], outputs: Sequence[Choices]
    ) -> pl.DataFrame:
        """A row for each sequence, network and layer, with its experts as a list; the sequence itself once."""
        rows = []
        for number, item in enumerate(items):
            own = [output for window, output in zip(windows, outputs) if window.origin == number]
            rows += list(_item_rows(item, np.concatenate(own, 2)))
        return pl.DataFrame(rows, schema=_ROWS, orient="row")

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Writes the folder."""
        with whole_folder(out, self.metadata()) as folder:
            spool = Spool(folder / ".rows", frames)
            tables = self.tabulate(spool)
            spool.remove()
            for name, table in tables.items():
                write_rows([table], folder, name, self.tables)
            groupings = tables["shares"]["grouping"].unique(maintain_order=True)  # those with a base of some class
            for grouping in groupings if can_draw() else ():
                figure = draw_experts(tables, grouping, self.provenance.model)
                save_picture(figure, folder / f"experts.{grouping}.png")

    def collect(self, frames: Iterator[pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """The tables."""
        return self.tabulate(list(frames))

    def metadata(self) -> dict[str, str]:
        """Everything that says how the loads were made."""
        return self.provenance.described(
            explained="experts", null="the same labels moved along the bases; a network with random weights",
            context_bases=self.context, seed=self.seed, genes="" if self.genes is None else str(self.genes.name),
        )  # fmt: skip

    def tabulate(self, frames: Iterable[pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """The three tables. One layer of one network is held at a time."""
        labels = self._labels(frames)
        layers = max(number for frame in frames for number in frame["layer"].unique().to_list())
        shares: list[tuple[Any, ...]] = []
        classes: list[tuple[Any, ...]] = []
        associations: list[tuple[Any, ...]] = []
        for layer in range(1, layers + 1):
            for network in NETWORKS:
                chosen_LC = _joined(frames, network, layer, len(labels["base"]))
                for grouping, labels_L in labels.items():
                    found = associate(chosen_LC, labels_L, len(CLASSES[grouping]), self.experts, self.seed)
                    key = (network, layer, grouping)
                    shares += _share_rows(key, found)
                    classes += _class_rows(key, found)
                    associations.append((*key, int(found.tokens.sum()), *found[4:]))
        return {
            "association": pl.DataFrame(associations, schema=_ASSOCIATION, orient="row"),
            "classes": pl.DataFrame(classes, schema=_CLASSES, orient="row"),
            "shares": pl.DataFrame(shares, schema=_SHARES, orient="row"),
        }

    def _labels(self, frames: Iterable[pl.DataFrame]) -> dict[Grouping, NDArray[np.uint8]]:
        """The classes of all bases, one sequence after the other."""
        annotation = None if self.genes is None else read_annotation(self.genes, self.source)
        found: dict[Grouping, list[NDArray[np.uint8]]] = {}
        for frame in frames:
            for row in frame.drop_nulls("sequence").iter_rows(named=True):
                record = _record(row)
                regions = None if annotation is None else annotation.region_types(record)
                for grouping, labels_L in Labels.of(record.sequence, regions).by_grouping.items():
                    found.setdefault(grouping, []).append(labels_L)
        return {grouping: np.concatenate(parts) for grouping, parts in found.items()}


_ROWS: dict[str, Any] = {
    **dict.fromkeys(("id", "chrom"), pl.String),
    "start": pl.Int64,
    **dict.fromkeys(("strand", "sequence", "network"), pl.String),
    "layer": pl.Int64,
    "chosen": pl.List(pl.UInt16),
}
_KEY: dict[str, Any] = {"network": pl.String, "layer": pl.Int64, "grouping": pl.String}
_NUMBERS = ("chi_square", "cramers_v", "cramers_v_permuted", "cramers_v_permuted_high", "p_permuted")
_ASSOCIATION: dict[str, Any] = {**_KEY, "bases": pl.Int64, **dict.fromkeys(_NUMBERS, pl.Float64)}
_CLASSES: dict[str, Any] = {
    **_KEY, "class": pl.String, "bases": pl.Int64, "entropy_nats": pl.Float64, "entropy_uniform_nats": pl.Float64,
    "busiest_expert": pl.Int64, "busiest_share": pl.Float64,
}  # fmt: skip
_SHARES: dict[str, Any] = {
    **_KEY, "class": pl.String, "expert": pl.Int64,
    **dict.fromkeys(("share", "share_permuted_low", "share_permuted_high"), pl.Float64),
}  # fmt: skip


def _chosen(model: Model, network: Decoder, batch: Batch) -> Choices:
    """The experts of every token in every layer, (B, layers, L, chosen)."""
    ids_BL = batch.ids_BL
    router = network(ids_BL, logits=False, router=True).router
    layers = []
    for logits_NE in router:
        row = first_not_finite(logits_NE.view(*ids_BL.shape, -1), batch.mask_BL)
        if row is not None:
            raise not_finite(model, row, network=network)
        _, chosen_NC = choose_experts(logits_NE, network.config.experts_per_token)
        layers.append(chosen_NC.view(*ids_BL.shape, -1).cpu().numpy().astype(np.uint16))
    return np.stack(layers, 1)


def _item_rows(item: SequenceRecord, chosen: Choices) -> Iterator[tuple[Any, ...]]:
    where = item.interval
    about = (item.id, contig(item), where.start if where else 0, where.strand if where else "+")
    for number, network in enumerate(NETWORKS):
        for layer in range(chosen.shape[1]):
            sequence = item.sequence if (number, layer) == (0, 0) else None
            yield *about, sequence, network, layer + 1, chosen[number, layer].ravel().tolist()


def _record(row: dict[str, Any]) -> SequenceRecord:
    where = Interval(row["chrom"], row["start"], row["start"] + len(row["sequence"]), row["strand"])
    return SequenceRecord(row["id"], row["sequence"], where)


def _joined(frames: Iterable[pl.DataFrame], network: str, layer: int, bases: int) -> Choices:
    wanted = (pl.col("network") == network) & (pl.col("layer") == layer)
    lists = [frame.filter(wanted)["chosen"].explode().to_numpy() for frame in frames]
    return np.concatenate(lists).astype(np.uint16).reshape(bases, -1)


def _share_rows(key: tuple[str, int, Grouping], found: Association) -> Iterator[tuple[Any, ...]]:
    for number, name in enumerate(CLASSES[key[2]]):
        if found.tokens[number]:
            rows = (found.shares[number], found.shares_low[number], found.shares_high[number])
            yield from ((*key, name, expert, *map(float, values)) for expert, values in enumerate(zip(*rows)))


def _class_rows(key: tuple[str, int, Grouping], found: Association) -> Iterator[tuple[Any, ...]]:
    for number, (name, value) in enumerate(zip(CLASSES[key[2]], class_entropies(found.shares))):
        if found.tokens[number]:
            shares = found.shares[number]
            busiest = int(shares.argmax())
            most = math.log(len(shares))
            yield *key, name, int(found.tokens[number]), value, most, busiest, float(shares[busiest])


def explain_experts(
    model: Model | str | Path,
    inputs: Sequences,
    out: Path | str | None = None,
    *,
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    context: int | None = None,
    iupac: IupacPolicy = "raise",
    genes: str | Path | None = None,
    seed: int = 0,
    tables: Form = "tsv",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
) -> Any:
    """Which experts the bases of a class go to, layer by layer, and whether that is more than chance.

    Bases are grouped by letter (``base``: A, C, G, T, N), C and G by whether they stand in a CpG (``cpg``), and with
    genes by ``region`` (coding exon, UTR, exon of a transcript without a coding part, intron, intergenic; where
    transcripts disagree the first of these counts). Beside every value stands that of the same labels moved along the
    bases as a ring, 99 times, which keeps their runs, and all of it for a network of the same shape with random
    weights, which routes by letter too.

    Args:
        model: a model with experts, or what :func:`genolm.load` takes.
        inputs: a path, a table, a list of sequences or intervals, or one interval as ``chr22:1,001-2,000``.
        out: folder to write: the tables and a picture for each grouping. None returns the tables.
        genome: FASTA, where the input holds coordinates.
        length: bases to which intervals are resized.
        context: bases read together; None for 8,192, or what the model reads. Longer regions are read in windows that
            overlap by half.
        iupac: for ambiguous letters of sequences: ``raise``, read as ``N``, or ``sample`` a base.
        genes: GTF or GFF3; without it there is no grouping by region.
        seed: of the random network and of the permutations.
        tables: ``tsv`` or ``parquet``.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace a folder that an earlier run wrote.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.
        dry_run: write nothing; measure a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without one a dict of three polars tables, all with ``network``, ``layer`` (from 1) and
        ``grouping``. ``association``: ``bases``, ``chi_square``, ``cramers_v`` and its mean, 97.5 % quantile and
        ``p_permuted`` under permuted labels. ``classes``: ``class``, ``bases``, ``entropy_nats`` of its shares and of
        equal ones, its busiest expert. ``shares``: ``class``, ``expert`` (from 0), ``share`` of the class's choices and
        the 95 % range under permuted labels.

    Raises:
        InputError: input that cannot be used, genes none of which lies on a contig of the input.
        ModelError: no such model, one without experts, or a context beyond the model's.
        RunError: the output exists, or parts of another run are in the way.
    """
    path = check_folder(out, tables)
    source = settle_regions(inputs, genome=genome, length=length, iupac=iupac)
    refuse_empty(source)
    known = None if genes is None else Path(genes)
    if known is not None:
        read_annotation(known, source)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    experts = opened.decoder.config.num_experts
    if not experts:
        raise ModelError(f"{opened.card.name} has no experts: its feed-forward blocks are dense")
    settings = (fitting_context(opened, context), experts, seed, known, tables)
    return bulk.run(ExpertsTask(source, *settings, Provenance.of(opened)), opened, path)
