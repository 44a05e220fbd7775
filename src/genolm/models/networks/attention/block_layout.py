"""Which blocks of keys a block of queries attends to: the patterns of GENA-LM's three BigBird checkpoints.

Two families. **DeepSpeed** layouts (Zaheer et al. 2020, as DeepSpeed v0.6 draws them) stand in the checkpoint: the
first two blocks are global as rows and as columns, each other row sees its own block, one neighbour on either side, and
three random columns. A shorter input uses the top left corner of the stored layout. **Stock** BigBird
(``transformers``): the first and the last block are global, the window is the same, and the random blocks follow the
version: :func:`zero_blocks` and :func:`seeded_blocks`.

Shapes: H heads (1 where all heads share), C blocks of an input, R rows of blocks that are not global, M key blocks of
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

# Lengths for which BigBird's authors kept the plan of their paper: random blocks among the first 1024 tokens only.
_PAPER_LENGTHS = (1024, 3072, 4096)
_PAPER_REACH = 1024


@dataclass(frozen=True, eq=False)
class BlockLayout:
    """Key blocks of every query block of one input.

    Rows of blocks ``first`` to ``stop`` are sparse; every other row is global and sees all keys. ``keys_HRM`` names the
    key blocks of the sparse rows. A block that is named twice counts twice in the softmax. ``added_HRM`` is added to
    the scores of the named blocks: the logarithm of how often a block counts, or -inf where nothing is named; None
    stands for zeros.
    """

    block: int
    num_blocks: int
    first: int
    stop: int
    keys_HRM: Tensor
    added_HRM: Tensor | None = None

    def to(self, device: torch.device) -> BlockLayout:
        """The same layout with its tensors on a device."""
        added = None if self.added_HRM is None else self.added_HRM.to(device)
        return replace(self, keys_HRM=self.keys_HRM.to(device), added_HRM=added)

    def of_heads(self, first: int, count: int) -> BlockLayout:
        """The part of some heads; all of a layout that they share."""
        if self.keys_HRM.shape[0] == 1:
            return self
        added = None if self.added_HRM is None else self.added_HRM[first : first + count]
        return replace(self, keys_HRM=self.keys_HRM[first : first + count], added_HRM=added)


def blocks_of(num_tokens: int, block: int) -> int:
    """Blocks that hold this many tokens; the last one may be filled in part."""
    return -(-num_tokens // block)


def full_layout(num_tokens: int, block: int) -> BlockLayout:
    """Every row is global: full attention."""
    count = blocks_of(num_tokens, block)
    return BlockLayout(block, count, count, count, torch.empty(1, 0, 0, dtype=torch.int64))


def deepspeed_layout(master_HCC: Tensor, num_tokens: int, block: int) -> BlockLayout:
    """The top left corner of a stored layout (non-zero: the row attends to the column) for an input of this length.

    The corner is what the published code takes for shorter inputs; random columns beyond it are lost, not redrawn. Up
    to four blocks it is full attention. Padding at the end changes nothing, so there is no padded length to state. An
    input of exactly one block (64 tokens) made the published code take its keys transposed; here it does not.

    Raises:
        ModelError: the layout is no square per head, has a row that does not see itself, or is smaller than the input.
    """
    count = blocks_of(num_tokens, block)
    if master_HCC.ndim != 3 or master_HCC.shape[1] != master_HCC.shape[2]:
        raise ModelError(f"a block layout is (heads, blocks, blocks), not {tuple(master_HCC.shape)}")
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


def drawn_layout(
    heads: int, num_blocks: int, seed: int, *, num_global: int = 2, window: int = 3, num_random: int = 3
) -> Tensor:
    """A DeepSpeed layout for a network with random weights, uint8 (heads, blocks, blocks).

    By DeepSpeed's rules: the first ``num_global`` rows and columns full, ``window`` blocks about the own one, and
    ``num_random`` distinct columns a row, drawn from all, which may fall on the others. Every head draws its own. The
    stream is ours (the bits of PCG64, which numpy guarantees), so a published layout cannot be drawn again: it is read.
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
    """The longest input, in tokens, that stock BigBird attends to in full: ``(5 + 2r)`` blocks."""
    return (5 + 2 * num_random) * block


def zero_blocks(num_tokens: int, block: int, num_random: int) -> BlockLayout:
    """Stock BigBird as ``transformers`` 4.30 and later runs it outside training: all random blocks are block 0.

    Every sparse row sees the first, the last and its own block and the neighbours of that. Block 0 counts
    ``1 + r`` times in all of them, the second and the second last row included: ln(1 + r) is added to its scores.

    Inputs of at most :func:`full_up_to` tokens use full attention, as the published class does. There the first such
    input switches the module for good; here each sequence is decided by its own length.
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
    """Stock BigBird as GENA was trained, by ``transformers`` before 4.30: random blocks seeded with the layer's index.

    ``max_tokens`` is the network's longest input, which the plan of the paper is drawn for. Short inputs as in
    :func:`zero_blocks`. A random block that falls on a block of the window or on the last one counts twice.
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
    """First, last, and own block with its neighbours of rows 1 to ``count - 2``, each named once: (R, 5) twice."""
    rows_R1 = torch.arange(1, count - 1)[:, None]
    ends_R2 = torch.tensor([0, count - 1]).expand(len(rows_R1), 2)
    window_R3 = rows_R1 + torch.arange(-1, 2)
    named_R3 = (window_R3 > 0) & (window_R3 < count - 1)
    return torch.cat([ends_R2, window_R3], 1), torch.cat([torch.ones_like(ends_R2, dtype=torch.bool), named_R3], 1)


@lru_cache(maxsize=128)
def seeded_plan(
    num_blocks: int, heads: int, block: int, num_random: int, layer: int, max_tokens: int
) -> NDArray[np.int64]:
    """The random key blocks of query blocks 1 to ``num_blocks - 2``: (heads, num_blocks - 2, r), read only.

    Drawn with numpy's legacy generator, seeded with the layer's index, in the order of the published code; the
    generator is local and numpy's own state stays as it is.

    Raises:
        ModelError: fewer blocks may be drawn than are asked for.
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
    """Rows 1 to ``count - 2`` of one head, as in the paper: drawn for the longest input, among its first 1024 tokens.

    The published code keeps the window out of most rows only: rows near either end of the longest input may draw it.
    """
    last = (_PAPER_REACH if 2 * block < _PAPER_REACH else count * block) // block - 1
    inner = np.arange(1, count - 1)
    choices = (_paper_choice(inner, row, count, last) for row in range(1, count - 1))
    return [_drawn(random.permutation(choice), num_random) for choice in choices]


def _paper_choice(inner: NDArray[np.int64], row: int, count: int, last: int) -> NDArray[np.int64]:
    """The blocks that a row of the paper's plan draws from."""
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
    """The general plan: among the first ``5 + 2r`` blocks, but not the window's, the first, or the last of these."""
    reach = 5 + 2 * num_random
    plan_HRr = np.zeros((heads, num_blocks - 2, num_random), dtype=np.int64)
    # The last row is drawn as well and thrown away; nothing is drawn after it.
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
        raise ModelError(f"a row of blocks has {len(order)} others to draw from, and {num_random} are asked for")
    return order[:num_random]
