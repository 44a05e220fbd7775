"""Log-likelihood ratios of alleles at the sites of a tile: log p(ALT) - log p(REF), in nats.

Shapes: B tiles, L bases of a tile, N sites, S compared bases, 4 bases in ACGT order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genolm.engine.batches import collate
from genolm.models.finite import first_not_finite, not_finite
from genolm.tasks.reading.allele_strands import Site

if TYPE_CHECKING:
    from genolm.engine.windows import Window
    from genolm.models.model import Model

_LEAST_BRANCH_TOKENS = 4096
_CODES = np.full(256, -1, np.int64)
_CODES[list(b"ACGT")] = range(4)


@dataclass(frozen=True, slots=True)
class SiteScores:
    """Scores of the sites of one tile.

    Attributes:
        scores_N: log p(ALT) - log p(REF) in nats; float64.
        counted_N2: number of bases in the sums of REF and ALT.
    """

    scores_N: NDArray[np.float64]
    counted_N2: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TileSites:
    """Variant sites covered by one window.

    Attributes:
        reverse: whether the tile is on the reverse strand.
        start: position of the first base of the tile, 0-based from the beginning of the strand.
        sites: sites on the tile.
        rows: row of each site within the part.
    """

    reverse: bool
    start: int
    sites: tuple[Site, ...]
    rows: tuple[int, ...]

    @property
    def offsets(self) -> list[int]:
        """Number of bases of the tile before each site."""
        return [site.start - self.start for site in self.sites]


def score_sites(model: Model, windows: Sequence[Window[TileSites]]) -> list[SiteScores]:
    """Score ALT alleles of one base, in one batch of tiles: ``log p(ALT|left) - log p(REF|left)``.

    Args:
        model: a decoder of single bases.
        windows: tiles whose origin is `TileSites`; one base is compared at each site.

    Raises:
        NonFiniteError: if a score is NaN or infinite; its part is the number of the site in its tile.
    """
    network, tiles = model.decoder, [window.origin for window in windows]
    batch = collate([window.sequence for window in windows], model.tokenizer, device=model.device)
    last = model.config.num_layers
    hidden_BLD = network(batch.ids_BL, layers=(last,), logits=False).hidden[last]
    rows = torch.tensor([row for row, tile in enumerate(tiles) for _ in tile.sites], device=model.device)
    before = torch.tensor([offset - 1 for tile in tiles for offset in tile.offsets], device=model.device)
    log_probs_N4 = _log_probs(model, network.head(hidden_BLD[rows, before]))
    parts = log_probs_N4.split([len(tile.sites) for tile in tiles])
    return _finite(model, [_difference(window, part) for window, part in zip(windows, parts)])


def score_suffixes(model: Model, windows: Sequence[Window[TileSites]]) -> list[SiteScores]:
    """Score suffixes: REF from one pass over the tile, ALT alleles as branches of its cache.

    Args:
        model: a decoder of single bases.
        windows: tiles whose origin is `TileSites`; the sequence extends to the last compared base.

    Raises:
        NonFiniteError: as in :func:`score_sites`.
    """
    # A batch of branches must not exceed the batch of tiles that the engine expects to fit in memory.
    budget = max(_LEAST_BRANCH_TOKENS, sum(map(len, windows)))
    return _finite(model, [_tile_scores(model, window, budget) for window in windows])


def _finite(model: Model, tiles: list[SiteScores]) -> list[SiteScores]:
    """Return the scores, or raise if one is not finite; a sum is finite only if all its terms are."""
    for row, tile in enumerate(tiles):
        site = first_not_finite(tile.scores_N)
        if site is not None:
            raise not_finite(model, row, site)
    return tiles


def _difference(window: Window[TileSites], log_probs_N4: Tensor) -> SiteScores:
    tile: TileSites = window.origin
    alt = torch.from_numpy(_codes("".join(site.suffix for site in tile.sites)))
    ref = torch.from_numpy(_codes("".join(window.sequence[offset] for offset in tile.offsets)))
    numbers = torch.arange(len(tile.sites))
    scores = log_probs_N4[numbers, alt].double() - log_probs_N4[numbers, ref].double()
    return SiteScores(scores.numpy(), np.ones((len(scores), 2), np.int64))


def _tile_scores(model: Model, window: Window[TileSites], budget: int) -> SiteScores:
    tile: TileSites = window.origin
    cache, offsets = model.decoder.new_cache(branches=True), np.array(tile.offsets)
    ids_1L = _ids(model, [window.sequence])
    log_probs_L4 = _log_probs(model, model.decoder(ids_1L, cache=cache).logits_BLV)[0]
    sums_N, counted_N = _reference(log_probs_L4, window.sequence, tile)
    scores_N, counted_alt_N = -sums_N, np.empty(len(tile.sites), np.int64)
    for numbers in _batches([len(site.suffix) for site in tile.sites], budget):
        suffixes = [tile.sites[number].suffix for number in numbers]
        starts = offsets[numbers].tolist()
        first_N14 = log_probs_L4[[start - 1 for start in starts], None]
        rest_NS4 = first_N14[:, :0]
        if len(suffixes[0]) > 1:
            ids_NS = _ids(model, [suffix[:-1] for suffix in suffixes])
            rest_NS4 = _log_probs(model, model.decoder.branch(ids_NS, starts, cache).logits_BLV)
        totals, counts = _sums(torch.cat((first_N14, rest_NS4), 1), suffixes)
        scores_N[numbers] += totals
        counted_alt_N[numbers] = counts
    return SiteScores(scores_N, np.stack([counted_N, counted_alt_N], 1))


def _reference(log_probs_L4: Tensor, sequence: str, tile: TileSites) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the sum over the reference suffix of each site, and the number of bases in it."""
    codes_L = torch.from_numpy(_codes(sequence))
    counted_L = codes_L[1:] >= 0
    values_L = log_probs_L4[:-1].gather(1, codes_L[1:, None].clamp_min(0))[:, 0].double() * counted_L
    zero = values_L.new_zeros(2)  # for the empty prefix, and for the first base, which is not predicted
    sums_L = torch.cat((zero, values_L.cumsum(0))).numpy()
    counts_L = torch.cat((zero.long(), counted_L.cumsum(0))).numpy()
    starts = np.array(tile.offsets)
    stops = starts + np.array([len(site.suffix) for site in tile.sites])
    return sums_L[stops] - sums_L[starts], counts_L[stops] - counts_L[starts]


