"""Embedding: layers, pooling, strands and rows."""

import copy
import io
import random
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

import genolm
from genolm import GenolmError, InputError, Interval, ModelError, RunError, Variant, merge
from genolm.genome.sequence import reverse_complement
from genolm.models.model import Model
from genolm.models.precision import same_device
from genolm.tasks.embed import embed
from genolm.tasks.reading.embedding import EmbedTask
from genolm.tasks.reading.model_limits import choose_layers
from genolm.tasks.reading.pooling import Pooling
from genolm.tasks.writing.vector_files import matrix

SEQUENCES = ["ACGTTGCA", "GGN", "T"]


@torch.inference_mode()
def hidden(model, sequence, layer):
    ids = torch.from_numpy(model.tokenizer.encode(sequence).astype(np.int64))[None]
    return model.network(ids, layers={layer}).hidden[layer][0].numpy()


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-4)


def test_mean_of_the_last_layer_by_default(tiny):
    table = embed(tiny, SEQUENCES).table
    assert table.columns == ["id", "length", "embedding"]
    assert table["id"].to_list() == ["sequence1", "sequence2", "sequence3"]
    assert table["length"].to_list() == [8, 3, 1]
    assert table.schema["embedding"] == pl.Array(pl.Float32, tiny.config.hidden_size)
    close(matrix(table), [hidden(tiny, one, tiny.config.num_layers).mean(0) for one in SEQUENCES])


@pytest.mark.parametrize(("layer", "meant"), [(0, 0), (2, 2), (-1, 3), (-4, 0), (3, 3)])
def test_layers_count_from_both_ends(tiny, layer, meant):
    close(matrix(embed(tiny, SEQUENCES[:1], layer=layer).table)[0], hidden(tiny, SEQUENCES[0], meant).mean(0))


def test_the_card_chooses_the_layer(tiny):
    careful = Model(tiny.network, tiny.tokenizer, replace(tiny.card, layer=1))
    assert choose_layers(careful, None) == (1,)
    assert choose_layers(careful, -1) == (3,)


def test_all_layers_are_rows(tiny):
    table = embed(tiny, SEQUENCES[:2], layer="all").table
    assert table["layer"].to_list() == [0, 1, 2, 3] * 2
    assert table["id"].to_list() == ["sequence1"] * 4 + ["sequence2"] * 4
    close(matrix(table), [hidden(tiny, one, layer).mean(0) for one in SEQUENCES[:2] for layer in range(4)])


def test_without_pooling_every_token_has_a_row(tiny):
    table = embed(tiny, SEQUENCES[:2], layer="all", pooling="none").table
    assert table.columns == ["id", "length", "layer", "position", "embedding"]
    assert table["position"].to_list() == [*range(8)] * 4 + [*range(3)] * 4
    expected = [hidden(tiny, one, layer) for one in SEQUENCES[:2] for layer in range(4)]
    close(matrix(table), np.concatenate(expected))


def test_both_strands_are_averaged(tiny):
    found = matrix(embed(tiny, SEQUENCES[:1], rc=True, pooling=Pooling("max")).table)[0]
    strands = [hidden(tiny, one, 3).max(0) for one in (SEQUENCES[0], reverse_complement(SEQUENCES[0]))]
    close(found, np.mean(strands, 0))


def test_pooling_happens_in_fp32(tiny):
    half = Model(copy.deepcopy(tiny.network), tiny.tokenizer, tiny.card).to(dtype=torch.bfloat16)
    sequence = "".join(random.Random(1).choices("ACGT", k=200))
    with torch.inference_mode():
        ids = torch.from_numpy(tiny.tokenizer.encode(sequence).astype(np.int64))[None]
        expected = half.network(ids, layers={3}).hidden[3][0].float().mean(0)
    np.testing.assert_allclose(matrix(embed(half, [sequence]).table)[0], expected, atol=1e-6)


def test_intervals_carry_their_coordinates(tiny, bed, genome_path, contigs):
    table = embed(tiny, bed, genome=genome_path).table
    assert table.columns == ["id", "chrom", "start", "end", "strand", "length", "embedding"]
    assert table.row(0)[:6] == ("b", "chr2", 10, 40, "-", 30)
    assert table["chrom"].to_list() == ["chr2", "1", "chr2", "chr1"]
    close(matrix(table)[0], hidden(tiny, reverse_complement(contigs["chr2"][10:40]), 3).mean(0))


def test_intervals_and_variants_in_memory(tiny, genome_path, contigs):
    table = embed(tiny, [Interval("chr1", 5, 25), Interval("chr2", 0, 9, "-")], genome=genome_path, length=10).table
    assert table["start"].to_list() == [10, -1]
    ref = contigs["chr1"][49]
    pair = embed(tiny, [Variant("chr1", 50, ref, "ACGT".replace(ref, "")[0])], genome=genome_path, length=16).table
    assert [name.rpartition("/")[2] for name in pair["id"]] == ["ref", "alt"]
    assert not np.allclose(*matrix(pair), atol=1e-3)


