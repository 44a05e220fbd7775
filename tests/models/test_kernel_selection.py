"""Selection of kernels for a run."""

import pytest
import torch

from genolm.errors import InputError
from genolm.models.checkpoints.load import load
from genolm.models.kernel_selection import network_trials, select_kernels, this_machine
from genolm.models.kernels.compiled import has_compiler
from genolm.models.kernels.kernel_cache import add_timings, read_timings
from genolm.models.kernels.kernels import Kernels, Operation, current_kernels, pinned_kernels
from genolm.models.kernels.measurement import Timing

LONG = 10**15  # tokens: enough time for every trial


@pytest.fixture
def unpinned(monkeypatch, tmp_path):
    monkeypatch.delenv("GENOLM_KERNELS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def network():
    return load("tiny-random-dense").network


def test_every_operation_of_a_network_is_timed_and_cached(unpinned, network):
    chosen = select_kernels(network, [64], LONG)
    timings = read_timings(this_machine())
    eager = {"linear", "attention", "step_linear", "step_attention"}
    compiled = {"norm", "gate"} if has_compiler() else set()
    assert {case.split()[0] for case in timings} == eager | compiled
    assert dict(chosen.choices).items() <= {case: timing.chosen for case, timing in timings.items()}.items()


def test_the_cache_is_used(unpinned, network, monkeypatch):
    case = next(trial.case for trial in network_trials(network, [64], torch.float32) if trial.case.startswith("att"))
    add_timings(this_machine(), {case: Timing("blocked", {"fused": 2.0, "blocked": 1.0})})
    monkeypatch.setattr("genolm.models.kernel_selection.measure", lambda trials, seconds: {})
    assert select_kernels(network, [64], LONG) == Kernels(((case, "blocked"),))


def test_a_cached_name_that_no_longer_exists_is_timed_again(unpinned, network):
    case = next(trial.case for trial in network_trials(network, [64], torch.float32))
    add_timings(this_machine(), {case: Timing("removed", {"removed": 1.0})})
    select_kernels(network, [64], LONG)
    assert read_timings(this_machine())[case].chosen in ("torch", "onednn")


def test_a_short_run_times_nothing(unpinned, network):
    assert select_kernels(network, [64], 1) == Kernels()
    assert read_timings(this_machine()) == {}


def test_pinned_kernels_are_neither_timed_nor_cached(unpinned, network, monkeypatch):
    monkeypatch.setenv("GENOLM_KERNELS", "attention=blocked, linear=onednn")
    chosen = select_kernels(network, [64], LONG)
    assert chosen.choices == (("attention", "blocked"), ("linear", "onednn"))
    assert read_timings(this_machine()) == {}


@pytest.mark.parametrize("text", ["fast", "attention=none", "attention", "attention=blocked;linear=onednn"])
def test_an_unknown_pin_is_an_error_with_the_names(unpinned, monkeypatch, text):
    monkeypatch.setenv("GENOLM_KERNELS", text)
    with pytest.raises(InputError, match="linear: torch, onednn"):
        pinned_kernels()


def test_imposed_kernels_end_with_their_block(unpinned):
    operation = Operation("test operation", {"one": 1, "two": 2})
    with Kernels((("test operation long", "two"), ("other", "two"))).imposed():
        assert operation.kernel("long", "one") == 2
        assert operation.kernel("short", "one") == 1
        with Kernels((("test operation", "two"),)).imposed():
            assert operation.kernel("short", "one") == 2
        assert operation.kernel("short", "one") == 1
    assert current_kernels() == Kernels()
