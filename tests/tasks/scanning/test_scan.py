"""Scans: known values, coverage, strands, two models, files, resume and shards."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.noted import no_notes

from genolm import InputError, Interval, ModelError, RunError, merge
from genolm.genome.bed import read_bed
from genolm.genome.bigwig import read_bigwig
from genolm.genome.sequence import reverse_complement
from genolm.genome.sequences import SequenceRecord
from genolm.models.model import Model
from genolm.tasks.reading.model_group import ModelGroup
from genolm.tasks.reading.random_model import untrained_copy
from genolm.tasks.scanning import scan_outputs as output_files
from genolm.tasks.scanning.genome_tiles import Tiling
from genolm.tasks.scanning.scan import scan, tiling_of
from genolm.tasks.scanning.scan_task import ScanTask
from genolm.tasks.score import score

MODELS = ("tiny", "ocean", "token_encoder", "token_decoder")
RUN = "N" * 12


def bases(count, seed=0):
    return "".join(random.Random(seed).choices("ACGT", k=count))


def surprise(model, sequence, **settings):
    """Return the surprisal of each base, from `score`."""
    table = score(model, [sequence], per_base=True, **settings).table
    return -table[table.columns[-1]].to_numpy().astype(np.float32)


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=2e-5, rtol=2e-5)


@pytest.fixture(params=MODELS)
def model(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def text_of_three_contigs():
    """Contigs with long and short runs of N, one of a single tile, one that begins with N."""
    one = bases(130, 1) + RUN + bases(90, 2) + "NNN" + bases(50, 3)
    return {"one": one, "two": bases(30, 4), "three": RUN + bases(75, 5)}


@pytest.fixture
def fasta(tmp_path, text_of_three_contigs):
    path = tmp_path / "genome.fa"
    path.write_text("".join(f">{name} about\n{text}\n" for name, text in text_of_three_contigs.items()))
    return path


def test_one_window_is_what_score_says(model):
    text = bases(40)
    settings = {"window": 48, "overlap": 12, "call": "none"}
    forward, reverse = (surprise(model, one) for one in (text, reverse_complement(text)))
    close(scan(model, [text], combine="forward", **settings).tracks["sequence1"], forward)
    close(scan(model, [text], combine="reverse", **settings).tracks["sequence1"], reverse[::-1])
    both = np.stack([forward, reverse[::-1]])
    close(scan(model, [text], combine="mean", **settings).tracks["sequence1"], np.nanmean(both, 0))
    close(scan(model, [text], combine="min", **settings).tracks["sequence1"], np.nanmin(both, 0))


def test_the_sum_over_bases_is_the_surprise_of_the_tokens(ocean):
    text = bases(60)
    values = scan(ocean, [text], combine="forward", window=80, call="none").tracks["sequence1"]
    assert values.sum() == pytest.approx(-score(ocean, [text]).table["log_likelihood_sum_nats"][0], rel=1e-5)


def test_a_base_is_predicted_from_its_own_window(tiny):
    text = bases(100)
    values = scan(tiny, [text], combine="forward", window=40, overlap=10, call="none").tracks["sequence1"]
    expected = [surprise(tiny, text[:40]), surprise(tiny, text[30:70])[10:], surprise(tiny, text[60:100])[10:]]
    close(values, np.concatenate(expected))


def test_an_encoder_has_something_on_either_side_of_every_window(token_encoder):
    text = bases(400)
    task = task_of(token_encoder, text, window=100, overlap=40)
    forward = [tile for tile in task.items() if not tile.reverse]
    ends = [(tile.start - tile.before, tile.start, tile.end) for tile in forward]
    assert ends[:3] == [(0, 0, 80), (60, 80, 140), (120, 140, 200)]
    assert (forward[1].sequence, forward[-1].end) == (text[60:160], 400)


def test_a_token_over_the_end_of_a_tile_is_not_cut(ocean):
    """Each base gets its share of the complete token in either tile."""
    text = "ACGT" * 40
    values = scan(ocean, [text], combine="forward", window=80, overlap=28, call="none").tracks["sequence1"]
    assert tiling_of([ocean], 80, 28) == Tiling(80, 28, 5, 10)
    close(values[:75], surprise(ocean, text[:80])[:75])
    close(values[75:122], surprise(ocean, text[47:127])[28:75])
    assert values[72] == values[74]


def task_of(model, text, **settings):
    """Return the task of a scan without running it."""
    caught = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genolm.tasks.scanning.scan.Bulk.run", lambda self, task, model, out: caught.append(task))
        scan(model, [text] if isinstance(text, str) else text, **settings)
    return caught[0]


def test_a_scan_of_the_other_strand_is_its_mirror_image(model):
    text = bases(300) + RUN + bases(77, 2) + "NN" + bases(61, 3)
    settings = {"call": "none", "passes": 2 if not model.causal else None}
    there, back = (scan(model, [one], **settings).tracks["sequence1"] for one in (text, reverse_complement(text)))
    close(there, back[::-1])
    assert np.nanstd(there) > 0.01


@pytest.mark.parametrize("combine", ["mean", "min"])
def test_a_palindromic_construct_is_symmetric(model, combine):
    half = bases(90)
    settings = {"call": "none", "passes": 2 if not model.causal else None, "combine": combine}
    values = scan(model, [half + reverse_complement(half)], **settings).tracks["sequence1"]
    close(values, values[::-1])
    assert np.std(values[:90]) > 0.01


def test_every_base_has_a_value_and_nothing_else_has(model, text_of_three_contigs):
    records = [SequenceRecord(name, text) for name, text in text_of_three_contigs.items()]
    found = scan(model, records, call="none", passes=2 if not model.causal else None)
    for name, text in text_of_three_contigs.items():
        missing = np.flatnonzero(np.isnan(found.tracks[name]))
        unknown = [place for place, base in enumerate(text) if base == "N"]
        if model.tokenizer.bases_per_token == 1:
            assert missing.tolist() == unknown
        else:  # a piece of letters with an N in it has no bases that are known
            assert set(unknown) <= set(missing) <= {near for at in unknown for near in range(at - 8, at + 9)}


def test_a_contig_a_little_longer_than_a_window_has_its_tail_scanned(tiny):
    text = bases(41)
    values = scan(tiny, [text], combine="forward", window=40, overlap=10, call="none").tracks["sequence1"]
    close(values[40], surprise(tiny, text[30:])[10])


def rich_in_n(count):
    choose = random.Random(8)
    return "".join(choose.choice(("A", "C", "G", "T", "N", "NN", "N" * 9, "N" * 30)) for _ in range(count))


def test_sequence_rich_in_n_never_raises_and_windows_shrink(model):
    text = rich_in_n(250) + "GNCT" * 80
    with no_notes():
        scan(model, [text], call="none", passes=1 if not model.causal else None)
    task = task_of(model, text)
    items = list(task.items())
    windows = task.windows(items, model)
    assert max(window.tokens for window in windows) <= model.context
    assert (len(windows) > len(items)) == (model.tokenizer.bases_per_token > 1)


def test_a_model_that_cannot_read_n_never_sees_one(ocean):
    model = Model(ocean.network, replace(ocean.tokenizer, n="raise"), ocean.card)
    text = rich_in_n(200)
    values = scan(model, [text], call="none").tracks["sequence1"]
    assert np.flatnonzero(np.isnan(values)).tolist() == [place for place, base in enumerate(text) if base == "N"]


@pytest.mark.parametrize(("one", "other"), [("tiny", "ocean"), ("ocean", "token_encoder"), ("token_decoder", "tiny")])
def test_the_difference_of_two_models_is_base_by_base(request, one, other):
    one, other = request.getfixturevalue(one), request.getfixturevalue(other)
    text = bases(120)
    tiling = {"window": 60, "overlap": 20, "call": "none"}
    values = scan(one, [text], minus=other, **tiling).tracks["sequence1"]
    if one.causal == other.causal and one.tokenizer.bases_per_token > 1 and other.tokenizer.bases_per_token > 1:
        alone = [scan(each, [text], **tiling).tracks["sequence1"] for each in (one, other)]
        close(values, alone[0] - alone[1])
    task = task_of(one, text, minus=other, **tiling)
    pairs = {number: [] for number in range(len(list(task.items())))}
    for window in task.windows(list(task.items()), ModelGroup((one, other))):
        pairs[window.origin[0]].append((window.origin[1], window.sequence))
    for own in pairs.values():
        texts = dict.fromkeys((0, 1), "")
        for which, sequence in own:
            texts[which] = texts[which] or sequence
        assert texts[0][:20] == texts[1][:20]
    assert np.isfinite(values).all()


def test_a_model_less_itself_is_nothing(tiny):
    found = scan(tiny, [bases(100)], minus=tiny, window=40, combine="min")
    np.testing.assert_array_equal(found.tracks["sequence1"], 0)
    assert found.record["calls"]["not_called_because"]


def test_the_difference_of_one_base_models(tiny):
    other = untrained_copy(tiny, 99)
    text = bases(100)
    found = scan(tiny, [text], minus=other, window=40, call="none").tracks["sequence1"]
    one, two = (scan(each, [text], window=40, call="none").tracks["sequence1"] for each in (tiny, other))
    close(found, one - two)
    assert np.abs(found).max() > 0.01


def test_files_of_a_prefix(tiny, fasta, tmp_path, text_of_three_contigs):
    written = scan(
        tiny, fasta, tmp_path / "scan", window=50, per_strand=True, smooth=20, min_length=5, enter=1, leave=0.5
    )
    out = written.path
    found = scan(tiny, fasta, window=50, smooth=20, min_length=5, enter=1, leave=0.5)
    names = {"scan.bw", "scan.bed", "scan.json", "scan.forward.bw", "scan.reverse.bw", "genome.fa"}
    assert (out, {path.name for path in tmp_path.iterdir()}) == (tmp_path / "scan.json", names)
    for name, text in text_of_three_contigs.items():
        where = Interval(name, 0, len(text))
        np.testing.assert_array_equal(read_bigwig(tmp_path / "scan.bw", where), found.tracks[name])
        for strand, reverse in (("forward", False), ("reverse", True)):
            values = read_bigwig(tmp_path / f"scan.{strand}.bw", where)
            np.testing.assert_array_equal(values, found.tracks.strand(name, reverse))
            np.testing.assert_array_equal(values, written.tracks.strand(name, reverse))
        np.testing.assert_array_equal(written.tracks[name], found.tracks[name])
    calls = [(one.interval.chrom, one.interval.start, one.interval.end) for one in read_bed(tmp_path / "scan.bed")]
    assert calls == found.intervals.select("chrom", "start", "end").rows()
    assert json.loads(out.read_text()) == written.record == json.loads(json.dumps(found.record))
    assert written.intervals.schema == found.intervals.schema and len(written) == len(calls)
    np.testing.assert_allclose(written.intervals["depth"], found.intervals["depth"], rtol=1e-5)


def test_the_record_says_what_was_done_and_what_was_not(tiny, fasta, text_of_three_contigs):
    record = scan(tiny, fasta, window=50, combine="forward").record
    assert record["model"]["fingerprint"] == tiny.fingerprint
    assert (record["track"], record["strands"], record["minus"]) == ("surprise, nats per base", ["forward"], None)
    assert [record[name] for name in ("window_bases", "read_before_a_tile", "read_after_a_tile")] == [50, 12, 0]
    rows = {row["name"]: row for row in record["contigs"]}
    assert [row["length"] for row in rows.values()] == [len(text) for text in text_of_three_contigs.values()]
    one = rows["one"]
    assert (one["runs"], one["scored_bases"]) == (2, 268)
    # Nothing stands before the first base of the contig and before the first one after the long run of N.
    assert one["not_scored"] == {"N_or_ambiguous": 15, "nothing_before_them_or_in_a_token_with_N": 2}
    assert one["mean"] == pytest.approx(
        np.nanmean(scan(tiny, fasta, window=50, combine="forward").tracks["one"]), rel=1e-5
    )


def read_all(folder, prefix):
    return {path.name.removeprefix(prefix): path.read_bytes() for path in sorted(folder.glob(f"{prefix}.*"))}


PROGRAM = """
import os, signal, sys
from pathlib import Path
from genolm.tasks.scanning.scan import scan
from genolm.tasks.reading.model_group import ModelGroup
from genolm.tasks.scanning.scan_task import ScanTask
import genolm.tasks.scanning.scan_task as module
ScanTask.part_tokens = 100
where, number = sys.argv[2], int(sys.argv[3])
calls = 0
def dying(function):
    def counted(*args, **settings):
        global calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **settings)
    return counted
