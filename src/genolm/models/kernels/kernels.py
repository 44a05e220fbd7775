"""Kernels of a run: which of several equivalent implementations computes each operation.

They give the same numbers except for rounding. A run selects them once, when it is planned (see
:mod:`genolm.models.kernel_selection`); its manifest records the selection, which resumed runs, shards and workers use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from genolm.errors import InputError, RunError

VARIABLE = "GENOLM_KERNELS"
"""Environment variable that pins kernels: ``default``, or pairs such as ``linear=onednn,attention=fused``."""

Function = TypeVar("Function")


class Operation(Generic[Function]):
    """An operation with several equivalent implementations.

    Args:
        name: name of the operation.
        candidates: implementations by name.

    Attributes:
        name: name of the operation.
        candidates: implementations by name.
    """

    def __init__(self, name: str, candidates: Mapping[str, Function]) -> None:
        self.name, self.candidates = name, candidates
        _OPERATIONS[name] = self

    def kernel(self, case: str, default: str) -> Function:
        """Return the implementation that the current run uses.

        Args:
            case: class of shapes, within the operation.
            default: name of the implementation to use if none was selected.

        Raises:
            RunError: the run was planned with an implementation that this version does not have.
        """
        return self.candidates[self.named(case, default)]

    def named(self, case: str, default: str) -> str:
        """Return the name of the implementation that the current run uses; as for :meth:`kernel`."""
        chosen = current_kernels().choice(self.name, case)
        if chosen is not None and chosen not in self.candidates:
            raise RunError(
                f"the run was planned with the kernel {chosen!r} for {self.name}, which this version does not have;"
                f" it has {', '.join(self.candidates)}",
                code="other-run",
            )
        return default if chosen is None else chosen


_OPERATIONS: dict[str, Operation[Any]] = {}


@dataclass(frozen=True, slots=True)
class Kernels:
    """Selected implementations.

    Attributes:
        choices: pairs of an operation and its implementation, sorted; the operation is followed by a class of shapes
            (``attention bfloat16 16/8x64 whole 8192``), or stands alone for all of them.
        pinned: whether the user chose them, so that nothing is measured.
    """

    choices: tuple[tuple[str, str], ...] = ()
    pinned: bool = False

    def choice(self, operation: str, case: str) -> str | None:
        """Return the name of the selected implementation of an operation for a class of shapes; None if none is."""
        chosen = _table(self.choices)
        return chosen.get(f"{operation} {case}") or chosen.get(operation)

    @contextmanager
    def imposed(self) -> Iterator[None]:
        """Compute with these kernels in this thread; restore the previous ones afterwards."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[Kernels | None] = ContextVar("kernels", default=None)


def current_kernels() -> Kernels:
    """Return the kernels of the current run; outside a run, those that the environment pins."""
    return _current.get() or pinned_kernels() or DEFAULT


def pinned_kernels() -> Kernels | None:
    """Return the kernels that the environment variable ``GENOLM_KERNELS`` pins; None if it is not set.

    Raises:
        InputError: it is neither ``default`` nor pairs of an operation and one of its implementations.
    """
    text = os.environ.get(VARIABLE)
    return _parsed(text) if text else None


DEFAULT = Kernels()
"""The default implementation of every operation."""


@cache
def _parsed(text: str) -> Kernels:
    if text == "default":
        return Kernels(pinned=True)
    pairs = [tuple(part.strip() for part in pair.partition("=")[::2]) for pair in text.split(",")]
    for operation, candidate in pairs:
        if operation not in _OPERATIONS or candidate not in _OPERATIONS[operation].candidates:
            raise InputError(
                f"{VARIABLE} must be default, or operation=kernel separated by commas, with {_listed()}", value=text
            )
    return Kernels(tuple(sorted((operation, candidate) for operation, candidate in pairs)), pinned=True)


def _listed() -> str:
    return "; ".join(f"{name}: {', '.join(operation.candidates)}" for name, operation in sorted(_OPERATIONS.items()))


@cache
def _table(choices: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return dict(choices)
