"""The tables of docs/studies/gengram.md, made from results.json.

    python -m studies.gengram.report

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

import numpy as np
from numpy.typing import NDArray

from studies.gengram.arms import ARMS
from studies.gengram.measures import PROBES
from studies.gengram.run import PROBED_SEED, RESULTS, SPLITS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "studies" / "gengram.md"
_MARKED = re.compile(r"(<!-- (?P<name>[a-z ]+) table: begin -->\n).*?(<!-- (?P=name) table: end -->)", re.S)
# Two-sided 95 % points of Student's t by degrees of freedom.
_T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}

Run = dict[str, Any]


def filled(page: str, told: dict[str, Any]) -> str:
    """The page's text with every table made anew."""
    runs = {(run["arm"], run["seed"]): run for run in told["runs"]}
    return _MARKED.sub(lambda match: f"{match[1]}{TABLES[match['name']](runs, told)}{match[3]}", page)


def seeds_of(runs: dict[tuple[str, int], Run], arm: str) -> list[Run]:
    """All runs of an arm, by seed."""
    return [runs[key] for key in sorted(runs) if key[0] == arm]


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % interval over seeds by Student's t."""
    array = np.array(values)
    return float(array.mean()), float(_T95[len(array) - 1] * array.std(ddof=1) / math.sqrt(len(array)))


def against_baseline(runs: dict[tuple[str, int], Run], arm: str, split: str) -> tuple[float, float, float]:
    """Mean difference to the baseline over seeds and windows, with its 95 % bootstrap interval over windows.

    Runs of the same seed share their rows and are compared with each other, window by window.
    """
    ours, theirs = (_bits(runs, name, split) for name in (arm, "baseline"))
    difference = (ours - theirs).mean(0)
    random = np.random.default_rng(0)
    means = [difference[random.integers(len(difference), size=len(difference))].mean() for _ in range(2000)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(difference.mean()), float(low), float(high)


def _bits(runs: dict[tuple[str, int], Run], arm: str, split: str) -> NDArray[np.float64]:
    return np.array([run["window_bits"][split] for run in seeds_of(runs, arm)])


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _number(value: float, digits: int = 4) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


def _bits_table(runs: dict[tuple[str, int], Run], told: dict[str, Any]) -> str:
    rows = []
    for arm in ARMS:
        row: list[object] = [arm]
        for split in SPLITS:
            mean, half = over_seeds([float(np.mean(run["window_bits"][split])) for run in seeds_of(runs, arm)])
            row.append(f"{_number(mean)} ± {_number(half)}")
        if arm == "baseline":
            row += ["–", "–"]
        else:
            row += [
                f"{_number(mean)} ({_number(low)} to {_number(high)})"
                for mean, low, high in (against_baseline(runs, arm, split) for split in SPLITS)
            ]
        rows.append(row)
    return _table(("arm", *SPLITS, *(f"{split} − baseline" for split in SPLITS)), rows)


def _arms_table(runs: dict[tuple[str, int], Run], told: dict[str, Any]) -> str:
    rows = []
    for arm, about in ARMS.items():
        own = seeds_of(runs, arm)
        plain = {run["seed"]: run["step_seconds_median"] for run in seeds_of(runs, "baseline")}
        ratio = float(np.mean([run["step_seconds_median"] / plain[run["seed"]] for run in own]))
        rows.append(
            (arm, about.what, f"{own[0]['parameters']:,}", _number(own[0]["parameters"] * 4 / 1e6, 1), f"{ratio:.2f}")
        )
    head = ("arm", "what", "weights", "fp32 weights, MB", "seconds of a step over the baseline's")
    return _table(head, rows)


def _probes_table(runs: dict[tuple[str, int], Run], told: dict[str, Any]) -> str:
    rows: list[list[object]] = []
    for arm in ARMS:
        found = runs[arm, PROBED_SEED]["probe_auc"]
        rows.append([arm, *(_number(found[name], 3) for name in PROBES)])
    for name, values in told["probe_baselines"].items():
        rows.append([f"*{name}*", *(_number(values[probe], 3) for probe in PROBES)])
    return _table(("AUC", *PROBES), rows)


def _balance_table(runs: dict[tuple[str, int], Run], told: dict[str, Any]) -> str:
    rows = []
    for arm in ARMS:
        curves = [run["load_balance"] for run in seeds_of(runs, arm)]
        stages = [[curve[0] for curve in curves], [float(np.mean(curve[:20])) for curve in curves]]
        stages.append([float(np.mean(curve[-20:])) for curve in curves])
        rows.append((arm, *(f"{_number(mean, 3)} ± {_number(half, 3)}" for mean, half in map(over_seeds, stages))))
    return _table(("load-balancing loss, 1 is even", "step 0", "first 20 steps", "last 20 steps"), rows)


def _lens_table(runs: dict[tuple[str, int], Run], told: dict[str, Any]) -> str:
    rows = []
    for arm in ARMS:
        curves = np.array([run["lens_kl_nats"] for run in seeds_of(runs, arm)])
        rows.append((arm, *(_number(value, 2) for value in curves.mean(0))))
    count = len(rows[0]) - 1
    return _table(("KL to the output, nats", *(f"before layer {layer + 1}" for layer in range(count))), rows)


def _where_table(runs: dict[tuple[str, int], Run], told: dict[str, Any]) -> str:
    machine, size = told["machine"], told["size"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    tokens = size["context"] * size["rows"] * size["steps"]
    return (
        f"Every run: {size['steps']} steps of {size['rows']} rows of {size['context']} bases, {tokens:,} bases; seeds"
        f" {', '.join(str(seed) for seed in sorted({key[1] for key in runs}))}.\n\n`studies/gengram/results.json`:"
        f" {machine['processor']}, one thread a run; {versions}; commit {machine['commit'][:9]}.\n"
    )


TABLES: dict[str, Callable[[dict[tuple[str, int], Run], dict[str, Any]], str]] = {
    "arms": _arms_table,
    "bits": _bits_table,
    "probes": _probes_table,
    "balance": _balance_table,
    "lens": _lens_table,
    "where": _where_table,
}


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(filled(PAGE.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
