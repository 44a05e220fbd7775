"""Worker processes: the bytes of one process, whatever happens to the workers."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from engine_toys import Listed, Summed, ToyModel, expected
from executor_toys import Fragile, workers

import genolm
from genolm.engine.compute_settings import ComputeSettings
from genolm.engine.events import Advanced, PartDone, Started
from genolm.engine.executors.device_workers import DeviceWorkers
from genolm.engine.parts import PartsFolder
from genolm.engine.run import Options, run, start
from genolm.errors import InputError, ModelError, NonFiniteError, ResourceError, RunError

TWO = DeviceWorkers(("cpu", "cpu"), 1)
PROGRAM = Path(__file__).parents[1] / "executor_program.py"


@pytest.fixture
def mark(tmp_path):
    folder = tmp_path / "mark"
    folder.mkdir()
    return folder


def within(seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_bytes_and_events_of_one_process(source, out, lines, mark):
    events = []
    result = run(
        Fragile(source, trouble="slow", mark=mark), ToyModel(), out, Options(executor=TWO), progress=events.append
    )
    assert out.read_text() == expected(lines)
    assert result.computed == result.parts
    done = [event for event in events if isinstance(event, PartDone)]
    assert sorted(part.number for part in done) == list(range(result.parts))
    assert set(Counter(part.worker for part in done)) == {"cpu 1", "cpu 2"}
    assert all(0.2 <= part.seconds < 2 for part in done)
    (total,) = [event.bases for event in events if isinstance(event, Started)]
    assert sum(event.bases for event in events if isinstance(event, Advanced)) == total
    assert workers(mark) == []


def test_in_memory_the_rows_are_in_order(lines):
    table = run(Listed(tuple(lines)), ToyModel(), options=Options(executor=TWO)).table
    assert table["sequence"].to_list() == lines


def test_without_parts_to_compute_no_worker_starts(out):
    assert run(Listed(()), ToyModel(), out, Options(executor=TWO)).parts == 1
    assert out.read_text() == ""


@pytest.mark.parametrize("trouble", ["killed", "exit"])
def test_a_lost_worker_changes_nothing(source, out, lines, mark, trouble):
    events = []
    task = Fragile(source, trouble=trouble, bait=lines[30], mark=mark, once=True)
    result = run(task, ToyModel(), out, Options(executor=TWO), progress=events.append)
    assert out.read_text() == expected(lines)
    reason = "SIGKILL, as when memory runs out" if trouble == "killed" else "exit status 3"
    assert any(reason in text and "its part is computed again" in text for text in result.notes)
    (total,) = [event.bases for event in events if isinstance(event, Started)]
    assert sum(event.bases for event in events if isinstance(event, Advanced)) == total


def test_a_part_that_no_worker_survives_ends_the_run_and_the_others_are_kept(source, out, lines, mark):
    task = Fragile(source, trouble="killed", bait=lines[-1], mark=mark)
    with pytest.raises(
        RunError, match=r"3 workers were lost while they computed part \d+; the last one: cpu \d: SIGKILL"
    ):
        run(task, ToyModel(), out, Options(executor=TWO))
    assert not out.exists()
    assert PartsFolder.of(out).has_parts
    assert workers(mark) == []


@pytest.mark.parametrize(
    ("trouble", "kind", "message"),
    [
        ("input", InputError, r"^g.fa:7: bad genome \(value 'x'\)"),
        ("memory", ResourceError, "^not enough$"),
        ("bug", ValueError, "^a bug"),
        ("not finite", NonFiniteError, r"^toy gives numbers .* for item '[ACGTN]*': be careful"),
    ],
)
def test_errors_of_a_worker_reach_the_caller(source, out, mark, trouble, kind, message):
    with pytest.raises(kind, match=message) as caught:
        run(Fragile(source, trouble=trouble, mark=mark), ToyModel(), out, Options(executor=TWO))
    assert type(caught.value) is kind
    assert (trouble == "bug") == any("executor_toys.py" in text for text in getattr(caught.value, "__notes__", ()))
    assert not out.exists()
    assert not PartsFolder.of(out).path.exists()
    assert workers(mark) == []


def test_cancelled_promptly_without_orphans(source, out, lines, mark):
    handle = start(
        Fragile(source, trouble="endless", bait=lines[-1], mark=mark), ToyModel(), out, Options(executor=TWO)
    )
    within(60, lambda: workers(mark))
    begun = time.monotonic()
    handle.cancel()
    with pytest.raises(RunError, match=r"^cancelled with .* parts finished"):
        handle.result(timeout=10)
    assert time.monotonic() - begun < 3
    assert workers(mark) == []
    assert PartsFolder.of(out).has_parts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_program_leaves_no_processes(source, out, mark, number):
    words = [sys.executable, str(PROGRAM), str(source), str(out), str(mark), "endless"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    within(60, lambda: len(workers(mark)) == 2)
    os.kill(process.pid, number)
    _, stderr = process.communicate(timeout=20)
    if number != signal.SIGKILL:
        assert process.returncode == 1
        assert "Interrupted: stopped with 0 of" in stderr
        assert not PartsFolder.of(out).path.exists()
    within(10, lambda: not workers(mark))


def test_a_second_run_in_the_folder_is_refused(source, out, mark):
    handle = start(Fragile(source, trouble="endless", mark=mark), ToyModel(), out, Options(executor=TWO))
    within(60, lambda: workers(mark))
    with pytest.raises(RunError, match="another run is using this folder"):
        run(Fragile(source, trouble="endless", mark=mark), ToyModel(), out, Options(resume=True, executor=TWO))
    handle.cancel()
    with pytest.raises(RunError, match="cancelled"):
        handle.result()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1.3 MB."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1300k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_of_a_worker(source, out, small_disk):
    with pytest.raises(OSError, match="No space left"):
        run(Fragile(source, trouble="full disk", mark=small_disk), ToyModel(), out, Options(executor=TWO))
    assert not out.exists()


def test_a_full_disk_of_the_parts(source, small_disk):
    (small_disk / "filler").write_bytes(b"0" * 1_000_000)
    with pytest.raises(ResourceError, match="the remaining parts need about"):
        run(Summed(source), ToyModel(), small_disk / "out.tsv", Options(executor=TWO))
    assert sorted(path.name for path in small_disk.iterdir()) == ["filler"]


def test_a_task_of_the_main_program_is_refused(source, out, monkeypatch):
    monkeypatch.setattr(Summed, "__module__", "__main__")
    with pytest.raises(RunError, match="cannot import Summed from the main program; move it to a module"):
        run(Summed(source), ToyModel(), out, Options(executor=TWO))


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        ("/nowhere/model", "^worker cpu [12]: /nowhere/model: no such folder"),
        ("tiny-random-kmer", "^worker cpu [12]: the weights of tiny-random-kmer differ from those of the run"),
    ],
)
def test_a_worker_that_cannot_load_the_model(source, out, origin, message):
    model = genolm.load("tiny-random-dense", device="cpu")
    model.origin = origin
    with pytest.raises(ModelError, match=message):
        run(Summed(source), model, out, Options(executor=TWO))
    assert not PartsFolder.of(out).path.exists()


def test_a_machine_that_cannot_follow_the_plan(source, out, monkeypatch):
    monkeypatch.setattr("genolm.engine.compute_settings.machine", lambda device: ("AVX9", "0.1"))
    message = r"^worker cpu [12] differs from the plan of the run: processor \(was AVX9, now .*\); version of torch"
    with pytest.raises(RunError, match=message):
        run(Summed(source), ToyModel(), out, Options(executor=TWO))


def test_the_settings_of_the_plan_are_followed(source, out, lines, mark):
    task = Fragile(source, trouble="memory", bait=lines[-1], mark=mark)
    with pytest.raises(ResourceError):
        run(task, ToyModel(), out, Options(executor=DeviceWorkers(("cpu",), 3)))
    manifest = PartsFolder.of(out).manifest()
    assert manifest.compute == ComputeSettings.here("cpu", 3)
    with pytest.raises(RunError, match=r"changed: CPU threads per worker \(was 3, now 1\)"):
        run(task, ToyModel(), out, Options(resume=True, executor=TWO))
    with pytest.raises(ResourceError):  # other workers follow
        run(task, ToyModel(), out, Options(resume=True, executor=DeviceWorkers(("cpu", "cpu"))))
    assert PartsFolder.of(out).manifest() == manifest
