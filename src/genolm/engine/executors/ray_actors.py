"""Workers in a Ray cluster."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from genolm.engine.compute_settings import ComputeSettings, machine
from genolm.engine.executors.executor import Job, Parts, jobs
from genolm.engine.executors.part_worker import Died, Failure, PartWorker, Ready, Reply, Setup
from genolm.engine.executors.ray_cluster import RayCluster, connected
from genolm.engine.executors.scheduling import Scheduler
from genolm.errors import RunError

if TYPE_CHECKING:
    from genolm.engine.plan import Plan
    from genolm.engine.work import Work
    from genolm.models.model import Model


@dataclass(frozen=True, slots=True)
class RayActors:
    """Executor with Ray actors, each with the model; the nodes read the same genome and model files.

    The events of a part arrive with its result.

    Attributes:
        address: address of a running cluster (``auto``, ``HOST:PORT`` or ``ray://HOST:PORT``); None for the one to
            which the program is connected, or else a new one on this machine.
        workers: maximum number of actors; None for as many as the cluster can run at the same time.
        threads: CPU threads of each actor; None for those of the run that is continued, else 1.
        device: ``cpu``, or ``cuda`` for one GPU per actor.
    """

    address: str | None = None
    workers: int | None = None
    threads: int | None = None
    device: str = "cpu"

    @property
    def kind(self) -> str:
        """Kind of the devices."""
        return self.device

    def settings(self, model: Model, planned: ComputeSettings | None) -> ComputeSettings:
        """Return the settings of a node; see :class:`genolm.engine.executors.executor.Executor`."""
        threads = self.threads or (planned.threads if planned else 1)
        with connected(self.address, self._cpus(threads)) as cluster:
            processor, version = cluster.call(machine, self.device, threads=threads, gpus=self._gpus)
        here = ComputeSettings(self.device, threads, torch.get_float32_matmul_precision(), processor, version)
        return replace(here.following(planned), threads=threads)

    def compute(
        self, work: Work, settings: ComputeSettings, plan: Plan, numbers: Collection[int], token_budget: int
    ) -> Parts:
        """Yield the given parts; see :class:`genolm.engine.executors.executor.Executor`."""
        setup = Setup.pack(work, settings, token_budget)
        with connected(self.address, self._cpus(settings.threads)) as cluster:
            pool = _Actors(cluster, setup, self.device, settings.threads, self._gpus)
            try:
                workers = min(self.workers or pool.room, pool.room, len(numbers))
                yield from Scheduler(pool, workers, jobs(work, plan, numbers), work.observer).parts()
            finally:
                pool.close()

    @property
    def _gpus(self) -> int:
        return int(self.device == "cuda")

    def _cpus(self, threads: int) -> int:
        return threads * (self.workers or 1)


class PartActor:
    """Actor with a task and a model.

    Args:
        setup: setup of the run, packed.
        path: where the program finds modules, for classes of its own.
        device: device to compute on.
        name: name of the worker.
    """

    def __init__(self, setup: bytes, path: Sequence[str], device: str, name: str) -> None:
        sys.path += [folder for folder in path if folder not in sys.path]
        self._setup, self._device, self._name = setup, device, name
        self._replies: list[Reply] = []
        self._worker: PartWorker | None = None

    def open(self) -> bytes:
        """Load the model; return `Ready` or a failure, after any events."""
        try:
            self._worker = PartWorker(pickle.loads(self._setup), self._device, self._name, self._replies.append)
            self._replies.append(Ready())
        except Exception as error:
            self._replies.append(Failure.of(error))
        return self._collected()

    def compute(self, job: Job) -> bytes:
        """Compute a part; return the events and the part, or a failure."""
        try:
            assert self._worker is not None
            self._replies.append(self._worker.compute(job))
        except Exception as error:
            self._replies.append(Failure.of(error))
        return self._collected()

    def _collected(self) -> bytes:
        replies, self._replies[:] = list(self._replies), []
        return pickle.dumps(replies)


class _Actors:
    """Actors of a run."""

    def __init__(self, cluster: RayCluster, setup: bytes, device: str, threads: int, gpus: int) -> None:
        self._cluster, self._device, self._need = cluster, device, (threads, gpus)
        self.room = cluster.room(threads, gpus)
        self._class = cluster.ray.remote(num_cpus=threads, num_gpus=gpus, max_restarts=0)(PartActor)
        self._setup = cluster.ray.put(setup)
        self._names: dict[Any, str] = {}
        self._pending: dict[Any, Any] = {}  # actors by the answer that is awaited
        self._started = 0

    def start(self) -> Any:
        """Start an actor wherever the cluster has room."""
        self._started += 1
        name = f"ray {self._started}"
        actor = self._class.remote(self._setup, sys.path, self._device, name)
        self._names[actor] = name
        self._pending[actor.open.remote()] = actor
        return actor

    def submit(self, worker: Any, job: Job) -> None:
        """Send a part to an actor."""
        self._pending[worker.compute.remote(job)] = worker

    def replies(self, seconds: float) -> list[tuple[Any, Reply]]:
        """Return the replies of the actors that have finished a part or were lost."""
        self._cluster.check(*self._need)
        ready, _ = self._cluster.ray.wait(list(self._pending), num_returns=1, timeout=seconds)
        answered = [(answer, self._pending.pop(answer)) for answer in ready]
        return [(actor, reply) for answer, actor in answered for reply in self._answer(answer, actor)]

    def close(self) -> None:
        """End all actors."""
        for actor in self._names:
            self._cluster.kill(actor)

    def _answer(self, answer: Any, actor: Any) -> list[Reply]:
        errors = self._cluster.ray.exceptions
        try:
            replies: list[Reply] = pickle.loads(self._cluster.ray.get(answer))
        except errors.RayTaskError as error:  # outside PartActor, as when its module cannot be imported
            return [Failure(RunError(f"{self._names[actor]}: {error.cause}"))]
        except errors.RayError as error:
            return [Died(f"{self._names.pop(actor)}: {_first_line(error)}")]
        return replies


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
