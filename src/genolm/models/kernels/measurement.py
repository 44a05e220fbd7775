"""Timing of the candidates of an operation, and the choice between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from genolm.notes import note

LEAD = 1.1
"""A candidate must be this many times as fast as the default to replace it."""

_ROUNDS = 3

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Trial:
    """Candidates to time on the same work.

    Attributes:
        case: operation and class of shapes, as in :class:`genolm.models.kernels.kernels.Kernels`.
        default: candidate that is used unless another one is clearly faster.
        candidates: names of all candidates.
        prepare: makes the input, and returns for each candidate a function that does the work once.
    """

    case: str
    default: str
    candidates: Collection[str]
    prepare: Callable[[], Mapping[str, Work]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Result of a trial.

    Attributes:
        chosen: name of the selected candidate.
        seconds: shortest time of each candidate.
    """

    chosen: str
    seconds: Mapping[str, float]

    def __str__(self) -> str:
        """Return the times in ms."""
        return ", ".join(f"{name} {1e3 * seconds:.3g} ms" for name, seconds in self.seconds.items())


def measure(
    trials: Iterable[Trial], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Timing]:
    """Time the candidates of each trial, as long as time remains.

    Args:
        trials: trials, the most important first.
        seconds: time that all of them may take together. A trial is left out if, judged by one call of its default, it
            would take longer than what remains.
        clock: clock, in seconds.

    Returns:
        Timings by case; a case without one keeps its default.
    """
    end, timings = clock() + seconds, {}
    for trial in trials:
        if clock() >= end:
            break
        works = trial.prepare()
        works[trial.default]()  # the first call includes one-time work, such as allocations
        once = _elapsed(works[trial.default], clock)
        if once * len(works) * (_ROUNDS + 1) <= end - clock():
            timings[trial.case] = choose(works, trial.default, clock)
    return timings


def choose(works: Mapping[str, Work], default: str, clock: Callable[[], float] = time.perf_counter) -> Timing:
    """Time all candidates in turn, and choose one.

    A candidate replaces the default only if it is 10 % faster in its best round and in every round, so that another
    process, which slows down single rounds, does not decide. A candidate other than the default that fails, such as a
    compiled one without a working compiler, is left out with a note.
    """
    works = {name: work for name, work in works.items() if _is_usable(name, work, default)}
    rounds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(_ROUNDS):
        for name, work in works.items():
            rounds[name].append(_elapsed(work, clock))
    best = {name: min(times) for name, times in rounds.items()}
    fastest = min(best, key=lambda name: best[name])
    leads = all(slow >= LEAD * fast for slow, fast in zip(rounds[default], rounds[fastest], strict=True))
    return Timing(fastest if leads and best[default] >= LEAD * best[fastest] else default, best)


def _is_usable(name: str, work: Work, default: str) -> bool:
    """Do the work once; return whether it succeeds. An error of the default is raised."""
    try:
        work()
    except RuntimeError as error:
        if name == default:
            raise
        reason = str(error).strip().partition("\n")[0]
        note(f"the kernel {name!r} cannot be used on this machine ({reason}), and is not timed")
        return False
    return True


def _elapsed(work: Work, clock: Callable[[], float]) -> float:
    started = clock()
    work()
    return clock() - started
