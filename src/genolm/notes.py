"""Notes to the user: remarks on valid input or on a result that is probably not what the user intended.

A note is recorded in the collections that are active and passed to the innermost receiver; without a receiver it is
logged by the logger ``genolm``, which prints it on standard error unless logging is configured otherwise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Receiver = Callable[[str], None]
"""Receives the text of each note."""

_COLLECTION: ContextVar[list[str] | None] = ContextVar("collection", default=None)
_RECEIVER: ContextVar[Receiver] = ContextVar("receiver", default=logging.getLogger("genolm").warning)


def note(text: str) -> None:
    """Tell the user something; within a collection, equal texts are passed on once."""
    collection = _COLLECTION.get()
    if collection is not None:
        if text in collection:
            return
        collection.append(text)
    _RECEIVER.get()(text)


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collect the notes made in the context; within another collection, yield that one."""
    existing = _COLLECTION.get()
    if existing is not None:
        yield existing
        return
    notes: list[str] = []
    token = _COLLECTION.set(notes)
    try:
        yield notes
    finally:
        _COLLECTION.reset(token)


@contextmanager
def held() -> Iterator[list[str]]:
    """Collect the notes made in the context without passing them on; equal texts are kept once."""
    notes: list[str] = []
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
