"""The layout of the package: what the import contracts in pyproject.toml cannot express."""

from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "genolm"
SMALL_VERBS = {"embed.py", "score.py"}


def test_no_directory_holds_more_than_25_modules():
    crowded = {str(folder): len(list(folder.glob("*.py"))) for folder in PACKAGE.rglob("*") if folder.is_dir()}
    assert {folder: count for folder, count in crowded.items() if count > 25} == {}


def test_no_two_modules_share_a_name():
    # A command and its verb's module may: genolm/cli/commands/report.py is the command of tasks/report/report.py.
    modules = [path.name for path in PACKAGE.rglob("*.py") if path.parent.name != "commands"]
    assert [name for name, count in Counter(modules).items() if count > 1] == ["__init__.py"]


def test_the_top_of_tasks_holds_packages_and_small_verbs():
    modules = {path.name for path in (PACKAGE / "tasks").glob("*.py")}
    assert modules == {"__init__.py", *SMALL_VERBS}


def test_no_directory_is_called_generated():
    # Code review tools skip such directories.
    assert [path for path in PACKAGE.rglob("generated") if path.is_dir()] == []


def test_every_package_says_what_it_holds():
    silent = [path for path in PACKAGE.rglob("__init__.py") if not path.read_text(encoding="utf-8").startswith('"""')]
    assert silent == []
