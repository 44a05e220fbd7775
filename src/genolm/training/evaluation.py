"""Held-out bits per base during a run, the windows divided over its processes.

Shapes: B windows of a batch, M tokens of a window.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from genolm.models.gengram import Gengram
from genolm.training.heldout import Windows
from genolm.training.objective import next_base_nats
from genolm.training.passes import Passes
from genolm.training.workers import Workers


@torch.no_grad()
def held_out_bits(
    network: nn.Module, windows: Windows, passes: Passes, rows: int, workers: Workers, sharers: int
) -> float:
    """Mean negative log2 likelihood of the bases in the second half of each window.

    Args:
        network: the decoder.
        windows: token ids, (count, M).
        passes: how rows go through the network.
        rows: windows of one pass.
        workers: the processes.
        sharers: processes that share each row.
    """
    for module in network.modules():
        if isinstance(module, Gengram):
            module.forget()
    batches = [windows[i : i + rows] for i in range(0, len(windows), rows)]
    teams, own = workers.world // sharers, workers.rank // sharers
    sums = torch.zeros(2, dtype=torch.float64, device=workers.device)
    for turn in range(0, len(batches), teams):
        # A team without a batch in the last turn takes part in the passes of the others and counts nothing.
        batch, mine = batches[min(turn + own, len(batches) - 1)], turn + own < len(batches)
        found = passes.predict(network, *passes.tensors(batch, None))
        assert found.output.logits_BLV is not None
        counted = found.counted_BL & (_places(batch.shape[1] - 1, found.counted_BL, workers.rank % sharers) & mine)
        sums[0] += next_base_nats(found.output.logits_BLV, found.targets_BL, counted)
        sums[1] += counted.sum()
    nats, count = workers.summed(sums).tolist()
    return nats / count / math.log(2)


def _places(length: int, counted_BL: Tensor, piece: int) -> Tensor:
    """Whether each position of a piece stands where bases of the second half are predicted, (L,)."""
    at = piece * counted_BL.shape[1] + torch.arange(counted_BL.shape[1], device=counted_BL.device)
    return at >= (length + 1) // 2 - 1
