"""Table files: the bytes do not depend on the division into parts."""

import json

import polars as pl
import pytest

from genolm.errors import InputError
from genolm.tasks.writing.provenance import Provenance, provenance_path
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix, write_table

ROWS = pl.DataFrame({"id": [f"s{n}" for n in range(100)], "value": [n / 7 for n in range(99)] + [None]})


def write(path, sizes):
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    write_table((ROWS.slice(start, size) for start, size in zip(starts, sizes)), path, {"model": "m"})
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_bytes_do_not_depend_on_the_parts(tmp_path, suffix):
    whole = write(tmp_path / f"a{suffix}", [100]).read_bytes()
    for sizes in ([0, 100, 0], [1] * 100, [50, 50]):
        assert write(tmp_path / f"b{suffix}", sizes).read_bytes() == whole


def test_what_is_written_can_be_read(tmp_path):
    assert pl.read_parquet(write(tmp_path / "a.parquet", [40, 60])).equals(ROWS)
    assert pl.read_parquet_metadata(tmp_path / "a.parquet")["model"] == "m"
    assert pl.read_csv(write(tmp_path / "a.csv", [40, 60])).equals(ROWS)
    assert (tmp_path / "a.csv").read_text().splitlines()[-1] == "s99,"
    assert write(tmp_path / "a.tsv", [100]).read_text().startswith("id\tvalue\ns0\t0.0\n")
    assert json.loads(provenance_path(tmp_path / "a.tsv").read_text()) == {"model": "m"}


def test_no_rows_leave_the_columns(tmp_path):
    assert pl.read_parquet(write(tmp_path / "a.parquet", [0])).equals(ROWS.clear())
    assert write(tmp_path / "a.csv", [0]).read_text() == "id,value\n"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_left_when_a_part_breaks(tmp_path, suffix):
    def parts():
        yield ROWS
        raise InputError("broken part")

    with pytest.raises(Exception, match="broken part"):
        write_table(parts(), tmp_path / f"a{suffix}", {})
    assert list(tmp_path.iterdir()) == []


def test_suffixes_are_checked(tmp_path):
    assert check_suffix(None, SUFFIXES) is None
    assert check_suffix("A.TSV", SUFFIXES).name == "A.TSV"
    with pytest.raises(InputError, match=r"^out\.xlsx: unsupported output format; use one of .*, \.tsv, \.csv$"):
        check_suffix("out.xlsx", SUFFIXES)


def test_provenance_says_which_model_and_nothing_of_the_time(tiny):
    provenance = Provenance.of(tiny)
    expected = {"model": "tiny-random-dense", "model_fingerprint": tiny.fingerprint, "precision": "float32"}
    described = provenance.entries(layer=3, pooling="mean")
    assert described.items() >= expected.items()
    assert (described["layer"], described["pooling"]) == ("3", "mean")
    assert described["genolm_version"] == provenance.version
    assert described == Provenance.of(tiny).entries(layer=3, pooling="mean")
