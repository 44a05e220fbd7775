"""A dry run: it reads and measures as the run would, is refused as the run would be, and writes nothing."""

import pytest
from engine_toys import Summed, ToyModel, expected

from genolm.engine import estimation
from genolm.engine.estimation import measure, spread_over
from genolm.engine.plan import make_plan
from genolm.engine.result import Estimate, duration
from genolm.engine.run import Options, dry_run, run
from genolm.errors import InputError, ResourceError, RunError


class Weighed(ToyModel):
    """A toy with a weight."""

    weight_bytes = 4_000


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_all_items_are_counted_and_nothing_is_written(source, out, lines, where):
    before = files(source.parent)
    found = dry_run(Summed(source), Weighed(), out if where == "disk" else None)
    assert files(source.parent) == before and not out.with_name("out.tsv.parts").exists()
    bases = sum(map(len, lines))
    assert (found.items, found.items_left, found.tokens_left, found.bases_left) == (60, 60, bases, bases)
    assert found.parts == found.parts_left == make_plan(Summed(source)).parts
    assert found.batches > 0 and found.seconds > 0 and found.weight_bytes == 4_000


def test_finished_parts_do_not_count(source, out):
    lines = ["ACGT"] * 30 + ["ACGTACGTACGTACGT"]
    source.write_text("\n".join(lines))
    task = Summed(source, window=100)
    with pytest.raises(ResourceError):
        run(task, ToyModel(limit=15), out)
    before = files(source.parent)
    found = dry_run(task, Weighed(), out, Options(resume=True))
    assert files(source.parent) == before
    result = run(task, ToyModel(), out, Options(resume=True))
    assert 0 < found.parts_left == result.computed < found.parts
    assert found.items_left < 31 and found.tokens_left < 136
    assert out.read_text() == expected(lines)


def test_a_run_with_all_its_parts_has_nothing_left(source, out):
    run(Summed(source), ToyModel(), out, Options(shard="1/1"))
    found = dry_run(Summed(source), Weighed(), out, Options(resume=True))
    assert (found.items_left, found.tokens_left, found.batches, found.measured_seconds) == (0, 0, 0, 0)
    assert "nothing is left to compute" in str(found)


def test_a_shard_counts_its_own_share(source, out):
    shares = [dry_run(Summed(source), Weighed(), out, Options(shard=shard)) for shard in ("1/3", "2/3", "3/3")]
    assert sum(share.items_left for share in shares) == 60
    assert sum(share.parts_left for share in shares) == shares[0].parts


def test_overwriting_counts_everything_again(source, out):
    run(Summed(source), ToyModel(), out, Options(shard="1/2"))
    assert dry_run(Summed(source), Weighed(), out, Options(overwrite=True)).items_left == 60
    assert out.with_name("out.tsv.parts").exists()


def test_it_is_refused_where_the_run_would_be(source, out):
    run(Summed(source), ToyModel(), out, Options(shard="1/2"))
    with pytest.raises(RunError, match="holds parts of an earlier run"):
        dry_run(Summed(source), Weighed(), out)
    with pytest.raises(RunError, match=r"changed: setting factor \(was 1, now 2\)"):
        dry_run(Summed(source, factor=2), Weighed(), out, Options(resume=True))
    out.touch()
    with pytest.raises(RunError, match="exists; pass overwrite=True to replace it"):
        dry_run(Summed(source), Weighed(), out)


def test_a_wrong_line_at_the_end_is_found(source, out):
    source.write_text(source.read_text() + "ACGU\n")
    with pytest.raises(InputError, match=r"in\.txt:61: not DNA"):
        dry_run(Summed(source), Weighed(), out)


def test_a_window_that_does_not_fit_is_an_error(source, out):
    with pytest.raises(ResourceError, match="does not fit into memory"):
        dry_run(Summed(source, window=100), Weighed(limit=1), out)


def test_samples_are_spread_over_the_whole_input(source, lines):
    task = Summed(source)
    plan = make_plan(task)
    stretches = spread_over(task, plan, range(plan.parts), 20)
    places = [lines.index(stretch[0]) for stretch in stretches]
    assert len(stretches) == 5 and places == sorted(set(places))
    assert places[0] < 12 and places[-1] > 40
    joined = "\n".join(lines)
    assert all("\n".join(stretch) in joined for stretch in stretches)


def test_stretches_of_a_small_input_do_not_overlap(source, lines):
    task = Summed(source)
    plan = make_plan(task)
    measure = [line for stretch in spread_over(task, plan, range(plan.parts), 1_000_000) for line in stretch]
    remaining = iter(lines)
    assert len(measure) > 50 and all(line in remaining for line in measure)


def test_an_empty_input_is_measured_in_no_time(source, out):
    source.write_text("")
    found = dry_run(Summed(source), Weighed(), out)
    assert (found.items, found.batches) == (0, 0)
    assert "no item passes through the model" in str(found)


def test_measuring_stops_when_its_time_is_over(source, monkeypatch):
    from genolm.engine.events import Observer
    from genolm.engine.forward import Batcher
    from genolm.engine.work import Work

    monkeypatch.setattr(estimation, "SECONDS", 0.0)
    samples = measure(Batcher(Work(Summed(source), Weighed(), Observer()), 100), [["ACGTACGT" * 4], ["ACGT"]])
    assert len(samples) == 1 and samples[0].tokens == 7


def test_one_long_item_is_measured_in_part(source):
    """Its time follows from the share of its windows that were computed."""
    from genolm.engine.events import Observer
    from genolm.engine.forward import Batcher
    from genolm.engine.work import Work

    sample = estimation._measure(Batcher(Work(Summed(source), Weighed(), Observer()), 14), ["ACGTACG" * 100], 70)
    assert (sample.tokens, sample.batches) == (70, 5)
    assert sample.rate * 700 > sample.spent


def test_an_estimate_prints_counts_memory_and_how_it_was_made():
    sizes = {"items": 500, "parts": 4, "items_left": 250, "parts_left": 2, "tokens_left": 64_000, "bases_left": 64_000}
    memory = {"token_budget": 16_384, "weight_bytes": 46_700_000, "batch_bytes": 275_000_000, "free_bytes": 9 * 10**9}
    found = Estimate("sequences", **sizes, **memory, batches=3, measured_seconds=9.6, seconds=74)
    assert found.fields() == {
        "input": "500 sequences in 4 parts; left: 250 sequences in 2 parts",
        "to compute": "about 64,000 bases, 64,000 tokens",
        "batches": "of at most 16,384 tokens",
        "memory": "weights 46.7 MB, a batch about 275 MB at its peak, 9 GB free",
        "time": "about 1 min 14 s, estimated from 3 batches in 9.6 s",
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.6, "9.6 s"), (42.2, "42 s"), (59.7, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"),
     (273_600, "3 d 4 h")],
)  # fmt: skip
def test_durations_for_people(seconds, text):
    assert duration(seconds) == text
