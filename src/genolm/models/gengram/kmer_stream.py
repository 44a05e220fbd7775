"""K-mers that end at each position, computed once per pass for all layers, and tables of their embeddings.

Shapes: B batch, S positions (earlier ones first), L new positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genolm.models.gengram.gengram_config import table_sizes
from genolm.models.gengram.window_sum import shifted
from genolm.models.linear import Linear

NOTHING = -1
N_DIGIT = 4


@dataclass(frozen=True, slots=True)
class KmerStream:
    """Bases as digits, and run lengths that tell which k-mers are complete.

    Attributes:
        digits_BS: 0 to 3 for A, C, G, T, 4 for N, -1 for anything else.
        run_BS: length of the run of DNA letters, including N, that ends here within one document.
        pure_BS: the same for A, C, G, T only.
        reach_BS: number of positions of the same document up to this one; None if only the beginning limits it.
        skip: number of leading positions that are not new.
    """

    digits_BS: Tensor
    run_BS: Tensor
    pure_BS: Tensor
    reach_BS: Tensor | None
    skip: int

    def code(self, order: int, radix: int) -> Tensor:
        """Return the ``order`` newest digits as a number, (B, S), newest lowest; larger digits than the radix are 0."""
        digits = self.digits_BS.clamp_min(0)
        digits = digits.masked_fill(digits >= radix, 0)
        code = digits
        for back in range(1, order):
            code = code + shifted(digits, back) * radix**back
        return code

    def cut(self, start: int, stop: int, history: int) -> KmerStream:
        """Return the stream of the new positions ``start`` to ``stop`` with at most ``history`` earlier ones."""
        begin = max(0, self.skip + start - history)
        end = self.skip + stop
        reach = None if self.reach_BS is None else self.reach_BS[:, begin:end]
        parts = self.digits_BS[:, begin:end], self.run_BS[:, begin:end], self.pure_BS[:, begin:end]
        return KmerStream(*parts, reach, self.skip + start - begin)


def digits_of(vocab_size: int, base_ids: tuple[int, int, int, int], n_id: int) -> tuple[int, ...]:
    """Return the digit of each token id."""
    digits = [NOTHING] * vocab_size
    for digit, base in enumerate(base_ids):
        digits[base] = digit
    if 0 <= n_id < vocab_size:
        digits[n_id] = N_DIGIT
    return tuple(digits)


def read_kmers(digits_BS: Tensor, documents_BS: Tensor | None = None, skip: int = 0) -> KmerStream:
    """Return the k-mers of a batch.

    Args:
        digits_BS: digits of :func:`digits_of`, -1 for padding.
        documents_BS: document of each position; documents must be contiguous. None for one document per row.
        skip: number of leading positions that are not new.
    """
    at = torch.arange(digits_BS.shape[1], device=digits_BS.device).expand_as(digits_BS)
    reach = None
    first = torch.zeros_like(at)
    if documents_BS is not None:
        new = torch.ones_like(documents_BS, dtype=torch.bool)
        new[:, 1:] = documents_BS[:, 1:] != documents_BS[:, :-1]
        first = at.where(new, 0).cummax(1).values
        reach = at - first + 1
    run, pure = (_run(ok, at, first) for ok in (digits_BS >= 0, (digits_BS >= 0) & (digits_BS < N_DIGIT)))
    return KmerStream(digits_BS, run, pure, reach, skip)


def _run(ok_BS: Tensor, at_BS: Tensor, first_BS: Tensor) -> Tensor:
    """Return the number of consecutive ``ok`` positions up to each one, since ``first``."""
    last_bad = at_BS.masked_fill(ok_BS, -1).cummax(1).values
    return at_BS - torch.maximum(last_bad, first_BS - 1)


def spread(code: Tensor, rows: int) -> Tensor:
    """Hash k-mer numbers into ``rows``: a multiplication and a fold of the 64 bits, then the remainder."""
    mixed = code * 0x2545F4914F6CDD1D
    return (mixed ^ (mixed >> 31)) % rows


class KmerTables(nn.Module):
    """K-mer memory at the input: a table of embeddings for each length k, concatenated, projected and added.

    A table has a row for each of the 4^k k-mers, or is hashed into fewer. A position whose last k tokens are not k
    bases of one document (its start, an N, padding) uses the extra last row.

    Args:
        orders: lengths k.
        dims: width of the rows of each table.
        hidden_size: width D of the residual stream.
        limit: largest number of rows of a table; larger tables are hashed to this size; 0 never hashes.
    """

    def __init__(self, orders: Sequence[int], dims: Sequence[int], hidden_size: int, limit: int = 0) -> None:
        super().__init__()
        self.orders, self.sizes = tuple(orders), table_sizes(orders, limit)
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim) for size, dim in zip(self.sizes, dims, strict=True))
        self.projection = Linear(sum(dims), hidden_size, bias=False)

    def forward(self, stream: KmerStream) -> Tensor:
        """Return the values to add to the embeddings of the new positions, (B, L, D)."""
        rows_found = [table(self.rows(stream, i)[:, stream.skip :]) for i, table in enumerate(self.tables)]
        return self.projection(torch.cat(rows_found, -1))

    def rows(self, stream: KmerStream, index: int) -> Tensor:
        """Return the row in the table at ``index`` for each position, (B, S).

        Without hashing it is the k-mer as a base-4 number in ACGT order, first base highest.
        """
        order, size = self.orders[index], self.sizes[index]
        code = stream.code(order, 4)
        row = spread(code, size) if size < 4**order else code
        return row.masked_fill(stream.pure_BS < order, size)
