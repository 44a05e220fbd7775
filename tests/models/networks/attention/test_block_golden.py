"""BigBird encoders against outputs of the published code: stock BigBird, and GENA's two on DeepSpeed's pattern.

DeepSpeed's kernels do not run on today's machines: those vectors come from the published classes with the kernels alone
replaced by a dense masked equivalent. It ran each layer with its own layout; the published operator cache, by which all
layers use the first one's, is part of what was replaced.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.golden_sets.comparison import assert_close, existing, load, scale
from tests.models.folder_networks import read_network
from torch import Tensor

from genolm.models.networks.encoder import Encoder, EncoderOutput

pytestmark = pytest.mark.golden

HIDDEN = {"atol": 5e-5}
LOGITS = {"atol": 1e-4}


def encoder_of(folder: Path, values: dict[str, Any], weights: Path, **sparse: Any) -> Encoder:
    """The vectors' weights, loaded through the same door as any published folder, with other choices of the pattern."""
    (folder / "config.json").write_text(json.dumps(values))
    shutil.copyfile(weights, folder / "model.safetensors")
    encoder = read_network(folder)
    assert isinstance(encoder, Encoder) and encoder.config.sparse is not None
    encoder.config = replace(encoder.config, sparse=replace(encoder.config.sparse, **sparse))
    return encoder


def run(encoder: Encoder, given: dict[str, Tensor], **more: Any) -> EncoderOutput:
    layers = range(1, encoder.config.num_layers + 1)
    with torch.no_grad():
        return encoder(given["in.input_ids"], mask_BL=given["in.attention_mask"].bool(), layers=layers, **more)


def bigbird(topic: Path, folder: Path, name: str, random_blocks: str, **more: Any) -> EncoderOutput:
    config = json.loads((topic / "config.json").read_text())
    told = config["runs"][name]
    values = {
        **config["hf_config"],
        "model_type": "big_bird",
        "architectures": ["BigBirdForPreTraining"],
        "block_size": told["block"],
        "num_random_blocks": told["r"],
    }
    encoder = encoder_of(folder, values, topic / "model.safetensors", random_blocks=random_blocks)
    return run(encoder, load(topic / f"run_{name}_seeded.safetensors"), **more)


def compare(out: EncoderOutput, expected: dict[str, Tensor], mask: Tensor) -> None:
    """Every stored output at the places of real tokens."""
    assert out.logits is not None
    for name, theirs in expected.items():
        if name.startswith("hidden_states"):
            every = 4 if name.endswith("every4") else 1
            real = mask[:, ::every]
            ours = out.hidden[int(name.split(".")[1])][:, ::every]
            # The published class pads the length to whole blocks and does not cut its hidden states.
            assert_close(ours[real], theirs[:, : real.shape[1]][real], **HIDDEN, name=name)
        elif name.startswith(("mlm_logits", "logits")):
            real = mask[:, : theirs.shape[1]]
            assert_close(out.logits[:, : theirs.shape[1]][real], theirs[real], **LOGITS, name=name)
        elif name == "nsp_logits":
            assert_close(out.sentence_B2, theirs, **LOGITS, name=name)


RUNS = [
    ("sparse", "seeded"),
    ("sparse", "zero"),
    ("unaligned", "seeded"),
    ("unaligned", "zero"),
    ("block64", "seeded"),
    ("len1024", "seeded"),
    ("full_fallback", "seeded"),
]


@pytest.mark.parametrize(("name", "random_blocks"), RUNS)
def test_stock_bigbird(golden_dir: Path, tmp_path: Path, name: str, random_blocks: str) -> None:
    topic = existing(golden_dir / "gena-bigbird")
    mask = load(topic / f"run_{name}_seeded.safetensors")["in.attention_mask"].bool()
    plan = "zeroplan" if random_blocks == "zero" else random_blocks
    expected = load(topic / f"run_{name}_{plan}.safetensors")
    compare(bigbird(topic, tmp_path, name, random_blocks, padded_to=mask.shape[1]), expected, mask)


@pytest.mark.parametrize("name", ["unaligned", "block64", "len1024", "full_fallback"])
def test_a_row_by_itself_is_the_published_one_where_padding_moves_no_block(
    golden_dir: Path, tmp_path: Path, name: str
) -> None:
    topic = existing(golden_dir / "gena-bigbird")
    expected = load(topic / f"run_{name}_seeded.safetensors")
    compare(bigbird(topic, tmp_path, name, "seeded"), expected, expected["in.attention_mask"].bool())


