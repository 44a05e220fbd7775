"""Readouts of layers and loads of experts, against plain computations and planted answers."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import genolm
from genolm.errors import InputError, ModelError
from genolm.models.model import Model
from genolm.tasks.explain.routing import base_classes, cpg_classes

SEQUENCE = "".join(np.random.default_rng(5).choice(list("ACGT"), 700))


@pytest.fixture(scope="module")
def model() -> Model:
    return genolm.load("tiny-random")


def test_readouts_are_the_head_on_every_layer(model: Model) -> None:
    found = genolm.explain.lens(model, [SEQUENCE]).tables["lens"]
    ids = torch.from_numpy(model.tokenizer.encode(SEQUENCE).astype(np.int64))[None]
    bases = list(model.tokenizer.base_ids)
    with torch.inference_mode():
        output = model.network(ids, layers=range(model.config.num_layers))
        final = output.logits_BLV[0, :-1, bases].log_softmax(-1)
        for layer in range(model.config.num_layers):
            hidden = model.network.norm(output.hidden[layer])
            readout = model.network.head(hidden)[0, :-1, bases].log_softmax(-1)
            row = _row(found, "model", "layer", layer)
            expected = (final.exp() * (final - readout)).sum(-1).mean().item()
            assert row["kl_nats"] == pytest.approx(expected, rel=1e-3, abs=1e-5)
            agreed = (final.argmax(-1) == readout.argmax(-1)).float().mean().item()
            assert row["top1_agreement"] == pytest.approx(agreed, abs=1e-6)


def test_the_last_layer_agrees_with_itself_and_the_nulls_are_there(model: Model) -> None:
    found = genolm.explain.lens(model, [SEQUENCE]).tables["lens"]
    last = _row(found, "model", "layer", model.config.num_layers)
    assert (last["kl_nats"], last["top1_agreement"]) == pytest.approx((0.0, 1.0), abs=1e-6)
    assert set(found["readout"]) == {"layer", "unigram", "uniform"}
    assert found["network"].n_unique() == 2
    uniform = found.filter((pl.col("readout") == "uniform") & (pl.col("network") == "model"))
    assert uniform["bits_per_base"].item() == pytest.approx(2.0)


def _row(table: pl.DataFrame, network: str, readout: str, layer: int) -> dict[str, float]:
    kept = (pl.col("network") == network) & (pl.col("readout") == readout) & (pl.col("layer") == layer)
    return table.filter(kept).row(0, named=True)


def test_shares_of_experts_are_the_routers(model: Model) -> None:
    found = genolm.explain.experts(model, [SEQUENCE]).tables["shares"]
    ids = torch.from_numpy(model.tokenizer.encode(SEQUENCE).astype(np.int64))[None]
    with torch.inference_mode():
        router = model.network(ids, router=True).router
    chosen = router[1].topk(model.config.experts_per_token).indices
    for base in "ACGT":
        own = chosen[torch.tensor([letter == base for letter in SEQUENCE])]
        expected = torch.bincount(own.flatten(), minlength=model.config.num_experts).float()
        kept = found.filter(
            (pl.col("network") == "model")
            & (pl.col("grouping") == "base")
            & (pl.col("layer") == 2)
            & (pl.col("class") == base)
        ).sort("expert")
        np.testing.assert_allclose(kept["share"], expected / expected.sum(), atol=1e-6)


def test_routing_by_letter_is_more_than_chance_and_routing_by_moved_labels_is_not(model: Model) -> None:
    found = genolm.explain.experts(model, [SEQUENCE]).tables["association"]
    rows = found.filter((pl.col("network") == "model") & (pl.col("grouping") == "base") & (pl.col("layer") == 1))
    row = rows.row(0, named=True)
    assert row["p_permuted"] <= 0.01 and row["cramers_v"] > 0.3  # the first layer sees little but the letter
    assert row["cramers_v_permuted"] < 0.2


def test_classes_of_bases() -> None:
    assert len(set(base_classes("ACGTN").tolist())) == 5
    assert cpg_classes("ACGC").tolist()[1] == cpg_classes("ACGC").tolist()[2] != cpg_classes("ACGC").tolist()[3]


def test_a_dense_model_has_no_experts() -> None:
    with pytest.raises(ModelError, match="is not a mixture-of-experts model"):
        genolm.explain.experts("tiny-random-dense", [SEQUENCE])


def test_genes_that_lie_elsewhere_are_refused(tmp_path) -> None:
    fasta, genes = tmp_path / "a.fa", tmp_path / "genes.gtf"
    fasta.write_text(f">chr1\n{SEQUENCE}\n")
    genes.write_text('chr9\tx\ttranscript\t1\t90\t.\t+\t.\tgene_id "g"; transcript_id "t";\n')
    with pytest.raises(InputError, match="contig"):
        genolm.explain.experts("tiny-random", "chr1:1-300", genome=fasta, genes=genes)


@pytest.mark.parametrize(("verb", "model"), [("experts", "tiny-random"), ("memory", "tiny-random-gengram")])
def test_a_region_of_n_only_gives_tables_without_missing_scores(verb: str, model: str, tmp_path: Path) -> None:
    genome = tmp_path / "genome.fa"
    genome.write_text(">chr1\n" + "N" * 300 + "ACGT" * 50 + "\n")
    out = getattr(genolm.explain, verb)(model, "chr1:1-300", tmp_path / "out", genome=genome).path
    assert (out / "provenance.json").is_file()


@pytest.mark.parametrize(
    ("verb", "message"),
    [("lens", "nothing to predict: only N"), ("attribution", "nothing to explain")],
)
def test_a_region_of_n_only_has_no_prediction(verb: str, message: str, tmp_path: Path) -> None:
    genome = tmp_path / "genome.fa"
    genome.write_text(">chr1\n" + "N" * 300 + "ACGT" * 50 + "\n")
    with pytest.raises(InputError, match=message):
        getattr(genolm.explain, verb)("tiny-random", "chr1:1-300", tmp_path / "out", genome=genome)
    assert not (tmp_path / "out").exists()
