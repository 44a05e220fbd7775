"""The bulk run: known answers, order, refusals, nothing left behind."""

import threading
from dataclasses import dataclass

import pytest
from engine_toys import Listed, Summed, ToyModel, expected

from genolm.engine.run import Options, run
from genolm.errors import InputError, RunError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_known_answer_in_input_order(source, out, lines):
    result = run(Summed(source), ToyModel(), out)
    assert out.read_text() == expected(lines)
    assert (result.out, result.items, result.missing) == (out, 60, ())
    assert result.parts == result.computed > 10


def test_only_the_artefact_is_left(source, out, tmp_path):
    run(Summed(source), ToyModel(), str(out))
    assert names(tmp_path) == ["in.txt", "out.tsv"]


def test_in_memory_returns_the_table_and_touches_no_disk(source, tmp_path, lines):
    result = run(Summed(source), ToyModel())
    text = "".join(f"{sequence}\t{total}\n" for sequence, total in result.table.iter_rows())
    assert text == expected(lines)
    assert result.out is None
    assert names(tmp_path) == ["in.txt"]


def test_values_in_memory_are_input_like_a_file(out, lines):
    run(Listed(tuple(lines)), ToyModel(), out)
    assert out.read_text() == expected(lines)


def test_empty_input_gives_an_empty_artefact_with_its_columns(out):
    assert run(Listed(()), ToyModel()).table.columns == ["sequence", "sum"]
    assert run(Listed(()), ToyModel(), out).parts == 1
    assert out.read_text() == ""


@pytest.mark.parametrize("budget", [1, 7, 20, 10_000])
def test_the_budget_changes_batches_but_not_the_result(source, out, lines, budget):
    model = ToyModel()
    result = run(Summed(source), model, out, Options(batch_tokens=budget))
    assert out.read_text() == expected(lines)
    assert all(rows * columns <= max(budget, columns) for rows, columns in model.shapes)
    assert all(rows == 1 for rows, columns in model.shapes if columns > budget)
    assert result.token_budget == budget


def test_parts_do_not_depend_on_the_budget(source):
    assert (
        run(Summed(source), ToyModel(), options=Options(batch_tokens=1)).parts == run(Summed(source), ToyModel()).parts
    )


def test_bad_input_is_told_before_the_model_computes_anything(source, out, tmp_path, lines):
    source.write_text("\n".join([*lines, "ACGX"]))
    model = ToyModel()
    with pytest.raises(InputError, match=r"in.txt:61: not DNA \(value 'ACGX'\)"):
        run(Summed(source), model, out)
    assert model.shapes == []
    assert names(tmp_path) == ["in.txt"]


def test_an_existing_output_is_not_touched(source, out):
    out.write_text("precious")
    with pytest.raises(RunError, match=r"out.tsv exists; pass overwrite=True to replace it"):
        run(Summed(source), ToyModel(), out)
    with pytest.raises(RunError, match="exists"):
        run(Summed(source), ToyModel(), out, Options(resume=True))
    with pytest.raises(RunError, match="exists"):
        run(Summed(source), ToyModel(), out, Options(shard="1/2"))
    assert out.read_text() == "precious"


def test_overwrite_replaces_it(source, out, lines):
    out.write_text("old")
    run(Summed(source), ToyModel(), out, Options(overwrite=True))
    assert out.read_text() == expected(lines)


def test_the_folder_of_the_output_must_be_there(source, tmp_path):
    with pytest.raises(RunError, match=r"there is no folder .*nowhere"):
        run(Summed(source), ToyModel(), tmp_path / "nowhere" / "out.tsv")


@pytest.mark.parametrize("settings", [{"resume": True}, {"shard": "1/2"}])
def test_a_run_in_memory_has_nothing_to_resume(source, settings):
    with pytest.raises(RunError, match="resume, shard and keep_parts need an output path"):
        run(Summed(source), ToyModel(), options=Options(**settings))


def test_a_budget_below_one_is_refused(source):
    with pytest.raises(RunError, match="batch_tokens must be at least 1, not 0"):
        run(Summed(source), ToyModel(), options=Options(batch_tokens=0))


def test_a_failure_before_the_first_part_leaves_nothing(source, out, tmp_path):
    with pytest.raises(ValueError, match="broken"):
        run(_Broken(source), ToyModel(), out)
    assert names(tmp_path) == ["in.txt"]


def test_a_task_must_give_one_output_for_every_window(source):
    with pytest.raises(RunError, match=r"task short returned \d+ outputs for \d+ windows"):
        run(_Short(source), ToyModel())


def test_a_task_that_writes_nothing_is_told(source, out, tmp_path):
    with pytest.raises(RunError, match=r"task mute did not write .*out.tsv; the parts are kept"):
        run(_Mute(source), ToyModel(), out)
    assert names(tmp_path) == ["in.txt", "out.tsv.parts"]


def test_items_that_vanish_between_plan_and_run_are_told(out):
    with pytest.raises(RunError, match="fewer items than when the run was planned"):
        run(_Fleeting(), ToyModel(), out)


def test_threads_share_nothing(tmp_path, lines):
    outs = [tmp_path / f"{number}.tsv" for number in range(4)]
    tasks = [Listed(tuple(lines), factor=number + 1) for number in range(4)]
    model = ToyModel()
    threads = [threading.Thread(target=run, args=(task, model, out)) for task, out in zip(tasks, outs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [out.read_text() for out in outs] == [expected(lines, number + 1) for number in range(4)]


@dataclass(frozen=True, slots=True)
class _Broken(Summed):
    def forward(self, model, windows):
        raise ValueError("broken")


@dataclass(frozen=True, slots=True)
class _Short(Summed):
    name = "short"

    def forward(self, model, windows):
        return [0] * (len(windows) - 1)


@dataclass(frozen=True, slots=True)
class _Mute(Summed):
    name = "mute"

    def assemble(self, frames, out):
        list(frames)


@dataclass(frozen=True, slots=True)
class _Fleeting(Listed):
    passes: tuple[list[str], ...] = (["ACGT", "ACGT"], ["ACGT"])

    def items(self):
        return iter(self.passes[0] if not _SEEN.append(1) and len(_SEEN) == 1 else self.passes[1])


_SEEN: list[int] = []
