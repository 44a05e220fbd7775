"""Tables of docs/studies/gengram.md, generated from results.json.

    python -m studies.gengram.report

rewrites the text between ``<!-- NAME table: begin -->`` and ``<!-- NAME table: end -->``. A test compares the page with
the results.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.tables import markdown_table, replace_tables, shown_interval, shown_number
from numpy.typing import NDArray

from studies.gengram.arms import ARMS
from studies.gengram.measures import PROBES
from studies.gengram.run import PROBED_SEED, RESULTS, SPLITS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "studies" / "gengram.md"
# Two-sided 95 % quantiles of Student's t by degrees of freedom.
_T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}

Run = dict[str, Any]
Results = dict[str, Any]


def filled(page: str, results: Results) -> str:
    """Return the text of the page with all tables regenerated."""
    runs = {(run["arm"], run["seed"]): run for run in results["runs"]}
    return replace_tables(page, lambda name: TABLES[name](runs, results))


def seeds_of(runs: dict[tuple[str, int], Run], arm: str) -> list[Run]:
    """Return all runs of an arm, ordered by seed."""
    return [runs[key] for key in sorted(runs) if key[0] == arm]


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the half-width of its 95 % confidence interval over seeds (Student's t)."""
    array = np.array(values)
    return float(array.mean()), float(_T95[len(array) - 1] * array.std(ddof=1) / math.sqrt(len(array)))


def against_baseline(runs: dict[tuple[str, int], Run], arm: str, split: str) -> tuple[float, float, float]:
    """Return the mean difference from the baseline, with its 95 % bootstrap interval over windows.

    Runs with the same seed were trained on the same rows and are compared window by window.
    """
    ours, theirs = (_bits(runs, name, split) for name in (arm, "baseline"))
    difference = (ours - theirs).mean(0)
    random = np.random.default_rng(0)
    means = [difference[random.integers(len(difference), size=len(difference))].mean() for _ in range(2000)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(difference.mean()), float(low), float(high)


def _bits(runs: dict[tuple[str, int], Run], arm: str, split: str) -> NDArray[np.float64]:
    return np.array([run["window_bits"][split] for run in seeds_of(runs, arm)])


def _bits_table(runs: dict[tuple[str, int], Run], results: Results) -> str:
    rows = []
    for arm in ARMS:
        row: list[object] = [arm]
        for split in SPLITS:
            mean, half = over_seeds([float(np.mean(run["window_bits"][split])) for run in seeds_of(runs, arm)])
            row.append(f"{shown_number(mean, 4)} ± {shown_number(half, 4)}")
        if arm == "baseline":
            row += ["–", "–"]
        else:
            row += [shown_interval(*against_baseline(runs, arm, split), digits=4) for split in SPLITS]
        rows.append(row)
    return markdown_table(("arm", *SPLITS, *(f"{split} − baseline" for split in SPLITS)), rows)


def _arms_table(runs: dict[tuple[str, int], Run], results: Results) -> str:
    rows = []
    for arm, about in ARMS.items():
        arm_runs = seeds_of(runs, arm)
        plain = {run["seed"]: run["step_seconds_median"] for run in seeds_of(runs, "baseline")}
        ratio = float(np.mean([run["step_seconds_median"] / plain[run["seed"]] for run in arm_runs]))
        rows.append(
            (
                arm,
                about.what,
                f"{arm_runs[0]['parameters']:,}",
                shown_number(arm_runs[0]["parameters"] * 4 / 1e6, 1),
                f"{ratio:.2f}",
            )
        )
    head = ("arm", "description", "parameters", "size in fp32, MB", "step time, relative to baseline")
    return markdown_table(head, rows)


def _probes_table(runs: dict[tuple[str, int], Run], results: Results) -> str:
    rows: list[list[object]] = []
    for arm in ARMS:
        aucs = runs[arm, PROBED_SEED]["probe_auc"]
        rows.append([arm, *(shown_number(aucs[name], 3) for name in PROBES)])
    for name, values in results["probe_baselines"].items():
        rows.append([f"*{name}*", *(shown_number(values[probe], 3) for probe in PROBES)])
    return markdown_table(("AUC", *PROBES), rows)


def _balance_table(runs: dict[tuple[str, int], Run], results: Results) -> str:
    rows = []
    for arm in ARMS:
        curves = [run["load_balance"] for run in seeds_of(runs, arm)]
        stages = [[curve[0] for curve in curves], [float(np.mean(curve[:20])) for curve in curves]]
        stages.append([float(np.mean(curve[-20:])) for curve in curves])
        rows.append(
            (arm, *(f"{shown_number(mean, 3)} ± {shown_number(half, 3)}" for mean, half in map(over_seeds, stages)))
        )
    return markdown_table(("load-balancing loss (1: even)", "step 0", "first 20 steps", "last 20 steps"), rows)


def _lens_table(runs: dict[tuple[str, int], Run], results: Results) -> str:
    rows = []
    for arm in ARMS:
        curves = np.array([run["lens_kl_nats"] for run in seeds_of(runs, arm)])
        rows.append((arm, *(shown_number(value, 2) for value in curves.mean(0))))
    count = len(rows[0]) - 1
    return markdown_table(
        ("KL divergence to the output, nats", *(f"before layer {layer + 1}" for layer in range(count))), rows
    )


def _where_table(runs: dict[tuple[str, int], Run], results: Results) -> str:
    machine, size = results["machine"], results["size"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    tokens = size["context"] * size["rows"] * size["steps"]
    return (
        f"Each run: {size['steps']} steps of {size['rows']} rows of {size['context']} bases, {tokens:,} bases in total;"
        f" seeds {', '.join(str(seed) for seed in sorted({key[1] for key in runs}))}.\n\n"
        f"`studies/gengram/results.json`: {machine['processor']}, one thread per run; {versions};"
        f" commit {machine['commit'][:9]}.\n"
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
    """Regenerate the page."""
    PAGE.write_text(filled(PAGE.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
