"""Input for the toy tasks; makes the toys importable, here and in the programs that tests start."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


@pytest.fixture
def lines():
    choose = random.Random(5)
    return ["".join(choose.choices("ACGTN", k=choose.randrange(0, 30))) for _ in range(60)]


@pytest.fixture
def source(tmp_path, lines):
    path = tmp_path / "in.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.tsv"


@pytest.fixture
def program(source, out):
    """Runs the toy task in another process, which ends as ``die`` says: place:n:signal."""

    def start(*options, die=""):
        command = [sys.executable, str(HERE / "engine_toys.py"), str(source), str(out), *options]
        return subprocess.run(command, env={**os.environ, "TOY_DIE": die}, capture_output=True, text=True, timeout=120)

    return start
