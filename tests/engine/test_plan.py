"""Part borders depend on items and task alone."""

from dataclasses import dataclass

import pytest
from engine_toys import Listed
from hypothesis import given
from hypothesis import strategies as st

from genolm.engine.plan import PART_TOKENS, Plan, make_plan, part_items
from genolm.errors import RunError

sequences = st.lists(st.text("A", max_size=60), max_size=30).map(tuple)


def test_borders_by_hand():
    plan = make_plan(Listed(("A" * 30, "A" * 10, "A", "A" * 50, "A" * 3)))
    assert plan == Plan(sizes=(2, 2, 1), costs=(40, 51, 3))
    assert (plan.parts, plan.items, plan.cost) == (3, 5, 94)


def test_an_empty_input_is_one_empty_part():
    assert make_plan(Listed(())) == Plan((0,), (0,))


@given(sequences)
def test_a_plan_accounts_for_every_item(texts):
    plan = make_plan(Listed(texts))
    assert (plan.items, plan.cost) == (len(texts), sum(map(len, texts)))
    assert all(cost >= 40 for cost in plan.costs[:-1])
    assert Plan.from_json(plan.to_json()) == plan


@given(sequences, st.sets(st.integers(0, 5)))
def test_parts_hand_out_the_items_in_order(texts, wanted):
    plan = make_plan(Listed(texts))
    wanted = {number for number in wanted if number < plan.parts}
    parts = dict(part_items(iter(texts), plan, wanted))
    assert list(parts) == sorted(wanted)
    everything = dict(part_items(iter(texts), plan, range(plan.parts)))
    assert [text for part in everything.values() for text in part] == list(texts)
    assert all(parts[number] == everything[number] for number in wanted)


def test_items_behind_the_last_wanted_part_are_not_read():
    def items():
        yield from ("A" * 40, "A" * 40)
        raise AssertionError("read too far")

    assert list(part_items(items(), Plan((1, 1, 1), (40,) * 3), {1})) == [(1, ["A" * 40])]


def test_too_few_items_are_an_error():
    with pytest.raises(RunError, match="fewer items than when the run was planned"):
        list(part_items(iter(["A"]), Plan((1, 1), (40, 40)), {1}))


def test_many_cheap_items_fill_a_part_too():
    assert make_plan(_Cheap(("",) * 10)).sizes == (4, 4, 2)


@dataclass(frozen=True, slots=True)
class _Cheap(Listed):
    part_items = 4


def test_the_default_size_is_used_without_an_own():
    task = type("Plain", (), {"items": lambda self: iter([PART_TOKENS - 1, 1, 1]), "cost": lambda self, item: item})()
    assert make_plan(task).costs == (PART_TOKENS, 1)
