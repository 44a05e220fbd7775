"""Heads in model folders: every contradiction between the card and the files is an error."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import genolm
from genolm.errors import ModelError
from genolm.files.digests import file_sha256
from genolm.models.heads.head_config import LabelHeadConfig, TrackHeadConfig
from genolm.models.heads.headed_network import build_head


@pytest.fixture
def folder(tmp_path):
    model = genolm.load("tiny-random", device="cpu", dtype="float32")
    configs = {
        "expression": TrackHeadConfig(("GM12878 +", "GM12878 -"), units=("reads", "reads"), means=(2.0, 3.0)),
        "splice": LabelHeadConfig(("donor", "acceptor", "neither"), of="token"),
    }
    heads = {name: build_head(config, model.config) for name, config in configs.items()}
    return genolm.save(genolm.Model(model.network, model.tokenizer, model.card, heads=heads), tmp_path / "model")


def changed_card(folder, change):
    path = folder / "card.json"
    values = json.loads(path.read_text())
    change(values["heads"])
    path.write_text(json.dumps(values))


def rewritten(folder, change):
    """Change the tensors of a head, and its digest in the card."""
    path = folder / "heads" / "expression.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    changed_card(folder, lambda heads: heads["expression"].update(sha256=file_sha256(path)))


def test_the_card_says_what_the_outputs_are(folder):
    values = json.loads((folder / "card.json").read_text())["heads"]["expression"]
    assert values["tracks"] == ["GM12878 +", "GM12878 -"]
    assert (values["kind"], values["units"], values["means"]) == ("tracks", ["reads", "reads"], [2.0, 3.0])
    facts = genolm.info(folder)["output_heads"]
    assert [head["name"] for head in facts] == ["language", "expression", "splice"]
    assert facts[1]["names"] == ["GM12878 +", "GM12878 -"] and facts[2]["of"] == "token"


def test_a_conversion_keeps_heads_and_says_that_others_do_not_read_them(folder, tmp_path, caplog):
    out = genolm.convert(folder, tmp_path / "out", to="huggingface", dtype="bfloat16")
    assert "holds the backbone only; these heads are kept in" in caplog.text
    assert "for genolm: expression, splice" in caplog.text
    for name in ("expression", "splice"):
        before, after = (load_file(path / "heads" / f"{name}.safetensors") for path in (folder, out))
        assert all(torch.equal(tensor, after[key]) for key, tensor in before.items())
    caplog.clear()
    genolm.convert(folder, tmp_path / "own", to="genolm")
    assert caplog.text == ""


def test_transformers_reads_the_backbone(folder):
    from transformers import AutoModelForCausalLM

    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        theirs = AutoModelForCausalLM.from_pretrained(folder)(input_ids=ids).logits
    ours = genolm.load(folder, device="cpu", dtype="float32").head_outputs(ids, heads=["language"])["language"]
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda heads: heads.pop("splice"), "splice.safetensors: the card describes no head of this name"),
        (lambda heads: heads.update(other=heads["splice"]), "other.safetensors: the card describes this head, but"),
        (lambda heads: heads["splice"].update(sha256="0"), "but the card states 0; the file was changed"),
        (lambda heads: heads["splice"].pop("sha256"), "head splice must have a kind and a sha256"),
        (lambda heads: heads["splice"].update(kind="crf"), "head splice: kind must be one of labels, tracks"),
        (lambda heads: heads["splice"].update(hidden=5), "missing tensor dense.weight"),
        (lambda heads: heads["splice"].update(labels=["a", "b"]), r"output.weight has the shape \[3, 96\]; expected"),
        (lambda heads: heads.update({"a/b": heads["splice"]}), "the name of a head must consist of letters"),
    ],
)
def test_card_and_files_must_agree(folder, change, message):
    changed_card(folder, change)
    with pytest.raises(ModelError, match=message):
        genolm.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("bn1.running_mean"), r"missing tensor bn1.running_mean"),
        (lambda t: t.update(bn3=torch.ones(1)), "unexpected tensor bn3"),
        (lambda t: t["bn2.running_var"].fill_(float("inf")), r"bn2.running_var holds NaN or infinity"),
    ],
)
def test_tensors_of_a_head_are_read_strictly(folder, change, message):
    rewritten(folder, change)
    with pytest.raises(ModelError, match=message):
        genolm.load(folder)
