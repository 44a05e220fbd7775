"""Handle of a run in a thread: events, cancellation and result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, ParamSpec, TypeVar, cast

from genolm.engine.events import Event, Observer, current_observer, observed

T = TypeVar("T")
P = ParamSpec("P")


class Run(Generic[T]):
    """A run in a thread of its own; as a context manager, it is cancelled when the block raises an exception.

    Args:
        function: function that performs the run; it must observe :func:`genolm.engine.events.current_observer`.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._observer = Observer((*current_observer().listeners, self._events.put))
        self._value: T | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=copy_context().run, args=(self._perform,), name="genolm run")
        self._thread.start()

    def _perform(self) -> None:
        try:
            with observed(self._observer):
                self._value = self._function()
        except BaseException as error:
            self._error = error
        finally:
            self._events.put(None)

    @property
    def done(self) -> bool:
        """Whether the run has ended: successfully, with an error, or cancelled."""
        return not self._thread.is_alive()

    def events(self) -> Iterator[Event]:
        """Yield the events as they occur, until the run has ended; each event is yielded once.

        An error of the run does not appear here: :meth:`result` raises it.
        """
        while (event := self._events.get()) is not None:
            yield event
        self._events.put(None)  # a later call ends at once

    def cancel(self) -> None:
        """Stop the run after the current batch; callable from any thread, also after the end.

        Finished parts are kept, and no output is written. :meth:`result` then raises
        :class:`genolm.engine.interrupt.CancelledError`.
        """
        self._observer.cancelled.set()

    def result(self, timeout: float | None = None) -> T:
        """Wait for the run to end and return its result; Ctrl-C while waiting cancels the run.

        Args:
            timeout: maximum time to wait, in seconds; None: no limit.

        Raises:
            TimeoutError: the run has not ended in time; it continues.
            CancelledError: the run was cancelled.
            GenolmError: the run failed, with the same error as without a handle.
        """
        try:
            self._thread.join(timeout)
        except KeyboardInterrupt:
            self.cancel()
            self._thread.join()
            raise
        if self._thread.is_alive():
            raise TimeoutError(f"the run has not ended within {timeout} seconds")
        if self._error is not None:
            raise self._error
        return cast(T, self._value)

    def __enter__(self) -> Run[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is not None:
            self.cancel()
        self._thread.join()


def start(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Run[T]:
    """Call a verb, or :func:`genolm.engine.run.run`, in a thread of its own and return its handle.

    For example ``genolm.start(genolm.variants, model, "calls.vcf", "scored.vcf", genome="hg38.fa")``.

    Args:
        function: verb to call.
        args: its positional arguments.
        kwargs: its keyword arguments.
    """
    return Run(lambda: function(*args, **kwargs))