def _sums(log_probs_NS4: Tensor, suffixes: list[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the sum of the log-probabilities of the bases of each suffix, without N, and the number of bases in it."""
    width = log_probs_NS4.shape[1]
    codes_NS = torch.from_numpy(np.stack([_codes(suffix.ljust(width, "N")) for suffix in suffixes]))
    counted_NS = codes_NS >= 0
    values_NS = log_probs_NS4.gather(2, codes_NS.clamp_min(0)[..., None])[..., 0].double() * counted_NS
    return values_NS.sum(1).numpy(), counted_NS.sum(1).numpy()


def _batches(lengths: list[int], budget: int) -> Iterator[list[int]]:
    """Yield the site numbers of each batch of branches, longest first, at most ``budget`` tokens with padding."""
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    while order:
        rows = max(1, budget // lengths[order[0]])
        yield order[:rows]
        order = order[rows:]


def _log_probs(model: Model, logits: Tensor | None) -> Tensor:
    """Return log-probabilities of A, C, G and T, renormalised over these four; fp32, on the CPU."""
    assert logits is not None, "logits were requested"
    return logits[..., list(model.tokenizer.base_ids)].float().log_softmax(-1).cpu()


def _ids(model: Model, sequences: Sequence[str]) -> Tensor:
    return collate(sequences, model.tokenizer, device=model.device).ids_BL


def _codes(sequence: str) -> NDArray[np.int64]:
    """Return 0 to 3 for A, C, G and T, -1 for other letters."""
    return _CODES[np.frombuffer(sequence.encode("ascii"), np.uint8)]