def test_standard_input_and_iterators_are_read_once(tiny, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b">a\nACGTTGCA\n>b\nGGN\n"))))
    table = embed(tiny, "-").table
    assert table["id"].to_list() == ["a", "b"]
    again = embed(tiny, (one for one in SEQUENCES[:2])).table
    close(matrix(again), matrix(table))


def test_nothing_in_gives_no_rows_with_all_columns(tiny):
    assert embed(tiny, []).table.shape == (0, 3)
    assert embed(tiny, [], layer="all", pooling="none").table.columns == [
        "id",
        "length",
        "layer",
        "position",
        "embedding",
    ]


def test_ambiguous_letters_are_refused_unless_asked_for(tiny):
    with pytest.raises(InputError, match=r"inputs:2: ambiguity code at position 3 .* \(value 'R'\)"):
        embed(tiny, ["ACGT", "ACRT"])
    close(matrix(embed(tiny, ["ACRT"], iupac="N").table), matrix(embed(tiny, ["ACNT"]).table))


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".h5ad", ".zarr"])
def test_shards_merge_into_the_bytes_of_one_run(tiny, fasta, tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(EmbedTask, "part_tokens", property(lambda task: 30))
    once, shared = tmp_path / f"once{suffix}", tmp_path / f"shared{suffix}"
    assert embed(tiny, fasta, once, rc=True, layer=-2).path == once
    for number in (3, 1, 2):
        embed(tiny, fasta, shared, rc=True, layer=-2, shard=f"{number}/3")
    merge(shared)
    assert content(shared) == content(once)


def content(path):
    """Return the bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    return {str(one.relative_to(path)): one.read_bytes() for one in files}


@pytest.mark.parametrize("layer", [4, -5])
def test_a_layer_that_is_not_there(tiny, layer):
    with pytest.raises(ModelError, match=rf"random-dense has no layer {layer}: expected 0 .* to 3, .* or 'all'"):
        embed(tiny, SEQUENCES, layer=layer)


@pytest.mark.parametrize("layer", ["last", 1.0, True])
def test_a_layer_that_is_no_number_is_refused_before_the_model_is_loaded(layer):
    with pytest.raises(InputError, match="layer must be an integer or all"):
        embed("no-such-model", SEQUENCES, layer=layer)


def test_the_context_is_the_models_unless_a_shorter_one_is_asked_for(tiny):
    short = Model(tiny.network, tiny.tokenizer, replace(tiny.card, context=5))
    for pooling in ("mean", "last"):
        found = matrix(embed(tiny, SEQUENCES, pooling=pooling, context=5).table)
        close(matrix(embed(short, SEQUENCES, pooling=pooling).table), found)
        assert not np.allclose(found[0], matrix(embed(tiny, SEQUENCES, pooling=pooling).table)[0], atol=1e-3)
    with pytest.raises(InputError, match=r"context must be at least 1 \(value 0\)"):
        embed(tiny, SEQUENCES, context=0)
    with pytest.raises(ModelError, match=r"context must be from 1 to 32,768 bases for tiny.*, not 32,769"):
        embed(tiny, SEQUENCES, context=32_769)


def test_settings_are_refused_before_the_model_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr("genolm.models.checkpoints.load.load", lambda *args, **kwargs: pytest.fail("loaded"))
    with pytest.raises(InputError, match=r"out\.txt: unsupported output format; use one of \.parquet, \.npy"):
        embed("genos-1.2b", SEQUENCES, tmp_path / "out.txt")
    with pytest.raises(InputError, match="pooling must be one of"):
        embed("genos-1.2b", SEQUENCES, pooling="median")
    with pytest.raises(
        InputError, match=r"expected a file, a variant .*, or a list of sequences, intervals or variants \(value 7\)"
    ):
        embed("genos-1.2b", 7)
    (tmp_path / "out.npy").touch()
    with pytest.raises(RunError, match=r"out\.npy exists; pass overwrite=True to replace it"):
        embed("genos-1.2b", SEQUENCES, tmp_path / "out.npy")


def test_a_loaded_model_is_left_as_it_is(tiny, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ModelError, match=r"is loaded in torch\.float32; load it with dtype='bfloat16' instead"):
        embed(tiny, SEQUENCES, dtype="bfloat16")
    with pytest.raises(ModelError, match="the model is loaded on cpu; load it with device='cuda:1' instead"):
        embed(tiny, SEQUENCES, device="cuda:1")
    with pytest.raises(ModelError, match="device cpu:3 is not available to torch"):
        embed(tiny, SEQUENCES, device="cpu:3")
    assert embed(tiny, SEQUENCES, device="cpu", dtype="float32").table.height == 3


@pytest.mark.parametrize(("settings", "rows"), [({}, 2), ({"layer": "all"}, 8), ({"pooling": "none"}, 10)])
def test_as_numpy_is_the_column_of_the_table_and_can_be_written_to(tiny, settings, rows):
    sequences = {"a": "ACGTAC", "b": "TTTT"}
    table = embed(tiny, sequences, **settings).table
    array = embed(tiny, sequences, **settings).to_numpy()
    assert array.dtype == np.float32 and array.shape == (rows, tiny.config.hidden_size)
    np.testing.assert_array_equal(array, table["embedding"].to_numpy())
    array -= array.mean(0)


@pytest.mark.parametrize("layer", [None, "all"])
def test_as_anndata_is_what_an_h5ad_holds(tiny, tmp_path, layer):
    anndata = pytest.importorskip("anndata")
    sequences = {"a": "ACGTAC", "b": "TTTT", "a b": "GGC"}
    returned = embed(tiny, sequences, layer=layer).to_anndata()
    read = anndata.read_h5ad(embed(tiny, sequences, tmp_path / "out.h5ad", layer=layer))
    np.testing.assert_array_equal(returned.X, read.X)
    assert list(returned.obs_names) == list(read.obs_names) == list(sequences)
    assert returned.obs["length"].tolist() == read.obs["length"].tolist() == [6, 4, 3]
    assert list(returned.obsm) == list(read.obsm) and returned.uns["genolm"] == dict(read.uns["genolm"])


def test_as_anndata_without_anndata_says_what_to_install(tiny, monkeypatch):
    embeddings = embed(tiny, ["ACGT"])
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(GenolmError, match=r"pip install 'genolm\[anndata\]'"):
        embeddings.to_anndata()


def test_another_device_of_the_same_kind_is_not_the_one_asked_for():
    assert same_device(torch.device("cuda"), torch.device("cuda:1"))
    assert same_device(torch.device("cpu:0"), torch.device("cpu"))
    assert not same_device(torch.device("cuda:1"), torch.device("cuda:0"))
    assert not same_device(torch.device("cuda"), torch.device("cpu"))


def test_without_an_output_the_weights_are_not_hashed(monkeypatch, tmp_path):
    model = genolm.load("tiny-random")
    monkeypatch.setattr("genolm.models.model.fingerprint", lambda _: "hashed")
    embed(model, SEQUENCES)
    assert model._fingerprint is None
    embed(model, SEQUENCES, tmp_path / "out.parquet")
    assert pl.read_parquet_metadata(tmp_path / "out.parquet")["model_fingerprint"] == "hashed"


def test_a_shard_returns_its_folder_of_parts_which_merge_takes(tiny, tmp_path):
    folder = embed(tiny, SEQUENCES, tmp_path / "out.parquet", shard="1/1").parts
    assert folder == tmp_path / "out.parquet.parts"
    assert folder.is_dir() and not (tmp_path / "out.parquet").exists()
    merge(tmp_path / "elsewhere.parquet", parts=[folder])
    assert pl.read_parquet(tmp_path / "elsewhere.parquet").height == 3


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("beside", ["v.ids.txt", "v.npy.provenance.json"])
def test_a_foreign_file_beside_the_output_is_not_replaced(tiny, tmp_path, beside, resume):
    (tmp_path / beside).write_text("mine")
    with pytest.raises(RunError, match=rf"{beside} exists; pass overwrite=True"):
        embed(tiny, SEQUENCES, tmp_path / "v.npy", resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == [beside]
    assert (tmp_path / beside).read_text() == "mine"
    embed(tiny, SEQUENCES, tmp_path / "v.npy", overwrite=True)
    assert (tmp_path / beside).read_text() != "mine"


def test_the_record_of_an_output_that_was_removed_is_replaced(tiny, tmp_path):
    embed(tiny, SEQUENCES, tmp_path / "v.npy")
    (tmp_path / "v.npy").unlink()
    (tmp_path / "v.ids.txt").unlink()
    embed(tiny, SEQUENCES, tmp_path / "v.npy", pooling="max")
    assert '"max"' in (tmp_path / "v.npy.provenance.json").read_text()


def test_what_killed_writers_left_of_side_files_is_swept(tiny, tmp_path):
    for name in ("v.npy", "v.ids.txt", "v.npy.provenance.json"):
        (tmp_path / f".partial-0123abcd-{name}").write_text("half")
    embed(tiny, SEQUENCES, tmp_path / "v.npy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.ids.txt", "v.npy", "v.npy.provenance.json"]
