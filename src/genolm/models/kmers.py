"""A k-mer table at the input: every position also looks up the k bases that end there.

Shapes: B batch, L positions, D residual width, d table width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class KmerTable(nn.Module):
    """One learned row for each of the 4^k k-mers, projected up and added to the token embedding.

    A position whose last k tokens are not k bases of one document (its start, an N, padding) takes the extra last row.

    Args:
        order: k.
        width: width d of a row.
        hidden_size: width D of the residual stream.
        base_ids: token ids of A, C, G and T.
        vocab_size: rows of the token embedding.
    """

    def __init__(
        self, order: int, width: int, hidden_size: int, base_ids: tuple[int, int, int, int], vocab_size: int
    ) -> None:
        super().__init__()
        self.order = order
        self.table = nn.Embedding(4**order + 1, width)
        self.projection = nn.Linear(width, hidden_size, bias=False)
        digits = [-1] * vocab_size
        for digit, base in enumerate(base_ids):
            digits[base] = digit
        self._digits = tuple(digits)

    def forward(self, ids_BL: Tensor, documents_BL: Tensor | None = None, skip: int = 0) -> Tensor:
        """What to add to the embeddings of ``ids_BL[:, skip:]``, (B, L - skip, D).

        Args:
            ids_BL: token ids; the first ``skip`` are only looked back at.
            documents_BL: document number of every token; a k-mer never spans two.
            skip: leading positions that get no output.
        """
        return self.projection(self.table(self.rows(ids_BL, documents_BL)[:, skip:]))

    def rows(self, ids_BL: Tensor, documents_BL: Tensor | None = None) -> Tensor:
        """Table row of every position, (B, L): the k-mer read as a base-4 number in ACGT order, first base highest."""
        digits_BL = torch.tensor(self._digits, device=ids_BL.device)[ids_BL]
        row, whole = digits_BL.clamp_min(0), digits_BL >= 0
        for back in range(1, self.order):
            earlier = _shifted(digits_BL, back)
            row = row + earlier.clamp_min(0) * 4**back
            whole = whole & (earlier >= 0)
        if documents_BL is not None:
            whole = whole & (_shifted(documents_BL, self.order - 1) == documents_BL)
        return row.masked_fill(~whole, 4**self.order)


def _shifted(values_BL: Tensor, back: int) -> Tensor:
    """The value ``back`` positions earlier, -1 before the beginning."""
    if back == 0:
        return values_BL
    before = values_BL.new_full((values_BL.shape[0], min(back, values_BL.shape[1])), -1)
    return torch.cat((before, values_BL[:, : values_BL.shape[1] - before.shape[1]]), 1)
