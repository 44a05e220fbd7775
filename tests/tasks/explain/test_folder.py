"""The folder: whole or not there, ours or not touched, the same bytes in shards."""

import sys

import numpy as np
import pytest
from tests.noted import noted

import genolm
from genolm.errors import RunError

SEQUENCES = ["".join(np.random.default_rng(seed).choice(list("ACGT"), 60)) for seed in (1, 2, 3)]


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text("".join(f">s{number}\n{bases}\n" for number, bases in enumerate(SEQUENCES)))
    return path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("verb", "model"),
    [("memory", "tiny-random-gengram"), ("lens", "tiny-random-gengram"), ("experts", "tiny-random-gengram")],
)
def test_shards_join_to_the_bytes_of_one_run(verb, model, fasta, tmp_path, monkeypatch):
    monkeypatch.setattr("genolm.engine.plan.PART_ITEMS", 1)
    function = getattr(genolm.explain, verb)
    one = function(model, fasta, tmp_path / "one", tables="parquet" if verb == "lens" else "tsv")
    for shard in ("1/2", "2/2"):
        function(model, fasta, tmp_path / "two", shard=shard, tables="parquet" if verb == "lens" else "tsv")
    genolm.merge(tmp_path / "two")
    assert contents(one.path) == contents(tmp_path / "two")
    assert {path.name for path in tmp_path.iterdir()} == {"a.fa", "one", "two"}


def test_only_a_folder_of_ours_is_replaced(fasta, tmp_path):
    out = genolm.explain.tables("tiny-random-kmer", tmp_path / "out").path
    with pytest.raises(RunError, match=r"out exists; pass overwrite=True to replace it"):
        genolm.explain.tables("tiny-random-kmer", out)
    (out / "stale.tsv").touch()
    genolm.explain.lens("tiny-random", fasta, out, overwrite=True)
    assert {path.name for path in out.iterdir()} == {"lens.tsv", "lens.png", "provenance.json"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(RunError, match="mine is a folder; choose another output"):
        genolm.explain.lens("tiny-random", fasta, tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_a_picture_that_fails_leaves_no_folder(fasta, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr("genolm.tasks.explain.explain_attribution.draw_attribution", fail)
    with pytest.raises(RuntimeError, match="no ink"):
        genolm.explain.attribution("tiny-random", fasta, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.fa"]


@pytest.mark.parametrize("missing", ["logomaker", "matplotlib"])
@pytest.mark.parametrize(
    ("verb", "model", "left_out"),
    [
        ("memory", "tiny-random-gengram", 3),
        ("lens", "tiny-random", 1),
        ("experts", "tiny-random", 2),
        ("attribution", "tiny-random", 3),
        ("tables", "tiny-random-kmer", 1),
    ],
)
def test_without_the_extra_for_pictures_everything_else_is_written(
    verb, model, left_out, missing, fasta, tmp_path, monkeypatch
):
    function, inputs = getattr(genolm.explain, verb), () if verb == "tables" else (fasta,)
    drawn = contents(function(model, *inputs, tmp_path / "drawn").path)
    monkeypatch.setitem(sys.modules, missing, None)
    message = rf"{missing} is not installed, so no figures will be drawn: pip install 'genolm\[plots\]'"
    with noted(message):
        plain = contents(function(model, *inputs, tmp_path / "plain").path)
    pictures = {name for name in drawn if name.endswith(".png")}
    assert len(pictures) == left_out
    assert plain == {name: content for name, content in drawn.items() if name not in pictures}
