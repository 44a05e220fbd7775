"""generate --check: the report that follows, and what is refused before anything is generated."""

import json
import random

import pytest
from tests.cli.bad_inputs.kitchen import run

from genolm.errors import InputError, RunError
from genolm.tasks.generation.generate import generate

pytest.importorskip("pyrodigal")
pytest.importorskip("edlib")


@pytest.fixture
def natural(tmp_path):
    path = tmp_path / "natural.fa"
    path.write_text(f">n\n{''.join(random.Random(1).choices('ACGT', k=4000))}\n")
    return path


def test_the_report_stands_beside_the_output(tiny, natural, tmp_path):
    out = tmp_path / "made.fa"
    assert generate(tiny, ["ACGTACGT"], out, n=3, length=120, check=natural).path == out
    report = json.loads((tmp_path / "made.fa.check" / "check.json").read_text())
    assert report["passed"]["sequences"] == 3
    assert {"generated", "natural", "markov"} <= set(report["figures"][0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"check": "missing.fa"}, "no such file"),
        ({"check_training": "missing.fa"}, "only in a check with natural genomes; pass check=…"),
        ({"check": "natural.fa", "shard": "1/2"}, "a check needs the complete output"),
    ],
)
def test_refusals_come_first(tiny, natural, tmp_path, settings, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("genolm.tasks.reading.bulk.Bulk.run", lambda *_: pytest.fail("generated"))
    with pytest.raises(InputError, match=message):
        generate(tiny, ["ACGT"], "made.fa", length=20, **settings)


def test_stopped_in_the_check_it_names_the_command_that_makes_it(tiny, natural, tmp_path, monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    asked = {"length": 120, "check": "natural.fa", "check_training": ["natural.fa", "natural.fa"]}
    left = (
        "made.fa is complete, but its check was not run; to run it: genolm check made.fa made.fa.check"
        " --reference natural.fa --training natural.fa --training natural.fa"
    )
    with monkeypatch.context() as patched:
        patched.setattr("genolm.tasks.generation.follow_up_check.check", stopped)
        with pytest.raises(KeyboardInterrupt) as told:
            generate(tiny, ["ACGT"], "made.fa", **asked)
    assert str(told.value) == left
    with pytest.raises(RunError) as again:
        generate(tiny, ["ACGT"], "made.fa", resume=True, **asked)
    assert str(again.value) == left
    command = left.split("; to run it: ")[1].replace(" --training natural.fa", "", 1)
    assert run(command.removeprefix("genolm ")) == 0
    assert json.loads((tmp_path / "made.fa.check" / "check.json").read_text())["passed"]["sequences"] == 1


def test_an_earlier_report_is_not_replaced(tiny, natural, tmp_path):
    (tmp_path / "made.fa.check").mkdir()
    with pytest.raises(RunError, match=r"made\.fa\.check"):
        generate(tiny, ["ACGT"], tmp_path / "made.fa", length=20, check=natural)
