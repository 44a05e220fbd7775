"""Batches: grouping of windows by length, and padded arrays of token ids.

Shapes: B rows of a batch, L tokens of its longest row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from genolm.errors import InputError

if TYPE_CHECKING:
    import torch

    from genolm.tokens.tokenizer import Ids, Tokenizer

Side = Literal["right", "left"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of token ids, padded to equal length.

    Attributes:
        ids_BL: int64 token ids; padding is the tokenizer's ``pad_id``.
        mask_BL: bool, True for tokens, False for padding.
        lengths_B: int64, number of tokens of each row without padding.
    """

    ids_BL: torch.Tensor
    mask_BL: torch.Tensor
    lengths_B: torch.Tensor


def collate(
    rows: Sequence[str | Ids],
    tokenizer: Tokenizer,
    *,
    side: Side = "right",
    device: torch.device | str | None = None,
) -> Batch:
    """Collate sequences or token ids into a padded batch.

    Pad on the right for scoring and embedding (a causal model never sees the padding then), on the left for generation.

    Args:
        rows: sequences of bases or arrays of token ids; at least one.
        tokenizer: tokenizer for the sequences and the padding id.
        side: side of the padding.
        device: device of the tensors; None for the CPU.

    Raises:
        InputError: there are no rows, or the tokenizer refuses a letter.
    """
    import torch

    if not rows:
        raise InputError("a batch must have at least one row")
    encoded = [tokenizer.encode(row) if isinstance(row, str) else row for row in rows]
    lengths_B = np.array([len(ids) for ids in encoded], np.int64)
    columns_L = np.arange(lengths_B.max())
    mask_BL = columns_L < lengths_B[:, None]
    if side == "left":
        mask_BL = mask_BL[:, ::-1].copy()
    ids_BL = np.full(mask_BL.shape, tokenizer.pad_id, np.int64)
    ids_BL[mask_BL] = np.concatenate(encoded)
    ids, mask, lengths = (torch.from_numpy(array).to(device) for array in (ids_BL, mask_BL, lengths_B))
    return Batch(ids, mask, lengths)


def length_buckets(lengths: Sequence[int], token_budget: int) -> list[list[int]]:
    """Group rows of similar length so that the padded size of each group stays within the budget.

    The longest rows come first, so that memory runs out early or never. The result depends only on the arguments.

    Args:
        lengths: tokens of each row.
        token_budget: maximum tokens of a batch, padding included. A longer row forms its own batch.

    Returns:
        Groups of indices into ``lengths``; every index occurs once.
    """
    buckets: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if room == 0:
            buckets.append([])
            room = max(1, token_budget // max(1, lengths[index]))
        buckets[-1].append(index)
        room -= 1
    return buckets
