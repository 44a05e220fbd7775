"""Analysis of kept parts: the bytes of a run with other settings, from parts that it only reads."""

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from engine_toys import Other, Scaled, Summed, ToyModel, expected

from genolm.engine.analysis import analyse, stored_task
from genolm.engine.parts import PartsFolder
from genolm.engine.run import Options, merge, run
from genolm.engine.stored_types import TYPES, StoredType
from genolm.errors import InputError, ResourceError, RunError
from genolm.files.locks import locked


@pytest.fixture(autouse=True)
def toys_are_genolm(monkeypatch):
    """Lets a manifest name the classes of the toys, as it may name those of genolm."""
    for toy in ("Summed", "Scaled", "Other"):
        monkeypatch.setitem(TYPES, toy.lower(), StoredType(f"engine_toys:{toy}"))


@pytest.fixture
def task(source):
    return Scaled(source)


@pytest.fixture
def parts(task, out):
    """The kept parts of a run to ``out``."""
    run(task, ToyModel(), out, Options(keep_parts=True))
    return PartsFolder.of(out).path


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def files(folder):
    return sorted(path.name for path in folder.iterdir())


# Keeping


def test_parts_stay_and_do_not_allow_replacing_the_output(task, parts, out, lines):
    assert out.read_text() == expected(lines)
    assert "assembling" not in files(parts)
    for settings in ({}, {"resume": True}):
        with pytest.raises(RunError, match="exists"):
            run(task, ToyModel(), out, Options(**settings))
    again = run(task, ToyModel(), out, Options(resume=True, overwrite=True))
    assert (again.computed, out.read_text(), parts.exists()) == (0, expected(lines), True)
    assert run(task, ToyModel(), out, Options(overwrite=True)).computed == again.parts
    assert not parts.exists()


def test_an_overwriting_run_does_not_leave_its_permission_in_the_parts(task, out):
    out.write_text("earlier")
    run(task, ToyModel(), out, Options(keep_parts=True, overwrite=True))
    with pytest.raises(RunError, match="exists"):
        run(task, ToyModel(), out, Options(resume=True))
    with pytest.raises(RunError, match="exists"):
        merge(out)


def test_without_the_output_the_parts_are_resumed(task, parts, out, lines):
    out.unlink()
    out.with_name("out.tsv.total").unlink()
    with pytest.raises(RunError, match="holds parts of an earlier run"):
        run(task, ToyModel(), out)
    assert run(task, ToyModel(), out, Options(resume=True)).computed == 0
    assert (out.read_text(), parts.exists()) == (expected(lines), True)


