"""Unusual input of every kind that must work: exit code 0 and the right output."""

from collections import Counter
from contextlib import nullcontext

import pytest
from tests.cli.bad_inputs.kitchen import lay_out, run, stock, without_rights
from tests.cli.unusual_inputs import CASES
from tests.cli.unusual_inputs.page import PAGE, with_table


@pytest.fixture(scope="session")
def pantry(tmp_path_factory):
    return stock(tmp_path_factory.mktemp("pantry"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to stand in, with caches of its own."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    for name, value in (("GENOLM_CACHE", "models"), ("XDG_CACHE_HOME", "cache")):
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.delenv("GENOLM_DEBUG", raising=False)
    return work


@pytest.mark.parametrize("case", CASES, ids=str)
def test_unusual_input(case, pantry, folder, monkeypatch, capfd):
    lay_out(case, pantry, folder)
    for command in case.before:
        assert run(command) == 0
    if case.make:
        case.make(folder)
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    capfd.readouterr()

    with without_rights(folder) if case.unprivileged else nullcontext():
        code = run(case.command)

    err = capfd.readouterr().err
    assert code == 0, err
    assert case.warning in err
    case.check(folder)


def test_the_kinds_are_different():
    assert [name for name, count in Counter(case.kind for case in CASES).items() if count > 1] == []


def test_the_page_of_the_documentation_is_up_to_date():
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "run: python -m tests.cli.unusual_inputs.page"
