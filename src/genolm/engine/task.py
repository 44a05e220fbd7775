"""What a task supplies to the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

if TYPE_CHECKING:
    import polars as pl

    from genolm.engine.windows import Window
    from genolm.models.model import Model

Item = TypeVar("Item")
Output = TypeVar("Output")


class Task(Protocol[Item, Output]):
    """Something a user asks for in bulk: how input becomes windows, outputs become rows, rows become the artefact.

    A task is a frozen dataclass whose fields are settings that JSON can hold: numbers, texts, paths, tuples, lists,
    dicts and other frozen dataclasses of genolm (see :mod:`genolm.engine.settings`). From them ``merge`` makes the
    task again without the model.

    A task may also have class attributes ``part_tokens`` and ``part_items``: about how much goes into one part; and
    ``logits``: False where its forward never has the logits of a whole batch, so that these are not counted; and a
    method ``side_files(out)``: the files that it writes beside its output, which must not replace files of others.

    ``forward`` raises :class:`genolm.errors.NonFiniteError` for numbers of the model that are NaN or infinite. A task
    names the sequence or site concerned in a method ``subject(items, window, part) -> str``: ``window`` is the one that
    the numbers came from, and ``part`` the place among those asked about in it.
    """

    name: ClassVar[str]

    def items(self) -> Iterator[Item]:
        """What is asked about, read lazily in a fixed order and validated; can be called again from the start."""
        ...

    def cost(self, item: Item) -> int:
        """Tokens that the item costs about; sizes parts and tells the time left."""
        ...

    def windows(self, items: Sequence[Item], model: Model) -> list[Window]:
        """The windows of one part; one window may serve many items, an item may need many windows.

        The model tells what fits: with tokens of several bases windows are cut at the borders of its tokens.
        """
        ...

    def forward(self, model: Model, windows: Sequence[Window]) -> list[Output]:
        """One batch through the model, without gradients: one output for every window, in their order, on the CPU."""
        ...

    def rows(self, items: Sequence[Item], windows: Sequence[Window], outputs: Sequence[Output]) -> pl.DataFrame:
        """The rows of one part. With no items: no rows, but all columns."""
        ...

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Writes the artefact from the parts in their order, through :func:`genolm.files.atomic.atomic_file`."""
        ...

    def collect(self, frames: Iterator[pl.DataFrame]) -> Any:
        """What is returned when there is no output path: a table or an array."""
        ...

    def inputs(self) -> tuple[Path, ...]:
        """Files whose content decides the result; none for values in memory."""
        ...
