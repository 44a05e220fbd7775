"""Progress of a run: what is reported, and when."""

import io
import subprocess
import sys

import pytest
from engine_toys import Summed, ToyModel
from rich.console import Console

from genolm.engine.progress import NoProgress, ProgressBar, as_progress, rate, reporting
from genolm.engine.run import Options, run
from genolm.errors import ResourceError


class Recorder:
    """Writes down every call."""

    def __init__(self):
        self.calls = []

    def start(self, label, bases, done):
        self.calls.append(("start", label, bases, done))

    def advance(self, bases):
        self.calls.append(("advance", bases))

    def note(self, text):
        self.calls.append(("note", text))

    def stop(self):
        self.calls.append(("stop",))


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_a_run_tells_all_bases_once(source, out, lines, where):
    recorder, bases = Recorder(), sum(map(len, lines))
    run(Summed(source), ToyModel(), out if where == "disk" else None, progress=recorder)
    assert recorder.calls[0] == ("start", "summed", bases, 0)
    assert recorder.calls[-1] == ("stop",)
    assert sum(call[1] for call in recorder.calls[1:-1]) == bases


def test_a_resumed_run_starts_where_it_stopped(source, out, lines):
    first, second = Recorder(), Recorder()
    task = Summed(source, window=100)
    source.write_text("\n".join(["ACGT"] * 30 + ["ACGTACGTACGTACGT"]))
    with pytest.raises(ResourceError):
        run(task, ToyModel(limit=15), out, progress=first)
    run(task, ToyModel(), out, Options(resume=True), progress=second)
    _, _, bases, done = second.calls[0]
    assert 0 < done < bases == 136
    assert sum(call[1] for call in second.calls if call[0] == "advance") == bases - done


def test_the_end_is_told_after_an_error():
    recorder = Recorder()
    with pytest.raises(ValueError, match="x"), reporting(recorder, "label", 10, 2):
        raise ValueError("x")
    assert recorder.calls == [("start", "label", 10, 2), ("stop",)]


def test_choosing():
    recorder = Recorder()
    assert as_progress(recorder) is recorder
    assert isinstance(as_progress(None), NoProgress)
    assert isinstance(as_progress(False), NoProgress)
    assert isinstance(as_progress(True), ProgressBar)


def test_the_bar_shows_label_share_and_notes():
    text = io.StringIO()
    bar = ProgressBar(Console(file=text, force_terminal=True, width=120))
    with reporting(bar, "embed", 1000, 250):
        bar.advance(250)
        bar.note("batches halved")
        bar._bar.refresh()
    assert "embed" in text.getvalue()
    assert "50%" in text.getvalue()
    assert "batches halved" in text.getvalue()
    assert "b/s" in text.getvalue()


def test_a_bar_that_was_not_started_is_silent():
    bar = ProgressBar()
    bar.advance(3)
    bar.note("x")
    bar.stop()


@pytest.mark.parametrize(
    ("value", "text"), [(None, "– b/s"), (0, "– b/s"), (12, "12 b/s"), (12_345, "12.3 kb/s"), (4.5e6, "4.5 Mb/s")]
)
def test_rates_for_people(value, text):
    assert rate(value) == text


def test_silence_loads_neither_rich_nor_torch():
    code = "import sys, genolm.engine.run; print(sorted({'rich', 'torch', 'polars', 'pysam'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