def test_our_row_in_a_padded_batch_is_itself_and_not_the_published_one(golden_dir: Path, tmp_path: Path) -> None:
    topic = existing(golden_dir / "gena-bigbird")
    mask = load(topic / "run_sparse_seeded.safetensors")["in.attention_mask"].bool()
    found = bigbird(topic, tmp_path, "sparse", "zero")
    layer, theirs = last_hidden(load(topic / "run_sparse_zeroplan.safetensors"))
    full = mask.all(1)
    assert full.any() and not full.all()
    assert_close(found.hidden[layer][full], theirs[full], **HIDDEN)
    for row in (~full).nonzero()[:, 0].tolist():
        assert differ(found.hidden[layer][row][mask[row]], theirs[row][mask[row]])


def last_hidden(vectors: dict[str, Tensor]) -> tuple[int, Tensor]:
    """The deepest layer of which whole hidden states are stored, and these."""
    layers = {int(name.split(".")[1]): name for name in vectors if name.startswith("hidden_states.")}
    return max(layers), vectors[layers[max(layers)]]


def differ(found: Tensor, expected: Tensor) -> bool:
    """Whether two tensors are much farther apart than the tolerance of hidden states."""
    return float((found - expected).abs().max()) > 10 * HIDDEN["atol"] * scale(expected)


def deepspeed(topic: Path, folder: Path, case: str, per_layer_layout: bool) -> Encoder:
    if not (topic / "ds_config.json").is_file():
        pytest.skip("this set has no DeepSpeed patterns")
    shape = json.loads((topic / "ds_config.json").read_text())["cases"][case]["hf_config"]
    values = {**shape, "model_type": "bert", "architectures": ["BertForMaskedLM"]}
    return encoder_of(folder, values, topic / f"{case}_model.safetensors", per_layer_layout=per_layer_layout)


CASES = [("ds_sparse_rope", "run"), ("ds_sparse_rope", "run_short"), ("ds_sparse_abs", "run")]


@pytest.mark.parametrize(("case", "name"), CASES)
def test_deepspeeds_pattern(golden_dir: Path, tmp_path: Path, case: str, name: str) -> None:
    topic = existing(golden_dir / "gena-bigbird")
    expected = load(topic / f"{case}_{name}.safetensors")
    mask = expected["in.attention_mask"].bool()
    rough = expected.pop("fp16kernel.hidden_states.last")
    out = run(deepspeed(topic, tmp_path, case, per_layer_layout=True), expected)
    compare(out, expected, mask)
    layer, _ = last_hidden(expected)
    assert_close(out.hidden[layer][mask], rough[mask], atol=2e-2)  # with the rounding of the kernels in fp16


@pytest.mark.parametrize(("case", "name"), CASES)
def test_the_layout_of_the_first_layer_serves_all_by_default(
    golden_dir: Path, tmp_path: Path, case: str, name: str
) -> None:
    topic = existing(golden_dir / "gena-bigbird")
    given = load(topic / f"{case}_{name}.safetensors")
    mask, encoder = given["in.attention_mask"].bool(), deepspeed(topic, tmp_path, case, per_layer_layout=False)
    out, (deepest, theirs) = run(encoder, given), last_hidden(given)
    if "hidden_states.1" in given:
        assert_close(out.hidden[1][mask], given["hidden_states.1"][mask], **HIDDEN)
    first, *others = [layer.attention.layout for layer in encoder.layers]
    assert not any(torch.equal(first, layout) for layout in others)
    assert differ(out.hidden[deepest][mask], theirs[mask])
    for layout in others:
        layout.copy_(first)
    encoder.config = replace(encoder.config, sparse=replace(encoder.config.sparse, per_layer_layout=True))
    torch.testing.assert_close(run(encoder, given).hidden[deepest], out.hidden[deepest])


def test_a_missing_final_norm_would_show(golden_dir: Path, tmp_path: Path) -> None:
    topic = existing(golden_dir / "gena-bigbird")
    given = load(topic / "ds_sparse_abs_run.safetensors")
    mask, encoder = (
        given["in.attention_mask"].bool(),
        deepspeed(topic, tmp_path, "ds_sparse_abs", per_layer_layout=True),
    )
    encoder.norm = None
    deepest, theirs = last_hidden(given)
    assert differ(run(encoder, given).hidden[deepest][mask], theirs[mask])
