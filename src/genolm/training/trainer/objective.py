"""What the trainer needs of an objective and of its data: batches, losses that add up, and rows for every step."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, Self

from torch import Tensor, nn

from genolm.training.rows import Rows
from genolm.training.trainer.training_plan import Stage

Sums = Mapping[str, Tensor]
"""Sums in fp64 by name, of any shape; those of parts of a batch add up to those of the batch."""


class Batch(Protocol):
    """Rows on the device with their targets."""

    @property
    def size(self) -> int:
        """Number of rows."""
        ...

    @property
    def weight(self) -> Tensor:
        """Weight of the rows in the mean loss: the number of counted tokens, labels or positions."""
        ...

    def rows(self, rows: slice) -> Self:
        """Return some of the rows."""
        ...

    def without_targets(self) -> Self:
        """Return one row with weight zero, so that this rank joins the collective."""
        ...

    def values(self) -> Iterator[tuple[str, Tensor]]:
        """Yield name and value of the floating-point inputs, to report one that is not finite."""
        ...


class Loss(NamedTuple):
    """Loss of a micro-batch.

    Attributes:
        total: sum over its weight, differentiable.
        sums: what is reported: ``loss`` (sum), ``weight``, and further sums of the objective.
    """

    total: Tensor
    sums: Sums


class Objective(Protocol):
    """An objective: what is predicted from a batch, how it is scored, and what is reported.

    Attributes:
        loss_name: name of the main metric in reports.
        higher_is_better: metrics of held-out evaluation of which higher values are better.
    """

    loss_name: str
    higher_is_better: Collection[str]

    def batch(self, rows: Rows, held_out: bool = False) -> Any:
        """Return rows on the device as a :class:`Batch`; for held-out evaluation, with the positions that count there.

        Args:
            rows: rows of a feed.
            held_out: whether the batch is for held-out evaluation.
        """
        ...

    def loss(self, network: nn.Module, batch: Any) -> Loss:
        """Return the loss of a micro-batch."""
        ...

    def evaluate(self, network: nn.Module, batch: Any) -> Sums:
        """Return the sums of a held-out batch, ``loss`` and ``weight`` among them; called without gradients."""
        ...

    def metrics(self, sums: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metrics of a step from its sums as (lists of) numbers."""
        ...

    def held_out_metrics(self, sums: Mapping[str, Any]) -> dict[str, float | None]:
        """Return the metrics of a held-out evaluation from its sums; None for one that is undefined."""
        ...


class Feed(Protocol):
    """Rows of a run: a function of the step. The step is therefore the whole state of a feed."""

    @property
    def digest(self) -> str:
        """SHA-256 of the data."""
        ...

    def rows(self, step: int, team: int, teams: int) -> Rows:
        """Return the rows of one team in a step: every ``teams``-th row of the batch, starting at ``team``.

        Args:
            step: 0-based step.
            team: number of the team, a group of processes that share rows.
            teams: number of teams.
        """
        ...

    def held_out(self, stage: Stage) -> Mapping[str, Rows]:
        """Return the held-out rows of every split, of the length of a stage."""
        ...

    def metrics(self) -> dict[str, Any]:
        """Return what the first line of the log reports about the data."""
        ...

    def close(self) -> None:
        """Release threads and files."""
        ...
