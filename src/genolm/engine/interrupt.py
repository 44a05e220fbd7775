"""Interruption of runs by Ctrl-C, SIGTERM and cancellation."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from genolm.errors import RunError


class Interrupted(KeyboardInterrupt):
    """A run was stopped by Ctrl-C or SIGTERM; finished parts are kept, and the message says how to resume."""


class CancelledError(RunError):
    """A run was cancelled by a program; finished parts are kept, and the message says how to resume."""

    default_code = "cancelled"


@contextmanager
def stoppable() -> Iterator[None]:
    """Within the context, raise KeyboardInterrupt on SIGTERM, as on Ctrl-C; has an effect in the main thread only.

    An existing handler of SIGTERM is kept.
    """
    replaced = (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    )
    if replaced:
        signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        if replaced:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt("terminated")


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set, so that a step can be finished first; main thread only."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
