"""Token vectors at the input of a network: those of the ids, or given ones.

Shapes: B rows, L tokens, D width.
"""

from __future__ import annotations

from torch import Tensor, nn

from genolm.errors import ModelError


def token_vectors(
    table: nn.Embedding, ids_BL: Tensor, vectors_BLD: Tensor | None, replaced_BL: Tensor | None
) -> Tensor:
    """Return the vectors of token ids, (B, L, D), with some replaced by given ones.

    Args:
        table: embedding of tokens.
        ids_BL: token ids; those of replaced tokens must be ids of the table too.
        vectors_BLD: given vectors; None for none.
        replaced_BL: True where they are used; None: everywhere.

    Raises:
        ModelError: the vectors have another shape than the tokens, or there are positions without vectors.
    """
    if vectors_BLD is None:
        if replaced_BL is not None:
            raise ModelError("positions to replace are given without vectors")
        return table(ids_BL)
    expected = (*ids_BL.shape, table.embedding_dim)
    if tuple(vectors_BLD.shape) != expected:
        raise ModelError(f"the vectors have the shape {list(vectors_BLD.shape)}, but the tokens need {list(expected)}")
    vectors_BLD = vectors_BLD.to(table.weight.dtype)
    return vectors_BLD if replaced_BL is None else vectors_BLD.where(replaced_BL.bool()[..., None], table(ids_BL))
