"""What doctor finds, says and exits with."""

import json

import pytest
from typer.testing import CliRunner

from genolm.cli import doctor
from genolm.cli.doctor import Finding, examine
from genolm.cli.main import app


@pytest.fixture
def checks(monkeypatch):
    def replace(**found):
        monkeypatch.setattr(doctor, "_CHECKS", found)

    return replace


def test_all_well_exits_0(checks):
    checks(a=lambda name: Finding(name, "ok", "fine"), b=lambda name: Finding(name, "note", "slow"))
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0
    assert [line.split() for line in done.output.splitlines()] == [["ok", "a", "fine"], ["note", "b", "slow"]]


def test_something_broken_exits_1(checks):
    checks(a=lambda name: Finding(name, "broken", "no"), b=lambda name: Finding(name, "ok", "fine"))
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 1


def test_a_check_that_dies_is_broken_and_the_others_still_run(checks):
    def dies(name):
        raise ImportError("no torch")

    checks(a=dies, b=lambda name: Finding(name, "ok", "fine"))
    assert list(examine()) == [Finding("a", "broken", "ImportError: no torch"), Finding("b", "ok", "fine")]


def test_json_lists_the_findings(checks):
    checks(a=lambda name: Finding(name, "ok", "fine"))
    output = CliRunner().invoke(app, ["doctor", "--json"]).output
    assert json.loads(output) == [{"name": "a", "status": "ok", "text": "fine"}]


def test_little_memory_is_noted(monkeypatch):
    monkeypatch.setattr(doctor, "_available_memory", lambda: 10**9)
    finding = doctor._memory("memory")
    assert finding.status == "note" and finding.text.startswith("1.0 of ")


@pytest.mark.parametrize(("flags", "status"), [({"avx512_bf16"}, "ok"), ({"avx2"}, "note"), (set(), "note")])
def test_a_processor_without_bf16_is_noted(monkeypatch, flags, status):
    monkeypatch.setattr(doctor, "_cpu_flags", lambda: flags)
    assert doctor._processor("processor").status == status


def test_missing_extras_say_what_to_install(monkeypatch):
    monkeypatch.setattr(doctor, "_EXTRAS", {"plots": ("no_such_module",), "here": ("json",)})
    finding = doctor._extras("extras")
    assert finding.status == "note" and "pip install 'genolm[plots]'" in finding.text


def test_flags_come_from_the_first_core():
    assert isinstance(doctor._cpu_flags(), set)