if where == "forward":
    ScanTask.forward = dying(ScanTask.forward)
else:
    setattr(module, where, dying(getattr(module, where)))
scan("tiny-random-dense", sys.argv[1], sys.argv[4], device="cpu", genes=sys.argv[5], window=50, per_strand=True,
     call="both", smooth=20, min_length=5, enter=1, leave=0.5)
"""
SETTINGS = {"window": 50, "per_strand": True, "call": "both", "smooth": 20, "min_length": 5, "enter": 1, "leave": 0.5}


@pytest.mark.parametrize(("where", "number"), [("forward", 6), ("write_record", 1)])
def test_killed_and_resumed_gives_the_same_bytes(tiny, fasta, tmp_path, monkeypatch, where, number):
    genes = tmp_path / "g.gff3"
    genes.write_text("one\tx\tCDS\t11\t70\t.\t+\t0\tID=a\n")
    command = [sys.executable, "-c", PROGRAM, str(fasta), where, str(number), str(tmp_path / "killed"), str(genes)]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=120, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    monkeypatch.setattr(ScanTask, "part_tokens", 100)
    settings = {**SETTINGS, "genes": genes}
    parts = tmp_path / "killed.json.parts"
    assert list(parts.glob("part-*.parquet"))
    with pytest.raises(RunError, match=r"exist|holds parts of an earlier run"):
        scan(tiny, fasta, tmp_path / "killed", **settings)
    scan(tiny, fasta, tmp_path / "killed", resume=True, **settings)
    scan(tiny, fasta, tmp_path / "whole", **settings)
    assert read_all(tmp_path, "killed") == read_all(tmp_path, "whole")
    assert len(read_all(tmp_path, "whole")) == 6


def test_one_contig_is_many_parts_and_only_missing_ones_are_computed(tiny, tmp_path, monkeypatch):
    path = tmp_path / "g.fa"
    path.write_text(f">one\n{bases(400)}\n")
    monkeypatch.setattr(ScanTask, "part_tokens", 100)
    seen = []
    forward = ScanTask.forward

    def stopping(self, model, windows):
        seen.append(len(windows))
        if len(seen) == 4:
            raise KeyboardInterrupt
        return forward(self, model, windows)

    monkeypatch.setattr(ScanTask, "forward", stopping)
    with pytest.raises(KeyboardInterrupt, match="stopped with 3 of"):
        scan(tiny, path, tmp_path / "scan", window=50)
    parts = len(json.loads((tmp_path / "scan.json.parts" / "manifest.json").read_text())["plan"]["sizes"])
    scan(tiny, path, tmp_path / "scan", window=50, resume=True)
    assert (parts > 8, len(seen)) == (True, parts + 1)


@pytest.mark.parametrize("name", ["shared.json", "shared"])
def test_shards_merge_by_prefix_or_record_into_the_bytes_of_one_run(tiny, ocean, fasta, tmp_path, monkeypatch, name):
    monkeypatch.setattr(ScanTask, "part_tokens", 100)
    settings = {"window": 50, "minus": ocean, "call": "both", "smooth": 20}
    scan(tiny, fasta, tmp_path / "once", **settings)
    for number in (3, 1, 2):
        scan(tiny, fasta, tmp_path / "shared", shard=f"{number}/3", **settings)
    assert merge(tmp_path / name).out == tmp_path / "shared.json"
    assert read_all(tmp_path, "shared") == read_all(tmp_path, "once")


def test_a_run_of_other_models_is_not_resumed(tiny, ocean, fasta, tmp_path, monkeypatch):
    monkeypatch.setattr(output_files, "write_bigwig", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scan(tiny, fasta, tmp_path / "scan", minus=ocean, window=50)
    with pytest.raises(RunError, match=r"belongs to another run \(changed: .*model weights"):
        scan(tiny, fasta, tmp_path / "scan", minus=untrained_copy(tiny, 99), window=50, resume=True)


@pytest.mark.parametrize("ending", ["json", "bw", "bed", "genes.tsv", "forward.bw"])
def test_what_is_there_is_not_replaced_unless_asked(tiny, fasta, tmp_path, ending):
    (tmp_path / f"scan.{ending}").write_text("mine")
    for resume in (False, True):
        with pytest.raises(RunError, match=rf"scan\.{ending} exists; pass overwrite=True to replace it"):
            scan(tiny, fasta, tmp_path / "scan", window=50, resume=resume)
    assert {path.name for path in tmp_path.iterdir()} == {"genome.fa", f"scan.{ending}"}
    scan(tiny, fasta, tmp_path / "scan", window=50, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"genome.fa", "scan.bw", "scan.bed", "scan.json"}


def test_a_record_never_stands_beside_tracks_of_another_run(tiny, fasta, tmp_path, monkeypatch):
    scan(tiny, fasta, tmp_path / "scan", window=50)
    old = (tmp_path / "scan.bw").read_bytes()
    monkeypatch.setattr("genolm.tasks.scanning.scan_task.write_bed", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scan(tiny, fasta, tmp_path / "scan", window=40, overwrite=True)
    assert (tmp_path / "scan.bw").read_bytes() != old and not (tmp_path / "scan.json").exists()
    monkeypatch.undo()
    (tmp_path / ".partial-0123abcd-scan.bed").write_text("of a killed run")
    scan(tiny, fasta, tmp_path / "scan", window=40, resume=True)
    assert {path.name for path in tmp_path.iterdir()} == {"genome.fa", "scan.bw", "scan.bed", "scan.json"}


def test_what_cannot_be_scanned(tiny, tmp_path):
    def written(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    with pytest.raises(InputError, match=r"n\.fa: nothing to scan: no contig has a base other than N"):
        scan(tiny, written("n.fa", f">a\n{'N' * 40}\n>b\nNN\n"), tmp_path / "scan")
    with pytest.raises(InputError, match="the FASTA file is empty"):
        scan(tiny, written("empty.fa", ""), tmp_path / "scan")
    with pytest.raises(InputError, match=r"duplicate contig name \(value 'a'\)"):
        scan(tiny, [SequenceRecord("a", "ACGT"), SequenceRecord("a", "ACGT")])
    bed = written("r.bed", "chr1\t1\t5\n")
    with pytest.raises(InputError, match=r"r\.bed: this file format is not supported here; expected \.fa, "):
        scan(tiny, bed, tmp_path / "scan", genes=None)
    genes = written("far.gff3", "chr9\tx\tCDS\t1\t9\t.\t+\t0\tID=a\n")
    with pytest.raises(InputError, match=r"far\.gff3: no coding gene is on a contig of the genome"):
        scan(tiny, written("g.fa", ">a\nACGTACGTACGT\n"), tmp_path / "scan", genes=genes)
    assert not list(tmp_path.glob("scan*"))


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_figure_shows_tracks_calls_and_genes(tiny, tmp_path, suffix):
    (tmp_path / "g.fa").write_text(f">a\n{bases(400, 1)}\n>b\n{RUN * 4}{bases(300, 2)}\n>c\nNNNN\n")
    (tmp_path / "g.gff3").write_text("a\tx\tCDS\t10\t99\t.\t+\t0\tID=g\nb\tx\tCDS\t60\t149\t.\t-\t0\tID=h\n")
    out = tmp_path / f"s{suffix}"
    settings = {"genes": tmp_path / "g.gff3", "gene_window": 30, "plot": out}
    scan(tiny, tmp_path / "g.fa", tmp_path / "s", **settings)
    first = out.read_bytes()
    assert len(first) > 5_000
    in_memory = tmp_path / f"m{suffix}"
    scan(tiny, tmp_path / "g.fa", **{**settings, "plot": in_memory})
    assert in_memory.read_bytes() == first
    if suffix == ".svg":
        shown = re.findall(r"<!-- (.*?) -->", out.read_text())
        assert {"a", "b", "c", "Surprisal, nats per base"} <= set(shown)
        assert any("coding genes" in text for text in shown)


def test_of_many_contigs_the_figure_shows_the_longest(tiny, tmp_path):
    (tmp_path / "g.fa").write_text("".join(f">c{n}\n{bases(30 + n, n)}\n" for n in range(20)))
    scan(tiny, tmp_path / "g.fa", call="none", plot=tmp_path / "s.svg")
    shown = re.findall(r"<!-- (.*?) -->", (tmp_path / "s.svg").read_text())
    assert "c19" in shown and "c8" in shown and "c7" not in shown
    assert any("the 12 longest of 20 contigs." in text for text in shown)


def test_a_figure_that_cannot_be_made_is_refused_before_the_run(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(ScanTask, "forward", lambda *args: pytest.fail("ran"))
    (tmp_path / "g.fa").write_text(f">a\n{bases(40)}\n")
    with pytest.raises(InputError, match=r"s\.jpg: unsupported plot format"):
        scan(tiny, tmp_path / "g.fa", tmp_path / "s", plot=tmp_path / "s.jpg")
    with pytest.raises(InputError, match="a plot needs the complete track"):
        scan(tiny, tmp_path / "g.fa", tmp_path / "s", plot=tmp_path / "s.png", shard="1/2")
    with pytest.raises(RunError, match="there is no folder"):
        scan(tiny, tmp_path / "g.fa", tmp_path / "s", plot=tmp_path / "x" / "s.png")


def test_settings_are_checked(tiny, ocean):
    for settings, error, message in (
        ({"combine": "max"}, InputError, r"combine must be one of mean, min, forward, reverse \(value 'max'\)"),
        ({"call": "up"}, InputError, "call must be one of high, low, both, none"),
        ({"window": 50, "overlap": 50}, InputError, "overlap must be smaller than the window"),
        ({"leave": 4.0}, InputError, "leave must be from 0 to enter"),
        ({"passes": 3}, ModelError, "passes applies to encoders"),
        ({"window": 10**8}, ModelError, r"context must be from 1 to .* not 100,000,000"),
        ({"seed": -1}, InputError, r"seed must be between 0 and 4294967295 \(value -1\)"),
        ({"twin": True}, InputError, "the untrained baseline needs an annotation"),
        ({"genes": "g.gff3", "order": 12}, InputError, "order must be between 0 and 9"),
    ):
        with pytest.raises(error, match=message):
            scan(tiny, ["ACGT"], **settings)
    with pytest.raises(ModelError, match="context must be from 1 to 82 bases"):
        scan(tiny, ["ACGT"], minus=ocean, window=200)


def test_windows_by_default(tiny, ocean, token_encoder, monkeypatch):
    monkeypatch.setattr(Model, "context", property(lambda self: 10**6))
    assert tiling_of([tiny], None, None) == Tiling(45_000, 5_000, 0, 10)
    assert tiling_of([tiny, ocean], None, None) == Tiling(45_000, 5_000, 64, 10)
    assert tiling_of([tiny, token_encoder], None, None).before == 2_500
    monkeypatch.setattr(Model, "context", property(lambda self: 1_000))
    assert tiling_of([tiny], None, None) == Tiling(1_000, 250, 0, 10)


def test_genes_are_told_from_what_lies_between(tiny, tmp_path):
    text = bases(3000)
    genes = tmp_path / "g.gff3"
    genes.write_text(
        "".join(f"sequence1\tx\tCDS\t{at + 1}\t{at + 500}\t.\t+\t0\tID=g{at}\n" for at in range(0, 3000, 1000))
    )
    found = scan(tiny, [text], window=500, genes=genes, gene_window=50)
    assert found.record["genes"]["windows"] == {"coding": 29, "intergenic": 29}  # no strand scores its first base
    assert set(found.record["genes"]["separation"]) == {
        "track", "strands_min", "strands_forward", "strands_reverse", "gc", "markov5",
    }  # fmt: skip
    values = found.tracks["sequence1"]
    first = found.genes.row(0, named=True)
    assert (first["id"], first["start"], first["end"], first["coding_bases"]) == ("g0", 0, 500, 500)
    assert first["mean_nats_per_base"] == pytest.approx(values[:500].mean(), rel=1e-5)
    assert first["antisense_nats_per_base"] == pytest.approx(
        found.tracks.strand("sequence1", True)[:500].mean(), rel=1e-5
    )
    scan(tiny, [text], tmp_path / "scan", window=500, genes=genes, gene_window=50)
    written = pl.read_csv(tmp_path / "scan.genes.tsv", separator="\t")
    assert written["id"].to_list() == ["g0", "g1000", "g2000"]
    assert json.loads((tmp_path / "scan.json").read_text())["genes"]["coding_genes"] == 3


def test_a_twin_of_random_weights_stands_beside_and_changes_nothing_else(tiny, ocean, tmp_path):
    text = bases(2000)
    genes = tmp_path / "g.gff3"
    genes.write_text("sequence1\tx\tCDS\t501\t1500\t.\t+\t0\tID=a\n")
    settings = {"window": 60, "genes": genes, "gene_window": 50}
    for minus in (None, ocean):
        with_twin, without = (scan(tiny, [text], minus=minus, twin=twin, **settings) for twin in (True, False))
        close(with_twin.tracks["sequence1"], without.tracks["sequence1"])
        alone = scan(untrained_copy(tiny, 0), [text], minus=minus, window=60, call="none")._made.tracks.of(
            "sequence1", "model", "mean"
        )
        close(with_twin._made.tracks.of("sequence1", "twin", "mean"), alone)
        found, plain = (one.record["genes"]["separation"] for one in (with_twin, without))
        assert set(found) - set(plain) == {"random_weights"}
        assert found["track"]["auroc"] == pytest.approx(plain["track"]["auroc"], abs=1e-3)
        assert with_twin.record["twin"]["fingerprint"] != tiny.fingerprint
