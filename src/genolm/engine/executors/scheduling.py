"""Distribution of parts among workers that may be lost."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from genolm.engine.events import Advanced, Note, Observer
from genolm.engine.executors.executor import ComputedPart, Job
from genolm.engine.executors.part_worker import Died, Failure, Ready, Reply
from genolm.errors import RunError
from genolm.notes import note

ATTEMPTS = 3
"""Number of workers that may be lost with the same part, or one after the other while they start."""

_POLL = 0.1  # seconds between checks whether the run was cancelled

Worker = TypeVar("Worker")


class WorkerPool(Protocol[Worker]):
    """Workers of one run."""

    def start(self) -> Worker:
        """Start a worker; it replies `Ready` once it has loaded the model."""
        ...

    def submit(self, worker: Worker, job: Job) -> None:
        """Let a worker compute a part; it replies events, and finally the computed part or a failure."""
        ...

    def replies(self, seconds: float) -> list[tuple[Worker, Reply]]:
        """Return what workers replied, and which died; wait at most some seconds for the first."""
        ...


class Scheduler(Generic[Worker]):
    """Gives each worker a part as soon as it is free; parts of lost workers are given to others.

    Args:
        pool: workers.
        count: number of workers.
        jobs: parts to compute.
        observer: receives the events of the run, and tells whether it was cancelled.
    """

    def __init__(self, pool: WorkerPool[Worker], count: int, jobs: Iterator[Job], observer: Observer) -> None:
        self._pool, self._jobs, self._observer = pool, jobs, observer
        self._again: deque[Job] = deque()
        self._idle: list[Worker] = []
        self._running: dict[Worker, Job] = {}
        self._lost: Counter[int | None] = Counter()  # workers lost, by part; None: while they started
        self._counted: Counter[int] = Counter()  # bases that the progress has of each part
        self._seen: Counter[int] = Counter()  # bases of the present attempt
        self._workers = 0
        for _ in range(count):
            self._start()

    def parts(self) -> Iterator[ComputedPart]:
        """Yield the parts as they are computed.

        Raises:
            RunError: too many workers were lost.
            CancelledError: the run was cancelled.
            GenolmError: a worker failed.
        """
        job = self._next_job()
        if job is not None:
            self._again.appendleft(job)
        while self._again or self._running:
            self._observer.check()
            for worker, reply in self._pool.replies(_POLL):
                yield from self._take(worker, reply)

    def _take(self, worker: Worker, reply: Reply) -> Iterator[ComputedPart]:
        match reply:
            case Ready():
                self._lost.pop(None, None)
                self._employ(worker)
            case ComputedPart():
                del self._running[worker]
                self._employ(worker)
                yield reply
            case Failure(error):
                raise error
            case Died(reason):
                self._replace(worker, reason)
            case Advanced(bases):
                self._advance(self._running[worker].number, bases)
            case Note(text):
                note(text)
            case event:
                self._observer.emit(event)

    def _employ(self, worker: Worker) -> None:
        """Give a free worker the next part, if one is left."""
        job = self._next_job()
        if job is None:
            self._idle.append(worker)
            return
        self._running[worker] = job
        self._seen[job.number] = 0
        self._pool.submit(worker, job)

    def _next_job(self) -> Job | None:
        return self._again.popleft() if self._again else next(self._jobs, None)

    def _replace(self, worker: Worker, reason: str) -> None:
        """Start a worker in place of a lost one, and give its part to the next that is free."""
        job = self._running.pop(worker, None)
        if worker in self._idle:
            self._idle.remove(worker)
        self._workers -= 1
        if job is None:
            self._lost_at_rest(reason)
        else:
            self._lost_at_work(job, reason)
        if job is not None and self._idle:
            self._employ(self._idle.pop())

    def _lost_at_rest(self, reason: str) -> None:
        """Replace a worker that was lost without a part, unless workers cannot be started at all."""
        self._lost[None] += 1
        if self._lost[None] < ATTEMPTS:
            self._start()
        elif not self._workers:
            raise RunError(f"{ATTEMPTS} workers were lost while they started; the last one: {reason}")

    def _lost_at_work(self, job: Job, reason: str) -> None:
        self._lost[job.number] += 1
        if self._lost[job.number] == ATTEMPTS:
            part = f"part {job.number}"
            raise RunError(f"{ATTEMPTS} workers were lost while they computed {part}; the last one: {reason}")
        note(f"a worker was lost ({reason}); its part is computed again")
        self._again.append(job)
        self._start()

    def _start(self) -> None:
        self._pool.start()
        self._workers += 1

    def _advance(self, number: int, bases: int) -> None:
        """Report progress, except for bases that were already reported before a worker was lost."""
        self._seen[number] += bases
        if (new := self._seen[number] - self._counted[number]) > 0:
            self._counted[number] += new
            self._observer.emit(Advanced(new))
