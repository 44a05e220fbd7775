"""Shards and merge: their union is one run, in one folder or on many machines."""

import errno
import shutil
import threading

import pytest
from engine_toys import Listed, Summed, ToyModel, expected

from genolm.engine.parts import PartsFolder
from genolm.engine.plan import Plan, Shard
from genolm.engine.run import Options, merge, run
from genolm.engine.stored_types import TYPES, StoredType
from genolm.errors import ResourceError, RunError


@pytest.fixture(autouse=True)
def toys_are_genolm(monkeypatch):
    """Lets a manifest name the classes of the toys, as it may name those of genolm."""
    for toy in ("Summed", "Listed"):
        monkeypatch.setitem(TYPES, toy.lower(), StoredType(f"engine_toys:{toy}"))


def shards(source, out, numbers, count=3):
    return [run(Summed(source), ToyModel(), out, Options(shard=f"{number}/{count}")) for number in numbers]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_the_union_of_shards_is_one_run(source, out, lines, tmp_path, order):
    first, second, third = shards(source, out, order)
    assert first.computed + second.computed + third.computed == first.parts
    assert first.out is None
    assert not out.exists()
    assert third.missing == ()
    result = merge(out)
    assert out.read_text() == expected(lines)
    assert (result.out, result.items, result.computed) == (out, 60, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.tsv"]


def test_a_shard_tells_what_is_missing(source, out):
    (result,) = shards(source, out, [2])
    assert set(result.missing) == {number for number in range(result.parts) if number % 3 != 1}


def test_a_shard_goes_on_with_what_it_finds(source, out):
    shards(source, out, [2])
    assert shards(source, out, [2])[0].computed == 0


def test_shards_from_other_machines(source, out, lines, tmp_path):
    outs = [tmp_path / f"machine{number}" / "out.tsv" for number in (1, 2, 3)]
    for number, elsewhere in enumerate(outs, start=1):
        elsewhere.parent.mkdir()
        copy = shutil.copy(source, elsewhere.parent / "input.txt")
        run(Summed(copy), ToyModel(), elsewhere, Options(shard=(number, 3)))
    folders = [PartsFolder.of(elsewhere).path for elsewhere in outs]
    merge(out, parts=folders)
    assert out.read_text() == expected(lines)
    assert not PartsFolder.of(out).path.exists()
    assert all(folder.exists() for folder in folders)


def test_one_folder_here_and_one_from_elsewhere(source, out, lines, tmp_path):
    shards(source, out, [1, 3])
    shards(source, tmp_path / "other.tsv", [2])
    merge(out, parts=[tmp_path / "other.tsv.parts"])
    assert out.read_text() == expected(lines)


def test_a_whole_run_can_finish_what_shards_began(source, out, lines):
    (shard,) = shards(source, out, [1])
    result = run(Summed(source), ToyModel(), out, Options(resume=True))
    assert result.computed == result.parts - shard.computed
    assert out.read_text() == expected(lines)


def test_shards_at_the_same_time_in_one_folder(source, out, lines):
    threads = [threading.Thread(target=shards, args=(source, out, [number])) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    merge(out)
    assert out.read_text() == expected(lines)


def test_missing_parts_are_named(source, out):
    (result,) = shards(source, out, [1], count=1)
    PartsFolder.of(out).seal_path(2).unlink()
    PartsFolder.of(out).rows_path(2).unlink()
    with pytest.raises(RunError, match=rf"1 of {result.parts} parts are missing \(2\); run their shards again"):
        merge(out)
    assert PartsFolder.of(out).has_parts


def test_many_missing_parts_are_named_in_part(source, out):
    shards(source, out, [1], count=20)
    with pytest.raises(RunError, match=r"\(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …\)"):
        merge(out)


def test_a_damaged_part_is_refused(source, out):
    shards(source, out, [1, 2, 3])
    rows = PartsFolder.of(out).rows_path(4)
    rows.write_bytes(rows.read_bytes()[:-3])
    with pytest.raises(RunError, match=r"1 of \d+ parts are damaged \(part-00004.parquet\)"):
        merge(out)
    assert not out.exists()


def test_a_damaged_part_is_taken_from_where_it_is_whole(source, out, lines, tmp_path):
    shards(source, out, [1, 2, 3])
    shutil.copytree(PartsFolder.of(out).path, tmp_path / "copy")
    PartsFolder.of(out).rows_path(4).write_bytes(b"")
    merge(out, parts=[tmp_path / "copy"])
    assert out.read_text() == expected(lines)


def test_shards_of_different_runs_do_not_mix(source, out, tmp_path):
    shards(source, out, [1])
    run(Summed(source, factor=3), ToyModel(), tmp_path / "other.tsv", Options(shard="2/3"))
    with pytest.raises(RunError, match=r"belong to different runs; changed: setting factor \(was 1, now 3\)"):
        merge(out, parts=[tmp_path / "other.tsv.parts"])


def test_a_shard_of_another_run_is_refused_in_the_folder(source, out):
    shards(source, out, [1])
    with pytest.raises(RunError, match=r"changed: setting factor \(was 1, now 3\)"):
        run(Summed(source, factor=3), ToyModel(), out, Options(shard="2/3"))
    with pytest.raises(RunError, match="setting factor"):
        run(Summed(source, factor=3), ToyModel(), out, Options(shard="2/3", overwrite=True))


def test_nothing_to_merge(out, tmp_path):
    with pytest.raises(RunError, match=r"out.tsv.parts holds no parts of a run; run the shards first"):
        merge(out)
    assert not PartsFolder.of(out).path.exists()
    with pytest.raises(RunError, match=r"empty holds no parts of a run"):
        merge(out, parts=[tmp_path / "empty"])


def test_merge_does_not_touch_an_existing_output(source, out, lines):
    shards(source, out, [1, 2, 3])
    out.write_text("precious")
    with pytest.raises(RunError, match="exists; pass overwrite=True"):
        merge(out)
    merge(out, overwrite=True)
    assert out.read_text() == expected(lines)


def test_shards_of_long_values_in_memory_are_merged_without_them(out):
    task = Listed(("ACGT" * 20_000,), window=1000)
    run(task, ToyModel(), out, Options(shard="1/1"))
    with pytest.raises(
        RunError,
        match=r"parts belong to another task; changed: setting source \(was values with digest .*now \['ACGT'\]\)",
    ):
        merge(out, task=Listed(("ACGT",)))
    merge(out)
    assert out.read_text() == expected(task.source)


def test_a_shard_on_parts_of_another_run_advises_what_a_shard_can_do(source, out):
    shards(source, out, [1])
    with pytest.raises(RunError, match=rf"choose another output, or remove {out}.parts to start over$"):
        run(Summed(source, factor=2), ToyModel(), out, Options(shard="1/2", overwrite=True))


def test_only_tasks_of_genolm_are_made_from_a_manifest(source, out, lines, monkeypatch):
    monkeypatch.delitem(TYPES, "summed")
    shards(source, out, [1, 2, 3])
    with pytest.raises(RunError, match="engine_toys:Summed is not a class of genolm"):
        merge(out)
    merge(out, task=Summed(source))
    assert out.read_text() == expected(lines)


def test_a_shard_owns_every_nth_part():
    plan = Plan((1,) * 7, (1,) * 7)
    assert [list(Shard(number, 3).parts(plan)) for number in (1, 2, 3)] == [[0, 3, 6], [1, 4], [2, 5]]
    assert list(Shard(9, 9).parts(plan)) == []


@pytest.mark.parametrize("shard", ["2/8", (2, 8), Shard(2, 8)])
def test_ways_to_write_a_shard(shard):
    assert Shard.parse(shard) == Shard(2, 8)
    assert str(Shard.parse(shard)) == "2/8"


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3/5", "", (0, 3)])
def test_an_invalid_shard_is_refused(shard):
    with pytest.raises(RunError, match=r"invalid shard .*: expected i/n with 1 ≤ i ≤ n, e\.g\. 2/8"):
        Shard.parse(shard)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
def test_a_merge_that_is_stopped_writes_nothing_and_can_be_repeated(source, out, lines, monkeypatch, stop):
    run(Summed(source), ToyModel(), out, Options(shard="1/1"))
    assemble = Summed.assemble

    def stopping(task, frames, path):
        def stopped():
            yield next(frames)
            raise stop

        return assemble(task, stopped(), path)

    with monkeypatch.context() as patched, pytest.raises((KeyboardInterrupt, ResourceError)):
        patched.setattr(Summed, "assemble", stopping)
        merge(out)
    assert sorted(path.name for path in out.parent.iterdir()) == ["in.txt", "out.tsv.parts"]
    merge(out)
    assert out.read_text() == expected(lines)
