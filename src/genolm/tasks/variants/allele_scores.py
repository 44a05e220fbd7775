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
    from genolm.models.networks.cache import KVCache

_LEAST_BRANCH_TOKENS = 4096
_CACHED_TOKENS = 8192  # tokens of the tiles whose keys and values are held together, unless a single tile is longer
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
    """Score suffixes: REF from one pass over the tiles, ALT alleles as branches of their cache, batched over tiles.

    Args:
        model: a decoder of single bases.
        windows: tiles whose origin is `TileSites`; the sequence extends to the last compared base.

    Raises:
        NonFiniteError: as in :func:`score_sites`.
    """
    # A batch of branches must not exceed the batch of tiles that the engine expects to fit in memory.
    budget = max(_LEAST_BRANCH_TOKENS, sum(map(len, windows)))
    rows = max(1, _CACHED_TOKENS // max(map(len, windows)))
    groups = [windows[start : start + rows] for start in range(0, len(windows), rows)]
    return _finite(model, [scores for group in groups for scores in _suffix_scores(model, group, budget)])


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


def _suffix_scores(model: Model, windows: Sequence[Window[TileSites]], budget: int) -> list[SiteScores]:
    """Score the suffixes of some tiles with one cache."""
    tiles: list[TileSites] = [window.origin for window in windows]
    cache = model.decoder.new_cache(branches=True)
    ids_BL = _ids(model, [window.sequence for window in windows])
    since = min(offset for tile in tiles for offset in tile.offsets) - 1  # the first probability that is needed
    log_probs_BL4 = _log_probs(model, model.decoder(ids_BL, cache=cache, since=since).logits_BLV)
    references = [_reference(log_probs_BL4[row], window, since) for row, window in enumerate(windows)]
    branches = [(row, offset) for row, tile in enumerate(tiles) for offset in tile.offsets]
    first_N14 = torch.stack([log_probs_BL4[row, offset - 1 - since, None] for row, offset in branches])
    suffixes = [site.suffix for tile in tiles for site in tile.sites]
    totals_N, counted_N = np.empty(len(suffixes)), np.empty(len(suffixes), np.int64)
    for numbers in _batches([len(suffix) for suffix in suffixes], budget):
        some = [branches[number] for number in numbers]
        totals_N[numbers], counted_N[numbers] = _branch_sums(
            model, cache, first_N14[numbers], some, [suffixes[number] for number in numbers]
        )
    ends = np.cumsum([len(tile.sites) for tile in tiles])[:-1]
    parts = zip(references, np.split(totals_N, ends), np.split(counted_N, ends), strict=True)
    return [
        SiteScores(alt_N - ref_N, np.stack([ref_count_N, count_N], 1)) for (ref_N, ref_count_N), alt_N, count_N in parts
    ]


def _branch_sums(
    model: Model, cache: KVCache, first_N14: Tensor, branches: list[tuple[int, int]], suffixes: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return sum and number of bases of suffixes, each after its tile up to its offset, with its first base given."""
    rows, starts = [row for row, _ in branches], [start for _, start in branches]
    rest_NS4 = first_N14[:, :0]
    if len(suffixes[0]) > 1:
        ids_NS = _ids(model, [suffix[:-1] for suffix in suffixes])
        rest_NS4 = _log_probs(model, model.decoder.branch(ids_NS, starts, cache, rows=rows).logits_BLV)
    return _sums(torch.cat((first_N14, rest_NS4), 1), suffixes)


def _reference(
    log_probs_L4: Tensor, window: Window[TileSites], since: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the sum over the reference suffix of each site, and the number of bases in it.

    Args:
        log_probs_L4: log-probabilities after each base of the tile from base ``since`` on, and padding.
        window: window of the tile.
        since: number of bases without log-probabilities; the first site follows at the earliest one later.
    """
    tile, codes_L = window.origin, torch.from_numpy(_codes(window.sequence[since:]))
    log_probs_L4 = log_probs_L4[: len(codes_L)]
    counted_L = codes_L[1:] >= 0
    values_L = log_probs_L4[:-1].gather(1, codes_L[1:, None].clamp_min(0))[:, 0].double() * counted_L
    zero = values_L.new_zeros(2)  # for the empty prefix, and for the first base, which is not predicted
    sums_L = torch.cat((zero, values_L.cumsum(0))).numpy()
    counts_L = torch.cat((zero.long(), counted_L.cumsum(0))).numpy()
    starts = np.array(tile.offsets) - since
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
