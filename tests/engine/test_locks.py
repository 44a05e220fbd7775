"""One run in one folder; shards of one run together."""

import pytest
from engine_toys import Summed, ToyModel

from genolm.engine.parts import PartsFolder
from genolm.engine.run import Options, merge, run
from genolm.errors import RunError
from genolm.files.locks import locked


@pytest.fixture
def folder(out):
    return PartsFolder.of(out).path


def test_a_second_run_is_refused(source, out, folder):
    with (
        locked(folder),
        pytest.raises(RunError, match=r"parts: another run is using this folder \(process \d+ on \S+\); wait"),
    ):
        run(Summed(source), ToyModel(), out)


def test_a_run_at_work_is_not_called_an_earlier_one(source, out, folder):
    """Its parts are not offered for resuming either."""
    run(Summed(source), ToyModel(), out, Options(shard="1/2"))
    for words in ({}, {"resume": True}, {"overwrite": True}):
        with locked(folder), pytest.raises(RunError, match="another run is using this folder"):
            run(Summed(source), ToyModel(), out, Options(**words))
    with pytest.raises(RunError, match="holds parts of an earlier run"):
        run(Summed(source), ToyModel(), out)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RunError, match=r"out.parts cannot be created: Not a directory"),
        locked(tmp_path / "file/out.parts"),
    ):
        pass


def test_neither_shard_nor_merge_enter_a_run(source, out, folder):
    with locked(folder):
        with pytest.raises(RunError, match="another run is using this folder"):
            run(Summed(source), ToyModel(), out, Options(shard="1/2"))
        with pytest.raises(RunError, match="another run is using this folder"):
            merge(out)


def test_shards_of_one_run_work_together_but_none_twice(folder):
    with locked(folder, "1/3"), locked(folder, "2/3"):
        with pytest.raises(RunError, match="another run is using this folder"), locked(folder, "2/3"):
            pass
        with pytest.raises(RunError, match="another run is using this folder"), locked(folder):
            pass


def test_the_lock_ends_with_its_block(folder):
    for _ in range(2):
        with locked(folder):
            pass
    with locked(folder, "1/2"):
        pass


def test_a_refused_run_leaves_the_other_alone(source, out, folder):
    with locked(folder):
        (folder / "part-00000.parquet").write_text("theirs")
        with pytest.raises(RunError):
            run(Summed(source), ToyModel(), out, Options(overwrite=True))
        assert (folder / "part-00000.parquet").read_text() == "theirs"


def test_a_lock_in_a_folder_that_went_away_does_not_count(folder, monkeypatch):
    import shutil

    from genolm.files import locks as lock

    real, taken = lock._lock, []

    def lock_after_removal(file, operation, where):
        real(file, operation, where)
        if not taken:
            taken.append(shutil.rmtree(folder))

    monkeypatch.setattr(lock, "_lock", lock_after_removal)
    with locked(folder):
        assert (folder / "run.lock").exists()


def test_a_file_system_without_locks_is_worked_on_without(folder, monkeypatch):
    def refused(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("genolm.files.locks.fcntl.flock", refused)
    with locked(folder):
        assert folder.is_dir()
