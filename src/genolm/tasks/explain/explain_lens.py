"""LogitLens: after which layer a network has made up its mind, beside a random network and constant predictions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.engine.batches import collate
from genolm.engine.progress import Progress
from genolm.engine.windows import Window
from genolm.errors import InputError
from genolm.genome.in_memory import Sequences
from genolm.genome.sequences import SequenceRecord
from genolm.models.finite import require_finite_rows
from genolm.statistics.bootstrap import Estimate, block_sums, estimate, ratio
from genolm.tasks.explain.explain_folder import can_draw, check_folder
from genolm.tasks.explain.lens_picture import draw_lens
from genolm.tasks.explain.random_copies import NETWORKS, random_weights
from genolm.tasks.explain.readouts import MEASURES, choices, readouts
from genolm.tasks.explain.region_task import (
    bases_of_twins,
    cut,
    first_own,
    fitting_context,
    refuse_empty,
    settle_regions,
)
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.log_probabilities import Normalisation
from genolm.tasks.reading.sources import IupacPolicy, Source
from genolm.tasks.writing.output_folders import Form, save_picture, whole_folder, write_rows
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    import torch

    from genolm.genome.fasta import Genome
    from genolm.models.model import Model
    from genolm.models.networks.decoder import Decoder


@dataclass(frozen=True, slots=True)
class LensTask:
    """Readouts as the engine computes them; :func:`explain_lens` makes one.

    Attributes:
        source: the sequences.
        context: bases read together.
        over: what probabilities add up to one over.
        choices: how many they are.
        seed: of the random network.
        tables: what tables are written as.
        provenance: the model.
    """

    source: Source
    context: int
    over: Normalisation
    choices: int
    seed: int
    tables: Form
    provenance: Provenance
    name: ClassVar[str] = "explain lens"
    unit: ClassVar[str] = "sequences"

    def items(self) -> Iterator[SequenceRecord]:
        """The sequences."""
        return self.source.read()

    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return self.source.files()

    def cost(self, item: SequenceRecord) -> int:
        """Bases that go through the two networks, about."""
        return bases_of_twins(item, self.context)

    def windows(self, items: Sequence[SequenceRecord], model: Model) -> list[Window]:
        """Windows of the context that overlap by half."""
        return cut(items, self.context)

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Float64]:
        """For every window the sums of its blocks: (blocks, 2 networks, columns of :class:`Sums`)."""
        ids_BL = collate([window.sequence for window in windows], model.tokenizer, device=model.device).ids_BL
        networks = model.decoder, random_weights(model, self.seed)
        sums = [self._sums(network, model, ids_BL, windows) for network in networks]
        for network, own in zip(networks, sums, strict=True):
            require_finite_rows(model, own, network)
        return [np.stack(pair, 1) for pair in zip(*sums)]

    def subject(self, items: Sequence[SequenceRecord], window: Window, part: int) -> str:
        """The sequence of a window, in words."""
        return items[window.origin].named

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window], outputs: Sequence[Float64]
    ) -> pl.DataFrame:
        """A row for each block and network, with the sums of its predictions as a list."""
        blocks = [(number, block) for output in outputs for block in output for number in range(2)]
        networks = pl.Series([NETWORKS[number] for number, _ in blocks], dtype=pl.String)
        sums = pl.Series([block[number].tolist() for number, block in blocks], dtype=pl.List(pl.Float64))
        return pl.DataFrame({"network": networks, "sums": sums})

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Writes the folder."""
        table = self.table(frames)
        with whole_folder(out, self.metadata()) as folder:
            write_rows([table], folder, "lens", self.tables)
            if can_draw():
                save_picture(draw_lens(table, self.provenance.model, self.over), folder / "lens.png")

    def collect(self, frames: Iterator[pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """The table."""
        return {"lens": self.table(frames)}

    def metadata(self) -> dict[str, str]:
        """Everything that says how the readouts were made."""
        return self.provenance.described(
            explained="lens", null="a network of the same shape with random weights; constant predictions",
            context_bases=self.context, probabilities_over=self.over, seed=self.seed,
        )  # fmt: skip

    def table(self, frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
        """For each network its layers and constant predictions: means with intervals."""
        held = pl.concat(list(frames))
        rows = []
        for network in NETWORKS:
            sums_NC = np.array(held.filter(pl.col("network") == network)["sums"].to_list())
            rows += [(network, *row) for row in _table_rows(Sums(sums_NC, self.choices))]
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row")

    def _sums(self, network: Decoder, model: Model, ids_BL: torch.Tensor, windows: Sequence[Window]) -> list[Float64]:
        chosen = choices(network, model.tokenizer, self.over)
        measured, final_BLK = readouts(network, ids_BL, chosen)
        measures, log_p, ids = (values.cpu().numpy() for values in (measured, final_BLK, ids_BL[:, 1:]))
        found = []
        for row, window in enumerate(windows):
            own = slice(max(0, first_own(window, self.context) - 1), len(window) - 1)
            targets = ids[row, own]
            kept = np.isin(targets, model.tokenizer.base_ids)
            lines = _lines(measures[:, :, row, own], log_p[row, own], targets[:, None] == np.array(chosen))
            found.append(block_sums(lines * kept[:, None]))
        return found


def _lines(measures: NDArray[np.float32], log_p_LK: NDArray[np.float32], came_LK: NDArray[np.bool_]) -> Float64:
    """A line for each prediction, in the order that :class:`Sums` reads."""
    length, count = log_p_LK.shape
    log_p_LK = log_p_LK.astype(np.float64)
    p_LK = np.exp(log_p_LK)
    favourite_LK = log_p_LK.argmax(1)[:, None] == np.arange(count)
    one = np.ones((length, 1))
    negative_entropy = (p_LK * log_p_LK).sum(1, keepdims=True)
    return np.concatenate((one, negative_entropy, p_LK, came_LK, favourite_LK, measures.reshape(-1, length).T), 1)


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over blocks of predictions. N blocks, K choices.

    Attributes:
        sums_NC: 1; sum of p log p of the final prediction; the final p (K); what came (K); what the final prediction
            prefers (K); then the measures of each layer.
        choices: K.
    """

    sums_NC: Float64
    choices: int

    @property
    def layers(self) -> int:
        """Layers read out, the embedding included."""
        return (self.sums_NC.shape[1] - 2 - 3 * self.choices) // len(MEASURES)

    @property
    def predictions(self) -> int:
        """Bases predicted."""
        return int(self.sums_NC[:, 0].sum())

    def layer(self, number: int) -> tuple[Estimate, Estimate, Estimate]:
        """KL, agreement and loss of a layer's readout."""
        first = 2 + 3 * self.choices + number * len(MEASURES)
        kl, agrees, loss = (estimate(self.sums_NC, ratio(first + place, 0)) for place in range(len(MEASURES)))
        return kl, agrees, loss

    def uniform(self) -> tuple[Estimate, Estimate, Estimate]:
        """The same of the uniform distribution, whose favourite is anybody's."""
        log_k = math.log(self.choices)
        kl = estimate(self.sums_NC, lambda sums: log_k + sums[:, 1] / sums[:, 0])
        return kl, _exactly(1 / self.choices), _exactly(log_k)

    def unigram(self) -> tuple[Estimate, Estimate, Estimate]:
        """The same of the network's own mean prediction, the best constant guess of what it will say."""
        p, came, favourite = (slice(2 + place * self.choices, 2 + (place + 1) * self.choices) for place in range(3))

        def log_mean(sums: Float64) -> Float64:
            return np.log(np.maximum(sums[:, p] / sums[:, :1], 1e-300))

        def kl(sums: Float64) -> Float64:
            return np.asarray((sums[:, 1] - (sums[:, p] * log_mean(sums)).sum(1)) / sums[:, 0])

        def agrees(sums: Float64) -> Float64:
            best = sums[:, p].argmax(1)
            return np.asarray(sums[:, favourite][np.arange(len(sums)), best] / sums[:, 0])

        def loss(sums: Float64) -> Float64:
            return np.asarray(-(sums[:, came] * log_mean(sums)).sum(1) / sums[:, 0])

        return estimate(self.sums_NC, kl), estimate(self.sums_NC, agrees), estimate(self.sums_NC, loss)


def _exactly(value: float) -> Estimate:
    return Estimate(value, value, value)


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


def explain_lens(
    model: Model | str | Path,
    inputs: Sequences,
    out: Path | str | None = None,
    *,
    over: Normalisation = "bases",
    genome: Genome | str | Path | None = None,
    length: int | None = None,
    context: int | None = None,
    iupac: IupacPolicy = "raise",
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
    """After which layer a network has made up its mind: every layer's hidden state read out as if it were the last.

    A layer is read out through the final norm and the head (LogitLens). For the prediction of each base:
    KL(final || readout) in nats, whether both prefer the same base, and the bits per base that the readout would reach.
    Beside it stand a network of the same shape with random weights, the network's own mean prediction (``unigram``)
    and the ``uniform`` distribution. A layer whose KL is above the unigram's knows less of the final prediction than a
    constant does.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        inputs: a path, a table, a list of sequences or intervals, or one interval as ``chr22:1,001-2,000``.
        out: folder to write: table ``lens`` and ``lens.png``. None returns the table.
        over: what probabilities add up to one over: the four ``bases``, or the model's whole ``vocabulary``.
        genome: FASTA, where the input holds coordinates.
        length: bases to which intervals are resized.
        context: bases read together; None for 8,192, or what the model reads. Longer regions are read in windows that
            overlap by half.
        iupac: for ambiguous letters of sequences: ``raise``, read as ``N``, or ``sample`` a base.
        seed: of the random network.
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
        ``out``, or without one a dict with the polars table ``lens``: ``network``, ``readout`` (``layer``,
        ``unigram``, ``uniform``), ``layer`` (0 the embedding), ``bases``, then ``kl_nats``, ``top1_agreement`` and
        ``bits_per_base``, each with the ends of its 95 % interval from blocks of 200 bases.

    Raises:
        InputError: input that cannot be used, or in which there is nothing to predict.
        ModelError: no such model, or a context beyond the model's.
        RunError: the output exists, or parts of another run are in the way.
    """
    path = check_folder(out, tables)
    if over not in get_args(Normalisation):
        raise InputError(f"over is one of {', '.join(get_args(Normalisation))}", value=over)
    source = settle_regions(inputs, genome=genome, length=length, iupac=iupac)
    refuse_empty(source, predicted=True)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    count = len(choices(opened.decoder, opened.tokenizer, over))
    settings = (fitting_context(opened, context), over, count, seed, tables)
    return bulk.run(LensTask(source, *settings, Provenance.of(opened)), opened, path)
