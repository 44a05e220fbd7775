"""The public names: all there, imported late."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import genolm

HEAVY = ("torch", "numpy", "polars", "pysam", "pybigtools", "transformers", "huggingface_hub")
LOADED = f"print(*[name for name in {HEAVY!r} if name in sys.modules])"


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("statement", ["import genolm", "import genolm.models", "from genolm import GenolmError"])
def test_importing_loads_nothing_heavy(statement):
    assert python(f"import sys; {statement}; {LOADED}") == ""


@pytest.mark.parametrize("call", ["models_table()", "info('genos-1.2b')"])
def test_describing_models_needs_no_torch(call):
    assert "torch" not in python(f"import sys, genolm; genolm.{call}; {LOADED}").split()


def test_every_public_name_is_there():
    for name in genolm.__all__:
        assert getattr(genolm, name) is not None
    assert set(dir(genolm)) == set(genolm.__all__)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'genolm' has no attribute 'absent'"):
        _ = genolm.absent


def test_the_version_is_the_projects():
    project = Path(__file__).parents[1] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == genolm.__version__
