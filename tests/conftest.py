"""Where the reference vectors and the real data are, and one thread per test process."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]


def _folder(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable, ROOT / default)).resolve()
    if not path.is_dir():
        pytest.skip(f"{variable} ({path}) is not there")
    return path


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """Vectors produced by the published code."""
    return _folder("GENOLM_GOLDEN", "../shared/golden")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real genomes, variants and tracks."""
    return _folder("GENOLM_DATA", "../shared/data")
