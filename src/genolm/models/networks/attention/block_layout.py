"""Block layouts of sparse attention: the patterns of GENA-LM's three BigBird checkpoints.

Two families. **DeepSpeed** layouts (Zaheer et al. 2020, as sampled by DeepSpeed v0.6) are in the checkpoint: the
first two blocks are global as rows and as columns, each other row sees its own block, one neighbour on either side, and
three random columns. A shorter input uses the top left corner of the stored layout. **Stock** BigBird
(``transformers``): the first and the last block are global, the window is the same, and the random blocks follow the
version: :func:`zero_blocks` and :func:`seeded_blocks`.

Shapes: H heads (1 if heads share a layout), C blocks of an input, R rows of blocks that are not global, M key blocks of
such a row, r random blocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from torch import Tensor

from genolm.errors import ModelError

# Lengths for which BigBird's authors kept the plan of their paper: random blocks among the first 1024 tokens.
_PAPER_LENGTHS = (1024, 3072, 4096)
_PAPER_REACH = 1024


@dataclass(frozen=True, eq=False)
class BlockLayout:
    """Key blocks of each query block of one input.

    Rows of blocks ``first`` to ``stop`` are sparse; all others are global and see all keys. ``keys_HRM`` lists the
    key blocks of the sparse rows. A block that is listed twice counts twice in the softmax. ``added_HRM`` is added to
    the scores of these blocks: the logarithm of a block's count, or -inf for an unused entry; None
    stands for zeros.
    """

    block: int
    num_blocks: int
    first: int
    stop: int
    keys_HRM: Tensor
    added_HRM: Tensor | None = None

    def to(self, device: torch.device) -> BlockLayout:
        """Return the layout with its tensors on a device."""
        added = None if self.added_HRM is None else self.added_HRM.to(device)
        return replace(self, keys_HRM=self.keys_HRM.to(device), added_HRM=added)

    def of_heads(self, first: int, count: int) -> BlockLayout:
        """Return the part for some heads, or all of a layout that heads share."""
        if self.keys_HRM.shape[0] == 1:
            return self
        added = None if self.added_HRM is None else self.added_HRM[first : first + count]
        return replace(self, keys_HRM=self.keys_HRM[first : first + count], added_HRM=added)


def blocks_of(num_tokens: int, block: int) -> int:
    """Return the number of blocks for this many tokens; the last one may be partly filled."""
    return -(-num_tokens // block)


def full_layout(num_tokens: int, block: int) -> BlockLayout:
    """Return the layout of full attention: every row is global."""
    count = blocks_of(num_tokens, block)
    return BlockLayout(block, count, count, count, torch.empty(1, 0, 0, dtype=torch.int64))


def deepspeed_layout(master_HCC: Tensor, num_tokens: int, block: int) -> BlockLayout:
    """Return the top left corner of a stored layout (non-zero: the row attends to the column) for an input.

    The published code uses this corner for shorter inputs; random columns beyond it are lost, not resampled. Up
    to four blocks it is full attention. Padding at the end has no effect, so no padded length is needed. An
    input of exactly one block (64 tokens) makes the published code transpose its keys; here it does not.

    Raises:
        ModelError: the layout is not square per head, a row does not see itself, or the input is longer.
    """
    count = blocks_of(num_tokens, block)
    if master_HCC.ndim != 3 or master_HCC.shape[1] != master_HCC.shape[2]:
        raise ModelError(f"a block layout must have the shape (heads, blocks, blocks), not {tuple(master_HCC.shape)}")
    if count > master_HCC.shape[1]:
        limit = master_HCC.shape[1]
        raise ModelError(
            f"{num_tokens} tokens are {count} blocks of {block}; the layout has {limit} ({limit * block} tokens)"
        )
    seen_HCC = master_HCC[:, :count, :count] != 0
    if not seen_HCC.diagonal(dim1=1, dim2=2).all():
        raise ModelError("a block layout has rows that do not attend to their own block")
    sparse = (~seen_HCC.all(-1).all(0)).nonzero()
    first, stop = (int(sparse[0]), int(sparse[-1]) + 1) if len(sparse) else (count, count)
    seen_HRC = seen_HCC[:, first:stop]
    most = int(seen_HRC.sum(-1).max()) if stop > first else 0
    keys_HRM = seen_HRC.to(torch.uint8).argsort(dim=-1, descending=True, stable=True)[..., :most]
    named_HRM = seen_HRC.gather(-1, keys_HRM)
    added_HRM = None
    if not named_HRM.all():
        added_HRM = torch.zeros(keys_HRM.shape, device=keys_HRM.device).masked_fill_(~named_HRM, -math.inf)
    return BlockLayout(block, count, first, stop, keys_HRM, added_HRM)


def sampled_layout(
    heads: int, num_blocks: int, seed: int, *, num_global: int = 2, window: int = 3, num_random: int = 3
) -> Tensor:
    """Sample a DeepSpeed layout for a network with random weights, uint8 (heads, blocks, blocks).

    DeepSpeed's rules: the first ``num_global`` rows and columns are full, ``window`` blocks around the own block, and
    ``num_random`` distinct columns per row, sampled from all, which may coincide with these. Heads are independent. The
    random stream is ours (the bits of PCG64, which numpy guarantees), so published layouts are read, not resampled.
    """
    rows = np.arange(num_blocks)
    layout_HCC = np.zeros((heads, num_blocks, num_blocks), dtype=np.uint8)
    layout_HCC[:, abs(rows[:, None] - rows) <= window // 2] = 1
    order_HCC = np.random.PCG64(seed).random_raw(layout_HCC.size).reshape(layout_HCC.shape).argsort(-1, kind="stable")
    np.put_along_axis(layout_HCC, order_HCC[..., :num_random], 1, -1)
    layout_HCC[:, :num_global] = 1
    layout_HCC[:, :, :num_global] = 1
    return torch.from_numpy(layout_HCC)


def full_up_to(block: int, num_random: int) -> int:
    """Return the longest input with full attention in stock BigBird, in tokens: ``(5 + 2r)`` blocks."""
    return (5 + 2 * num_random) * block


def zero_blocks(num_tokens: int, block: int, num_random: int) -> BlockLayout:
    """Return the layout of stock BigBird in ``transformers`` 4.30 and later, in inference: random blocks are block 0.

    Every sparse row sees the first, the last and its own block with its neighbours. Block 0 is counted
    ``1 + r`` times in all of them, including the second and the second last row: ln(1 + r) is added to its scores.

    Inputs of at most :func:`full_up_to` tokens use full attention, as in the published class. There the first such
    input switches the module permanently; here each sequence is treated by its own length.
    """
    if num_tokens <= full_up_to(block, num_random):
        return full_layout(num_tokens, block)
    count = blocks_of(num_tokens, block)
    keys_RM, named_RM = _first_last_window(count)
    added_RM = torch.zeros(keys_RM.shape).masked_fill_(~named_RM, -math.inf)
    added_RM[:, 0] = math.log(1 + num_random)
    return BlockLayout(block, count, 1, count - 1, keys_RM[None], added_RM[None])


def seeded_blocks(
    num_tokens: int, block: int, num_random: int, *, heads: int, layer: int, max_tokens: int
) -> BlockLayout:
    """Return the layout with which GENA was trained (``transformers`` before 4.30): random blocks by layer index.

    ``max_tokens`` is the network's longest input, for which the plan of the paper is sampled. Short inputs as in
    :func:`zero_blocks`. A random block that coincides with the window or the last block is counted twice.
    """
    if num_tokens <= full_up_to(block, num_random):
        return full_layout(num_tokens, block)
    count = blocks_of(num_tokens, block)
    fixed_RM, named_RM = _first_last_window(count)
    plan_HRr = torch.from_numpy(seeded_plan(count, heads, block, num_random, layer, max_tokens).copy())
    keys_HRM = torch.cat([fixed_RM.expand(heads, -1, -1), plan_HRr], -1)
    named_HRM = torch.cat([named_RM.expand(heads, -1, -1), torch.ones_like(plan_HRr, dtype=torch.bool)], -1)
    added_HRM = torch.zeros(keys_HRM.shape).masked_fill_(~named_HRM, -math.inf)
    return BlockLayout(block, count, 1, count - 1, keys_HRM, added_HRM)


def _first_last_window(count: int) -> tuple[Tensor, Tensor]:
    """Return the first, last, own and neighbouring blocks for rows 1 to ``count - 2``, each once: (R, 5) twice."""
    rows_R1 = torch.arange(1, count - 1)[:, None]
    ends_R2 = torch.tensor([0, count - 1]).expand(len(rows_R1), 2)
    window_R3 = rows_R1 + torch.arange(-1, 2)
    named_R3 = (window_R3 > 0) & (window_R3 < count - 1)
    return torch.cat([ends_R2, window_R3], 1), torch.cat([torch.ones_like(ends_R2, dtype=torch.bool), named_R3], 1)


@lru_cache(maxsize=128)
def seeded_plan(
    num_blocks: int, heads: int, block: int, num_random: int, layer: int, max_tokens: int
) -> NDArray[np.int64]:
    """Return the random key blocks of query blocks 1 to ``num_blocks - 2``: (heads, num_blocks - 2, r), read-only.

    Sampled with numpy's legacy generator, seeded with the layer index, in the order of the published code; the
    generator is local, so that numpy's global state is not changed.

    Raises:
        ModelError: fewer blocks are eligible than requested.
    """
    random = RandomState(layer)
    if num_blocks * block in _PAPER_LENGTHS:
        plan = [_paper_plan(random, max_tokens // block, block, num_random) for _ in range(heads)]
        plan_HRr = np.array([rows[: num_blocks - 2] for rows in plan], dtype=np.int64)
    else:
        plan_HRr = _plan_of_any_length(random, num_blocks, heads, num_random)
    plan_HRr = plan_HRr.reshape(heads, num_blocks - 2, num_random)
    plan_HRr.setflags(write=False)
    return plan_HRr


def _paper_plan(random: RandomState, count: int, block: int, num_random: int) -> list[NDArray[np.int64]]:
    """Sample rows 1 to ``count - 2`` of a head as in the paper: for the longest input, among its first 1024 tokens.

    The published code excludes the window in most rows only: rows near either end of the longest input may include it.
    """
    last = (_PAPER_REACH if 2 * block < _PAPER_REACH else count * block) // block - 1
    inner = np.arange(1, count - 1)
    choices = (_paper_choice(inner, row, count, last) for row in range(1, count - 1))
    return [_drawn(random.permutation(choice), num_random) for choice in choices]


def _paper_choice(inner: NDArray[np.int64], row: int, count: int, last: int) -> NDArray[np.int64]:
    """Return the eligible blocks of a row of the paper's plan."""
    if row <= 2:
        return inner[row + 1 : last]
    if row >= count - 3:
        return inner[:last]
    if row - 2 > last:
        return inner[:last]
    if row + 1 == last:
        return inner[: row - 2]
    return np.concatenate([inner[: row - 2], inner[row + 1 : last]])


def _plan_of_any_length(random: RandomState, num_blocks: int, heads: int, num_random: int) -> NDArray[np.int64]:
    """Sample the general plan: the first ``5 + 2r`` blocks without the window and the first and last of these."""
    reach = 5 + 2 * num_random
    plan_HRr = np.zeros((heads, num_blocks - 2, num_random), dtype=np.int64)
    # The last row is sampled as well and discarded; nothing is sampled after it.
    for row in range(1, num_blocks - 1):
        barred = {row - 1, row, row + 1, 0, reach - 1}
        if row == 1:
            barred.add(reach - 2)
        if row == reach - 2:
            barred.add(1)
        for head in range(heads):
            order = random.permutation(reach)
            plan_HRr[head, row - 1] = _drawn(order[~np.isin(order, list(barred))], num_random)
    return plan_HRr


def _drawn(order: NDArray[np.int64], num_random: int) -> NDArray[np.int64]:
    if len(order) < num_random:
        raise ModelError(f"a row of blocks has {len(order)} eligible blocks, but {num_random} are requested")
    return order[:num_random]
