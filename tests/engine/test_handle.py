"""The handle of a run: events, cancellation from any thread, result."""

import threading
import time

import pytest
from engine_toys import Summed, ToyModel

import genolm
from genolm import notes
from genolm.engine.events import Finished, Note, PartDone, Planned, Started, Stopped
from genolm.engine.interrupt import CancelledError
from genolm.engine.run import Options, run, start
from genolm.errors import InputError, RunError
from genolm.remedies import Notice


@pytest.fixture
def slow(source, monkeypatch):
    """A task of several parts whose batches wait for a moment."""
    source.write_text("\n".join(["ACGT"] * 400) + "\n")
    forward = Summed.forward

    def pausing(task, model, windows):
        time.sleep(0.01)
        return forward(task, model, windows)

    monkeypatch.setattr(Summed, "forward", pausing)
    return Summed(source, window=4)


def kinds(events):
    return [type(event) for event in events]


def test_a_run_in_a_thread_reports_its_events_and_writes_the_same_bytes(source, out, tmp_path):
    handle = start(Summed(source), ToyModel(), out)
    events = list(handle.events())
    result = handle.result()
    assert handle.done and events[-1] == Finished(result)
    assert [kind for kind in kinds(events) if kind in (Planned, Started, Stopped, Finished)] == [
        Planned, Started, Stopped, Finished,
    ]  # fmt: skip
    assert kinds(events).count(PartDone) == result.parts
    assert list(handle.events()) == []
    run(Summed(source), ToyModel(), tmp_path / "again.tsv")
    assert out.read_bytes() == (tmp_path / "again.tsv").read_bytes()


def test_a_cancelled_run_keeps_its_parts_and_resumes_to_identical_bytes(slow, out, tmp_path):
    handle = start(slow, ToyModel(), out)
    for event in handle.events():
        if isinstance(event, PartDone):
            threading.Thread(target=handle.cancel).start()
    with pytest.raises(CancelledError, match=r"cancelled with \d+ of \d+ parts finished"):
        handle.result()
    finished = len(list((tmp_path / "out.tsv.parts").glob("part-*.parquet")))
    assert finished >= 1 and not out.exists()
    resumed = run(slow, ToyModel(), out, Options(resume=True))
    assert resumed.computed == resumed.parts - finished > 0
    run(slow, ToyModel(), tmp_path / "whole.tsv")
    assert out.read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_a_run_that_is_cancelled_while_it_plans_leaves_nothing(slow, out, tmp_path, monkeypatch):
    items, reading = Summed.items, threading.Event()

    def endless(task):
        reading.set()
        while True:
            yield from items(task)

    monkeypatch.setattr(Summed, "items", endless)
    handle = start(slow, ToyModel(), out)
    assert reading.wait(10)
    handle.cancel()
    with pytest.raises(CancelledError, match="no part finished"):
        handle.result(timeout=20)
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_a_run_that_is_cancelled_while_it_assembles_writes_no_output(source, out, tmp_path, monkeypatch):
    assemble = Summed.assemble

    def cancelling(task, frames, path):
        handle.cancel()
        return assemble(task, frames, path)

    monkeypatch.setattr(Summed, "assemble", cancelling)
    handle = start(Summed(source), ToyModel(), out)
    with pytest.raises(CancelledError, match=r"cancelled with (\d+) of \1 parts finished"):
        handle.result()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.tsv.parts"]
    monkeypatch.undo()
    assert run(Summed(source), ToyModel(), out, Options(resume=True)).computed == 0
    run(Summed(source), ToyModel(), tmp_path / "whole.tsv")
    assert out.read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_a_run_in_memory_can_be_cancelled(slow):
    with pytest.raises(CancelledError, match="cancelled"), start(slow, ToyModel()) as handle:
        handle.cancel()
        handle.result()


def test_an_error_of_the_run_is_raised_by_its_result(source, out):
    source.write_text("ACGT\nACXT\n")
    handle = start(Summed(source), ToyModel(), out)
    assert Finished not in kinds(handle.events())
    with pytest.raises(InputError, match="X"):
        handle.result()


def test_waiting_has_a_limit_and_leaving_the_block_by_an_error_cancels(slow, out):
    with pytest.raises(ZeroDivisionError), start(slow, ToyModel(), out) as handle:
        with pytest.raises(TimeoutError, match="not ended within"):
            handle.result(timeout=0.01)
        assert not handle.done
        raise ZeroDivisionError
    assert handle.done and not out.exists()


def test_two_runs_in_threads_have_their_own_events_and_cancellation(slow, tmp_path):
    first, second = (start(slow, ToyModel(), tmp_path / f"{name}.tsv") for name in "ab")
    first.cancel()
    with pytest.raises(CancelledError):
        first.result()
    assert second.result().parts == sum(isinstance(event, PartDone) for event in second.events())


def test_two_runs_in_one_folder_are_refused(slow, out):
    first = start(slow, ToyModel(), out)
    next(event for event in first.events() if isinstance(event, PartDone))
    with pytest.raises(RunError, match="another run is using this folder"):
        start(slow, ToyModel(), out, Options(resume=True)).result()
    first.cancel()


def test_notes_are_events_and_any_verb_can_be_started():
    def verb(text):
        notes.note(text)
        notes.note(text)
        return text.upper()

    handle = genolm.start(verb, "a note")
    assert handle.result() == "A NOTE"
    assert list(handle.events()) == [Note(Notice("a note")), Note(Notice("a note"))]


def test_notes_are_collected_once_and_logged_without_a_receiver(caplog):
    with notes.collected() as texts, notes.collected() as inner:
        notes.note("one")
        notes.note("one")
        notes.note("two")
    assert list(map(str, texts)) == list(map(str, inner)) == ["one", "two"]
    assert [record.getMessage() for record in caplog.records] == ["one", "two"]
