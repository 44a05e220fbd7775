"""Results in memory and written: paths, tables, conversions, representations."""

import gc
import re
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import genolm
from genolm.errors import GenolmError, RunError
from genolm.tasks.embed import embed
from genolm.tasks.score import score
from genolm.tasks.variants.mutate import mutate
from genolm.tasks.variants.variants import variants

SEQUENCES = {"a": "ACGTAC", "22": "N", "<c>": "AT"}


def test_results_in_memory_are_not_a_path(tiny):
    found = score(tiny, ["ACGT"])
    assert found.path is found.estimate is found.parts is None and found.notes == ()
    with pytest.raises(
        RunError, match="these results are not a file: they are in memory; give the verb an output path"
    ):
        Path(found)


def test_written_results_are_a_path(tiny, tmp_path):
    found = score(tiny, ["ACGT"], tmp_path / "s.tsv")
    assert Path(found) == found.path == tmp_path / "s.tsv"
    with open(found) as file:
        assert file.read().startswith("id\tlength")


@pytest.mark.parametrize("suffix", ["parquet", "tsv", "csv"])
@pytest.mark.parametrize("per_base", [False, True])
def test_scores_are_read_back_as_they_were(tiny, tmp_path, suffix, per_base):
    in_memory = score(tiny, SEQUENCES, iupac="N", per_base=per_base)
    written = score(tiny, SEQUENCES, tmp_path / f"s.{suffix}", iupac="N", per_base=per_base)
    assert written.table.equals(in_memory.table) and written.table.schema == in_memory.table.schema
    assert len(written) == len(in_memory) == (9 if per_base else 3)
    np.testing.assert_array_equal(written.to_numpy(), in_memory.to_numpy())
    assert np.isnan(in_memory.to_numpy()).any() and written.column in written.table.columns
    assert written.unit == ("nats of each base" if per_base else "nats, sum over the scored bases")


def test_a_track_has_no_table(tiny, genome_path, tmp_path):
    found = score(tiny, genolm.Interval("chr1", 3, 50), tmp_path / "s.bw", genome=genome_path)
    with pytest.raises(RunError, match=r"s.bw: no table can be read back from this format; write .parquet, .tsv, .csv"):
        found.table  # noqa: B018


@pytest.mark.parametrize("suffix", ["parquet", "npy", "h5ad", "zarr"])
@pytest.mark.parametrize("settings", [{}, {"layer": "all"}, {"pooling": "none"}, {"layer": "all", "pooling": "none"}])
def test_embeddings_are_read_back_as_they_were(tiny, tmp_path, suffix, settings):
    sequences = {"a": "ACGTAC", "b": "TTTT"}
    in_memory = embed(tiny, sequences, **settings)
    written = embed(tiny, sequences, tmp_path / f"e.{suffix}", **settings)
    assert (written.layer, written.pooling) == (in_memory.layer, in_memory.pooling)
    np.testing.assert_array_equal(written.vectors, in_memory.vectors)
    kept = [name for name in in_memory.table.columns if suffix != "npy" or name != "length"]
    assert written.table.equals(in_memory.table.select(kept))
    assert written.table.schema == in_memory.table.select(kept).schema
    one, other = written.to_anndata(), in_memory.to_anndata()
    np.testing.assert_array_equal(one.X, other.X)
    assert dict(one.uns["genolm"]) == dict(other.uns["genolm"])


def test_vectors_are_read_only_and_a_copy_is_not(tiny):
    found = embed(tiny, ["ACGT"])
    with pytest.raises(ValueError, match="read-only"):
        found.vectors[0] = 0
    copy = found.to_numpy()
    copy[0] = 0
    assert found.vectors.any() and found.vectors.dtype == np.float32


