"""The task of `genolm explain experts`: routing choices per base, associated with classes of bases."""

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
from genolm.engine.windows import Window
from genolm.genome.interval import Interval
from genolm.genome.sequences import SequenceRecord
from genolm.models.finite import first_not_finite, not_finite
from genolm.models.networks.experts import choose_experts
from genolm.tasks.explain.experts_picture import draw_experts
from genolm.tasks.explain.explain_folder import can_draw, spooled_folder, write_tables
from genolm.tasks.explain.gene_annotation import read_annotation
from genolm.tasks.explain.random_copies import NETWORKS, random_weights
from genolm.tasks.explain.region_task import (
    LOCATION_SCHEMA,
    RegionTask,
    joined_outputs,
    location,
)
from genolm.tasks.explain.routing import CLASSES, Association, Grouping, Labels, associate, class_entropies
from genolm.tasks.reading.sources import Source
from genolm.tasks.writing.output_folders import Form, save_picture
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    from genolm.models.model import Model
    from genolm.models.networks.decoder import Decoder

Choices = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class ExpertsTask(RegionTask):
    """Routing choices as computed by the engine; created by :func:`explain_experts`.

    Attributes:
        source: the sequences.
        context: bases per window.
        experts: experts per layer.
        seed: random seed of the random weights and of the shifts.
        genes: annotation for region types; None without.
        tables: file format of the tables.
        provenance: provenance of the model.
    """

    source: Source
    context: int
    experts: int
    seed: int
    genes: Path | None
    tables: Form
    provenance: Provenance
    name: ClassVar[str] = "explain experts"

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return (*self.source.files(), *(() if self.genes is None else (self.genes,)))

    def forward(self, model: Model, windows: Sequence[Window[int]]) -> list[Choices]:
        """Return the experts of the scored bases of each window: (2 networks, layers, bases, chosen)."""
        batch = collate([window.sequence for window in windows], model.tokenizer, device=model.device)
        networks = model.decoder, random_weights(model, self.seed)
        chosen = np.stack([_chosen(model, network, batch) for network in networks], 1)
        return [row[:, :, self.first_scored(window) : len(window)].copy() for row, window in zip(chosen, windows)]

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window[int]], outputs: Sequence[Choices]
    ) -> pl.DataFrame:
        """Return a row for each sequence, network and layer with the experts as a list; the sequence is stored once."""
        rows = [
            row for item, choices in joined_outputs(items, windows, outputs, 2) for row in _item_rows(item, choices)
        ]
        return pl.DataFrame(rows, schema=_ROWS, orient="row")

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write the output folder."""
        with spooled_folder(out, self.metadata(), frames) as (folder, spool):
            tables = self.tabulate(spool)
            write_tables(tables, folder, self.tables)
            groupings = tables["shares"]["grouping"].unique(maintain_order=True)  # groupings with at least one base
            for grouping in groupings if can_draw() else ():
                figure = draw_experts(tables, grouping, self.provenance.model)
                save_picture(figure, folder / f"experts.{grouping}.png")

    def collect(self, frames: Iterator[pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """Return the tables."""
        return self.tabulate(list(frames))

    def metadata(self) -> dict[str, str]:
        """Return the provenance of the loads."""
        return self.provenance.entries(
            explained="experts", null="the same labels moved along the bases; a network with random weights",
            context_bases=self.context, seed=self.seed, genes="" if self.genes is None else str(self.genes.name),
        )  # fmt: skip

    def tabulate(self, frames: Iterable[pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """Return the three tables; one layer of one network is in memory at a time."""
        labels = self._labels(frames)
        layers = max(number for frame in frames for number in frame["layer"].unique().to_list())
        shares: list[tuple[Any, ...]] = []
        classes: list[tuple[Any, ...]] = []
        associations: list[tuple[Any, ...]] = []
        for layer in range(1, layers + 1):
            for network in NETWORKS:
                chosen_LC = _joined(frames, network, layer, len(labels["base"]))
                for grouping, labels_L in labels.items():
                    association = associate(chosen_LC, labels_L, len(CLASSES[grouping]), self.experts, self.seed)
                    key = (network, layer, grouping)
                    shares += _share_rows(key, association)
                    classes += _class_rows(key, association)
                    associations.append((*key, int(association.tokens.sum()), *association[4:]))
        return {
            "association": pl.DataFrame(associations, schema=_ASSOCIATION, orient="row"),
            "classes": pl.DataFrame(classes, schema=_CLASSES, orient="row"),
            "shares": pl.DataFrame(shares, schema=_SHARES, orient="row"),
        }

    def _labels(self, frames: Iterable[pl.DataFrame]) -> dict[Grouping, NDArray[np.uint8]]:
        """Return the classes of all bases, sequences concatenated."""
        annotation = None if self.genes is None else read_annotation(self.genes, self.source)
        by_grouping: dict[Grouping, list[NDArray[np.uint8]]] = {}
        for frame in frames:
            for row in frame.drop_nulls("sequence").iter_rows(named=True):
                record = _record(row)
                regions = None if annotation is None else annotation.region_types(record)
                for grouping, labels_L in Labels.of(record.sequence, regions).by_grouping.items():
                    by_grouping.setdefault(grouping, []).append(labels_L)
        return {grouping: np.concatenate(parts) for grouping, parts in by_grouping.items()}


_ROWS: dict[str, Any] = {
    **LOCATION_SCHEMA,
    **dict.fromkeys(("sequence", "network"), pl.String),
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
    """Return the experts of every token in every layer, (B, layers, L, chosen)."""
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
    about = tuple(location(item).values())
    for number, network in enumerate(NETWORKS):
        for layer in range(chosen.shape[1]):
            sequence = item.sequence if (number, layer) == (0, 0) else None
            yield *about, sequence, network, layer + 1, chosen[number, layer].ravel().tolist()


def _record(row: dict[str, Any]) -> SequenceRecord:
    interval = Interval(row["chrom"], row["start"], row["start"] + len(row["sequence"]), row["strand"])
    return SequenceRecord(row["id"], row["sequence"], interval)


def _joined(frames: Iterable[pl.DataFrame], network: str, layer: int, bases: int) -> Choices:
    is_layer = (pl.col("network") == network) & (pl.col("layer") == layer)
    lists = [frame.filter(is_layer)["chosen"].explode().to_numpy() for frame in frames]
    return np.concatenate(lists).astype(np.uint16).reshape(bases, -1)


def _share_rows(key: tuple[str, int, Grouping], association: Association) -> Iterator[tuple[Any, ...]]:
    for number, name in enumerate(CLASSES[key[2]]):
        if association.tokens[number]:
            rows = (association.shares[number], association.shares_low[number], association.shares_high[number])
            yield from ((*key, name, expert, *map(float, values)) for expert, values in enumerate(zip(*rows)))


def _class_rows(key: tuple[str, int, Grouping], association: Association) -> Iterator[tuple[Any, ...]]:
    for number, (name, value) in enumerate(zip(CLASSES[key[2]], class_entropies(association.shares))):
        if association.tokens[number]:
            shares = association.shares[number]
            busiest = int(shares.argmax())
            uniform = math.log(len(shares))
            yield *key, name, int(association.tokens[number]), value, uniform, busiest, float(shares[busiest])
