"""Config of a Gengram memory, and sizes of k-mer tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from genolm.errors import ModelError

Compat = Literal["none", "released-fp32", "released-bf16"]
Gate = Literal["signed-root", "plain", "open"]
_COMPATS = ("none", "released-fp32", "released-bf16")
_GATES = ("signed-root", "plain", "open")
_LONGEST_FOLDED = 8  # 4^8 rows of 2 D; beyond, a folded table is larger than what it replaces
_LONGEST = 24  # indices of 5^24 k-mers fit in 64 bits


@dataclass(frozen=True, slots=True)
class GengramConfig:
    """Config of a k-mer memory inside some decoder layers (arXiv 2601.22203).

    Attributes:
        layers: layers to whose input the memory is added, counted from 1 as in the paper.
        orders: lengths of the k-mers, ascending.
        dim: width of the table rows.
        window: bases over whose k-mers the mean is taken, including the current one; 1 reads only its own k-mers.
        conv_kernel: number of taps of the depthwise convolution; 0 for none.
        conv_dilation: distance between its taps, in tokens.
        gate: ``signed-root`` (as released), ``plain`` (sigmoid of the scaled product), or ``open`` (always 1).
        compat: ``none``; ``released-fp32``: reads across document borders, as the released module does;
            ``released-bf16``: also computes prefix sums and gate in bf16, as the released checkpoint was trained.
        table_rows: largest number of rows of a table; larger tables are hashed to this size; 0 never hashes.
        init: ``small`` (tables of ``table_std``, value projection zero, so that the module has no effect at first) or
            ``reference`` (as released: tables of unit variance, uniform projections).
        table_std: initial standard deviation of the tables for ``small``.

    Raises:
        ModelError: a value is invalid, or values contradict each other.
    """

    layers: tuple[int, ...]
    orders: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    dim: int = 1024
    window: int = 21
    conv_kernel: int = 4
    conv_dilation: int = 6
    gate: Gate = "signed-root"
    compat: Compat = "none"
    table_rows: int = 0
    init: Literal["small", "reference"] = "small"
    table_std: float = 0.02

    def __post_init__(self) -> None:
        for name, values in (("layers", self.layers), ("orders", self.orders)):
            if not values or list(values) != sorted(set(values)) or values[0] < 1:
                raise ModelError(f"gengram {name} must be ascending whole numbers from 1, not {list(values)}")
        if self.longest > _LONGEST:
            raise ModelError(f"gengram orders must be at most {_LONGEST}, not {self.longest}")
        if self.window != 1 and self.window < self.longest:
            raise ModelError(f"gengram window {self.window} is shorter than the longest k-mer, {self.longest}")
        if self.dim < 1 or self.conv_kernel < 0 or self.conv_dilation < 1 or self.table_rows < 0:
            raise ModelError("gengram dim and conv_dilation must be at least 1, conv_kernel and table_rows at least 0")
        _among("gate", self.gate, _GATES)
        _among("compat", self.compat, _COMPATS)
        _among("init", self.init, ("small", "reference"))

    @property
    def longest(self) -> int:
        """Length of the longest k-mer."""
        return self.orders[-1]

    @property
    def endings(self) -> tuple[int, ...]:
        """Number of k-mers of each order that end inside the window: W - n + 1, or 1 without a window."""
        return tuple(max(1, self.window - order + 1) for order in self.orders)

    @property
    def reach(self) -> int:
        """Number of tokens before the current one that determine what is read from the tables."""
        return max(self.window, self.longest) - 1

    @property
    def conv_reach(self) -> int:
        """Number of tokens before the current one whose outputs the convolution reads."""
        return max(0, self.conv_kernel - 1) * self.conv_dilation

    @property
    def rows(self) -> tuple[int, ...]:
        """Number of rows of each order's table: 5^n (A, C, G, T and N), or ``table_rows`` if hashed."""
        return tuple(self.table_rows if self.hashed(order) else 5**order for order in self.orders)

    def hashed(self, order: int) -> bool:
        """Return whether the table of this order is hashed."""
        return 0 < self.table_rows < 5**order

    @property
    def foldable(self) -> bool:
        """Whether tables with the projections multiplied in are small enough."""
        return self.longest <= _LONGEST_FOLDED and not any(self.hashed(order) for order in self.orders)

    def folded_bytes(self, hidden_size: int, width: int) -> int:
        """Return the size of one layer's folded tables, in bytes; ``width`` is the size of a value."""
        rows = 4**self.longest + 4 ** (self.longest - 1)
        return rows * 2 * hidden_size * width if self.foldable else 0

    def shrunk(self, num_layers: int) -> GengramConfig:
        """Return the same memory at a size for tests: first and last of ``num_layers`` layers, orders up to 3."""
        orders = tuple(order for order in self.orders if order <= 3) or (self.orders[0],)
        layers = self.layers if self.layers[-1] <= num_layers else tuple(sorted({1, num_layers}))
        window = 1 if self.window == 1 else max(orders[-1], min(self.window, 7))
        small = min(self.conv_dilation, 3)
        return replace(self, layers=layers, orders=orders, dim=min(self.dim, 8), window=window, conv_dilation=small)

    def parameters(self, hidden_size: int) -> int:
        """Return the number of weights in one layer."""
        projections = 2 * self.dim * len(self.orders) * hidden_size
        return sum(self.rows) * self.dim + projections + (2 + self.conv_kernel) * hidden_size


def table_sizes(orders: Sequence[int], limit: int) -> tuple[int, ...]:
    """Return the number of rows of each order's k-mer table: 4^k, or ``limit`` if that is smaller and not 0."""
    return tuple(min(4**order, limit) if limit else 4**order for order in orders)


def _among(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ModelError(f"gengram {name} must be {', '.join(known[:-1])} or {known[-1]}, not {value!r}")
