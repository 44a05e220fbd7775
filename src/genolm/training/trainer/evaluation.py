"""Held-out evaluation during a run, with rows distributed over its processes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from genolm.models.gengram.gengram import Gengram
from genolm.training.rows import Rows
from genolm.training.trainer.objective import Objective, Sums
from genolm.training.trainer.workers import Workers


@torch.no_grad()
def held_out(
    network: nn.Module, rows: Rows, objective: Objective, batch_rows: int, workers: Workers, sharers: int = 1
) -> dict[str, float | None] | None:
    """Evaluate rows (collective) and return the metrics of the objective; None if nothing counts.

    Args:
        network: network to evaluate.
        rows: held-out rows.
        objective: objective of the run.
        batch_rows: rows of one pass.
        workers: processes of the run.
        sharers: number of processes that share each row.
    """
    for module in network.modules():
        if isinstance(module, Gengram):
            module.forget()
    starts = range(0, len(rows.ids_RL), batch_rows)
    teams, team = workers.world // sharers, workers.rank // sharers
    parts = []
    for turn in range(0, len(starts), teams):
        # A team without a batch in the last turn joins the collective passes with a batch that counts nothing.
        start, has_batch = starts[min(turn + team, len(starts) - 1)], turn + team < len(starts)
        batch = objective.batch(rows.select(slice(start, start + batch_rows)), held_out=True)
        parts.append(objective.evaluate(network, batch if has_batch else batch.without_targets()))
    sums = total(parts, workers)
    return objective.held_out_metrics(sums) if sums["weight"] else None


def total(parts: list[Sums], workers: Workers) -> dict[str, Any]:
    """Return the sums of all parts and ranks as (lists of) numbers (collective); there is at least one part."""
    names = {name: value.shape for name, value in parts[0].items()}
    flat = torch.stack([torch.cat([part[name].double().reshape(-1) for name in names]) for part in parts]).sum(0)
    values: Tensor = workers.all_reduce_sum(flat)
    pieces = values.split([shape.numel() for shape in names.values()])
    return {name: piece.view(shape).tolist() for (name, shape), piece in zip(names.items(), pieces, strict=True)}
