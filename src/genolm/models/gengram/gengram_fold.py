"""Gengram tables with the projections multiplied in, which give the same keys and values with a few additions.

The average over a window is linear, so each order's table can carry its projection: ``T_n = E_n W_n^T``. Of a window
of W bases that are all A, C, G or T, the last ``W - N + 1`` endings of every order are suffixes of the N-mers (N the
longest) that end there; the older endings lie inside the (N-1)-mer before them. So a table of N-mers, summed over the
recent endings, plus one row of a table of (N-1)-mers gives the complete average.

Shapes: B batch, S positions including earlier ones, L new positions, D residual width.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.gengram.kmer_stream import KmerStream
from genolm.models.gengram.window_sum import shifted, window_sum
from genolm.models.linear import Linear


class Projected(Protocol):
    """A memory whose tables can be folded: config, tables and projections to keys and values."""

    config: GengramConfig
    tables: nn.ModuleList
    key: Linear
    value: Linear

    def table(self, index: int) -> Tensor:
        """Return the rows of one order's table, (5^order, dim)."""
        ...


def worth_folding(config: GengramConfig, tokens: int) -> bool:
    """Return whether projecting the tables is cheaper than projecting each token (910 tokens for orders 1 to 6)."""
    return sum(4**order for order in config.orders) < len(config.orders) * tokens


class FoldedTables:
    """Folded tables of one memory, kept until its weights change.

    While gradients are recorded, they are recomputed in every pass, so that gradients flow into tables and projections.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[object, ...], Tensor, Tensor | None] | None = None

    def __deepcopy__(self, memo: dict[int, object]) -> FoldedTables:
        """Return empty tables: a copied memory has its own weights."""
        return FoldedTables()

    def __getstate__(self) -> dict[str, object]:
        """Return nothing: the tables can be recomputed."""
        return {"_kept": None}

    def ready(self, memory: Projected) -> bool:
        """Return whether the tables belong to the current weights of the memory."""
        return self._kept is not None and self._kept[0] == _state(memory)

    def read(self, memory: Projected, stream: KmerStream, dtype: torch.dtype) -> Tensor:
        """Return keys and values, concatenated, (B, L, 2 D); valid where the window is A, C, G and T of one document.

        Args:
            memory: module with the weights.
            stream: k-mers.
            dtype: type of the tables; sums are taken in fp32 or better.
        """
        main, tail = self._tables(memory, dtype)
        config = memory.config
        recent = max(1, config.window - config.longest + 1)
        rows = _wide(F.embedding(stream.code(config.longest, 4), main))
        both = window_sum(rows, recent)[:, stream.skip :]
        if tail is None:
            return both
        before = shifted(stream.code(config.longest - 1, 4), recent)[:, stream.skip :]
        return both + F.embedding(before, tail)

    def _tables(self, memory: Projected, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
        if torch.is_grad_enabled():
            return fold(memory)
        if self._kept is None or not self.ready(memory):
            main, tail = fold(memory)
            self._kept = _state(memory), main.to(dtype), None if tail is None else tail.to(dtype)
        return self._kept[1:]


def _state(memory: Projected) -> tuple[object, ...]:
    """Return a value that changes with the weights: their storage and version."""
    weights = [memory.key.weight, memory.value.weight, *(memory.table(i) for i in range(len(memory.tables)))]
    return tuple((w.data_ptr(), 0 if w.is_inference() else w._version, w.dtype, w.device) for w in weights)


def fold(memory: Projected) -> tuple[Tensor, Tensor | None]:
    """Return the table of N-mers, (4^N, 2 D), and that of (N-1)-mers, (4^(N-1), 2 D), or None if none is needed.

    The row of a k-mer is its base-4 number in ACGT order, newest base lowest.
    """
    config = memory.config
    longest, main, tail = config.longest, None, None
    projection = _exact(torch.cat((memory.key.weight, memory.value.weight)))
    for index, (order, endings) in enumerate(zip(config.orders, config.endings, strict=True)):
        columns = slice(index * config.dim, (index + 1) * config.dim)
        pure = _exact(memory.table(index)[torch.from_numpy(pure_rows(order)).to(projection.device)])
        table = _wide(F.linear(pure, projection[:, columns])) / endings
        here = table.repeat(4 ** (longest - order), 1)
        main = here if main is None else main + here
        if config.window > 1 and order < longest:
            older = _older(table, order, longest)
            tail = older if tail is None else tail + older
    assert main is not None
    return main, tail


def _older(table: Tensor, order: int, longest: int) -> Tensor:
    """Return for every (N-1)-mer the sum of the rows of all ``order``-mers inside it."""
    total: Tensor | None = None
    for later in range(longest - order):
        before = longest - 1 - order - later
        here = table[None, :, None].expand(4**before, 4**order, 4**later, table.shape[-1]).reshape(-1, table.shape[-1])
        total = here if total is None else total + here
    assert total is not None
    return total


@lru_cache(maxsize=16)
def pure_rows(order: int) -> NDArray[np.int64]:
    """Return for every k-mer of A, C, G and T, as a base-4 number, its row in a table indexed in base 5."""
    code, row = np.arange(4**order), np.zeros(4**order, np.int64)
    for digit in range(order):
        row += code // 4**digit % 4 * 5**digit
    return row


def _wide(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _exact(weight: Tensor) -> Tensor:
    """Convert to the precision of the products: that of the step in training, fp32 for tables that are kept."""
    return weight if torch.is_grad_enabled() else _wide(weight)
