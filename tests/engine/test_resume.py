"""Killed and continued runs write the same bytes; runs that differ refuse each other."""

import json
import random
from dataclasses import replace

import pytest
import torch
from engine_toys import Listed, Other, Summed, ToyModel, expected

from genolm.engine import fingerprint as fingerprints
from genolm.engine.parts import PartsFolder
from genolm.engine.run import Options, merge, run
from genolm.errors import ResourceError, RunError
from genolm.tokens import NucleotideTokenizer


@pytest.fixture
def stopped(source, out):
    """A run that was stopped after some parts; returns its folder."""
    with pytest.raises(ResourceError):
        run(Summed(source), _Failing(after=5), out)
    folder = PartsFolder.of(out)
    assert len(list(folder.path.glob("part-*.parquet"))) == 5
    return folder


class _Failing(ToyModel):
    """Stops with an error after some batches, one for each part."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def sums(self, sequences):
        self.left -= 1
        if self.left < 0:
            raise ResourceError("enough")
        return super().sums(sequences)


@pytest.mark.parametrize("place", ["forward", "assemble:3"])
def test_killed_and_resumed_gives_the_same_bytes(program, out, lines, place):
    if place == "forward":
        place = f"forward:{random.randrange(2, 16)}"  # the failure's traceback tells which
    assert program(die=f"{place}:SIGKILL").returncode == -9
    assert not out.exists()
    assert "pass resume=True to continue" in program().stderr
    resumed = program("--resume")
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert out.read_text() == expected(lines)
    assert sorted(path.name for path in out.parent.iterdir()) == ["in.txt", "out.tsv"]


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_stopped_run_says_how_to_go_on(program, out, lines, number):
    stopped = program(die=f"forward:4:{number}")
    assert stopped.returncode == 1
    assert "Interrupted: stopped with 3 of" in stopped.stderr
    assert "parts finished; pass resume=True to continue" in stopped.stderr
    assert program("--resume").returncode == 0
    assert out.read_text() == expected(lines)


def test_resume_computes_only_what_is_missing(stopped, source, out, lines):
    model = ToyModel()
    result = run(Summed(source), model, out, Options(resume=True))
    assert result.computed == result.parts - 5 == len(model.shapes)
    assert out.read_text() == expected(lines)


def test_without_resume_finished_parts_are_not_thrown_away(stopped, source, out):
    with pytest.raises(
        RunError, match=r"out.tsv.parts holds parts of an earlier run; pass resume=True to continue it, or"
    ):
        run(Summed(source), ToyModel(), out)
    assert stopped.has_parts


def test_overwrite_starts_anew(stopped, source, out):
    result = run(Summed(source), ToyModel(), out, Options(overwrite=True))
    assert result.computed == result.parts


def test_resume_without_parts_is_a_plain_run(source, out, lines):
    run(Summed(source), ToyModel(), out, Options(resume=True))
    assert out.read_text() == expected(lines)


@pytest.mark.parametrize("damage", ["truncate", "flip", "no seal", "no rows", "torn seal", "foreign"])
def test_a_damaged_part_is_computed_again(stopped, source, out, lines, damage):
    _damage(stopped, 2, damage)
    model = ToyModel()
    result = run(Summed(source), model, out, Options(resume=True))
    assert result.computed == result.parts - 4
    assert out.read_text() == expected(lines)


def _damage(folder, number, damage):
    rows, seal = folder.rows_path(number), folder.seal_path(number)
    content = rows.read_bytes()
    match damage:
        case "truncate":
            rows.write_bytes(content[: len(content) // 2])
        case "flip":
            rows.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
        case "no seal":
            seal.unlink()
        case "no rows":
            rows.unlink()
        case "torn seal":
            seal.write_text(seal.read_text()[:20])
        case "foreign":
            seal.write_text(json.dumps({**json.loads(seal.read_text()), "run": "another"}))


@pytest.mark.parametrize(
    ("task", "model", "message"),
    [
        (lambda source: Summed(source, factor=2), ToyModel(), r"changed: setting factor \(was 1, now 2\)\);"),
        (
            lambda source: Other(source),
            ToyModel(),
            r"changed: task \(was engine_toys:Summed, version 1, now engine_toys:Other",
        ),
        (lambda source: Summed(source), ToyModel(fingerprint="v" * 64), r"changed: model weights\);"),
        (lambda source: Summed(source), ToyModel(dtype=torch.bfloat16), r"changed: model dtype\);"),
        (lambda source: Summed(source), ToyModel(tokenizer=NucleotideTokenizer(iupac="N")), "changed: model tokenizer"),
    ],
)
def test_another_run_is_refused_by_name(stopped, source, out, task, model, message):
    with pytest.raises(RunError, match=message):
        run(task(source), model, out, Options(resume=True))
    assert stopped.has_parts
    assert not out.exists()


def test_changed_input_is_refused(stopped, source, out, lines):
    source.write_text("\n".join([*lines[:-1], "A" * len(lines[-1])]))
    with pytest.raises(RunError, match="changed: content of input file 1"):
        run(Summed(source), ToyModel(), out, Options(resume=True))


def test_several_changes_are_all_named(stopped, source, out, monkeypatch):
    monkeypatch.setattr(fingerprints, "SCHEMA", 99)
    monkeypatch.setattr(fingerprints, "version", lambda name: "9.9")
    with pytest.raises(RunError) as caught:
        run(Summed(source, window=5), ToyModel(), out, Options(resume=True))
    assert "format of the parts (was 3, now 99); genolm version (was" in str(caught.value)
    assert "setting window (was 7, now 5)" in str(caught.value)
    assert "another output, or pass overwrite=True to start over" in str(caught.value)


def test_changed_values_in_memory_are_refused(out, lines):
    with pytest.raises(ResourceError):
        run(Listed(tuple(lines)), _Failing(after=2), out)
    with pytest.raises(RunError, match="changed: setting source"):
        run(Listed(tuple(lines[::-1])), ToyModel(), out, Options(resume=True))


def test_items_of_a_large_file_that_differ_although_its_samples_are_equal_are_refused(source, out, monkeypatch):
    for name, value in (("FULL_DIGEST_LIMIT", 0), ("_BLOCK", 8)):
        monkeypatch.setattr(f"genolm.engine.fingerprint.{name}", value)
    with pytest.raises(ResourceError):
        run(Summed(source), _Failing(after=5), out)
    monkeypatch.setattr(Summed, "part_items", 2, raising=False)
    with pytest.raises(RunError, match="changed: items of the input"):
        run(Summed(source), ToyModel(), out, Options(resume=True))


def test_the_plan_of_a_valid_input_is_reused(stopped, source, out, monkeypatch, lines):
    monkeypatch.setattr("genolm.engine.resumable.make_plan", None)
    run(Summed(source), ToyModel(), out, Options(resume=True))
    assert out.read_text() == expected(lines)


def test_the_same_input_elsewhere_is_the_same_run(stopped, source, out, tmp_path, lines):
    moved = source.rename(tmp_path / "moved.txt")
    result = run(Summed(moved), ToyModel(), out, Options(resume=True))
    assert result.computed == result.parts - 5
    assert out.read_text() == expected(lines)


def test_resume_keeps_the_batches_of_the_first_run(source, out):
    with pytest.raises(ResourceError):
        run(Summed(source), _Failing(after=20), out, Options(batch_tokens=14))
    assert run(Summed(source), ToyModel(), out, Options(resume=True)).token_budget == 14


def test_a_damaged_manifest_is_told_and_overwrite_helps(stopped, source, out, lines):
    (stopped.path / "manifest.json").write_text('{"task": ')
    with pytest.raises(
        RunError, match=r"manifest.json: not a manifest of genolm .*; pass overwrite=True to start over"
    ):
        run(Summed(source), ToyModel(), out, Options(resume=True))
    run(Summed(source), ToyModel(), out, Options(overwrite=True))
    assert out.read_text() == expected(lines)


def test_a_manifest_without_computing_settings_is_of_an_earlier_format(stopped, source, out):
    manifest = json.loads((stopped.path / "manifest.json").read_text())
    manifest["fingerprint"]["schema"] = 2
    del manifest["compute"]
    (stopped.path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        RunError, match=r"manifest.json: format 2, but this version of genolm reads format 3; resume or"
    ):
        run(Summed(source), ToyModel(), out, Options(resume=True))


def test_parts_of_genolm_0_1_are_refused_with_the_reason_and_overwrite_helps(stopped, source, out, lines):
    manifest = json.loads((stopped.path / "manifest.json").read_text())
    manifest["fingerprint"]["schema"] = 1
    (stopped.path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        RunError, match=r"manifest.json: written by genolm 0.1, which named tasks by .*, or pass overwrite=True"
    ):
        run(Summed(source), ToyModel(), out, Options(resume=True))
    with pytest.raises(RunError, match=r"manifest.json: written by genolm 0.1"):
        merge(out)
    run(Summed(source), ToyModel(), out, Options(overwrite=True))
    assert out.read_text() == expected(lines)


def test_a_run_killed_between_artefact_and_clean_up_is_finished_by_resume(source, out, lines, monkeypatch):
    monkeypatch.setattr("genolm.engine.target._remove_parts", _killed)
    with pytest.raises(_Killed):
        run(Summed(source), ToyModel(), out)
    monkeypatch.undo()
    assert out.exists()
    result = run(Summed(source), ToyModel(), out, Options(resume=True))
    assert result.computed == 0
    assert out.read_text() == expected(lines)
    assert not PartsFolder.of(out).path.exists()


def test_resume_does_not_replace_an_output_that_came_from_elsewhere(stopped, source, out):
    out.write_text("precious")
    with pytest.raises(RunError, match="exists; pass overwrite=True"):
        run(Summed(source), ToyModel(), out, Options(resume=True))
    assert out.read_text() == "precious"


def test_resume_of_a_run_that_may_overwrite_may_overwrite(source, out, lines):
    out.write_text("old")
    with pytest.raises(ResourceError):
        run(Summed(source), _Failing(after=5), out, Options(overwrite=True))
    assert out.read_text() == "old"
    result = run(Summed(source), ToyModel(), out, Options(resume=True))
    assert result.computed == result.parts - 5
    assert out.read_text() == expected(lines)


def test_half_written_files_of_a_killed_process_are_swept(stopped, source, out):
    (out.parent / ".partial-0123abcd-out.tsv").write_text("half")
    run(Summed(source), ToyModel(), out, Options(resume=True))
    assert sorted(path.name for path in out.parent.iterdir()) == ["in.txt", "out.tsv"]


def test_settings_that_no_manifest_can_hold_are_told(out):
    task = replace(Listed(()), factor=object())
    with pytest.raises(RunError, match=r"Listed.factor: a object cannot be written to a manifest; pass a path"):
        run(task, ToyModel(), out)


class _Killed(BaseException):
    pass


def _killed(*_, **__):
    raise _Killed
