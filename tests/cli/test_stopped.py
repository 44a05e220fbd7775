"""Real processes that are stopped, killed or lose their reader, and disks that are full."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from tests.cli.bad_inputs.case import MODEL
from tests.cli.bad_inputs.kitchen import listing, run

COMMAND = ("score", MODEL, "reads.fa", "out.parquet")


def start(*arguments, **more):
    command = [sys.executable, "-m", "genolm", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE, **more)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Enough reads for two parts, the first of which takes some seconds."""
    monkeypatch.chdir(tmp_path)
    reads = "".join(f">read{number}\n{'ACGTTGCAAC' * 100}\n" for number in range(290))
    (tmp_path / "reads.fa").write_text(reads)
    return tmp_path


@pytest.fixture
def started(folder):
    """A run that has read its input and begun to compute; nothing is finished yet."""
    process = start(*COMMAND, stdout=subprocess.PIPE)
    manifest = folder / "out.parquet.parts/manifest.json"
    while not manifest.exists():
        assert process.poll() is None
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_says_how_to_go_on(started, folder, number):
    started.send_signal(number)
    out, err = started.communicate()
    assert started.returncode == 130
    assert (out, err) == ("", "interrupted: stopped with 0 of 2 parts finished; pass --resume to continue\n")
    assert list(listing(folder)) == ["reads.fa"]


def test_a_killed_run_leaves_no_output_and_goes_on(started, folder, capfd):
    while not (folder / "out.parquet.parts/part-00000.json").exists():
        assert started.poll() is None
        time.sleep(0.01)
    started.kill()
    started.communicate()
    assert started.returncode == -signal.SIGKILL
    assert sorted(path.name for path in folder.iterdir()) == ["out.parquet.parts", "reads.fa"]
    assert run(" ".join(COMMAND)) == 5
    refusal = (
        "out.parquet.parts holds parts of an earlier run; pass --resume to continue it, or --overwrite to start over"
    )
    assert capfd.readouterr() == ("", f"error: {refusal}\n")
    assert run(" ".join((*COMMAND, "--resume"))) == 0
    left = ["out.parquet", "out.parquet.provenance.json", "reads.fa"]
    assert sorted(path.name for path in folder.iterdir()) == left


def test_a_reader_that_goes_away_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    process = start("models", stdout=writing)
    os.close(writing)
    assert process.communicate()[1] == ""
    assert process.returncode == 141


@pytest.fixture
def small_disk(folder):
    """A file system of 1.3 MB."""
    place = folder / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1300k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_met_before_anything_is_computed(folder, small_disk, capfd):
    (small_disk / "filler").write_bytes(b"\0" * 800_000)
    assert run("score tiny-random-dense reads.fa small/out.parquet") == 6
    out, err = capfd.readouterr()
    assert out == ""
    assert re.fullmatch(
        r"error: small/out\.parquet\.parts: the remaining parts need about 1\.05 MB of disk space, "
        r"but \d+ kB are free; "
        r"finished parts are kept; pass --resume to continue when there is space\n",
        err,
    )
    assert list(listing(small_disk)) == ["filler"]


def test_a_disk_that_fills_up_leaves_nothing_half_written(folder, small_disk, capfd):
    """12,000 vectors of 48 numbers do not fit."""
    (folder / "reads.fa").write_text(f">long\n{'ACGTTGCAAC' * 1200}\n")
    assert run("embed tiny-random-dense reads.fa small/out.parquet --pooling none") == 6
    out, err = capfd.readouterr()
    assert out == ""
    assert err == (
        "error: small/out.parquet.parts/part-00000.parquet: the disk is full; "
        "finished parts are kept; pass --resume to continue when there is space\n"
    )
    assert listing(small_disk) == {}
