"""Files that are complete or absent, also when the disk is full."""

import errno
import subprocess
from pathlib import Path

import polars as pl
import pytest
from engine_toys import Listed, Summed, ToyModel, expected

from genolm.engine.parts import PartsFolder
from genolm.engine.resumable import check_disk
from genolm.engine.run import run
from genolm.errors import ResourceError
from genolm.files.atomic import atomic_file, disk_full_named, sweep, write_text
from genolm.files.disk import is_disk_full

FULL = OSError(errno.ENOSPC, "No space left on device")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_whole(tmp_path):
    with atomic_file(tmp_path / "a.vcf.gz") as partial:
        partial.write_text("half")
        assert not (tmp_path / "a.vcf.gz").exists()
        assert partial.name.endswith("-a.vcf.gz")
    assert names(tmp_path) == ["a.vcf.gz"]


def test_a_folder_takes_the_place_of_a_folder(tmp_path):
    for content in ("one", "two"):
        with atomic_file(tmp_path / "a.zarr") as partial:
            partial.mkdir()
            (partial / content).write_text(content)
    assert names(tmp_path) == ["a.zarr"]
    assert names(tmp_path / "a.zarr") == ["two"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(tmp_path, error):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(error), atomic_file(tmp_path / "a.txt") as partial:
        partial.write_text("new")
        raise error
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_full_disk_is_told_with_what_to_do(tmp_path):
    with (
        pytest.raises(ResourceError, match=r"a.txt: the disk is full; .*; pass resume=True"),
        atomic_file(tmp_path / "a.txt"),
    ):
        raise FULL


def test_every_way_to_say_that_the_disk_is_full():
    assert is_disk_full(OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
    with pytest.raises(pl.exceptions.ComputeError) as caught:
        pl.DataFrame({"a": range(10_000)}).write_parquet("/dev/full")
    assert is_disk_full(caught.value)
    with pytest.raises(ValueError, match="other"), disk_full_named(Path("x")):
        raise ValueError("other")


def test_sweep_removes_only_what_belongs_to_the_file(tmp_path):
    for name in (".partial-0123abcd-a.txt", ".partial-0123abcd-b.txt", "a.txt"):
        (tmp_path / name).touch()
    (tmp_path / ".partial-89abcdef-a.txt").mkdir()
    sweep(tmp_path / "a.txt")
    assert names(tmp_path) == [".partial-0123abcd-b.txt", "a.txt"]


@pytest.mark.parametrize("failing", [1, 4])
def test_a_disk_that_fills_up_keeps_the_finished_parts(source, out, lines, monkeypatch, failing):
    written = []
    real = PartsFolder.write

    def write(folder, number, frame, run_id):
        written.append(number)
        monkeypatch.setattr("genolm.engine.parts._Digesting.write", full if len(written) == failing else whole)
        return real(folder, number, frame, run_id)

    from genolm.engine.parts import _Digesting

    whole = _Digesting.write

    def full(writer, data):
        writer._failure = FULL
        raise FULL

    monkeypatch.setattr(PartsFolder, "write", write)
    with pytest.raises(ResourceError, match=r"part-0000\d.parquet: the disk is full"):
        run(Summed(source), ToyModel(), out)
    monkeypatch.undo()
    assert not list(out.parent.rglob(".partial-*"))
    result = run(Summed(source), ToyModel(), out, resume=True)
    assert result.computed == result.parts - failing + 1
    assert out.read_text() == expected(lines)


def test_a_disk_that_is_full_when_the_artefact_is_written_keeps_all_parts(source, out, monkeypatch):
    monkeypatch.setattr(Summed, "assemble", lambda task, frames, out: _raise(FULL))
    with pytest.raises(ResourceError, match=r"out.tsv: the disk is full"):
        run(Summed(source), ToyModel(), out)
    monkeypatch.undo()
    assert run(Summed(source), ToyModel(), out, resume=True).computed == 0


def _raise(error):
    raise error


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB; needs the right to mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_real_small_disk(small_disk, monkeypatch):
    task = Listed(tuple("ACGT" * 10 for _ in range(12)))
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2 * 2**20 - 16 * 4096))
    monkeypatch.setattr("genolm.engine.resumable.check_disk", lambda *_, **__: None)
    with pytest.raises(ResourceError, match="the disk is full; finished parts are kept"):
        run(task, ToyModel(), small_disk / "out.tsv")
    assert not list(small_disk.rglob(".partial-*"))
    ballast.unlink()
    result = run(task, ToyModel(), small_disk / "out.tsv", resume=True)
    assert 0 < result.computed < result.parts
    assert (small_disk / "out.tsv").read_text() == expected(task.source)
    assert names(small_disk) == ["out.tsv"]


def test_a_disk_too_small_for_the_parts_is_told_before_it_is_full(tmp_path, monkeypatch):
    check_disk(tmp_path, 10, 10)
    with pytest.raises(
        ResourceError,
        match=r"remaining parts need about 1e\+03 TB of disk space, but .* are free; .*; pass resume=True",
    ):
        check_disk(tmp_path, 10**12, 10**3)


def test_the_disk_is_asked_after_the_first_part(source, out, monkeypatch):
    from genolm.engine import resumable

    monkeypatch.setattr(resumable.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 2**20 + 5}))
    monkeypatch.setattr(PartsFolder, "write", _heavy(PartsFolder.write))
    with pytest.raises(ResourceError, match="remaining parts need about"):
        run(Summed(source), ToyModel(), out)
    assert len(list(PartsFolder.of(out).path.glob("part-*.parquet"))) == 1


def _heavy(write):
    return lambda *arguments: write(*arguments) + 2**20
