"""Progress of a run: what is reported, and when."""

import io
import subprocess
import sys

import pytest
from engine_toys import Summed, ToyModel
from rich.console import Console

from genolm.engine.events import Advanced, BatchHalved, Finished, Observer, PartDone, Planned, Started, Stopped
from genolm.engine.progress import ProgressBar, as_listener, rate
from genolm.engine.run import Options, run
from genolm.errors import ResourceError


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_a_run_tells_all_bases_once(source, out, lines, where):
    events, bases = [], sum(map(len, lines))
    result = run(Summed(source), ToyModel(), out if where == "disk" else None, progress=events.append)
    assert events[:2] == [Planned("summed", len(lines), result.parts, result.parts), Started("summed", bases, 0)]
    assert events[-2:] == [Stopped(), Finished(result)]
    assert sum(event.bases for event in events if isinstance(event, Advanced)) == bases
    done = [event for event in events if isinstance(event, PartDone)]
    assert [part.number for part in done] == list(range(result.parts))
    assert all(part.seconds > 0 and part.worker == "cpu" for part in done)


def test_a_resumed_run_starts_where_it_stopped(source, out, lines):
    first, second = [], []
    task = Summed(source, window=100)
    source.write_text("\n".join(["ACGT"] * 30 + ["ACGTACGTACGTACGT"]))
    with pytest.raises(ResourceError):
        run(task, ToyModel(limit=15), out, progress=first.append)
    run(task, ToyModel(), out, Options(resume=True), progress=second.append)
    started = next(event for event in second if isinstance(event, Started))
    assert 0 < started.done < started.bases == 136
    assert sum(event.bases for event in second if isinstance(event, Advanced)) == started.bases - started.done


def test_the_end_is_told_after_an_error():
    events = []
    with pytest.raises(ValueError, match="x"), Observer((events.append,)).computing("label", 10, 2):
        raise ValueError("x")
    assert events == [Started("label", 10, 2), Stopped()]


def test_choosing():
    receiver = [].append
    assert as_listener(receiver) is receiver
    assert as_listener(None) is None
    assert as_listener(False) is None
    assert isinstance(as_listener(True), ProgressBar)


def test_the_bar_shows_label_share_and_notes():
    text = io.StringIO()
    bar = ProgressBar(Console(file=text, force_terminal=True, width=120))
    with Observer((bar,)).computing("embed", 1000, 250):
        bar(Advanced(250))
        bar(BatchHalved(100, "batches halved"))
        bar._bar.refresh()
    assert "embed" in text.getvalue()
    assert "50%" in text.getvalue()
    assert "batches halved" in text.getvalue()
    assert "b/s" in text.getvalue()


def test_a_bar_that_was_not_started_is_silent():
    text = io.StringIO()
    bar = ProgressBar(Console(file=text))
    bar(Advanced(3))
    bar(Stopped())
    assert text.getvalue() == ""


@pytest.mark.parametrize(
    ("value", "text"), [(None, "– b/s"), (0, "– b/s"), (12, "12 b/s"), (12_345, "12.3 kb/s"), (4.5e6, "4.5 Mb/s")]
)
def test_rates_for_people(value, text):
    assert rate(value) == text


def test_silence_loads_neither_rich_nor_torch():
    code = "import sys, genolm.engine.run; print(sorted({'rich', 'torch', 'polars', 'pysam'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
