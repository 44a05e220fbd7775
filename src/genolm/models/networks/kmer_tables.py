"""A k-mer memory at the input: every position also looks up the last few k-mers that end there, of several lengths.

Shapes: B batch, S positions with those looked back at, L new ones, D residual width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from genolm.models.gengram.kmer_stream import KmerStream, spread
from genolm.models.networks.decoder_config import table_sizes


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
