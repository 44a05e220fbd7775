"""Tables of kernels, and of the speed and precision of genolm-nano."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.tables import markdown_table

Measured = dict[str, Any]
_WORK = {
    "score_rate": "`score`, rows of 1,024 bases, bases per second",
    "variant_rate": "`variants --method full`, variants per second",
    "training_rate": "training, bases per second",
}


def kernels(measured: Measured) -> str:
    """Return a row for each class of shapes: times of all kernels, and the one that a run selects."""
    rows = [
        (
            one["network"],
            one["case"],
            ", ".join(f"{name} {milliseconds:.3g}" for name, milliseconds in one["milliseconds"].items()),
            f"**{one['chosen']}**",
        )
        for one in measured["timings"]
    ]
    return markdown_table(("network", "operation and shapes", "milliseconds", "selected"), rows)


def speed(measured: Measured) -> str:
    """Return the rates of genolm-nano before and now."""
    rows = []
    for what, shown in _WORK.items():
        one = measured[what]
        middle = {side: median(rates) for side, rates in one["rates"].items()}
        low, high = min(one["ratios"]), max(one["ratios"])
        speedup = f"{one['speedup']:.2f} ({low:.2f} to {high:.2f})"
        rows.append((shown, f"{middle['before']:,.0f}", f"{middle['now']:,.0f}", speedup))
    table = markdown_table(("work", "before", "now", "speedup (range of rounds)"), rows)
    return f"{table}\nBefore: commit {measured['before'][:9]}, with its defaults.\n"


def precision(measured: Measured) -> str:
    """Return the deviation of bf16 from fp32."""
    rows = []
    for name, one in measured["deviation"].items():
        if name == "embeddings":
            continue
        spread, mean, largest = (one[key] for key in ("standard_deviation", "mean_difference", "largest_difference"))
        signs = "-" if name == "bits per base" else f"{one['same_sign']:.2%}"
        rows.append((name, one["values"], spread, mean, largest, one["pearson"], one["spearman"], signs))
    head = ("value", "values", "standard deviation", "mean difference", "largest difference")
    vectors = measured["deviation"]["embeddings"]
    return (
        f"{markdown_table((*head, 'Pearson', 'Spearman', 'same sign'), rows)}\n"
        f"{vectors['vectors']} mean embeddings: relative distance at most {vectors['largest_relative_distance']:.2%};"
        f" {vectors['same_nearest_neighbour']:.1%} have the same nearest neighbour.\n"
    )
