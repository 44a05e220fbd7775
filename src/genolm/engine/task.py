"""Interface between a task and the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

if TYPE_CHECKING:
    import polars as pl

    from genolm.engine.windows import Window
    from genolm.models.model import Model

Item = TypeVar("Item")
Origin = TypeVar("Origin")
Output = TypeVar("Output")


class Task(Protocol[Item, Origin, Output]):
    """A bulk computation: from input items to windows, from model outputs to rows, and from rows to the output file.

    A task is a frozen dataclass. Its fields are settings that can be stored as JSON: numbers, text, paths, tuples,
    lists, dicts and other frozen dataclasses of genolm (see :mod:`genolm.engine.settings`). ``merge`` recreates the
    task from them without the model.

    Optional class attributes: ``part_tokens`` and ``part_items``, the approximate size of a part, and ``logits``, which
    is False if ``forward`` never holds the logits of a complete batch, so that the memory estimate omits them. Optional
    method: ``side_files(out)``, the files that are written next to the output; foreign ones are never replaced.

    ``assemble`` and ``collect`` may analyse all rows together. Optional class attribute ``analysis``: the names of the
    fields that matter only there, so that kept parts can be analysed again with other values
    (:func:`genolm.engine.analysis.analyse`). ``training.rate`` names a field of the dataclass in ``training``.

    ``forward`` raises :class:`genolm.errors.NonFiniteError` if the model returns NaN or infinity. An optional method
    ``subject(items, window, part) -> str`` names the sequence or site concerned: ``window`` is the window with the
    value and ``part`` the index of the item within that window.
    """

    name: ClassVar[str]

    def items(self) -> Iterator[Item]:
        """Yield the validated input items lazily and in a fixed order; every call starts from the beginning."""
        ...

    def cost(self, item: Item) -> int:
        """Return the estimated tokens of an item; used for part sizes and the remaining time."""
        ...

    def windows(self, items: Sequence[Item], model: Model) -> list[Window[Origin]]:
        """Return the windows of one part; a window may serve several items, and an item may need several windows.

        The model determines the window sizes; with multi-base tokens, windows are cut at token boundaries.
        """
        ...

    def forward(self, model: Model, windows: Sequence[Window[Origin]]) -> list[Output]:
        """Run one batch without gradients and return one output per window, in order, on the CPU."""
        ...

    def rows(self, items: Sequence[Item], windows: Sequence[Window[Origin]], outputs: Sequence[Output]) -> pl.DataFrame:
        """Return the rows of one part; without items, an empty frame with all columns."""
        ...

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Write the output file from the parts, in order, with :func:`genolm.files.atomic.atomic_file`."""
        ...

    def collect(self, frames: Iterator[pl.DataFrame]) -> Any:
        """Return the result of a run without an output path: a table or an array."""
        ...

    def inputs(self) -> tuple[Path, ...]:
        """Return the files whose content determines the result; empty for values in memory."""
        ...


AnyTask = Task[Any, Any, Any]
"""A task whose items, origins and outputs pass through the engine unseen."""
