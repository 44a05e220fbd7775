"""Notes to the user: remarks on valid input or on a result that is probably not what the user intended.

A note is recorded in the collections that are active and passed to the innermost receiver; without a receiver it is
logged by the logger ``genolm``, which prints it on standard error unless logging is configured otherwise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from genolm.remedies import Notice

Receiver = Callable[[Notice], None]
"""Receives each note."""

_COLLECTION: ContextVar[list[Notice] | None] = ContextVar("collection", default=None)
_RECEIVER: ContextVar[Receiver] = ContextVar("receiver", default=logging.getLogger("genolm").warning)


def note(message: Notice | str) -> None:
    """Tell the user something; within a collection, equal notes are passed on once."""
    notice = Notice(message) if isinstance(message, str) else message
    collection = _COLLECTION.get()
    if collection is not None:
        if notice in collection:
            return
        collection.append(notice)
    _RECEIVER.get()(notice)


@contextmanager
def collected() -> Iterator[list[Notice]]:
    """Collect the notes made in the context; within another collection, yield that one."""
    existing = _COLLECTION.get()
    if existing is not None:
        yield existing
        return
    notes: list[Notice] = []
    token = _COLLECTION.set(notes)
    try:
        yield notes
    finally:
        _COLLECTION.reset(token)


@contextmanager
def held() -> Iterator[list[Notice]]:
    """Collect the notes made in the context without passing them on; equal notes are kept once."""
    notes: list[Notice] = []
    token = _COLLECTION.set(notes)
    try:
        with received(lambda _: None):
            yield notes
    finally:
        _COLLECTION.reset(token)


@contextmanager
def received(receiver: Receiver) -> Iterator[None]:
    """Pass the notes made in the context to a receiver instead of the logger."""
    token = _RECEIVER.set(receiver)
    try:
        yield
    finally:
        _RECEIVER.reset(token)
