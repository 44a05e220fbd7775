"""What a run says it did: counts that add up over parts, however the run went."""

import json
from dataclasses import dataclass

import polars as pl
import pytest
from engine_toys import Summed, ToyModel

from genolm.engine.events import Finished
from genolm.engine.merge import merge
from genolm.engine.run import Options, run
from genolm.engine.summary import Summary, provenance_path
from genolm.errors import ResourceError
from genolm.remedies import Notice, Remedy

REMEDIES = {"empty": Notice("leave empty lines out")}


@dataclass(frozen=True, slots=True)
class Counted(Summed):
    """Lines by whether they hold a base."""

    def count(self, rows):
        empty = rows.filter(pl.col("sequence") == "").height
        outcomes = {"summed": rows.height - empty, "empty": empty}
        return Summary({"lines": rows.height}, outcomes, remedies=REMEDIES, lack="sum")

    def metadata(self):
        return {"genolm_version": "1", "factor": str(self.factor)}


@pytest.fixture
def counts(lines):
    empty = lines.count("")
    return {"lines": 60, "summed": 60 - empty, "empty": empty}


def written(out):
    return json.loads(provenance_path(out).read_text())


def test_the_line_names_results_first_then_the_most_frequent_reason():
    outcomes = {"not_snv": 10, "scored": 174, "ref_mismatch": 16, "star": 0}
    recorder = Summary(
        {"ALT alleles": 200}, outcomes, remedies=dict.fromkeys(("not_snv", "ref_mismatch", "star"), Notice("x"))
    )
    assert str(recorder) == "200 ALT alleles: 174 scored, 16 ref_mismatch, 10 not_snv"
    assert list(recorder.counts()) == ["ALT alleles", "scored", "ref_mismatch", "not_snv", "star"]


def test_inputs_results_and_a_note_stand_in_the_line():
    recorder = Summary({"sequences": 1, "bases": 1200}, results={"vectors": 1}, note="8 dimensions, layer 2")
    assert str(recorder) == "1 sequence, 1,200 bases; 1 vector (8 dimensions, layer 2)"
    assert str(Summary({"sequences": 0})) == "0 sequences"


def test_parts_add_up_in_any_order():
    one = Summary({"lines": 3}, {"a": 1, "b": 2}, {"bases": 5})
    other = Summary({"lines": 1}, {"c": 1}, {"bases": 2}, {"c": Notice("remedy")})
    assert (
        one + other
        == other + one
        == Summary({"lines": 4}, {"a": 1, "b": 2, "c": 1}, {"bases": 7}, {"c": Notice("remedy")})
    )
    assert str(one + other) == str(other + one) == "4 lines: 2 b, 1 a, 1 c; 7 bases"


@pytest.mark.parametrize(("scored", "empty", "warned"), [(95, 5, False), (94, 6, True), (0, 1, True), (0, 0, False)])
def test_a_warning_comes_above_five_percent(scored, empty, warned):
    recorder = Summary({"lines": scored + empty}, {"scored": scored, "empty": empty}, remedies=REMEDIES)
    assert (recorder.warning() is not None) is warned


def test_the_warning_names_the_most_frequent_reason_and_its_remedy():
    remedies = {"empty": Notice("leave them out"), "cut": Notice("not whole", (Remedy("whole_tokens", True),))}
    recorder = Summary({"lines": 1200}, {"scored": 900, "empty": 100, "cut": 200}, remedies=remedies)
    warning = "300 of 1,200 lines (25%) have no score, most often cut (200): not whole; pass whole_tokens=True"
    assert str(recorder.warning()) == warning


def test_a_run_in_memory_and_one_on_the_disk_have_the_same_summary(source, out, counts):
    in_memory, on_disk = run(Counted(source), ToyModel()), run(Counted(source), ToyModel(), out)
    assert in_memory.summary == on_disk.summary
    assert in_memory.summary.counts() == counts
    assert written(out) == {"genolm_version": "1", "factor": "1", "counts": counts}


def test_a_resumed_run_counts_the_parts_of_both_runs(source, out):
    source.write_text("\n".join(["ACGT", "", "AC"] * 20 + ["ACGTACGTACGTACGT"]))
    counts = {"lines": 61, "summed": 41, "empty": 20}
    with pytest.raises(ResourceError):
        run(Counted(source, window=100), ToyModel(limit=15), out)
    result = run(Counted(source, window=100), ToyModel(), out, Options(resume=True))
    assert 0 < result.computed < result.parts
    assert written(out)["counts"] == result.summary.counts() == counts


def test_merged_shards_have_the_counts_of_one_run(source, out, counts):
    for shard in ("1/3", "2/3", "3/3"):
        assert run(Counted(source), ToyModel(), out, Options(shard=shard)).summary is None
    assert merge(out, task=Counted(source)).summary.counts() == counts
    assert written(out)["counts"] == counts


def test_a_task_that_counts_nothing_has_its_items(source, out):
    assert str(run(Summed(source), ToyModel(), out).summary) == "60 items"
    assert not provenance_path(out).exists()


def test_missing_results_are_noted_once_and_are_part_of_the_result(source, caplog):
    source.write_text("ACGT\n\n")
    result = run(Counted(source), ToyModel())
    text = "1 of 2 lines (50%) have no sum, most often empty (1): leave empty lines out"
    assert result.notes == (text,)
    assert [(record.name, record.getMessage()) for record in caplog.records] == [("genolm", text)]


def test_the_last_event_holds_the_result(source, out):
    events = []
    result = run(Summed(source), ToyModel(), out, progress=events.append)
    assert events[-1] == Finished(result)
