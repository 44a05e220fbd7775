"""What a memory writes and what its tables hold: against what the network does, and on planted answers."""

import numpy as np
import polars as pl
import pytest
import torch

import genolm
from genolm.errors import InputError, ModelError
from genolm.genome.sequence import reverse_complement
from genolm.models.model import Model
from genolm.statistics.bootstrap import block_sums, correlation, cramers_v, estimate, products, rank_correlation
from genolm.tasks.explain.random_copies import kmer_tables, random_tables, random_weights
from genolm.tasks.explain.table_geometry import codon_pairs, letters, number, reverse_complements, spelled, strand_pairs

SEQUENCE = "".join(np.random.default_rng(3).choice(list("ACGT"), 300))


@pytest.fixture(scope="module")
def gengram() -> Model:
    return genolm.load("tiny-random-gengram")


def test_positions_are_what_the_network_traces(gengram: Model) -> None:
    found = genolm.explain.memory(gengram, [SEQUENCE]).tables["positions"]
    ids = torch.from_numpy(gengram.tokenizer.encode(SEQUENCE).astype(np.int64))[None]
    with torch.inference_mode():
        traces = gengram.network(ids, memory=True).memory
    for layer, trace in traces.items():
        rows = found.filter(pl.col("layer") == layer)
        assert rows["base"].str.join("").item() == SEQUENCE
        np.testing.assert_allclose(rows["gate"], trace.gate_BL[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(rows["written"], trace.written_BL[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(rows["relative"], trace.written_BL[0] / trace.stream_BL[0], rtol=1e-3, atol=1e-5)


def test_the_null_has_other_tables_and_the_same_of_everything_else(gengram: Model) -> None:
    twin = random_tables(gengram, 0)
    tables = {id(table.embedding.weight) for table in kmer_tables(gengram.network)}
    for (name, own), other in zip(gengram.network.named_parameters(), twin.parameters(), strict=True):
        if id(own) in tables:
            assert not torch.equal(own, other), name
            assert other.square().mean().item() == pytest.approx(own.square().mean().item(), rel=0.2)
        else:
            assert own is other, name
    summary = genolm.explain.memory(gengram, [SEQUENCE]).tables["summary"]
    assert summary["correlation"].is_between(-1, 1).all()


def test_long_regions_in_windows_equal_one_pass_where_the_memory_alone_decides(gengram: Model) -> None:
    whole = genolm.explain.memory(gengram, [SEQUENCE]).tables["positions"]
    parts = genolm.explain.memory(gengram, [SEQUENCE], context=100).tables["positions"]
    first = pl.col("layer") == 1  # below it there is no attention: only the last few bases decide
    np.testing.assert_allclose(parts.filter(first)["written"], whole.filter(first)["written"], rtol=1e-4, atol=1e-5)


def test_tables_at_the_input_are_layer_zero() -> None:
    found = genolm.explain.memory("tiny-random-kmer", [SEQUENCE]).tables["summary"]
    assert found["layer"].unique().to_list() == [0]
    assert found["quantity"].to_list() == ["written", "relative"]


def test_a_model_without_a_memory_is_refused() -> None:
    for function, words in ((genolm.explain.memory, ([SEQUENCE],)), (genolm.explain.tables, ())):
        with pytest.raises(ModelError, match="has no k-mer"):
            function("tiny-random", *words)


def test_a_planted_symmetry_is_found_and_a_random_table_has_none(gengram: Model) -> None:
    model = genolm.load("tiny-random-gengram")
    table = next(t for t in kmer_tables(model.network) if (t.layer, t.order) == (1, 3))
    rows, partners = table.pure_rows(), torch.from_numpy(reverse_complements(np.arange(64), 3))
    with torch.no_grad():
        weight = table.embedding.weight
        weight[rows] = weight[rows] + weight[rows][partners]
    found = genolm.explain.tables(model).tables["symmetry"].filter((pl.col("layer") == 1) & (pl.col("order") == 3))
    planted = found.filter(pl.col("rows") == "model").row(0, named=True)
    null = found.filter(pl.col("rows") != "model").row(0, named=True)
    assert planted["related"] == pytest.approx(1.0, abs=1e-5)
    assert planted["difference_low"] > 0.5
    assert abs(null["related"]) < 0.3


def test_kmers_are_spelled_paired_and_complemented() -> None:
    codes = np.arange(4**4)
    assert [spelled(int(code), 4) for code in codes[:5]] == ["AAAA", "AAAC", "AAAG", "AAAT", "AACA"]
    assert np.array_equal(number(letters(codes, 4)), codes)
    for code, other in zip(codes, reverse_complements(codes, 4), strict=True):
        assert spelled(int(other), 4) == reverse_complement(spelled(int(code), 4))
    pairs = strand_pairs(4, 0)
    assert np.array_equal(reverse_complements(pairs.first_N, 4), pairs.second_N)
    paired = pairs.control_N >= 0
    gc = [np.isin(letters(codes[paired], 4), (1, 2)).sum(1) for codes in (pairs.first_N, pairs.control_N)]
    assert paired.any() and np.array_equal(*gc)
    assert len(codon_pairs().first_N) > 50


def test_statistics_know_their_answers() -> None:
    x = np.random.default_rng(0).normal(size=4000)
    y = 0.6 * x + 0.8 * np.random.default_rng(1).normal(size=4000)
    found = estimate(products(x, y), correlation)
    assert found[0] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-6)
    assert found[1] < 0.6 < found[2]
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1.0)
    assert cramers_v(np.array([[50.0, 0.0], [0.0, 50.0]]))[1] == pytest.approx(1.0)
    assert cramers_v(np.array([[25.0, 25.0], [25.0, 25.0]]))[1] == pytest.approx(0.0)
    assert block_sums(np.ones((450, 1))).sum() == 450


def test_the_folder_holds_tables_tracks_and_pictures(tmp_path) -> None:
    fasta = tmp_path / "a.fa"
    fasta.write_text(f">chr1\n{SEQUENCE}\n")
    out = genolm.explain.memory("tiny-random-gengram", "chr1:51-250", tmp_path / "out", genome=fasta).path
    names = {path.name for path in out.iterdir()}
    assert {
        "summary.tsv",
        "positions.tsv",
        "region01.png",
        "layer01.written.bw",
        "layer01.gate_random_tables.bw",
    } < names
    import pybigtools

    with pybigtools.open(str(out / "layer03.written.bw")) as track:
        values = np.array(track.values("chr1", 50, 250, fillna=0))
    table = pl.read_csv(out / "positions.tsv", separator="\t").filter(pl.col("layer") == 3)
    np.testing.assert_allclose(values, table["written"], rtol=1e-4)
    with pytest.raises(InputError, match="explain writes a folder"):
        genolm.explain.memory("tiny-random-gengram", "chr1:51-250", tmp_path / "out.png", genome=fasta)


def test_twins_follow_the_model_to_another_precision() -> None:
    model = genolm.load("tiny-random-kmer", dtype="float32")
    for twin in (random_tables, random_weights):
        before = twin(model, 0)
        assert twin(model, 0) is before
        model.to(dtype="bfloat16")
        assert {weight.dtype for weight in twin(model, 0).parameters()} == {torch.bfloat16}
        model.to(dtype="float32")
        assert {weight.dtype for weight in twin(model, 0).parameters()} == {torch.float32}
