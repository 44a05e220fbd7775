"""Choice of the best weights of a run by a held-out metric, and early stopping."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from genolm.errors import InputError


@dataclass(frozen=True, slots=True)
class Selection:
    """The best weights so far.

    Attributes:
        step: step of the best weights; None before the first evaluation.
        value: their metric.
        waited: number of evaluations since then.
    """

    step: int | None = None
    value: float | None = None
    waited: int = 0

    def after(self, step: int, value: float | None, higher_is_better: bool) -> Selection:
        """Return the choice after an evaluation.

        Of equal values the first one stays the best; an undefined value, None, is never better.
        """
        if value is None:
            return Selection(self.step, self.value, self.waited + 1)
        better = self.value is None or (value > self.value if higher_is_better else value < self.value)
        return Selection(step, value) if better else Selection(self.step, self.value, self.waited + 1)


def metric_value(best: str, metrics: Mapping[str, Mapping[str, float | None]]) -> float | None:
    """Return the value of a metric, written as ``SPLIT_METRIC``, of an evaluation; None if it is undefined.

    Args:
        best: name of split and metric.
        metrics: held-out metrics by split and metric.

    Raises:
        InputError: the evaluation has no such metric.
    """
    known = {f"{split}_{metric}": value for split, values in metrics.items() for metric, value in values.items()}
    if best not in known:
        raise InputError(f"best must be one of the held-out metrics {', '.join(known)}", value=best)
    return known[best]


def is_higher_better(best: str, metrics: Collection[str]) -> bool:
    """Return whether higher values of a metric, written as ``SPLIT_METRIC``, are better."""
    return any(best.endswith(f"_{metric}") for metric in metrics)
