"""Input for the toy tasks."""

import random

import pytest


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
