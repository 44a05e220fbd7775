import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genolm.errors import InputError, ResourceError
from genolm.genome import bigwig as tracks
from genolm.genome.bigwig import bigwig_lengths, read_bedgraph, read_bigwig, write_bedgraph, write_bigwig
from genolm.genome.interval import Interval

LENGTHS = {"chr1": 100, "chr2": 50}


def pieces() -> Iterator[tuple[str, int, np.ndarray]]:
    yield "chr1", 10, np.array([1, 1, 2.5, np.nan, -3], np.float32)
    yield "chr1", 20, np.array([0.1], np.float32)
    yield "chr2", 0, np.array([7] * 50, np.float32)


@pytest.fixture
def bigwig(tmp_path: Path) -> Path:
    return write_bigwig(tmp_path / "x.bw", LENGTHS, pieces())


def test_a_file_that_was_not_written_whole_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        """Writes as on a full disk: what there is room for, and no error."""

        def __init__(self, path: str, _: str) -> None:
            self.path = Path(path)

        def write(self, *_: object) -> None:
            self.path.write_bytes(bytes(512))

    def opened(path: str, mode: str = "r") -> object:
        return Full(path, mode) if mode == "w" else real(path, mode)

    real = tracks.pybigtools.open
    monkeypatch.setattr(tracks.pybigtools, "open", opened)
    with pytest.raises(ResourceError, match=r"x\.bw: the bigWig could not be written completely"):
        write_bigwig(tmp_path / "x.bw", LENGTHS, pieces())
    assert not list(tmp_path.iterdir())


def test_reads_back_what_was_written(bigwig: Path) -> None:
    values = read_bigwig(bigwig, Interval("chr1", 9, 22))
    nan = np.nan
    expected = [nan, 1, 1, 2.5, nan, -3, nan, nan, nan, nan, nan, np.float32(0.1), nan]
    np.testing.assert_array_equal(values, np.array(expected, np.float32))
    assert values.dtype == np.float32


def test_minus_strand_reads_backwards(bigwig: Path) -> None:
    np.testing.assert_array_equal(read_bigwig(bigwig, Interval("chr1", 11, 13, "-")), [2.5, 1])


def test_over_the_edge_is_nan(bigwig: Path) -> None:
    values = read_bigwig(bigwig, Interval("chr2", -2, 52))
    assert np.isnan(values[[0, 1, -2, -1]]).all() and (values[2:-2] == 7).all()


def test_names_with_and_without_chr(bigwig: Path) -> None:
    assert read_bigwig(bigwig, Interval("2", 0, 1)).tolist() == [7]
    assert bigwig_lengths(bigwig) == LENGTHS


def test_name_does_not_matter(bigwig: Path, tmp_path: Path) -> None:
    odd = tmp_path / "coverage"
    odd.write_bytes(bigwig.read_bytes())
    assert read_bigwig(odd, Interval("chr2", 3, 4)).tolist() == [7]


def test_bytes_are_the_same_and_nothing_else_is_left(bigwig: Path, tmp_path: Path) -> None:
    again = write_bigwig(tmp_path / "y.bw", LENGTHS, pieces())
    assert again.read_bytes() == bigwig.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.bw", "y.bw"]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(width=32, allow_infinity=False), min_size=1, max_size=60), st.integers(0, 40))
