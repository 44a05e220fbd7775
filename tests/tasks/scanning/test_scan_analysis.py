"""Kept parts of a scan: calls, genes and plots with other settings, as a run with these settings would give them."""

import errno
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

import genolm
from genolm.errors import InputError, ResourceError, RunError
from genolm.tasks.reading.sources import Source
from genolm.tasks.scanning.interval_calls import Calling
from genolm.tasks.scanning.scan_analysis import CALLING, changed_calling, changed_genes, find

A = {"call": "both", "smooth": 20, "min_length": 5, "enter": 1, "leave": 0.5, "fdr": 1.0, "shuffles": 5}
RECORDED = {CALLING[name]: value for name, value in A.items()}
OTHERS = (
    {},
    {"fdr": 0.4, "enter": 1.5},
    {"call": "none"},
    {"call": "low", "smooth": 30, "block": 50, "shuffles": 7, "seed": 3},
    {"per_strand": True},
    {"genes": "g.gff3", "gene_window": 10, "order": 2},
)


@pytest.fixture
def genome(contigs, tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text("".join(f">{name}\n{bases * 3}\n" for name, bases in contigs.items()))
    (tmp_path / "g.gff3").write_text("chr1\tx\tCDS\t11\t170\t.\t+\t0\tID=a\nchr2\tx\tCDS\t31\t90\t.\t-\t0\tID=b\n")
    return path


@pytest.fixture
def parts(tiny, genome, tmp_path):
    genolm.scan(tiny, genome, tmp_path / "a", window=50, keep_parts=True, **A)
    return tmp_path / "a.json.parts"


def outputs(folder, prefix):
    """The bytes of all files of a prefix by their ending."""
    found = {path.name.removeprefix(prefix): path for path in folder.iterdir() if path.name.startswith(f"{prefix}.")}
    return {ending: path.read_bytes() for ending, path in found.items() if path.is_file()}


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: ",".join(other) or "same")
def test_an_analysis_is_a_run_with_its_settings(tiny, genome, parts, tmp_path, other):
    other = {**other, **({"genes": tmp_path / other["genes"]} if "genes" in other else {})}
    if not other:
        assert outputs(tmp_path, "a").keys() == {".bw", ".bed", ".json"}
    genolm.scan(tiny, genome, tmp_path / "whole", window=50, **{**A, **other})
    written = genolm.scan(from_=parts, out=tmp_path / "new", **other)
    assert written.path == tmp_path / "new.json"
    assert outputs(tmp_path, "new") == outputs(tmp_path, "whole")
    if not other:
        assert outputs(tmp_path, "new") == outputs(tmp_path, "a")
    if "call" in other or "fdr" in other:
        assert outputs(tmp_path, "new") != outputs(tmp_path, "a")


