"""Choice between candidates by their times."""

import pytest

from genolm.models.kernels.measurement import Trial, choose, measure
from genolm.notes import collected


class Clock:
    """Clock that advances only by the work that is done."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, *seconds):
        """Return work that takes these times in turn, the last one from then on."""
        left = list(seconds)

        def done():
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return done


@pytest.fixture
def clock():
    return Clock()


def trial(clock, case, slow, fast):
    return Trial(case, "slow", ("slow", "fast"), lambda: {"slow": clock.work(slow), "fast": clock.work(fast)})


def test_the_faster_candidate_is_chosen(clock):
    timing = choose({"slow": clock.work(1.0), "fast": clock.work(0.5)}, "slow", clock)
    assert timing.chosen == "fast" and timing.seconds == pytest.approx({"slow": 1.0, "fast": 0.5})


@pytest.mark.parametrize("fast", [0.92, 1.0, 2.0])
def test_a_lead_below_10_percent_keeps_the_default(clock, fast):
    assert choose({"slow": clock.work(1.0), "fast": clock.work(fast)}, "slow", clock).chosen == "slow"


def test_a_busy_round_of_the_default_does_not_decide(clock):
    default, other = clock.work(1.0, 3.0, 3.0, 1.0), clock.work(0.95)
    assert choose({"slow": default, "fast": other}, "slow", clock).chosen == "slow"


def test_only_trials_that_fit_into_the_time_are_made(clock):
    trials = [trial(clock, "short", 0.2, 0.1), trial(clock, "long", 50.0, 1.0), trial(clock, "late", 0.2, 0.1)]
    assert list(measure(trials, 10.0, clock)) == ["short"]
    assert list(measure(trials, 1000.0, clock)) == ["short", "long", "late"]


def failing():
    raise RuntimeError("no working compiler\nmore lines")


def test_a_candidate_that_fails_is_left_out_with_a_note(clock):
    works = {"default": clock.work(1.0), "broken": failing, "fast": clock.work(0.5)}
    with collected() as notes:
        timing = choose(works, "default", clock)
    assert timing.chosen == "fast" and timing.seconds == pytest.approx({"default": 1.0, "fast": 0.5})
    assert "the kernel 'broken' cannot be used on this machine (no working compiler)" in str(notes)


def test_a_default_that_fails_is_an_error(clock):
    with pytest.raises(RuntimeError, match="no working compiler"):
        choose({"default": failing, "fast": clock.work(0.5)}, "default", clock)


def test_without_time_nothing_is_prepared(clock):
    def prepare():
        raise AssertionError("prepared")

    assert measure([Trial("case", "slow", ("slow",), prepare)], 0.0, clock) == {}
