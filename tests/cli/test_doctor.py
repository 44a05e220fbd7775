"""What doctor finds, says and exits with."""

import json
import tomllib
from email.message import Message
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genolm.cli import doctor, extras
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


def test_every_extra_that_a_verb_needs_is_looked_at():
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    names = {finding.name.removeprefix("extra ") for finding in doctor._extras("extras")}
    assert names == set(declared["optional-dependencies"]) - {"all", "dev", "docs", "studies"}


@pytest.fixture
def installed(monkeypatch):
    """An installation of these versions, whose genolm has two extras."""

    def install(**versions):
        needs = ["numpy>=1", 'zarr>=2.18; extra == "a"', 'genolm[a]; extra == "b"', 'edlib; extra == "b"']
        monkeypatch.setattr(extras, "requires", lambda name: needs)
        monkeypatch.setattr(extras, "metadata", lambda name: Message())
        monkeypatch.setattr(Message, "get_all", lambda self, name: ["a", "b", "dev"])
        monkeypatch.setattr(extras, "version", lambda name: versions.get(name) or absent(name))

    return install


def absent(name):
    raise PackageNotFoundError(name)


def test_an_extra_without_all_its_packages_says_which_and_what_to_type(installed):
    installed(zarr="2.18.0")
    a, b = doctor._extras("extras")
    assert (a.name, a.status, a.text) == ("extra a", "ok", "zarr")
    assert (b.name, b.status, b.text) == ("extra b", "note", "missing: edlib; pip install 'genolm[b]'")


def test_an_extra_whose_package_is_too_old_is_not_complete(installed):
    installed(zarr="2.9", edlib="1.0")
    assert [finding.text for finding in doctor._extras("extras")] == [
        "missing: zarr>=2.18 (2.9 is installed); pip install 'genolm[a]'",
        "missing: zarr>=2.18 (2.9 is installed); pip install 'genolm[b]'",
    ]


def test_flags_come_from_the_first_core():
    assert isinstance(doctor._cpu_flags(), set)
