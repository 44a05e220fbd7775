"""Computation of parts in a worker process."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genolm.engine.compute_settings import ComputeSettings
from genolm.engine.events import Event, Observer, observed
from genolm.engine.executors.executor import ComputedPart, Job, compute_part
from genolm.engine.fingerprint import genolm_version
from genolm.engine.forward import Batcher
from genolm.engine.work import Work
from genolm.errors import GenolmError, ModelError, RunError
from genolm.models.checkpoints.model_transfer import pack_model, unpack_model
from genolm.notes import collected

if TYPE_CHECKING:
    from genolm.engine.task import AnyTask


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has loaded the model."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A worker raised an error, which ends the run."""

    error: BaseException

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return an error in a form that can be sent to another process."""
        if not isinstance(error, GenolmError):
            error.add_note("".join(traceback.format_exception(error)))
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # any class may refuse, in any way
            return cls(RunError(f"{type(error).__name__}: {error}"))
        return cls(error)


@dataclass(frozen=True, slots=True)
class Died:
    """A worker ended without an answer, for a reason outside genolm."""

    reason: str


Reply = Ready | Event | ComputedPart | Failure | Died
"""What the parent learns of a worker."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What every worker of a run needs.

    Attributes:
        task: the task.
        model: the model, as :func:`pack_model` returns it.
        settings: planned settings of the computation.
        token_budget: maximum tokens of a batch.
        genolm: version of genolm.
    """

    task: AnyTask
    model: bytes
    settings: ComputeSettings
    token_budget: int
    genolm: str

    @classmethod
    def pack(cls, work: Work, settings: ComputeSettings, token_budget: int) -> bytes:
        """Return the setup of a run as bytes.

        Raises:
            RunError: workers cannot import the class of the task, or receive its values.
        """
        kind = type(work.task)
        if kind.__module__ == "__main__":
            raise RunError(f"worker processes cannot import {kind.__name__} from the main program; move it to a module")
        setup = cls(work.task, pack_model(work.model), settings, token_budget, genolm_version())
        try:
            return pickle.dumps(setup)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise RunError(f"the task {work.task.name} cannot be sent to other processes: {error}") from error


class PartWorker:
    """Task and model in a worker process.

    Args:
        setup: setup of the run.
        device: device to compute on.
        name: name of the worker.
        emit: receives the events of the computation.

    Raises:
        RunError: this machine cannot follow the plan of the run.
        ModelError: the model cannot be loaded here, or is another one.
    """

    def __init__(self, setup: Setup, device: str, name: str, emit: Callable[[Event], None]) -> None:
        if setup.genolm != genolm_version():
            raise RunError(f"worker {name} has genolm {genolm_version()}, but the run was planned by {setup.genolm}")
        setup.settings.check(device, name)
        self._settings, self._name, self._observer = setup.settings, name, Observer((emit,))
        with setup.settings.imposed():
            work = Work(setup.task, _open(setup.model, device, name), self._observer, setup.token_budget)
            self._batcher = Batcher(work, work.fitting_budget())

    def compute(self, job: Job) -> ComputedPart:
        """Compute one part."""
        with observed(self._observer), collected(), self._settings.imposed():
            return compute_part(self._batcher, job, self._name)


def _open(packed: bytes, device: str, name: str) -> Any:
    try:
        return unpack_model(packed, device)
    except ModelError as error:
        raise ModelError(f"worker {name}: {error}") from error
