"""The k-mers that end at every position, read once a pass for all layers.

Shapes: B batch, S positions (those that are looked back at come first), L of them new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genolm.models.gengram.gengram_config import table_sizes
from genolm.models.gengram.window_sum import shifted

NOTHING = -1
N_DIGIT = 4


@dataclass(frozen=True, slots=True)
class KmerStream:
    """Bases as digits, with what is needed to know which k-mers are whole.

    Attributes:
        digits_BS: 0 to 3 for A, C, G, T, 4 for N, -1 for anything else.
        run_BS: DNA letters in a row that end here within one document, N included.
        pure_BS: the same of A, C, G, T alone.
        reach_BS: positions of the own document up to and with this one; None when nothing but the beginning bounds it.
        skip: leading positions that are only looked back at.
    """

    digits_BS: Tensor
    run_BS: Tensor
    pure_BS: Tensor
    reach_BS: Tensor | None
    skip: int

    def code(self, order: int, radix: int) -> Tensor:
        """The ``order`` newest digits as a number, (B, S), newest lowest; letters outside the radix count as 0."""
        digits = self.digits_BS.clamp_min(0)
        digits = digits.masked_fill(digits >= radix, 0)
        code = digits
        for back in range(1, order):
            code = code + shifted(digits, back) * radix**back
        return code

    def cut(self, start: int, stop: int, history: int) -> KmerStream:
        """The stream of the new positions ``start`` to ``stop``, looking back at ``history`` positions at most."""
        begin = max(0, self.skip + start - history)
        end = self.skip + stop
        reach = None if self.reach_BS is None else self.reach_BS[:, begin:end]
        own = self.digits_BS[:, begin:end], self.run_BS[:, begin:end], self.pure_BS[:, begin:end]
        return KmerStream(*own, reach, self.skip + start - begin)


def digits_of(vocab_size: int, base_ids: tuple[int, int, int, int], n_id: int) -> tuple[int, ...]:
    """The digit of every token id."""
    digits = [NOTHING] * vocab_size
    for digit, base in enumerate(base_ids):
        digits[base] = digit
    if 0 <= n_id < vocab_size:
        digits[n_id] = N_DIGIT
    return tuple(digits)


def read_kmers(digits_BS: Tensor, documents_BS: Tensor | None = None, skip: int = 0) -> KmerStream:
    """The stream of a batch.

    Args:
        digits_BS: as :func:`digits_of` tells, -1 for padding.
        documents_BS: document of every position; documents are contiguous. None for one document a row.
        skip: leading positions that are only looked back at.
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
    """How many positions in a row are ``ok`` up to each one, since ``first``."""
    last_bad = at_BS.masked_fill(ok_BS, -1).cummax(1).values
    return at_BS - torch.maximum(last_bad, first_BS - 1)


def spread(code: Tensor, rows: int) -> Tensor:
    """Numbers of k-mers hashed into ``rows``: a multiplication and a fold of the 64 bits, then the remainder."""
    mixed = code * 0x2545F4914F6CDD1D
    return (mixed ^ (mixed >> 31)) % rows


class KmerTables(nn.Module):
    """One table of learned rows for each length k; the rows found are joined, projected and added to the embedding.

    A table has a row for each of the 4^k k-mers, or is hashed into fewer. A position whose last k tokens are not k
    bases of one document (its start, an N, padding) takes the extra last row.

    Args:
        orders: lengths k.
        dims: width of each table's rows.
        hidden_size: width D of the residual stream.
        limit: a table that would have more rows is hashed into so many; 0 never hashes.
    """

    def __init__(self, orders: Sequence[int], dims: Sequence[int], hidden_size: int, limit: int = 0) -> None:
        super().__init__()
        self.orders, self.sizes = tuple(orders), table_sizes(orders, limit)
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim) for size, dim in zip(self.sizes, dims, strict=True))
        self.projection = nn.Linear(sum(dims), hidden_size, bias=False)

    def forward(self, stream: KmerStream) -> Tensor:
        """What to add to the embeddings of the stream's new positions, (B, L, D)."""
        found = [table(self.rows(stream, i)[:, stream.skip :]) for i, table in enumerate(self.tables)]
        return self.projection(torch.cat(found, -1))

    def rows(self, stream: KmerStream, index: int) -> Tensor:
        """Row in the table at ``index`` for every position, (B, S).

        Not hashed, it is the k-mer read as a base-4 number in ACGT order, first base highest.
        """
        order, size = self.orders[index], self.sizes[index]
        code = stream.code(order, 4)
        row = spread(code, size) if size < 4**order else code
        return row.masked_fill(stream.pure_BS < order, size)
