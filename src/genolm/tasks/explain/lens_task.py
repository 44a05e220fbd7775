"""The task of `genolm explain lens`: sums over blocks of predictions, summarised by layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.engine.batches import collate
from genolm.engine.windows import Window
from genolm.genome.sequences import SequenceRecord
from genolm.models.finite import require_finite_rows
from genolm.statistics.bootstrap import Estimate, block_sums
from genolm.tasks.explain.explain_folder import can_draw
from genolm.tasks.explain.lens_picture import draw_lens
from genolm.tasks.explain.random_copies import NETWORKS, random_weights
from genolm.tasks.explain.readouts import Sums, choices, readouts
from genolm.tasks.explain.region_task import RegionTask
from genolm.tasks.reading.log_probabilities import Normalisation
from genolm.tasks.reading.sources import Source
from genolm.tasks.writing.output_folders import Form, output_folder, save_picture, write_rows
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model
    from genolm.models.networks.decoder import Decoder


@dataclass(frozen=True, slots=True)
class LensTask(RegionTask):
    """Readouts as computed by the engine; created by :func:`explain_lens`.

    Attributes:
        source: the sequences.
        context: bases per window.
        over: normalisation of probabilities.
        choices: number of choices that probabilities are normalised over.
        seed: random seed of the random weights.
        tables: file format of the tables.
        provenance: provenance of the model.
    """

    source: Source
    context: int
    over: Normalisation
    choices: int
    seed: int
    tables: Form
    provenance: Provenance
    name: ClassVar[str] = "explain lens"

    def forward(self, model: Model, windows: Sequence[Window[int]]) -> list[Float64]:
        """Return the sums of each window's blocks: (blocks, 2 networks, columns of :class:`Sums`)."""
        ids_BL = collate([window.sequence for window in windows], model.tokenizer, device=model.device).ids_BL
        networks = model.decoder, random_weights(model, self.seed)
        sums = [self._sums(network, model, ids_BL, windows) for network in networks]
        for network, network_sums in zip(networks, sums, strict=True):
            require_finite_rows(model, network_sums, network)
        return [np.stack(pair, 1) for pair in zip(*sums)]

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window[int]], outputs: Sequence[Float64]
    ) -> pl.DataFrame:
        """Return a row for each block and network, with the sums of its predictions as a list."""
        blocks = [(number, block) for output in outputs for block in output for number in range(2)]
        networks = pl.Series([NETWORKS[number] for number, _ in blocks], dtype=pl.String)
        sums = pl.Series([block[number].tolist() for number, block in blocks], dtype=pl.List(pl.Float64))
        return pl.DataFrame({"network": networks, "sums": sums})

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write the output folder."""
        table = self.table(frames)
        with output_folder(out, self.metadata()) as folder:
            write_rows([table], folder, "lens", self.tables)
            if can_draw():
                save_picture(draw_lens(table, self.provenance.model, self.over), folder / "lens.png")

    def collect(self, frames: Iterator[pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """Return the table."""
        return {"lens": self.table(frames)}

    def metadata(self) -> dict[str, str]:
        """Return the provenance of the readouts."""
        return self.provenance.entries(
            explained="lens", null="a network of the same shape with random weights; constant predictions",
            context_bases=self.context, probabilities_over=self.over, seed=self.seed,
        )  # fmt: skip

    def table(self, frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
        """Return means with intervals for the layers of each network and the constant predictions."""
        blocks = pl.concat(list(frames))
        rows = []
        for network in NETWORKS:
            sums_NC = np.array(blocks.filter(pl.col("network") == network)["sums"].to_list())
            rows += [(network, *row) for row in _table_rows(Sums(sums_NC, self.choices))]
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row")

    def _sums(
        self, network: Decoder, model: Model, ids_BL: torch.Tensor, windows: Sequence[Window[int]]
    ) -> list[Float64]:
        chosen = choices(network, model.tokenizer, self.over)
        measured, final_BLK = readouts(network, ids_BL, chosen)
        measures, log_p, ids = (values.cpu().numpy() for values in (measured, final_BLK, ids_BL[:, 1:]))
        sums = []
        for row, window in enumerate(windows):
            scored = slice(max(0, self.first_scored(window) - 1), len(window) - 1)
            targets = ids[row, scored]
            kept = np.isin(targets, model.tokenizer.base_ids)
            lines = _lines(measures[:, :, row, scored], log_p[row, scored], targets[:, None] == np.array(chosen))
            sums.append(block_sums(lines * kept[:, None]))
        return sums


def _lines(measures: NDArray[np.float32], log_p_LK: NDArray[np.float32], target_LK: NDArray[np.bool_]) -> Float64:
    """Return a row for each prediction, with the columns of :class:`Sums`."""
    length, count = log_p_LK.shape
    log_p_LK = log_p_LK.astype(np.float64)
    p_LK = np.exp(log_p_LK)
    top_LK = log_p_LK.argmax(1)[:, None] == np.arange(count)
    one = np.ones((length, 1))
    negative_entropy = (p_LK * log_p_LK).sum(1, keepdims=True)
    return np.concatenate((one, negative_entropy, p_LK, target_LK, top_LK, measures.reshape(-1, length).T), 1)


_NUMBERS = tuple(
    f"{name}{ending}" for name in ("kl_nats", "top1_agreement", "bits_per_base") for ending in ("", "_low", "_high")
)

_SCHEMA: dict[str, Any] = {
    "network": pl.String,
    "readout": pl.String,
    "layer": pl.Int64,
    "bases": pl.Int64,
    **dict.fromkeys(_NUMBERS, pl.Float64),
}


def _table_rows(sums: Sums) -> Iterator[tuple[Any, ...]]:
    for layer in range(sums.layers):
        yield "layer", layer, sums.predictions, *_numbers(*sums.layer(layer))
    yield "unigram", None, sums.predictions, *_numbers(*sums.unigram())
    yield "uniform", None, sums.predictions, *_numbers(*sums.uniform())


def _numbers(kl: Estimate, agrees: Estimate, loss: Estimate) -> list[float | None]:
    bits = Estimate(*(value / math.log(2) for value in loss))
    return [None if math.isnan(value) else value for one in (kl, agrees, bits) for value in one]
