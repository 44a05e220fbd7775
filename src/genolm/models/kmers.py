"""A k-mer table at the input: every position also looks up the k bases that end there.

Shapes: B batch, S positions with those looked back at, L new ones, D residual width.
"""

from __future__ import annotations

from torch import Tensor, nn

from genolm.models.kmer_stream import KmerStream


class KmerTable(nn.Module):
    """One learned row for each of the 4^k k-mers, projected up and added to the token embedding.

    A position whose last k tokens are not k bases of one document (its start, an N, padding) takes the extra last row.

    Args:
        order: k.
        width: width of a row.
        hidden_size: width D of the residual stream.
    """

    def __init__(self, order: int, width: int, hidden_size: int) -> None:
        super().__init__()
        self.order = order
        self.table = nn.Embedding(4**order + 1, width)
        self.projection = nn.Linear(width, hidden_size, bias=False)

    def forward(self, stream: KmerStream) -> Tensor:
        """What to add to the embeddings of the stream's new positions, (B, L, D)."""
        return self.projection(self.table(self.rows(stream)[:, stream.skip :]))

    def rows(self, stream: KmerStream) -> Tensor:
        """Table row of every position, (B, S): the k-mer read as a base-4 number in ACGT order, first base highest."""
        return stream.code(self.order, 4).masked_fill(stream.pure_BS < self.order, 4**self.order)
