"""Worker processes on the devices of this machine."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from genolm.engine.compute_settings import ComputeSettings
from genolm.engine.executors.executor import Job, Parts, jobs
from genolm.engine.executors.part_worker import Died, Reply, Setup
from genolm.engine.executors.scheduling import Scheduler

if TYPE_CHECKING:
    from genolm.engine.plan import Plan
    from genolm.engine.work import Work
    from genolm.models.model import Model

_ENDING = 5.0  # seconds that a process which has closed its socket may take to end


@dataclass(frozen=True, slots=True)
class DeviceWorkers:
    """Executor with one worker process per device, each with the model.

    Attributes:
        devices: device of each worker, such as ``("cuda:0", "cuda:1")`` or ``("cpu", "cpu")``; all of one kind.
        threads: CPU threads of each worker; None for those of the run that is continued, else the threads of this
            process divided by the number of workers.
    """

    devices: tuple[str, ...]
    threads: int | None = None

    @property
    def kind(self) -> str:
        """Kind of the devices."""
        return self.devices[0].partition(":")[0]

    def settings(self, model: Model, planned: ComputeSettings | None) -> ComputeSettings:
        """Return the settings; see :class:`genolm.engine.executors.executor.Executor`."""
        here = ComputeSettings.here(self.devices[0])
        shared = replace(here, threads=max(1, here.threads // len(self.devices))).following(planned)
        return shared if self.threads is None else replace(shared, threads=self.threads)

    def compute(
        self, work: Work, settings: ComputeSettings, plan: Plan, numbers: Collection[int], token_budget: int
    ) -> Parts:
        """Yield the given parts; see :class:`genolm.engine.executors.executor.Executor`."""
        pool = _Processes(self.devices, Setup.pack(work, settings, token_budget), settings.threads)
        try:
            count = min(len(self.devices), len(numbers))
            yield from Scheduler(pool, count, jobs(work, plan, numbers), work.observer).parts()
        finally:
            pool.close()


@dataclass(eq=False, slots=True)
class _Process:
    """A worker process and the socket to it."""

    place: int
    process: subprocess.Popen[bytes]
    connection: Connection


class _Processes:
    """Worker processes; each has a place with a device, which its successor takes when it dies."""

    def __init__(self, devices: tuple[str, ...], setup: bytes, threads: int) -> None:
        self._devices, self._setup = devices, setup
        self._free = deque(range(len(devices)))
        self._workers: dict[Connection, _Process] = {}
        # Relative entries and those added by the program are found by the workers, too.
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100  entries are text
        self._environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}

    def start(self) -> _Process:
        """Start a process at a free place."""
        place = self._free.popleft()
        ours, theirs = socket.socketpair()
        with theirs:
            words = (str(theirs.fileno()), self._devices[place], self._name(place))
            process = subprocess.Popen(
                [sys.executable, "-m", "genolm.engine.executors.worker_process", *words],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,  # closed when this process dies
                stdout=2,  # standard output belongs to the results
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches this process only
            )
        worker = _Process(place, process, Connection(ours.detach()))
        self._workers[worker.connection] = worker
        self._send(worker, self._setup)
        return worker

    def submit(self, worker: _Process, job: Job) -> None:
        """Send a part to a worker."""
        self._send(worker, pickle.dumps(job))

    def replies(self, seconds: float) -> list[tuple[_Process, Reply]]:
        """Return one reply of each worker that has any."""
        ready = wait(list(self._workers), seconds)
        workers = [worker for connection, worker in self._workers.items() if connection in ready]
        return [(worker, self._reply(worker)) for worker in workers]

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers.values():
            worker.process.kill()
        for worker in list(self._workers.values()):
            self._remove(worker)

    def _name(self, place: int) -> str:
        device = self._devices[place]
        return f"{device} {place + 1}" if self._devices.count(device) > 1 else device

    def _send(self, worker: _Process, message: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # its death is noticed when the reply is read
            worker.connection.send_bytes(message)

    def _reply(self, worker: _Process) -> Reply:
        try:
            reply: Reply = pickle.loads(worker.connection.recv_bytes())
        except (EOFError, ConnectionResetError):
            return Died(f"{self._name(worker.place)}: {_ending(self._remove(worker))}")
        return reply

    def _remove(self, worker: _Process) -> int:
        """Wait for the end of a process and release its place; return its exit status."""
        del self._workers[worker.connection]
        self._free.append(worker.place)
        worker.connection.close()
        if worker.process.stdin is not None:
            worker.process.stdin.close()
        try:
            return worker.process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            return worker.process.wait()


def _ending(status: int) -> str:
    """Describe the end of a process."""
    if status >= 0:
        return f"exit status {status}"
    name = signal.Signals(-status).name
    return f"{name}, as when memory runs out" if name == "SIGKILL" else name
