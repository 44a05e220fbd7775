"""Cache of timings on disk."""

import json

import pytest

from genolm.models.kernels.kernel_cache import Machine, add_timings, clear_timings, read_timings
from genolm.models.kernels.measurement import Timing

TIMING = Timing("fast", {"slow": 1.0, "fast": 0.5})


@pytest.fixture
def machine(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Machine("a processor", "AVX512", 2, "2.13.0")


def test_timings_are_read_again_and_added_to(machine):
    add_timings(machine, {"one": TIMING})
    add_timings(machine, {"two": TIMING})
    assert read_timings(machine) == {"one": TIMING, "two": TIMING}


@pytest.mark.parametrize(
    "other",
    [
        Machine("another processor", "AVX512", 2, "2.13.0"),
        Machine("a processor", "AVX2", 2, "2.13.0"),
        Machine("a processor", "AVX512", 1, "2.13.0"),
        Machine("a processor", "AVX512", 2, "2.14.0"),
        Machine("a processor", "AVX512", 2, "2.13.0", "0.0.1"),
    ],
)
def test_each_machine_and_version_has_its_own(machine, other):
    add_timings(machine, {"one": TIMING})
    assert read_timings(other) == {}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"timings": []}',
        '{"timings": {"one": 3}}',
        '{"timings": {"one": {"chosen": "a", "seconds": {"a": "fast"}}}}',
        "\x00",
    ],
)
def test_a_damaged_file_is_rebuilt(machine, content):
    add_timings(machine, {"one": TIMING})
    machine.file.write_text(content)
    assert read_timings(machine) == {}
    add_timings(machine, {"two": TIMING})
    assert read_timings(machine) == {"two": TIMING}


def test_a_home_that_cannot_be_written_is_no_error(machine, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder would be")
    add_timings(machine, {"one": TIMING})
    assert read_timings(machine) == {} and clear_timings() == 0


def test_clearing_removes_all_files(machine):
    add_timings(machine, {"one": TIMING})
    assert json.loads(machine.file.read_text())["machine"]["processor"] == "a processor"
    assert clear_timings() == 1 and read_timings(machine) == {}
