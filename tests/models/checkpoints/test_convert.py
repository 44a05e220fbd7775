"""Folders written: bitwise round trips, exports that transformers loads, nothing half-written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import genolm
from genolm.errors import ModelError, ResourceError, RunError
from genolm.models.checkpoints import convert as conversion
from genolm.models.zoo.zoo import ZOO

DECODERS = [
    "tiny-random",
    "tiny-random-dense",
    "tiny-random-kmer",
    "tiny-random-gengram",
    "tiny-random-ocean",
    "tiny-random-ocean-gqa",
]
ENCODERS = [
    "tiny-random-bert",
    "tiny-random-bert-nolast",
    "tiny-random-sparse",
    "tiny-random-sparse-rotary",
    "tiny-random-bigbird",
    "tiny-random-moderngena",
    "tiny-random-rmt",
]
NAMES = DECODERS + ENCODERS
EXPRESSIBLE = ["tiny-random", "tiny-random-dense", "tiny-random-ocean", "tiny-random-ocean-gqa"]


def stored(folder: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for path in folder.glob("*.safetensors"):
        tensors |= load_file(path)
    return tensors


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert tensor.dtype == second[name].dtype
        assert torch.equal(tensor.view(torch.uint8), second[name].view(torch.uint8)), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["mixtral", "mistral"])
def test_a_published_folder_comes_back_bit_for_bit(folders, tmp_path, kind, dtype):
    tensors = folders.tensors(getattr(folders, kind), dtype)
    source = folders.write(tmp_path / "source", getattr(folders, kind), tensors)
    own = genolm.convert(source, tmp_path / "own", to="genolm")
    back = genolm.convert(own, tmp_path / "back", to="huggingface", max_shard_bytes=4000)
    assert len(list(back.glob("model-*.safetensors"))) > 1
    assert_same(tensors, stored(back))
    assert json.loads((back / "config.json").read_text())["torch_dtype"] == str(dtype).removeprefix("torch.")


@pytest.mark.parametrize("name", NAMES)
def test_our_own_layout_comes_back_bit_for_bit(tmp_path, name):
    model = genolm.load(name)
    folder = genolm.save(model, tmp_path / "saved", layout="genolm")
    again = genolm.load(folder)
    assert again.fingerprint == model.fingerprint
    assert again.config == model.config
    assert again.tokenizer == model.tokenizer
    assert again.card.name == name


def test_save_takes_the_layout_that_can_express_the_model(tmp_path):
    kinds = {}
    for name in NAMES:
        genolm.save(genolm.load(name), tmp_path / name)
        kinds[name] = json.loads((tmp_path / name / "config.json").read_text())["model_type"]
    decoders = ["mixtral", "mistral", "genolm-decoder", "genolm-decoder", "mistral", "mistral"]
    assert list(kinds.values()) == decoders + ["genolm-encoder"] * 4 + ["big_bird", "modernbert", "genolm-encoder"]


def test_a_kmer_table_cannot_be_exported(tmp_path):
    with pytest.raises(ModelError, match="k-mer table cannot be expressed in the huggingface layout"):
        genolm.convert("tiny-random-kmer", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_another_precision(tmp_path):
    genolm.convert("tiny-random", tmp_path / "half", dtype="bfloat16")
    expected = genolm.load("tiny-random").to(dtype=torch.bfloat16)
    assert genolm.load(tmp_path / "half", dtype="bf16").fingerprint == expected.fingerprint


def test_another_precision_leaves_block_layouts_as_they_are(tmp_path):
    genolm.convert("tiny-random-sparse", tmp_path / "half", dtype="bfloat16")
    half, full = genolm.load(tmp_path / "half", dtype="bf16"), genolm.load("tiny-random-sparse")
    assert half.fingerprint == full.to(dtype=torch.bfloat16).fingerprint
    kinds = {name.rpartition(".")[2]: tensor.dtype for name, tensor in stored(tmp_path / "half").items()}
    assert kinds == {
        "weight": torch.bfloat16,
        "bias": torch.bfloat16,
        "master_layout": torch.int64,
        "position_ids": torch.int64,
    }


def test_a_vocabulary_of_byte_pairs_tells_other_programs_where_a_sequence_begins_and_ends(tmp_path):
    genolm.convert("tiny-random-ocean", tmp_path / "ocean")
    values = json.loads((tmp_path / "ocean" / "config.json").read_text())
    assert (values["bos_token_id"], values["eos_token_id"], values["pad_token_id"]) == (1, 2, 3)
    genolm.convert("tiny-random-dense", tmp_path / "bases")
    assert json.loads((tmp_path / "bases" / "config.json").read_text())["eos_token_id"] is None


@pytest.mark.parametrize("begin", [(), ("[CLS]",), ("[MASK]", "[CLS]")])
@pytest.mark.parametrize("end", [(), ("[SEP]",)])
def test_an_export_puts_around_a_sequence_what_the_card_says(tmp_path, begin, end):
    """GenomeOcean v1.2 begins with nothing: [CLS] would mark its prompts as viral."""
    transformers = pytest.importorskip("transformers")
    model = genolm.load("tiny-random-ocean")
    model = genolm.Model(model.network, model.tokenizer, replace(model.card, begin=begin, end=end))
    folder = genolm.save(model, tmp_path / "ocean", layout="huggingface")
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    assert theirs("GATTACA")["input_ids"] == model.with_special_tokens(model.tokenizer.encode("GATTACA")).tolist()
    values = json.loads((folder / "config.json").read_text())
    assert (values["bos_token_id"], values["eos_token_id"]) == (1 if begin else None, 2)
    again = genolm.load(folder)
    assert (again.begin_ids, again.end_ids, again.tokenizer) == (model.begin_ids, model.end_ids, model.tokenizer)


@pytest.mark.parametrize("name", ["tiny-random-ocean", "tiny-random-bert", "tiny-random-rmt"])
def test_a_vocabulary_that_has_the_frame_of_the_card_is_written_byte_for_byte(tmp_path, name):
    model = genolm.load(name)
    folder = genolm.save(model, tmp_path / "saved")
    assert (folder / "tokenizer.json").read_bytes() == model.tokenizer.vocabulary.content


@pytest.mark.parametrize("name", EXPRESSIBLE)
def test_an_export_gives_the_same_logits_in_transformers(tmp_path, name):
    transformers = pytest.importorskip("transformers")
    model = genolm.load(name, dtype="float32")
    genolm.convert(name, tmp_path / "export", max_shard_bytes=200_000)
    theirs, report = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "export", dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    ids = torch.randint(5, 10, (2, 60), generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        torch.testing.assert_close(model.network(ids).logits_BLV, theirs(ids).logits, atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("name", EXPRESSIBLE)
def test_what_transformers_writes_loads_here(tmp_path, name):
    transformers = pytest.importorskip("transformers")
    genolm.convert(name, tmp_path / "export")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "export", dtype=torch.float32)
    theirs.save_pretrained(tmp_path / "theirs")
    (tmp_path / "theirs" / "tokenizer.json").write_bytes((tmp_path / "export" / "tokenizer.json").read_bytes())
    assert genolm.load(tmp_path / "theirs").fingerprint == genolm.load(name).fingerprint


def test_the_module_tree_of_transformers_loads_here(tmp_path):
    """A state dict saved as it stands in memory has stacked experts."""
    transformers = pytest.importorskip("transformers")
    from safetensors.torch import save_file

    genolm.convert("tiny-random", tmp_path / "export")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "export", dtype=torch.float32)
    state = {name: tensor.clone() for name, tensor in theirs.state_dict().items()}
    save_file(state, tmp_path / "export" / "model.safetensors")
    (tmp_path / "export" / "card.json").unlink()
    assert genolm.load(tmp_path / "export").fingerprint == genolm.load("tiny-random").fingerprint


def test_an_export_says_whose_weights_it_holds(tmp_path):
    folder = genolm.convert("tiny-random", tmp_path / "out")
    card = json.loads((folder / "card.json").read_text())
    assert card["name"] == "tiny-random" and card["licence"] == "Apache-2.0"
    assert len(card["sha256"]) == 64


def test_an_existing_folder_is_not_touched(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    genolm.convert("tiny-random", out)
    with pytest.raises(RunError, match="exists; choose another folder, or pass overwrite=True"):
        genolm.convert("tiny-random-dense", out)
    assert genolm.load(out).card.name == "tiny-random"
    genolm.convert("tiny-random-dense", out, overwrite=True)
    assert genolm.load(out).card.name == "tiny-random-dense"
    assert list(tmp_path.iterdir()) == [out]


def test_others_may_read_what_they_may_read_elsewhere(tmp_path):
    folder = genolm.convert("tiny-random", tmp_path / "deep" / "out")
    plain = tmp_path / "plain"
    plain.touch()
    assert {path.stat().st_mode for path in folder.iterdir()} == {plain.stat().st_mode}
    assert folder.stat().st_mode == (tmp_path / "deep").stat().st_mode
    assert list((tmp_path / "deep").iterdir()) == [folder]


def test_overwrite_refuses_a_folder_that_is_not_a_model_folder(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("precious")
    with pytest.raises(RunError, match=r"thesis is not a model folder \(config.json is missing\); refusing"):
        genolm.convert("tiny-random", tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "precious"


@pytest.mark.parametrize("out", ["model", "link", "."])
def test_overwrite_refuses_the_source_of_the_conversion(tmp_path, out):
    folder = genolm.convert("tiny-random", tmp_path / "outer" / "model")
    (tmp_path / "outer" / "link").symlink_to(folder)
    (tmp_path / "outer" / "config.json").write_text("{}")
    before = stored(folder)
    with pytest.raises(RunError, match="holds the source of the conversion"):
        genolm.convert(folder, tmp_path / "outer" / out, to="genolm", overwrite=True)
    assert_same(before, stored(folder))


def test_an_output_below_a_file_is_a_run_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written: Not a directory"):
        genolm.convert("tiny-random", tmp_path / "file" / "out")


def test_a_file_is_never_overwritten(tmp_path):
    out = tmp_path / "out"
    out.write_text("precious")
    with pytest.raises(RunError, match="exists"):
        genolm.convert("tiny-random", out, overwrite=True)
    assert out.read_text() == "precious"


@pytest.mark.parametrize(("number", "kind"), [(28, ResourceError), (122, ResourceError), (5, RunError), (13, RunError)])
def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch, number, kind):
    def fail(*_):
        raise OSError(number, "told by the system")

    monkeypatch.setattr(conversion, "write_shards", fail)
    with pytest.raises(kind, match="cannot be written"):
        genolm.convert("tiny-random", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        genolm.convert(tmp_path / "absent", tmp_path / "out")


def test_every_zoo_name_that_is_random_is_tested_here():
    assert [name for name, entry in ZOO.items() if entry.seed is not None] == NAMES
