"""Kernels of a training run: selected when it begins, stored in its folder, and used when it is resumed."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from genolm.errors import RunError
from genolm.models.heads.headed_network import HeadedNetwork
from genolm.models.kernel_selection import select_kernels
from genolm.models.kernels.kernels import Kernels, pinned_kernels
from genolm.models.networks.network import Network
from genolm.training.trainer.schedule import tokens_until
from genolm.training.trainer.training_plan import TrainingPlan
from genolm.training.trainer.workers import Workers

_FILE = "kernels.json"


def run_kernels(
    out: Path, plan: TrainingPlan, network: Network | HeadedNetwork, workers: Workers, *, bf16: bool, resume: bool
) -> Kernels:
    """Return the kernels of a run, the same on every rank (collective).

    A new run uses pinned kernels, or those that rank 0 selects; a resumed one those that its folder records, and the
    default ones if it records none, as those of earlier versions. Sharded weights are not timed.

    Args:
        out: folder of the run.
        plan: training plan.
        network: network of the run.
        workers: processes of the run.
        bf16: whether matrix products are in bf16.
        resume: whether the run is resumed.

    Raises:
        InputError: the pinned kernels are invalid.
        RunError: the record of the kernels is damaged.
    """
    found: list[Kernels] = []

    def settle() -> None:
        file = out / _FILE
        if resume:
            found.append(_read(file))
            return
        found.append(_selected(plan, network, bf16))
        file.write_text(json.dumps(dict(found[0].choices), indent=1) + "\n")

    workers.on_first_rank(settle)
    return next(kernels for kernels in workers.all_gather(found[0] if found else None) if kernels is not None)


def _selected(plan: TrainingPlan, network: Network | HeadedNetwork, bf16: bool) -> Kernels:
    if plan.sharding == "fsdp":
        return pinned_kernels() or Kernels()
    contexts = list(dict.fromkeys(stage.context for stage in plan.all_stages))
    dtype = torch.bfloat16 if bf16 else torch.float32
    return select_kernels(network.root, contexts, tokens_until(plan.steps, plan), dtype=dtype, training=True)


def _read(file: Path) -> Kernels:
    try:
        return Kernels(tuple(sorted(json.loads(file.read_text()).items())))
    except FileNotFoundError:
        return Kernels()
    except (OSError, ValueError, AttributeError) as error:
        raise RunError(f"{file}: not a record of kernels ({error})", code="other-run") from None