def test_the_plot_is_that_of_a_run(tiny, genome, parts, tmp_path):
    genes = tmp_path / "g.gff3"
    settings = {**A, "window": 50, "genes": genes, "fdr": 0.5}
    genolm.scan(tiny, genome, tmp_path / "whole", plot=tmp_path / "whole.png", **settings)
    genolm.scan(out=tmp_path / "new", from_=parts, plot=tmp_path / "new.png", genes=genes, fdr=0.5)
    assert (tmp_path / "new.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


def test_in_memory(tiny, genome, parts):
    found, whole = genolm.scan(from_=parts, fdr=0.5), genolm.scan(tiny, genome, window=50, **{**A, "fdr": 0.5})
    assert found.intervals.equals(whole.intervals) and found.record == whole.record


def test_settings_that_are_omitted_are_those_of_the_run(parts, tmp_path):
    genolm.scan(from_=parts, out=tmp_path / "new", enter=2.0)
    calling = json.loads((tmp_path / "new.json").read_text())["calling"]
    assert calling == {**RECORDED, "enter": 2.0, "block": 250, "seed": 0}


def test_overwriting_removes_files_that_are_not_written(parts, tmp_path):
    genolm.scan(from_=parts, out=tmp_path / "new", per_strand=True, genes=tmp_path / "g.gff3")
    assert len(outputs(tmp_path, "new")) == 6
    with pytest.raises(RunError, match="exists"):
        genolm.scan(from_=parts, out=tmp_path / "new")
    genolm.scan(from_=parts, out=tmp_path / "new", overwrite=True)
    assert outputs(tmp_path, "new") == outputs(tmp_path, "a")


def test_the_original_output_can_be_replaced(parts, tmp_path):
    genolm.scan(from_=parts, out=tmp_path / "a", call="none", overwrite=True)
    genolm.scan(from_=parts, out=tmp_path / "none", call="none")
    assert outputs(tmp_path, "a") == outputs(tmp_path, "none")


def test_an_edited_annotation_can_be_given_again(tiny, genome, tmp_path):
    genes = tmp_path / "g.gff3"
    genolm.scan(tiny, genome, tmp_path / "a", window=50, genes=genes, keep_parts=True)
    parts = tmp_path / "a.json.parts"
    genes.write_text("chr1\tx\tCDS\t11\t140\t.\t+\t0\tID=a\n")
    with pytest.raises(InputError, match=r"g\.gff3: the content has changed since the parts were computed"):
        genolm.scan(from_=parts, out=tmp_path / "new")
    genolm.scan(from_=parts, out=tmp_path / "new", genes=genes)
    genolm.scan(from_=parts, out=tmp_path / "without", genes=None)
    assert ".genes.tsv" in outputs(tmp_path, "new") and ".genes.tsv" not in outputs(tmp_path, "without")


def test_settings_that_need_the_model_are_refused(parts, genome, tiny):
    with pytest.raises(InputError, match="so model, genome, combine, window cannot be given with it; expected only"):
        genolm.scan(tiny, genome, from_=parts, window=50, combine="min")
    with pytest.raises(InputError, match=r"a model and a genome are required; pass from_=… to analyse kept parts"):
        genolm.scan(tiny)


def test_the_seed_of_an_untrained_model_cannot_change(tiny, genome, tmp_path):
    genes = tmp_path / "g.gff3"
    genolm.scan(tiny, genome, tmp_path / "a", window=50, genes=genes, twin=True, keep_parts=True)
    with pytest.raises(InputError, match="an untrained model that was drawn with another seed"):
        genolm.scan(from_=tmp_path / "a.json.parts", seed=1)
    with pytest.raises(InputError, match="the untrained baseline needs an annotation"):
        genolm.scan(from_=tmp_path / "a.json.parts", genes=None)
    genolm.scan(from_=tmp_path / "a.json.parts", gene_window=20)


@pytest.mark.parametrize("name", ["fdr", "smooth"])
def test_settings_out_of_range(parts, tmp_path, name):
    with pytest.raises(InputError, match=name):
        genolm.scan(from_=parts, out=tmp_path / "new", **{name: -1})
    assert not outputs(tmp_path, "new")


def test_a_changed_or_missing_genome(parts, genome, tmp_path):
    genome.write_text(genome.read_text().replace("A", "C", 1))
    with pytest.raises(InputError, match=r"genome\.fa: the content has changed since the parts were computed"):
        genolm.scan(from_=parts, out=tmp_path / "new", plot=tmp_path / "new.png")
    genome.unlink()
    with pytest.raises(InputError, match=r"genome\.fa: no such file"):
        genolm.scan(from_=parts, out=tmp_path / "new")
    assert not outputs(tmp_path, "new")


def test_sequences_in_memory_are_kept_if_they_are_short(tiny, contigs, tmp_path):
    genolm.scan(tiny, contigs, tmp_path / "a", window=50, keep_parts=True, **A)
    genolm.scan(from_=tmp_path / "a.json.parts", out=tmp_path / "new")
    assert outputs(tmp_path, "new") == outputs(tmp_path, "a")
    genolm.scan(tiny, {"long": contigs["chr2"] * 600}, tmp_path / "b", window=1000, keep_parts=True, call="none")
    with pytest.raises(RunError, match="the input of this run was values in memory"):
        genolm.scan(from_=tmp_path / "b.json.parts", out=tmp_path / "never")
    assert not outputs(tmp_path, "never")


def test_parts_of_another_verb_and_damaged_parts(tiny, genome, parts, tmp_path):
    genolm.mutate(tiny, "chr1:1-20", tmp_path / "m.tsv", genome=genome, keep_parts=True)
    with pytest.raises(RunError, match="holds parts of mutate, not of scan"):
        genolm.scan(from_=tmp_path / "m.tsv.parts", out=tmp_path / "new")
    (parts / "part-00000.parquet").write_bytes(b"")
    with pytest.raises(RunError, match=r"1 of 1 parts are damaged \(part-00000\.parquet\)"):
        genolm.scan(from_=parts, out=tmp_path / "new")
    (parts / "part-00000.json").unlink()
    (parts / "part-00000.parquet").unlink()
    with pytest.raises(RunError, match=r"1 of 1 parts are missing \(0\)"):
        genolm.scan(from_=parts, out=tmp_path / "new")
    assert not outputs(tmp_path, "new")


def test_a_full_disk_between_two_files_leaves_nothing(parts, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("genolm.tasks.scanning.scan_task.write_bed", full)  # after the track
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ResourceError, match="the disk is full; nothing was written, and the parts are unchanged"):
        genolm.scan(from_=parts, out=tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == before


PROGRAM = """
import sys
import genolm
genolm.scan(from_=sys.argv[1], out=sys.argv[2], fdr=0.01, plot=sys.argv[2] + ".png")
sys.exit("torch" in sys.modules)
"""


def test_torch_is_not_imported(parts, tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(parts), str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "new.png").exists()


def test_the_command(parts, tmp_path):
    command = [sys.executable, "-m", "genolm", "scan", "--from", str(parts), str(tmp_path / "new")]
    done = subprocess.run([*command, "--fdr", "0.4", "--enter", "1.5"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and f"wrote {tmp_path / 'new.json'}" in done.stderr, done.stderr
    genolm.scan(from_=parts, out=tmp_path / "same", fdr=0.4, enter=1.5)
    assert outputs(tmp_path, "new") == outputs(tmp_path, "same")
    refused = subprocess.run([*command, "--window", "9"], capture_output=True, text=True, timeout=120, check=False)
    assert refused.returncode == 3 and "window cannot be given with it" in refused.stderr


def test_moved_parts(parts, tmp_path):
    shutil.move(parts, tmp_path / "elsewhere")
    genolm.scan(from_=tmp_path / "elsewhere", out=tmp_path / "new")
    assert outputs(tmp_path, "new") == outputs(tmp_path, "a")


def test_findings_need_tracks_and_settings_only(tiny, genome):
    whole = genolm.scan(tiny, genome, window=50, **A)
    found = find(whole._made.tracks, Source(genome), "mean", Calling(**RECORDED), None)
    assert found.calls.equals(whole.intervals) and found.genes is None


def test_given_settings_replace_those_of_the_run(tmp_path):
    assert changed_calling(Calling(seed=4), {"call": "low", "gene_window": 5}) == Calling("low", seed=4)
    assert changed_genes(None, {"gene_window": 5}, 4) is None
    first = changed_genes(None, {"genes": tmp_path / "g", "order": 2}, 4)
    assert (first.file, first.window, first.order, first.seed) == (tmp_path / "g", 100, 2, 4)
    assert changed_genes(first, {"genes": None}, 4) is None
    assert changed_genes(first, {"gene_window": 7}, 9) == replace(first, window=7)
