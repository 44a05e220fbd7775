"""Folders of adapters: written, read, merged, and exchanged with the package ``peft``."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.lora.test_lora_linear import IDS, adapted

import genolm
from genolm.errors import ModelError, RunError
from genolm.models.checkpoints.adapter_folder import write_adapter
from genolm.models.heads.head_config import LabelHeadConfig, TrackHeadConfig
from genolm.models.heads.headed_network import HeadedNetwork, build_head
from genolm.models.lora.base_weights import base_sha256
from genolm.models.lora.lora_config import LoraConfig

CLOSE = {"atol": 2e-5, "rtol": 1e-4}
NAMES = {
    "tiny-random": LoraConfig(rank=3, alpha=6.0, modules_to_save=("head", "embedding")),
    "tiny-random-dense": LoraConfig(rank=2, targets=("attention.key", "ffn.gate", "ffn.down")),
    "tiny-random-kmer": LoraConfig(rank=2, modules_to_save=("norm",)),
    "tiny-random-bert": LoraConfig(rank=2, targets=("attention.query", "ffn.up"), modules_to_save=("head.dense",)),
    "tiny-random-moderngena": LoraConfig(rank=2, targets=("attention.query", "attention.value", "ffn.up", "ffn.down")),
    "tiny-random-bigbird": LoraConfig(rank=2),
    "tiny-random-rmt": LoraConfig(rank=2, targets=("attention.output",)),
}


def written(folder, name="tiny-random", heads=(), base=None):
    """Write an adapter of a model; return its folder and the network with it."""
    model, config = genolm.load(name, device="cpu", dtype="float32"), NAMES[name]
    network = adapted(name, config).eval()
    headed = HeadedNetwork(network, dict(heads), model.tokenizer)
    card = replace(model.card, name="adapted", base_sha256=base_sha256(model.network))
    return write_adapter(folder, headed, config, card, base or name), network


def logits(network, ids=IDS):
    with torch.no_grad():
        values = network(ids)[0]
    return values[..., : values.isfinite().sum(-1).min()]


def changed_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewritten(folder, change):
    """Change the tensors of an adapter."""
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


@pytest.mark.parametrize("name", NAMES)
def test_a_written_adapter_gives_the_numbers_of_its_network(name, tmp_path):
    folder, network = written(tmp_path / "adapter", name)
    loaded = genolm.load(folder, device="cpu", dtype="float32")
    torch.testing.assert_close(logits(loaded.network), logits(network), **CLOSE)
    assert loaded.card.name == "adapted" and loaded.card.base_sha256 is None
    given = genolm.load(name, adapter=folder, device="cpu", dtype="float32")
    assert torch.equal(logits(given.network), logits(loaded.network)) and given.origin is None
    assert loaded.origin == str(folder)


def test_conversion_merges_an_adapter(tmp_path):
    folder, network = written(tmp_path / "adapter")
    merged = genolm.load(genolm.convert(folder, tmp_path / "merged", to="genolm"), device="cpu", dtype="float32")
    torch.testing.assert_close(logits(merged.network), logits(network), **CLOSE)


def test_a_conversion_does_not_replace_the_base(tmp_path):
    genolm.convert("tiny-random", tmp_path / "base")
    folder, _ = written(tmp_path / "adapter", base="../base")
    with pytest.raises(RunError, match="holds the source of the conversion"):
        genolm.convert(folder, tmp_path / "base", overwrite=True)


def test_weights_are_rounded_once_after_the_update(tmp_path):
    genolm.convert("tiny-random", tmp_path / "base", dtype="bfloat16")
    model = genolm.load(tmp_path / "base", device="cpu", dtype="float32")
    network, config = adapted(tmp_path / "base", NAMES["tiny-random"]), NAMES["tiny-random"]
    card = replace(model.card, base_sha256=base_sha256(model.network))
    folder = write_adapter(tmp_path / "adapter", network, config, card, "../base")
    wide, half = (genolm.load(folder, device="cpu", dtype=dtype).network for dtype in ("float32", "bfloat16"))
    name = "layers.0.attention.query.weight"
    assert torch.equal(wide.get_parameter(name).bfloat16(), half.get_parameter(name))
    assert not torch.equal(wide.get_parameter(name).bfloat16().float(), wide.get_parameter(name))
    torch.testing.assert_close(logits(wide), logits(network.eval()), **CLOSE)


def test_an_adapter_brings_its_heads(tmp_path):
    config = genolm.load("tiny-random").config
    heads = {
        "tracks": build_head(TrackHeadConfig(("a",)), config),
        "labels": build_head(LabelHeadConfig(("x", "y")), config),
    }
    folder, _ = written(tmp_path / "adapter", heads=heads.items())
    loaded = genolm.load(folder, device="cpu", dtype="float32")
    assert list(loaded.heads) == ["language", "tracks", "labels"]
    assert torch.equal(loaded.added_heads["tracks"].conv1.weight, heads["tracks"].conv1.weight)
    facts = genolm.info(folder)
    assert facts["adapter"] == str(folder) and facts["name"] == "adapted"
    assert [head["name"] for head in facts["output_heads"]] == ["language", "tracks", "labels"]
    saved = genolm.load(genolm.save(loaded, tmp_path / "saved"), device="cpu", dtype="float32")
    assert saved.fingerprint == loaded.fingerprint


def test_an_adapter_is_refused_on_another_base(tmp_path):
    folder, _ = written(tmp_path / "adapter")
    with pytest.raises(ModelError, match=r"was trained on a base with the SHA-256 .* but that of tiny-random-dense is"):
        genolm.load("tiny-random-dense", adapter=folder)


def test_an_adapter_beside_its_base_is_applied(tmp_path):
    folder, network = written(tmp_path / "adapter")
    genolm.convert("tiny-random", tmp_path / "base")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(folder / name, tmp_path / "base")
    loaded = genolm.load(tmp_path / "base", device="cpu", dtype="float32")
    torch.testing.assert_close(logits(loaded.network), logits(network), **CLOSE)
    with pytest.raises(ModelError, match="already holds an adapter; only one can be applied"):
        genolm.load(tmp_path / "base", adapter=folder)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("", "does not say which model is its base; give its base in Python: genolm.load"),
        ("../nowhere", "its base cannot be used: ../nowhere: no such folder; give its base in Python"),
        ("tiny-randon", "its base cannot be used: unknown model 'tiny-randon': did you mean tiny-random"),
        ("../adapter", "holds an adapter itself; merge that first"),
    ],
)
def test_the_base_must_be_known(tmp_path, base, message):
    folder, _ = written(tmp_path / "adapter")
    changed_json(folder / "adapter_config.json", base_model_name_or_path=base)
    with pytest.raises(ModelError, match=message):
        genolm.load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "IA3"}, "peft_type 'IA3' is not supported; expected LORA"),
        ({"use_dora": True}, "the option use_dora is not supported"),
        ({"use_rslora": True}, "the option use_rslora is not supported"),
        ({"bias": "all"}, "bias 'all' is not supported"),
        ({"init_lora_weights": "pissa_niter_4"}, "'pissa_niter_4' changes the base weights"),
        ({"layer_replication": [[0, 2]]}, "the option layer_replication is not supported"),
        ({"lora_alpha": "big"}, "lora_alpha and the values of alpha_pattern must be numbers"),
    ],
)
def test_unsupported_options_are_refused(tmp_path, changes, message):
    folder, _ = written(tmp_path / "adapter")
    changed_json(folder / "adapter_config.json", **changes)
    with pytest.raises(ModelError, match=message):
        genolm.load(folder)


QUERY = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(f"{QUERY}.lora_A.weight"), r"missing tensor model.layers.0.self_attn.q_proj.lora_A.weight"),
        (lambda t: t.pop(f"{QUERY}.lora_B.weight"), r"missing tensor model.layers.0.self_attn.q_proj.lora_B.weight"),
        (lambda t: t[f"{QUERY}.lora_B.weight"].fill_(float("nan")), "q_proj.lora_B.weight holds NaN"),
        (lambda t: t.update(other=torch.ones(1)), "changes other, which its base does not have"),
        (lambda t: t.update({f"{QUERY}.lora_A.weight": torch.ones(3, 5)}), r"has the shape \[64, 5\]; its base has"),
        (lambda t: t.update({f"{QUERY}.lora_A.weight": torch.ones(4, 48)}), "the shapes of .* do not agree"),
        (dict.clear, "holds no tensors of an adapter"),
    ],
)
def test_tensors_must_match_the_base(tmp_path, change, message):
    folder, _ = written(tmp_path / "adapter")
    rewritten(folder, change)
    with pytest.raises(ModelError, match=message):
        genolm.load(folder)


def test_a_damaged_file_is_refused(tmp_path):
    folder, _ = written(tmp_path / "adapter")
    path = folder / "adapter_model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    with pytest.raises(ModelError, match="truncated or damaged"):
        genolm.load(folder)
    path.write_bytes(b"")
    with pytest.raises(ModelError, match=r"not a safetensors file, or truncated within its header \(0 bytes\)"):
        genolm.load(folder)
    path.rename(folder / "adapter_model.bin")
    with pytest.raises(ModelError, match=r"adapter_model.safetensors is missing; adapter_model.bin is not read"):
        genolm.load(folder)


def test_what_cannot_be_written_is_refused(tmp_path):
    model, network = genolm.load("tiny-random"), adapted()
    with pytest.raises(ModelError, match="must have the base_sha256"):
        write_adapter(tmp_path / "new", network, NAMES["tiny-random"], model.card, "tiny-random")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(RunError, match="full exists"):
        write_adapter(tmp_path / "full", network, NAMES["tiny-random"], model.card, "tiny-random")


def peft_logits(folder, adapter, kind="AutoModelForCausalLM"):
    """Return the logits of transformers with an adapter that peft loads."""
    import transformers
    from peft import PeftModel

    base = getattr(transformers, kind).from_pretrained(folder)
    with torch.no_grad():
        return PeftModel.from_pretrained(base, adapter).eval()(input_ids=IDS).logits


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tiny-random", "AutoModelForCausalLM"),
        ("tiny-random-dense", "AutoModelForCausalLM"),
        ("tiny-random-moderngena", "AutoModelForMaskedLM"),
    ],
)
def test_peft_reads_what_we_write(name, kind, tmp_path):
    genolm.convert(name, tmp_path / "base", to="huggingface")
    folder, network = written(tmp_path / "adapter", name)
    expected = logits(network)
    found = peft_logits(tmp_path / "base", folder, kind)[..., : expected.shape[-1]]
    torch.testing.assert_close(found, expected, **CLOSE)


def made_by_peft(folder, name, kind, **settings):
    """Save an adapter with ``peft``; return the logits of its model."""
    import transformers
    from peft import LoraConfig as PeftConfig
    from peft import get_peft_model

    base = genolm.convert(name, folder / "base", to="huggingface")
    labels = {"num_labels": 3, "pad_token_id": 14} if "Classification" in kind else {}
    model = get_peft_model(getattr(transformers, kind).from_pretrained(base, **labels), PeftConfig(**settings)).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.copy_(torch.randn_like(weight) * 0.1)
        model.save_pretrained(folder / "adapter")
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("name", ["tiny-random-dense", "tiny-random"])
def test_an_adapter_of_peft_gives_its_numbers(name, tmp_path, caplog):
    settings = {"target_modules": ["q_proj", "v_proj"], "modules_to_save": ["lm_head"], "rank_pattern": {"v_proj": 5}}
    patterns = {"alpha_pattern": {"layers.1.self_attn.q_proj": 9}}
    expected = made_by_peft(tmp_path, name, "AutoModelForCausalLM", r=2, lora_alpha=4, **settings, **patterns)
    loaded = genolm.load(tmp_path / "adapter", device="cpu", dtype="float32")
    torch.testing.assert_close(logits(loaded.network), expected, **CLOSE)
    assert "does not record the SHA-256 of its base" in caplog.text
    given = genolm.load(name, adapter=tmp_path / "adapter", device="cpu", dtype="float32")
    torch.testing.assert_close(logits(given.network), expected, **CLOSE)


@pytest.mark.parametrize(
    ("task", "kind"), [("SEQ_CLS", "SequenceClassification"), ("TOKEN_CLS", "TokenClassification")]
)
def test_a_classifier_of_peft_becomes_a_head(task, kind, tmp_path):
    settings = {"target_modules": ["q_proj"], "task_type": task, "modules_to_save": ["score"]}
    expected = made_by_peft(tmp_path, "tiny-random-dense", f"AutoModelFor{kind}", r=2, lora_alpha=4, **settings)
    loaded = genolm.load(tmp_path / "adapter", device="cpu", dtype="float32")
    torch.testing.assert_close(loaded.head_outputs(IDS)["labels"], expected, **CLOSE)


def test_a_classifier_of_an_encoder_becomes_its_own_head(tmp_path):
    folder, _ = written(tmp_path / "adapter", "tiny-random-bigbird")
    weight, bias = torch.randn(3, 32), torch.randn(3)
    tensors = {"base_model.model.classifier.weight": weight, "base_model.model.classifier.bias": bias}
    rewritten(folder, lambda stored: stored.update(tensors))
    with pytest.raises(ModelError, match="holds a head for labels, but its task_type is ''"):
        genolm.load(folder)
    changed_json(folder / "adapter_config.json", task_type="SEQ_CLS")
    loaded = genolm.load(folder, device="cpu", dtype="float32")
    outputs = loaded.head_outputs(IDS, heads=["pooler", "labels"])
    torch.testing.assert_close(outputs["labels"], outputs["pooler"] @ weight.T + bias, **CLOSE)


def test_updates_of_experts_are_refused(tmp_path):
    made_by_peft(
        tmp_path,
        "tiny-random",
        "AutoModelForCausalLM",
        r=2,
        target_parameters=["mlp.experts.down_proj"],
        target_modules=[],
    )
    with pytest.raises(ModelError, match="updates of experts are not supported"):
        genolm.load(tmp_path / "adapter")
