"""Where the reference vectors and the real data are, and one thread per test process."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GENOLM_KERNELS", "default")  # tests of kernels select their own

ROOT = Path(__file__).resolve().parents[1]
SECOND_SEED = int(os.environ.get("GENOLM_GOLDEN_SEED", "1"))
"""Of the second set of reference vectors."""


def _folder(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable, ROOT / default)).resolve()
    if not path.is_dir():
        pytest.skip(f"{variable} ({path}) is not there")
    return path


@pytest.fixture(scope="session", params=["published", "second"])
def golden_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors produced by the published code, then a second set of other sizes and seeds."""
    if request.param == "published":
        return _folder("GENOLM_GOLDEN", "../shared/golden")
    pytest.importorskip("transformers")
    from tests.golden_sets.make import make

    return make(tmp_path_factory.mktemp("golden"), SECOND_SEED)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real genomes, variants and tracks."""
    return _folder("GENOLM_DATA", "../shared/data")