def test_embeddings_do_not_keep_their_model():
    model = genolm.load("tiny-random-dense", device="cpu")
    found, reference = embed(model, ["ACGT"]), weakref.ref(model)
    assert found.to_anndata().uns["genolm"]["model_fingerprint"] == model.fingerprint
    found = embed(model, ["ACGT"])
    del model
    gc.collect()
    assert reference() is None
    assert found.to_anndata().uns["genolm"] | {"model_fingerprint": ""} == found.to_anndata().uns["genolm"]


def test_rows_become_a_data_frame_of_pandas(tiny, monkeypatch):
    table = pl.DataFrame({"id": ["a", "b"], "kept": [True, False], "n": [1, None], "x": [0.5, None]})
    found = embed(tiny, table.with_columns(sequence=pl.Series(["ACGT", "GG"]))).to_pandas()
    assert {name: str(found[name].dtype) for name in table.columns} == {
        "id": "object", "kept": "bool", "n": "Int64", "x": "float64",
    }  # fmt: skip
    assert found["n"].tolist()[0] == 1 and found["n"].isna().tolist() == [False, True]
    assert found["embedding"][0].shape == (tiny.config.hidden_size,)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(GenolmError, match=r"a data frame of pandas requires pandas.*genolm\[anndata\]"):
        score(tiny, ["ACGT"]).to_pandas()


def test_after_a_dry_run_there_is_an_estimate_only(tiny, tmp_path):
    found = score(tiny, ["ACGT"], tmp_path / "s.tsv", dry_run=True)
    assert found.estimate is not None and found.path is found.summary is None
    with pytest.raises(RunError, match=r"no results to return: a dry run computes nothing, and \.estimate holds"):
        found.table  # noqa: B018
    assert re.match(r"Scores: dry run, about [\d.]+ s, nats", repr(found))


def test_after_a_shard_there_are_parts_only(tiny, tmp_path):
    found = score(tiny, ["ACGT"], tmp_path / "s.tsv", shard="1/1")
    assert found.parts == tmp_path / "s.tsv.parts" and found.path is None
    with pytest.raises(RunError, match=r"a shard leaves its parts in .*s.tsv.parts, and merge joins the parts"):
        found.table  # noqa: B018
    with pytest.raises(RunError, match="these results are not a file"):
        Path(found)
    assert repr(found).startswith(f"Scores: shard, parts in {tmp_path / 's.tsv.parts'}, nats")


def test_representations_are_short(tiny, tmp_path):
    name, width = tiny.card.name, tiny.config.hidden_size
    assert repr(embed(tiny, ["ACGT"] * 1204)) == f"Embeddings: 1,204 x {width}, layer 3, mean, {name}"
    out = tmp_path / "s.tsv"
    assert repr(score(tiny, ["ACGT"], out)) == (
        f"Scores: {out}, nats, sum over the scored bases, {name}\n  1 sequence: 1 scored; 4 bases, 3 bases scored"
    )


def test_the_html_is_escaped_and_has_the_first_rows_and_the_notes(tiny, tmp_path):
    html = score(tiny, SEQUENCES, iupac="N")._repr_html_()
    assert "&lt;c&gt;" in html and "<c>" not in html and html.count("<tr>") == 4
    found = embed(tiny, {f"s{number}": "ACGT" for number in range(9)})
    assert found._repr_html_().count("<tr>") == 6 and "4 more rows" in found._repr_html_()
    written = score(tiny, SEQUENCES, tmp_path / "s.tsv", iupac="N")
    assert "<table" not in written._repr_html_() and str(tmp_path / "s.tsv") in written._repr_html_()
    assert len(written.table) == 3 and "<table" in written._repr_html_()
    written._run = replace(written._run, notes=("5 < 6", *"bcd"))
    assert "5 &lt; 6" in written._repr_html_() and "1 more: see .notes" in written._repr_html_()
    assert repr(written).endswith("\n  4 notes: see .notes")


CALLS = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    "chr1\t5\trs1\t{0}\tG,T,A,C\t.\t.\t.\nchr1\t9\t.\t{1}\t{1}AC\t.\tPASS\tX=3;Y\n"
    "chr1\t10\t.\t{2}\t.\t.\t.\t.\nchr1\t12\tb\t{3}\t*,<DEL>\t.\t.\t.\n"
)


