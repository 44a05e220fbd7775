"""A run from beginning to end: its folder, its data, training, and the release of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from genolm.training.trainer.objective import Feed
from genolm.training.trainer.release import Lines, release_precision
from genolm.training.trainer.run_folder import Listener, RunSettings, check_claim, claim
from genolm.training.trainer.run_kernels import run_kernels
from genolm.training.trainer.training_loop import Trainer, check_processes, prepare_device
from genolm.training.trainer.training_plan import TrainingPlan
from genolm.training.trainer.weights import gathered_weights
from genolm.training.trainer.workers import Workers


class TrainingTask(Protocol):
    """What a recipe trains, read from its files."""

    @property
    def feed(self) -> Feed:
        """Rows of every step."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of all data, and of the weights that the run starts from."""
        ...

    def trainer(self, out: Path, workers: Workers, listener: Listener | None) -> Trainer:
        """Return the trainer of the run.

        Args:
            out: folder of the run.
            workers: processes of the run.
            listener: function that receives every report.
        """
        ...

    def first_report(self, trainer: Trainer) -> dict[str, Any]:
        """Return further values for the first line of the log."""
        ...

    def release(self, folder: Path, weights: Mapping[str, Tensor], log: Lines, processes: int) -> None:
        """Write the model.

        Args:
            folder: folder of the model, replaced if it exists.
            weights: tensors of the network by name.
            log: reports up to these weights.
            processes: number of processes of the run.
        """
        ...


def run_training(
    plan: TrainingPlan,
    settings: RunSettings,
    read: Callable[[], TrainingTask],
    out: Path,
    *,
    resume: bool = False,
    steps: int | None = None,
    listener: Listener | None = None,
) -> Path:
    """Train in a folder, and return the folder of the released model.

    Args:
        plan: training plan.
        settings: settings that identify the run.
        read: function that reads the files of the recipe.
        out: folder of the run.
        resume: whether to resume from the last checkpoint in the folder.
        steps: stop after this many steps; None for those of the plan.
        listener: function that receives every report.

    Raises:
        InputError: rows cannot be divided over the processes, or a file of the recipe is invalid.
        RunError: the folder cannot be used, or training diverged.
        KeyboardInterrupt: the run was asked to stop; raised after a checkpoint.
    """
    workers = Workers(plan.trackers, out)
    check_processes(plan, workers.world)
    workers.on_first_rank(lambda: check_claim(out, settings, resume))
    prepare_device(workers.device)
    task = read()
    with ExitStack() as stack:
        stack.callback(task.feed.close)
        # Only now, so that an invalid input leaves no folder behind.
        workers.on_first_rank(lambda: stack.enter_context(claim(out, settings, task.digest, resume)))
        trainer = task.trainer(out, workers, listener)
        kernels = run_kernels(out, plan, trainer.network, workers, bf16=trainer.bf16, resume=resume)
        with kernels.imposed():
            last = trainer.train(min(steps or plan.steps, plan.steps), resume, lambda: task.first_report(trainer))
        weights = gathered_weights(trainer.network, workers.first, release_precision(plan))
        folder = out / "model"
        workers.on_first_rank(lambda: task.release(folder, weights, trainer.log_until(last), workers.world))
    return folder
