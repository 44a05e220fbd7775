"""Events of a run, their receivers, and cancellation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from genolm import notes
from genolm.engine.interrupt import CancelledError
from genolm.remedies import Notice

if TYPE_CHECKING:
    from genolm.engine.result import Estimate, Result


@dataclass(frozen=True, slots=True)
class Planned:
    """The input was read and validated, and divided into parts.

    Attributes:
        task: name of the task.
        items: number of input items.
        parts: number of parts.
        todo: number of parts to compute; fewer than ``parts`` with finished parts, or for a shard.
    """

    task: str
    items: int
    parts: int
    todo: int


@dataclass(frozen=True, slots=True)
class Started:
    """Computing begins.

    Attributes:
        label: name of the task.
        bases: bases to compute, including finished ones.
        done: bases that were finished by an earlier run.
    """

    label: str
    bases: int
    done: int = 0


@dataclass(frozen=True, slots=True)
class Advanced:
    """Some more bases were computed.

    Attributes:
        bases: number of bases since the previous event of this kind.
    """

    bases: int


@dataclass(frozen=True, slots=True)
class PartDone:
    """A part was computed and, unless the run is in memory, stored.

    Attributes:
        number: number of the part, 0-based.
        seconds: time that the computation took, without loading the model and storing the part.
        worker: name of the worker that computed it.
    """

    number: int
    seconds: float
    worker: str


@dataclass(frozen=True, slots=True)
class BatchHalved:
    """Memory is short: the following batches are smaller.

    Attributes:
        token_budget: maximum tokens of a batch from now on.
        reason: explanation for the user.
    """

    token_budget: int
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """A note to the user (:mod:`genolm.notes`); ``str(notice)`` is its text.

    Attributes:
        notice: text and remedy.
    """

    notice: Notice


@dataclass(frozen=True, slots=True)
class Stopped:
    """Computing has ended, successfully or not; the output may still have to be assembled."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The run has succeeded.

    Attributes:
        outcome: result of the run, or estimate of a dry run.
    """

    outcome: Result | Estimate


Event = Planned | Started | Advanced | PartDone | BatchHalved | Note | Stopped | Finished

Listener = Callable[[Event], None]
"""Receives each event of a run, in the thread that computes it."""


@dataclass(frozen=True, slots=True)
class Observer:
    """Receivers of a run's events, and the request to cancel it.

    Attributes:
        listeners: receivers of every event.
        cancelled: set by any thread to cancel the run.
    """

    listeners: tuple[Listener, ...] = ()
    cancelled: threading.Event = field(default_factory=threading.Event)

    def emit(self, event: Event) -> None:
        """Pass an event to every listener."""
        for listener in self.listeners:
            listener(event)

    def check(self) -> None:
        """Raise :class:`CancelledError` if the run was cancelled."""
        if self.cancelled.is_set():
            raise CancelledError("the run was cancelled")

    def also(self, listener: Listener | None) -> Observer:
        """Return an observer with one more listener."""
        return self if listener is None else replace(self, listeners=(*self.listeners, listener))

    @contextmanager
    def computing(self, label: str, bases: int, done: int = 0) -> Iterator[None]:
        """Emit `Started`, and on leaving the context `Stopped`."""
        self.emit(Started(label, bases, done))
        try:
            yield
        finally:
            self.emit(Stopped())


_CURRENT: ContextVar[Observer | None] = ContextVar("observer", default=None)


def current_observer() -> Observer:
    """Return the observer of the context; one without listeners that is never cancelled if there is none."""
    return _CURRENT.get() or Observer()


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Let ``observer`` receive the events and notes of runs in the context."""
    token = _CURRENT.set(observer)
    try:
        with notes.received(lambda notice: observer.emit(Note(notice))) if observer.listeners else nullcontext():
            yield
    finally:
        _CURRENT.reset(token)
