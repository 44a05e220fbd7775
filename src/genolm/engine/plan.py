"""The plan of a run: which items make which part. It depends on the items and the task alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from genolm.errors import RunError

if TYPE_CHECKING:
    from genolm.engine.task import Task

PART_TOKENS = 262_144  # minutes of a large model on a laptop, seconds on a GPU: what a kill can cost
PART_ITEMS = 65_536

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Plan:
    """Parts of a run; there is at least one, so that an empty input still makes an artefact with its columns.

    Attributes:
        sizes: items of every part, in input order.
        costs: tokens of every part.
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
        """Tokens of all parts."""
        return sum(self.costs)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"sizes": list(self.sizes), "costs": list(self.costs)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Plan:
        """The plan that :meth:`to_json` wrote."""
        return cls(tuple(values["sizes"]), tuple(values["costs"]))


def make_plan(task: Task[Any, Any]) -> Plan:
    """Reads all items once, so that whatever is wrong with them shows before anything is computed.

    A part is full once it holds the task's ``part_tokens`` tokens or ``part_items`` items.
    """
    part_tokens = getattr(task, "part_tokens", PART_TOKENS)
    part_items = getattr(task, "part_items", PART_ITEMS)
    sizes, costs = [0], [0]
    for item in task.items():
        if costs[-1] >= part_tokens or sizes[-1] >= part_items:
            sizes.append(0)
            costs.append(0)
        sizes[-1] += 1
        costs[-1] += task.cost(item)
    return Plan(tuple(sizes), tuple(costs))


def part_items(items: Iterator[Item], plan: Plan, wanted: Collection[int]) -> Iterator[tuple[int, list[Item]]]:
    """The items of the wanted parts, part by part; the others are read past.

    Raises:
        RunError: when there are fewer items than planned.
    """
    last = max(wanted, default=-1)
    for number, size in enumerate(plan.sizes[: last + 1]):
        if number in wanted:
            part = list(islice(items, size))
            found = len(part)
            yield number, part
        else:
            found = sum(1 for _ in islice(items, size))
        if found < size:
            raise RunError("the input has fewer items than when the run was planned; it must not change meanwhile")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``count`` shares of a run; ``number`` is 1-based. It owns every ``count``-th part."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise RunError(f"there is no shard {self}; write i/n with 1 <= i <= n, such as 2/8")

    @classmethod
    def parse(cls, shard: str | tuple[int, int] | Shard) -> Shard:
        """A shard from ``"2/8"`` or ``(2, 8)``.

        Raises:
            RunError: when it is neither.
        """
        if isinstance(shard, Shard):
            return shard
        if isinstance(shard, str):
            match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", shard)
            if not match:
                raise RunError(f"{shard!r} is no shard; write i/n with 1 <= i <= n, such as 2/8")
            return cls(int(match[1]), int(match[2]))
        return cls(*shard)

    def parts(self, plan: Plan) -> range:
        """The parts that this shard computes."""
        return range(self.number - 1, plan.parts, self.count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