def test_any_values_survive(tmp_path_factory: pytest.TempPathFactory, values: list[float], start: int) -> None:
    array = np.array(values, np.float32)
    if np.isnan(array).all():
        return
    path = write_bigwig(tmp_path_factory.mktemp("any") / "x.bw", LENGTHS, [("chr1", start, array)])
    np.testing.assert_array_equal(read_bigwig(path, Interval("chr1", start, start + len(array))), array)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([("chrX", 0, [1])], r"without a length \(value 'chrX'\)"),
        ([("chr1", 5, [1]), ("chr1", 3, [1])], r"out of order or overlap \(value 'chr1:4-4'\)"),
        ([("chr1", 5, [1, 2]), ("chr1", 6, [1])], r"out of order or overlap \(value 'chr1:7-7'\)"),
        ([("chr1", 0, [1]), ("chr2", 0, [1]), ("chr1", 9, [1])], r"out of order or overlap \(value 'chr1:10-10'\)"),
        ([("chr2", 49, [1, 2])], r"off the contig, which has 50 bases \(value 'chr2:50-51'\)"),
        ([("chr1", -1, [1, 2])], r"off the contig"),
        ([("chr1", 0, [np.inf])], r"an infinite value"),
        ([("chr1", 0, [np.nan])], r"no values to write"),
        ([], r"no values to write"),
    ],
)
def test_bad_values_leave_nothing_behind(
    tmp_path: Path, bad: list, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    values = [(chrom, start, np.array(array, np.float32)) for chrom, start, array in bad]
    with pytest.raises(InputError, match=message):
        write_bigwig(tmp_path / "x.bw", LENGTHS, values)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().out == ""


def test_an_error_of_the_caller_comes_through(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[str, int, np.ndarray]]:
        yield "chr1", 0, np.ones(3, np.float32)
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        write_bigwig(tmp_path / "x.bw", LENGTHS, broken())
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(bigwig: Path) -> None:
    before = bigwig.read_bytes()
    with pytest.raises(InputError):
        write_bigwig(bigwig, LENGTHS, [])
    assert bigwig.read_bytes() == before


def test_reading_errors(bigwig: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no data for this contig; the track has chr1, chr2 \(value 'chr9'\)"):
        read_bigwig(bigwig, Interval("chr9", 0, 1))
    with pytest.raises(InputError, match=r"off the contig, which has 50 bases \(value 'chr2:61-70'\)"):
        read_bigwig(bigwig, Interval("chr2", 60, 70))
    with pytest.raises(InputError, match=r"none.bw: cannot be read: No such file"):
        read_bigwig(tmp_path / "none.bw", Interval("chr1", 0, 1))
    (tmp_path / "text.bw").write_text("chr1\t0\t1\t5\n")
    with pytest.raises(InputError, match=r"text.bw: not a bigWig file"):
        read_bigwig(tmp_path / "text.bw", Interval("chr1", 0, 1))


@pytest.mark.parametrize("kept", [20, 300, 0.6, 0.9])
def test_truncated(bigwig: Path, tmp_path: Path, kept: float) -> None:
    content = bigwig.read_bytes()
    cut = tmp_path / "cut.bw"
    cut.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(InputError, match="truncated or damaged"):
        read_bigwig(cut, Interval("chr1", 10, 12))


@pytest.mark.parametrize("name", ["x.bedgraph", "x.bedgraph.gz"])
def test_bedgraph_joins_equal_neighbours(tmp_path: Path, name: str) -> None:
    path = write_bedgraph(tmp_path / name, LENGTHS, pieces())
    assert list(read_bedgraph(path)) == [
        ("chr1", 10, 12, 1.0),
        ("chr1", 12, 13, 2.5),
        ("chr1", 14, 15, -3.0),
        ("chr1", 20, 21, 0.1),
        ("chr2", 0, 50, 7.0),
    ]
    assert write_bedgraph(tmp_path / f"again.{name}", LENGTHS, pieces()).read_bytes() == path.read_bytes()


def test_bedgraph_reads_headers_and_plain_gzip(tmp_path: Path) -> None:
    path = tmp_path / "x.bg.gz"
    path.write_bytes(gzip.compress(b"track type=bedGraph\r\n#c\r\n\r\nchr1 0 3 1e-3\r\n"))
    assert list(read_bedgraph(path)) == [("chr1", 0, 3, 0.001)]


def test_bedgraph_without_values(tmp_path: Path) -> None:
    assert list(read_bedgraph(write_bedgraph(tmp_path / "x.bedgraph", LENGTHS, []))) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t0\t3", r"x.bg:2: a bedGraph line must have 4 columns, found 3 \(value 'chr1\\t0\\t3'\)"),
        ("chr1\t0\tx\t1", r"x.bg:2: bedGraph coordinates and values must be numbers"),
        ("chr1\t0\t3\tx", r"x.bg:2: bedGraph coordinates and values must be numbers"),
        ("chr1\t3\t3\t1", r"x.bg:2: a bedGraph interval must have 0 <= start < end"),
    ],
)
def test_bad_bedgraph(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "x.bg"
    path.write_text(f"chr1\t0\t1\t1\n{line}\n")
    with pytest.raises(InputError, match=message):
        list(read_bedgraph(path))


@pytest.mark.data
def test_a_real_track(data_dir: Path) -> None:
    path = next((data_dir / "tracks").glob("*.bw"))
    chrom, length = next(iter(bigwig_lengths(path).items()))
    values = read_bigwig(path, Interval(chrom, length // 2, length // 2 + 1000))
    assert values.shape == (1000,) and np.isfinite(values[~np.isnan(values)]).all()


@pytest.mark.parametrize(
    ("own", "asked"), [("MT", "chrM"), ("chrM", "MT"), ("M", "chrMT"), ("1", "chr1"), ("CHR1", "1"), ("NC_1.2", "NC_1")]
)
def test_contigs_have_the_names_that_a_genome_resolves(tmp_path: Path, own: str, asked: str) -> None:
    path = write_bigwig(tmp_path / "x.bw", {own: 9}, [(own, 0, np.arange(9, dtype=np.float32))])
    assert read_bigwig(path, Interval(asked, 2, 4)).tolist() == [2, 3]


def test_a_contig_that_could_be_two_is_refused(tmp_path: Path) -> None:
    values = np.ones(5, np.float32)
    path = write_bigwig(tmp_path / "x.bw", {"chrM": 9, "chrMT": 9}, [("chrM", 0, values), ("chrMT", 0, values * 2)])
    assert read_bigwig(path, Interval("chrMT", 0, 1)) == [2]
    with pytest.raises(InputError, match=r"x\.bw: ambiguous contig name: it matches chrM and chrMT \(value 'MT'\)"):
        read_bigwig(path, Interval("MT", 0, 1))


def test_two_processes_that_write_one_track_use_different_partial_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = set[Path]()
    fill = tracks._fill_bedgraph
    monkeypatch.setattr(tracks, "_fill_bedgraph", lambda path, runs: (partial.add(path), fill(path, runs)))
    for _ in range(2):
        write_bedgraph(tmp_path / "x.bedgraph", LENGTHS, pieces())
    assert len(partial) == 2 and all(path.parent == tmp_path for path in partial)
    assert [path.name for path in tmp_path.iterdir()] == ["x.bedgraph"]
