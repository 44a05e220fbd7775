"""The one door: names, folders, precision, memory, damage."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

import genolm
from genolm.errors import ModelError
from genolm.files.digests import file_sha256
from genolm.models.adapters.configs import parse_config
from genolm.models.card import Card
from genolm.models.checkpoints.checkpoint import match_folder
from genolm.models.checkpoints.info import info as describe
from genolm.models.checkpoints.model_folder import read_folder
from genolm.models.model import Model
from genolm.models.networks.random_weights import random_decoder
from genolm.models.precision import default_dtype, native_bf16, parse_dtype
from genolm.models.weight_shards import read_shards
from genolm.models.zoo.zoo import ZOO, ModelSource, find_download, find_model
from genolm.models.zoo.zoo_entry import Entry

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_a_folder_becomes_a_model(mixtral_folder):
    model = genolm.load(mixtral_folder)
    assert model.card.name == "mixtral" and model.card.family == "mixtral"
    assert (model.dtype, model.device.type, model.context) == (torch.float32, "cpu", 4096)
    assert not model.network.training
    assert model.tokenizer.encode("ACGTN").tolist() == [8, 5, 6, 7, 9]
    assert repr(model).startswith("mixtral · decoder · 1 base per token · ") and repr(model).endswith("fp32 on cpu")


def test_a_folder_may_be_given_as_text(mixtral_folder):
    assert genolm.load(str(mixtral_folder)).fingerprint == genolm.load(mixtral_folder).fingerprint


def test_the_precision_asked_for(mixtral_folder):
    model = genolm.load(mixtral_folder, dtype="bf16")
    assert {weight.dtype for weight in model.network.parameters()} == {torch.bfloat16}
    full = genolm.load(mixtral_folder, dtype=torch.float32)
    assert torch.equal(model.network.norm.weight, full.network.norm.weight.bfloat16())
    assert torch.equal(model.network.layers[0].ffn.gate_up, full.network.layers[0].ffn.gate_up.bfloat16())


def test_small_bf16_weights_compute_in_fp32_on_a_cpu(folders, tmp_path):
    tensors = folders.tensors(folders.mixtral, torch.bfloat16)
    folder = folders.write(tmp_path / "m", folders.mixtral | {"torch_dtype": "bfloat16"}, tensors)
    model = genolm.load(folder, device="cpu")
    assert model.dtype == torch.float32
    assert torch.equal(model.network.head.weight, tensors["lm_head.weight"].float())


@pytest.mark.parametrize(
    ("precision", "preferred", "parameters", "device", "expected"),
    [
        ("bfloat16", "", 10**9, GPU, torch.bfloat16),
        ("float16", "", 10**6, GPU, torch.float16),
        ("float32", "", 10**9, GPU, torch.float32),
        ("bfloat16", "", 10**6, CPU, torch.float32),
        ("bfloat16", "bfloat16", 10**6, CPU, torch.bfloat16),
        ("float16", "", 10**9, CPU, torch.float32),
        ("bfloat16", "", 10**9, CPU, torch.bfloat16),
    ],
)
def test_default_precision(monkeypatch, precision, preferred, parameters, device, expected):
    monkeypatch.setattr("genolm.models.precision.native_bf16", lambda: True)
    card = Card("model", precision=precision, cpu_precision=preferred)
    assert default_dtype(card, parameters, device) is expected


@pytest.mark.parametrize("preferred", ["", "bfloat16"])
def test_without_bf16_instructions_a_cpu_computes_in_fp32(monkeypatch, preferred):
    monkeypatch.setattr("genolm.models.precision.native_bf16", lambda: False)
    assert default_dtype(Card("model", precision="bfloat16", cpu_precision=preferred), 10**9, CPU) is torch.float32


def test_native_bf16_is_a_fact_about_this_processor():
    assert native_bf16() in (True, False)


def test_unknown_precision():
    with pytest.raises(ModelError, match="invalid precision 'fp8': expected one of float32"):
        parse_dtype("fp8")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("genos-1.3b", r"unknown model 'genos-1\.3b': did you mean genos-1\.2b\? genolm models lists"),
        ("quite-other", "unknown model 'quite-other': genolm models lists the names"),
        ("./absent", r"\./absent: no such folder"),
        ("/absent/folder/deep", "/absent/folder/deep: no such folder"),
    ],
)
def test_nothing_of_that_name(name, message):
    with pytest.raises(ModelError, match=message):
        genolm.load(name)


def test_a_file_is_no_folder(mixtral_folder):
    with pytest.raises(ModelError, match=r"model\.safetensors: a file; give the model's folder"):
        genolm.load(mixtral_folder / "model.safetensors")


def test_what_names_mean(tmp_path, monkeypatch):
    assert find_model("Genos-1.2B").entry is ZOO["genos-1.2b"]
    assert (
        find_model("BGI-HangzhouAI/Genos-1.2B") == find_model("bgi-hangzhouai/genos-1.2b") == find_model("genos-1.2b")
    )
    assert find_model("DOEJGI/GenomeOcean-4B").entry is ZOO["genomeocean-4b"]
    assert find_model("someone/Genos-1.2B") == ModelSource(hub_id="someone/Genos-1.2B")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    assert str(find_model("runs/mine").folder) == "runs/mine"
    assert find_download("genos-10b").hub_id == "BGI-HangzhouAI/Genos-10B"
    assert find_download("someone/thing").hub_id == "someone/thing"


@pytest.mark.parametrize(
    ("name", "message"), [("tiny-random", "nothing to download"), ("a/b/c", "neither a downloadable")]
)
def test_what_cannot_be_downloaded(name, message):
    with pytest.raises(ModelError, match=message):
        find_download(name)


def test_a_folder_without_a_config(tmp_path):
    with pytest.raises(ModelError, match=r"not a model folder: config\.json is missing"):
        genolm.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "not readable as JSON"), ("[1]", "expected a JSON object, not a list")]
)
def test_a_config_that_is_no_config(tmp_path, text, message):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        genolm.load(tmp_path)


def test_an_own_config_with_an_unknown_key(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "genolm-decoder", "colour": "red"}))
    with pytest.raises(ModelError, match=r"config\.json: unknown config keys: colour"):
        genolm.load(tmp_path)


def test_an_own_config_that_lacks_keys(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "genolm-decoder"}))
    with pytest.raises(ModelError, match=r"config\.json: missing config key"):
        genolm.load(tmp_path)


def test_the_card_is_read_and_its_checksum_verified(mixtral_folder):
    digest = file_sha256(mixtral_folder / "model.safetensors")
    Card("mine", licence="MIT", sha256=digest, notes=("a", "b")).write(mixtral_folder)
    card = genolm.load(mixtral_folder).card
    assert (card.name, card.licence, card.notes, card.context) == ("mine", "MIT", ("a", "b"), 4096)
    Card("mine", sha256="0" * 64).write(mixtral_folder)
    with pytest.raises(ModelError, match=rf"SHA-256 is {digest}, but its card states 0000"):
        genolm.load(mixtral_folder)


def test_a_card_in_hand_serves_a_folder_without_one(mixtral_folder):
    entry = Entry(Card("given", family="genos"))
    assert match_folder(read_folder(mixtral_folder), read_shards(mixtral_folder), entry).card.family == "genos"


@pytest.mark.parametrize(
    ("values", "message"),
    [({"name": "a", "tone": 1}, "unknown key in a model card: tone"), ({}, "a model card must have a name")],
)
def test_a_card_that_is_no_card(mixtral_folder, values, message):
    (mixtral_folder / "card.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match=message):
        genolm.load(mixtral_folder)


def test_nano_is_either_there_or_says_that_it_is_not():
    entry = ZOO["genolm-nano"]
    assert entry.folder is not None
    if (entry.folder / "config.json").is_file():
        assert genolm.load("genolm-nano").card.name == "genolm-nano"
    else:
        with pytest.raises(ModelError, match="genolm-nano: its weights are not part of this installation"):
            genolm.load("genolm-nano")


MEMORY = """
import resource, sys
import torch
from genolm.models.checkpoints.load import load
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model = load(sys.argv[1], device="cpu", dtype=getattr(torch, sys.argv[2]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
print(sum(weight.nbytes for weight in model.network.parameters()))
print(max(weight.nbytes for weight in model.network.parameters()))
"""


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_loading_holds_the_weights_and_one_tensor(folders, tmp_path, dtype):
    values = folders.mixtral | {"hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 4, "head_dim": 128}
    config, _ = parse_config(values)
    model = Model(random_decoder(config, 0), genolm.NucleotideTokenizer(), Card("big"))
    genolm.save(model, tmp_path / "big", max_shard_bytes=40_000_000)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "big"), dtype], check=True, capture_output=True, text=True
    )
    grown, weights, largest = map(int, done.stdout.split())
    assert weights > 40_000_000
    assert grown < weights + 2 * largest + 16_000_000


VIRAL = "pGenomeOcean/GenomeOcean-100M-v1.2"


@pytest.fixture
def viral(tmp_path, monkeypatch):
    """A folder as GenomeOcean v1.2 is published, in the place that the hub's cache has for it."""
    folder = tmp_path / f"models--{VIRAL.replace('/', '--')}" / "snapshots" / "main"
    genolm.save(genolm.load("tiny-random-ocean"), folder)
    (folder / "card.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    monkeypatch.setattr("genolm.models.checkpoints.download.snapshot", lambda *_, **__: folder)
    return folder


def facts(model):
    run = model.tokenizer.encode("ACGT" + "N" * 16 + "ACGT")
    masks = (run == model.tokenizer.special_id("[MASK]")).sum()
    return model.card.name, model.begin_ids, model.context, model.card.precision, masks, model.tokenizer.bases_per_token


def test_a_published_model_is_the_same_by_its_name_its_hub_id_and_its_folder_in_the_cache(viral, tmp_path):
    expected = ("genomeocean-100m-v1.2", (), 10_240, "bfloat16", 4, 4.9)
    converted = genolm.convert(VIRAL, tmp_path / "out", to="genolm")
    for name in (
        "genomeocean-100m-v1.2",
        VIRAL,
        VIRAL.lower(),
        VIRAL.replace("pGenomeOcean", "DOEJGI"),
        viral,
        converted,
    ):
        assert facts(genolm.load(name)) == expected
    assert describe(viral)["context"] == describe(VIRAL)["context"] == 10_240
    elsewhere = viral.rename(tmp_path / "elsewhere")
    assert facts(genolm.load(elsewhere))[1:3] == ((1,), 32_768), "nothing says here what it is"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_link_to_a_file_that_was_not_copied_is_named(tmp_path, name):
    folder = genolm.convert("tiny-random-dense", tmp_path / "model")
    (folder / "card.json").unlink()
    (folder / name).unlink()
    (folder / name).symlink_to("../../blobs/0123abcd")
    with pytest.raises(ModelError, match=rf"{name}: a link to \.\./\.\./blobs/0123abcd, which is missing; copy"):
        genolm.load(folder)


def test_what_was_left_out_of_tensor_names_is_a_note_of_the_card(tmp_path):
    folder = genolm.convert("tiny-random-bert", tmp_path / "model")
    (folder / "card.json").unlink()
    held = load_file(folder / "model.safetensors")
    save_file({f"_orig_mod.{name}": one for name, one in held.items()}, folder / "model.safetensors")
    model = genolm.load(folder)
    assert "The names of its tensors begin with _orig_mod., which was left out." in model.card.notes
    assert model.fingerprint == genolm.load("tiny-random-bert").fingerprint
    again = genolm.convert(folder, tmp_path / "again")
    assert load_file(again / "model.safetensors").keys() == held.keys()
