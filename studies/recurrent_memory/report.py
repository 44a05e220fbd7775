"""The tables of docs/studies/recurrent_memory.md, made from results.json.

    python -m studies.recurrent_memory.report

rewrites what stands between ``<!-- NAME table: begin -->`` and ``<!-- NAME table: end -->``; a test compares the page
with the results.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from studies.recurrent_memory.run import LENGTHS, RESULTS, TASKS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "studies" / "recurrent_memory.md"
ARMS = ("memory", "memory forgotten", "no memory")
_MARKED = re.compile(r"(<!-- (?P<name>[a-z ]+) table: begin -->\n).*?(<!-- (?P=name) table: end -->)", re.S)

Told = dict[str, Any]


def filled(page: str, told: Told) -> str:
    """The page's text with every table made anew."""
    return _MARKED.sub(lambda match: f"{match[1]}{TABLES[match['name']](told)}{match[3]}", page)


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z, share = 1.959964, right / count
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)


def right_of(told: Told, task: str, arm: str, segments: int) -> list[int]:
    """Right answers of every seed."""
    return [run["right"][arm][str(segments)] for run in told["runs"] if run["task"] == task]


def _accuracy_table(told: Told) -> str:
    rows = []
    for task in TASKS:
        for arm in ARMS:
            cells = []
            for segments in LENGTHS:
                right = right_of(told, task, arm, segments)
                count = told["runs"][0]["tested"] * len(right)
                low, high = wilson(sum(right), count)
                cells.append(f"{sum(right) / count:.3f} ({low:.3f} to {high:.3f})")
            rows.append((task, arm, *cells))
    return _table(("task", "network", *map(str, LENGTHS)), rows)


def _seeds_table(told: Told) -> str:
    rows = []
    for run in told["runs"]:
        steps = run["training"]["memory"]["stage_steps"]
        shares = (f"{run['right']['memory'][str(segments)] / run['tested']:.3f}" for segments in LENGTHS[-4:])
        seconds = (f"{run['training'][arm]['seconds']:.0f}" for arm in ("memory", "no memory"))
        rows.append((run["task"], run["seed"], " + ".join(map(str, steps)), sum(steps), *seconds, *shares))
    head = ("task", "seed", "steps of the stages", "steps", "seconds", "without memory")
    return _table((*head, *(f"accuracy at {segments}" for segments in LENGTHS[-4:])), rows)


def _where_table(told: Told) -> str:
    machine, setting = told["machine"], told["setting"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    seeds = sorted({run["seed"] for run in told["runs"]})
    plan, encoder = setting["plan"], setting["encoder"]
    return (
        f"Encoder: {encoder['layers']} layers, width {encoder['width']}, {encoder['heads']} heads; memory of"
        f" {plan['memory']} vectors; {plan['content']} tokens of content in a segment, {setting['bases_per_token']}"
        f" bases a token. AdamW at {plan['rate']}, batches of {plan['rows']}, gradients clipped at {plan['clip']}."
        f" Tested on {told['runs'][0]['tested']:,} new sequences for each length;"
        f" seeds {', '.join(map(str, seeds))}.\n\n"
        f"`studies/recurrent_memory/results.json`: {machine['processor']}, one thread; {versions}; commit"
        f" {machine['commit'][:9]}.\n"
    )


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


TABLES: dict[str, Callable[[Told], str]] = {
    "accuracy": _accuracy_table,
    "seeds": _seeds_table,
    "where": _where_table,
}


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(filled(PAGE.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