@pytest.mark.parametrize("when", ["shards", "merge"])
def test_shards_keep_their_parts(task, out, tmp_path, when):
    elsewhere = tmp_path / "elsewhere" / "out.tsv"
    elsewhere.parent.mkdir()
    for number, place in ((1, out), (2, elsewhere)):
        run(task, ToyModel(), place, Options(shard=(number, 2), keep_parts=when == "shards"))
    before = contents(PartsFolder.of(elsewhere).path)
    merge(out, parts=[PartsFolder.of(elsewhere).path], keep_parts=when == "merge")
    assert contents(PartsFolder.of(elsewhere).path) == before
    whole = run(task, ToyModel(), tmp_path / "whole.tsv", Options(keep_parts=True))
    assert analyse(PartsFolder.of(out).path, task, tmp_path / "new.tsv").parts == whole.parts
    assert (tmp_path / "new.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()
    with pytest.raises(RunError, match="exists"):
        merge(out)
    assert merge(out, overwrite=True).computed == 0
    assert PartsFolder.of(out).has_parts


def test_in_memory_there_are_no_parts_to_keep(task):
    with pytest.raises(RunError, match="keep_parts need an output path"):
        run(task, ToyModel(), options=Options(keep_parts=True))


# Analysing


@pytest.mark.parametrize("times", [1, 3])
def test_the_analysis_is_a_run_with_its_settings(task, parts, lines, tmp_path, times):
    before = contents(parts)
    other = replace(stored_task(parts, Scaled), times=times)
    result = analyse(parts, other, tmp_path / "new.tsv")
    run(replace(task, times=times), ToyModel(), tmp_path / "whole.tsv")
    assert (result.out, result.items, result.computed) == (tmp_path / "new.tsv", 60, 0)
    for ending in ("", ".total"):
        pair = [(tmp_path / f"{name}.tsv{ending}").read_bytes() for name in ("new", "whole")]
        assert pair[0] == pair[1]
    assert contents(parts) == before
    assert not (tmp_path / "new.tsv.parts").exists()
    assert not list(tmp_path.glob(".partial*"))


def test_the_analysis_in_memory(task, parts):
    assert analyse(parts, task).table.equals(run(task, ToyModel()).table)


def test_overwriting_replaces_the_output_and_the_files_next_to_it(task, parts, tmp_path):
    new = tmp_path / "new.tsv"
    for name in ("new.tsv", "new.tsv.unwritten"):
        (tmp_path / name).write_text("earlier")
    with pytest.raises(RunError, match=r"new\.tsv exists"):
        analyse(parts, task, new)
    analyse(parts, task, new, overwrite=True)
    assert new.read_text() != "earlier" and not (tmp_path / "new.tsv.unwritten").exists()


def test_a_linked_output_is_replaced_at_its_target(task, parts, tmp_path):
    target, link = tmp_path / "target.tsv", tmp_path / "link.tsv"
    target.write_text("earlier")
    link.symlink_to(target)
    analyse(parts, task, link, overwrite=True)
    assert link.is_symlink() and target.read_text() != "earlier" and (tmp_path / "link.tsv.total").exists()


def test_parts_that_cannot_be_written_can_be_read(task, parts, tmp_path):
    parts.chmod(0o555)
    (parts / "run.lock").chmod(0o444)
    analyse(parts, task, tmp_path / "new.tsv")
    parts.chmod(0o755)
    assert (tmp_path / "new.tsv").exists()


def test_parts_without_a_lock_file_can_be_read(task, parts, tmp_path):
    (parts / "run.lock").unlink()
    analyse(parts, task, tmp_path / "new.tsv")
    assert not (parts / "run.lock").exists()


# Refusing


def test_settings_of_the_computation_cannot_change(task, parts, tmp_path):
    with pytest.raises(RunError, match="was computed with another factor: an analysis cannot change it"):
        analyse(parts, replace(task, factor=2), tmp_path / "new.tsv")


def test_parts_of_another_verb(source, parts, tmp_path):
    with pytest.raises(RunError, match="holds parts of scaled, not of summed"):
        stored_task(parts, Summed)
    with pytest.raises(RunError, match="holds parts of scaled, version 1, not of other"):
        analyse(parts, Other(source), tmp_path / "new.tsv")


def test_parts_of_another_version(task, parts, tmp_path, monkeypatch):
    monkeypatch.setitem(TYPES, "scaled", StoredType("engine_toys:Scaled", 2))
    with pytest.raises(RunError, match="has version 1, but this genolm reads version 2"):
        stored_task(parts, Scaled)
    with pytest.raises(RunError, match="holds parts of scaled, version 1, not of scaled, version 2"):
        analyse(parts, task, tmp_path / "new.tsv")


@pytest.mark.parametrize("name", ["nothing", "out.tsv", "folder"])
def test_what_is_no_parts_folder(parts, tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match=r"holds no parts of a run; name the folder OUTPUT\.parts"):
        stored_task(tmp_path / name, Scaled)
    assert files(tmp_path / "folder") == []
    assert not (tmp_path / "nothing").exists()


def test_missing_and_damaged_parts(task, parts, tmp_path):
    (parts / "part-00001.parquet").write_bytes(b"damaged")
    for ending in ("parquet", "json"):
        (parts / f"part-00002.{ending}").unlink()
    with pytest.raises(RunError, match=r"1 of \d+ parts are missing \(2\) and 1 of \d+ parts are damaged"):
        analyse(parts, task, tmp_path / "new.tsv")
    assert not (tmp_path / "new.tsv").exists()


def test_the_inputs_must_be_those_of_the_run(task, parts, source, tmp_path):
    text = source.read_text()
    source.write_text(f"{text}ACGT\n")
    with pytest.raises(InputError, match=r"in\.txt: the content has changed since the parts were computed"):
        analyse(parts, task, tmp_path / "new.tsv")
    source.unlink()
    with pytest.raises(InputError, match=r"in\.txt: no such file"):
        analyse(parts, task, tmp_path / "new.tsv")
    assert not (tmp_path / "new.tsv").exists()


def test_an_input_of_the_analysis_may_be_given_anew(task, out, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("1")
    run(replace(task, notes=notes), ToyModel(), out, Options(keep_parts=True))
    parts = PartsFolder.of(out).path
    notes.write_text("12345")
    with pytest.raises(InputError, match=r"notes\.txt: the content has changed"):
        analyse(parts, replace(task, notes=notes), tmp_path / "new.tsv")
    analyse(parts, replace(task, notes=notes), tmp_path / "new.tsv", given=(notes,))
    assert (tmp_path / "new.tsv.total").read_text() == "5"
    analyse(parts, task, tmp_path / "without.tsv")


@pytest.mark.parametrize("name", ["new.tsv", "folder/new.tsv", ""])
def test_the_output_must_not_lie_in_the_parts(task, parts, tmp_path, name):
    (parts / "folder").mkdir()
    (tmp_path / "link").symlink_to(parts)
    with pytest.raises(RunError, match="lies in the folder of the parts"):
        analyse(parts, task, tmp_path / "link" / name)


def test_an_output_that_belongs_to_other_parts(task, parts, tmp_path):
    new = tmp_path / "new.tsv"
    run(task, ToyModel(), new, Options(shard=(1, 2)))
    with pytest.raises(RunError, match="holds parts of another run"):
        analyse(parts, task, new, overwrite=True)


def test_the_output_must_not_replace_an_input(task, parts, source):
    with pytest.raises(RunError, match="is an input of this run"):
        analyse(parts, task, source, overwrite=True)


def test_a_run_in_the_folder_is_waited_for(task, parts, tmp_path):
    with locked(parts), pytest.raises(RunError, match="another run is using this folder"):
        analyse(parts, task, tmp_path / "new.tsv")


# Stopping


def failing_at_the_second_frame(monkeypatch, error):
    def read(self, number):
        if number == 1:
            raise error
        return original(self, number)

    original = PartsFolder.read
    monkeypatch.setattr(PartsFolder, "read", read)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_full_disk_leaves_nothing(task, parts, tmp_path, monkeypatch, overwrite):
    new = tmp_path / "new.tsv"
    if overwrite:
        new.write_text("earlier")
    before = files(tmp_path)
    failing_at_the_second_frame(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(ResourceError, match=r"new\.tsv: the disk is full; nothing was written, and the parts are unch"):
        analyse(parts, task, new, overwrite=overwrite)
    assert files(tmp_path) == before
    assert not overwrite or new.read_text() == "earlier"


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from engine_toys import Scaled
from genolm.engine.analysis import analyse, stored_task
from genolm.engine.stored_types import TYPES, StoredType
TYPES["scaled"] = StoredType("engine_toys:Scaled")
analyse(sys.argv[1], stored_task(sys.argv[1], Scaled), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("stop", ["SIGINT", "SIGTERM"])
def test_a_stopped_analysis_leaves_nothing(task, parts, tmp_path, stop):
    before = files(tmp_path)
    command = [sys.executable, "-c", PROGRAM, str(parts), str(tmp_path / "new.tsv"), str(Path(__file__).parent)]
    env = {**os.environ, "TOY_DIE": f"assemble:2:{stop}"}
    done = subprocess.run(command, env=env, timeout=120, capture_output=True, text=True)
    assert "KeyboardInterrupt" in done.stderr and done.returncode in (1, 130, -signal.SIGINT), done.stderr
    assert files(tmp_path) == before


def test_a_killed_analysis_is_swept_by_the_next(task, parts, tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(parts), str(tmp_path / "new.tsv"), str(Path(__file__).parent)]
    subprocess.run(command, env={**os.environ, "TOY_DIE": "assemble:2:SIGKILL"}, timeout=120, check=False)
    assert list(tmp_path.glob(".partial-*")) and not (tmp_path / "new.tsv").exists()
    analyse(parts, task, tmp_path / "new.tsv")
    assert not list(tmp_path.glob(".partial-*"))


def test_the_manifest_says_that_the_parts_are_kept(parts):
    manifest = json.loads((parts / "manifest.json").read_text())
    assert (manifest["keep_parts"], manifest["overwrite"]) == (True, False)