@pytest.fixture
def calls(genome_path, tmp_path):
    genome = genolm.Genome(genome_path)
    path = tmp_path / "calls.vcf"
    path.write_text(CALLS.format(*(genome[genolm.Interval("chr1", pos - 1, pos)] for pos in (5, 9, 10, 12))))
    return path


@pytest.mark.parametrize("suffix", ["vcf", "vcf.gz", "bcf", "tsv", "parquet"])
@pytest.mark.parametrize("settings", [{"rc": True}, {"method": "conditional"}])
def test_variant_scores_are_read_back_from_every_format(tiny, genome_path, calls, tmp_path, suffix, settings):
    in_memory = variants(tiny, calls, genome=genome_path, on_mismatch="skip", **settings)
    written = variants(tiny, calls, tmp_path / f"o.{suffix}", genome=genome_path, on_mismatch="skip", **settings)
    expected = in_memory.table.select(written.table.columns)
    assert written.table.schema == expected.schema
    scores = [name for name in expected.columns if name.startswith("llr")]
    assert written.table.drop(scores).equals(expected.drop(scores))
    np.testing.assert_allclose(written.to_numpy(), in_memory.to_numpy(), rtol=1e-5)
    lost = set(in_memory.table.columns) - set(written.table.columns)
    assert lost == ({"left_context", *(["right_context"] * ("rc" in settings))} if "cf" in suffix else set())
    assert written.column == scores[0] and written.sign.startswith("ALT - REF")


def test_mutations_are_read_back_as_they_were(tiny, genome_path, tmp_path):
    in_memory = mutate(tiny, "chr1:20-30", genome=genome_path)
    written = mutate(tiny, "chr1:20-30", tmp_path / "m.csv", genome=genome_path)
    assert written.table.equals(in_memory.table) and written.to_numpy().shape == (33,)


def test_generated_sequences_are_read_back_and_can_be_scored(tiny, tmp_path):
    in_memory = genolm.generate(tiny, {"a_b": "ACGT", "c": "GG"}, n=2, length=9)
    written = genolm.generate(tiny, {"a_b": "ACGT", "c": "GG"}, tmp_path / "g.fa", n=2, length=9)
    last = in_memory.table.columns[-1]
    assert written.table.drop(last).equals(in_memory.table.drop(last))
    np.testing.assert_allclose(written.table[last], in_memory.table[last], atol=1e-6)
    assert written.sequences == in_memory.sequences and written.sequences["a_b_1"].startswith("ACGT")
    assert score(tiny, written.sequences).table.equals(score(tiny, written).table)


def test_byte_pair_sequences_are_read_back(tmp_path):
    model = genolm.load("tiny-random-ocean", device="cpu")
    in_memory = genolm.generate(model, ["ACGT"], n=3, length=30)
    written = genolm.generate(model, ["ACGT"], tmp_path / "g.fa", n=3, length=30)
    assert written.table.schema == in_memory.table.schema
    exact = [name for name, kind in in_memory.table.schema.items() if kind != pl.Float64]
    assert written.table.select(exact).equals(in_memory.table.select(exact))
    assert set(exact) >= {"finish_reason", "tokens"}


def test_tables_of_a_folder_are_read_back(tmp_path):
    pytest.importorskip("matplotlib")
    in_memory = genolm.explain.tables("tiny-random-kmer")
    for form in ("tsv", "parquet"):
        written = genolm.explain.tables("tiny-random-kmer", tmp_path / form, tables=form)
        assert list(written.tables) == list(in_memory.tables) and written.table.columns == in_memory.table.columns
        assert written.tables["neighbours"]["kmer"].equals(in_memory.tables["neighbours"]["kmer"])
    assert repr(in_memory).startswith("Explanation: ") and len(in_memory) == in_memory.table.height
