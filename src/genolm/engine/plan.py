"""Plan of a run: division of the input items into parts. It depends only on the items and the task."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from genolm.errors import RunError

if TYPE_CHECKING:
    from genolm.engine.events import Observer
    from genolm.engine.task import AnyTask

PART_TOKENS = 262_144  # minutes of a large model on a laptop, seconds on a GPU: the work lost when a run is killed
PART_ITEMS = 65_536

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Plan:
    """Division of a run into parts; there is at least one, so that empty input still gives an output with all columns.

    Attributes:
        sizes: number of items of each part, in input order.
        costs: estimated tokens of each part.
    """

    sizes: tuple[int, ...]
    costs: tuple[int, ...]

    @property
    def parts(self) -> int:
        """Number of parts."""
        return len(self.sizes)

    @property
    def items(self) -> int:
        """Number of items."""
        return sum(self.sizes)

    @property
    def cost(self) -> int:
        """Estimated tokens of all parts."""
        return sum(self.costs)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        return {"sizes": list(self.sizes), "costs": list(self.costs)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Plan:
        """Return the plan that :meth:`to_json` wrote."""
        return cls(tuple(values["sizes"]), tuple(values["costs"]))


def make_plan(task: AnyTask, observer: Observer | None = None) -> Plan:
    """Read all items once, so that invalid ones are reported before anything is computed.

    A part is full once it holds the task's ``part_tokens`` tokens or ``part_items`` items.

    Args:
        task: task with the items.
        observer: tells whether the run was cancelled.

    Raises:
        InputError: an item is invalid.
        CancelledError: the run was cancelled.
    """
    part_tokens = getattr(task, "part_tokens", PART_TOKENS)
    part_items = getattr(task, "part_items", PART_ITEMS)
    sizes, costs = [0], [0]
    for item in task.items():
        if observer is not None:
            observer.check()
        if costs[-1] >= part_tokens or sizes[-1] >= part_items:
            sizes.append(0)
            costs.append(0)
        sizes[-1] += 1
        costs[-1] += task.cost(item)
    return Plan(tuple(sizes), tuple(costs))


def part_items(items: Iterator[Item], plan: Plan, numbers: Collection[int]) -> Iterator[tuple[int, list[Item]]]:
    """Yield the numbers and items of the given parts, in order; other items are skipped.

    Raises:
        RunError: there are fewer items than planned.
    """
    last = max(numbers, default=-1)
    for number, size in enumerate(plan.sizes[: last + 1]):
        if number in numbers:
            part = list(islice(items, size))
            count = len(part)
            yield number, part
        else:
            count = sum(1 for _ in islice(items, size))
        if count < size:
            raise RunError(
                "the input has fewer items than when the run was planned; it must not change during a run",
                code="other-run",
            )


@dataclass(frozen=True, slots=True)
class Shard:
    """Share ``number`` (1-based) of ``count`` shares of a run: every ``count``-th part."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise _invalid_shard(str(self))

    @classmethod
    def parse(cls, shard: str | tuple[int, int] | Shard) -> Shard:
        """Parse ``"2/8"`` or ``(2, 8)``.

        Raises:
            RunError: the shard is invalid.
        """
        if isinstance(shard, Shard):
            return shard
        if isinstance(shard, str):
            match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", shard)
            if not match:
                raise _invalid_shard(shard)
            return cls(int(match[1]), int(match[2]))
        return cls(*shard)

    def parts(self, plan: Plan) -> range:
        """Return the numbers of the parts of this shard."""
        return range(self.number - 1, plan.parts, self.count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def _invalid_shard(shard: str) -> RunError:
    return RunError(f"invalid shard {shard!r}: expected i/n with 1 ≤ i ≤ n, e.g. 2/8")
