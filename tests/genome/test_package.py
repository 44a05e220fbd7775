import subprocess
import sys

import pytest

import genolm.genome


def test_names_are_loaded_when_asked_for():
    for name in genolm.genome.__all__:
        assert getattr(genolm.genome, name).__name__ == name
    assert set(genolm.genome.__all__) <= set(dir(genolm.genome))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = genolm.genome.Nothing


@pytest.mark.parametrize("statement", ["import genolm.genome", "from genolm.genome import Interval, Variant"])
def test_values_need_no_file_libraries(statement):
    code = f"{statement}; import sys; print([name for name in ('torch', 'pysam', 'polars') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
