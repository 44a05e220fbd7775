"""Batches: which windows go through the model together, and their ids side by side.

B rows of a batch, L tokens of its longest row.
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
    """Rows of ids, padded to one length.

    Attributes:
        ids_BL: int64 ids; pads hold the tokenizer's ``pad_id``.
        mask_BL: bool, True at a real token.
        lengths_B: int64, real tokens of every row.
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
    """Puts sequences, or ids made earlier, side by side; shorter rows are filled on ``side``.

    Pad right for scoring and embedding (a causal model then never sees the pads), left for generation.

    Args:
        rows: sequences of bases or arrays of ids, at least one.
        tokenizer: encodes the sequences and gives the padding id.
        side: where the pads go.
        device: where the tensors go; None for the CPU.

    Raises:
        InputError: when there is no row, or a letter that the tokenizer refuses.
    """
    import torch

    if not rows:
        raise InputError("a batch needs at least one row")
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
    """Groups rows of like length so that rows times the longest stays within the budget.

    Longest first, so that memory runs out at once or not at all. Depends on its arguments alone.

    Args:
        lengths: tokens of every row.
        token_budget: most tokens of a batch, pads included. A row that is longer goes alone.

    Returns:
        Indices into ``lengths``, every one exactly once.
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
