"""Tables of docs/studies/recurrent_memory.md, generated from results.json.

    python -m studies.recurrent_memory.report

rewrites the text between ``<!-- NAME table: begin -->`` and ``<!-- NAME table: end -->``. A test compares the page with
the results.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.tables import markdown_table, replace_tables

from studies.recurrent_memory.run import LENGTHS, RESULTS, TASKS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "studies" / "recurrent_memory.md"
ARMS = ("memory", "memory forgotten", "no memory")

Results = dict[str, Any]


def filled(page: str, results: Results) -> str:
    """Return the text of the page with all tables regenerated."""
    return replace_tables(page, lambda name: TABLES[name](results))


def wilson(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion (Wilson 1927)."""
    z, share = 1.959964, right / count
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)


def right_of(results: Results, task: str, arm: str, segments: int) -> list[int]:
    """Return the number of correct answers for each seed."""
    return [run["right"][arm][str(segments)] for run in results["runs"] if run["task"] == task]


def _accuracy_table(results: Results) -> str:
    rows = []
    for task in TASKS:
        for arm in ARMS:
            cells = []
            for segments in LENGTHS:
                right = right_of(results, task, arm, segments)
                count = results["runs"][0]["tested"] * len(right)
                low, high = wilson(sum(right), count)
                cells.append(f"{sum(right) / count:.3f} ({low:.3f} to {high:.3f})")
            rows.append((task, arm, *cells))
    return markdown_table(("task", "network", *map(str, LENGTHS)), rows)


def _seeds_table(results: Results) -> str:
    rows = []
    for run in results["runs"]:
        steps = run["training"]["memory"]["stage_steps"]
        shares = (f"{run['right']['memory'][str(segments)] / run['tested']:.3f}" for segments in LENGTHS[-4:])
        seconds = (f"{run['training'][arm]['seconds']:.0f}" for arm in ("memory", "no memory"))
        rows.append((run["task"], run["seed"], " + ".join(map(str, steps)), sum(steps), *seconds, *shares))
    head = ("task", "seed", "steps per stage", "steps", "seconds", "seconds without memory")
    return markdown_table((*head, *(f"accuracy, {segments} segments" for segments in LENGTHS[-4:])), rows)


def _where_table(results: Results) -> str:
    machine, setting = results["machine"], results["setting"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    seeds = sorted({run["seed"] for run in results["runs"]})
    plan, encoder = setting["plan"], setting["encoder"]
    return (
        f"Encoder: {encoder['layers']} layers, width {encoder['width']}, {encoder['heads']} heads; memory of"
        f" {plan['memory']} vectors; {plan['content']} content tokens per segment, {setting['bases_per_token']}"
        f" bases per token. AdamW at {plan['rate']}, batches of {plan['rows']}, gradients clipped at {plan['clip']}."
        f" Tested on {results['runs'][0]['tested']:,} new sequences per length;"
        f" seeds {', '.join(map(str, seeds))}.\n\n"
        f"`studies/recurrent_memory/results.json`: {machine['processor']}, one thread; {versions}; commit"
        f" {machine['commit'][:9]}.\n"
    )


TABLES: dict[str, Callable[[Results], str]] = {
    "accuracy": _accuracy_table,
    "seeds": _seeds_table,
    "where": _where_table,
}


def main() -> None:
    """Regenerate the page."""
    PAGE.write_text(filled(PAGE.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
