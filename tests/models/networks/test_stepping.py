"""Steps of a decoder are a full pass: with padding, packed weights, growing room, and rows that leave."""

import json

import pytest
import torch
from safetensors.torch import load_file
from tests.golden_sets.comparison import existing

from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.packed_linear import can_pack, joined_linear
from genolm.models.networks.random_weights import random_decoder
from genolm.models.networks.stepping import DenseSteps, NetworkSteps, begin_steps

SHAPES = {
    "grouped": {"num_heads": 6, "num_kv_heads": 2, "head_dim": 8},
    "alike": {"num_heads": 3, "num_kv_heads": 3, "head_dim": 16},
    "experts": {"num_heads": 4, "num_kv_heads": 2, "head_dim": 8, "num_experts": 4, "experts_per_token": 2},
    "memory": {"num_heads": 4, "num_kv_heads": 2, "head_dim": 8, "kmer_orders": (2, 3), "kmer_dims": (4, 4)},
}
CLOSE = {"atol": 5e-5, "rtol": 1e-4}


def network_of(kind: str):
    numbers = {"vocab_size": 40, "hidden_size": 32, "num_layers": 3, "ffn_size": 48, "rope_theta": 1e6, "pad_id": 3}
    return random_decoder(DecoderConfig(**{**numbers, **SHAPES[kind]}), 5).eval()


def batch(rows, length, pads, seed=1):
    """Random ids; row n has ``pads[n]`` pads on its left."""
    ids = torch.randint(5, 40, (rows, length), generator=torch.Generator().manual_seed(seed))
    mask = torch.arange(length) >= torch.tensor(pads)[:, None]
    return ids.masked_fill(~mask, 3), mask


@torch.inference_mode()
def check_against_full_passes(network, begun, ids_BL, mask_BL, new_BT, drop_after=None):
    """The logits of the prompts and of every step are those of a full pass over each row alone, without its pads."""
    first_BV, steps = begun
    rows = list(range(len(ids_BL)))
    for row in rows:
        alone = network(ids_BL[row][mask_BL[row]][None]).logits_BLV[0, -1]
        torch.testing.assert_close(first_BV[row], alone, **CLOSE)
    for step in range(new_BT.shape[1]):
        logits = steps.next(new_BT[rows, step])
        for place, row in enumerate(rows):
            whole = torch.cat((ids_BL[row][mask_BL[row]], new_BT[row, : step + 1]))
            torch.testing.assert_close(logits[place], network(whole[None]).logits_BLV[0, -1], **CLOSE)
        if step == drop_after:
            rows = rows[::-2]
            steps.keep(torch.tensor(rows))


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (0, 5, 2, 7)])
@pytest.mark.parametrize("chunk", [None, 4])
@torch.inference_mode()
def test_steps_equal_full_passes(kind, pads, chunk):
    network = network_of(kind)
    ids, mask = batch(4, 9, pads)
    new, _ = batch(4, 20, (0,) * 4, seed=2)
    begun = begin_steps(network, ids, mask if any(pads) else None, 20, chunk=chunk)
    assert isinstance(begun[1], DenseSteps if kind in ("grouped", "alike") else NetworkSteps)
    check_against_full_passes(network, begun, ids, mask, new, drop_after=6)


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("fewest", [32, 3])
@torch.inference_mode()
def test_room_grows(monkeypatch, pack, fewest):
    """By a number of places, or by a part of those that are there."""
    monkeypatch.setattr("genolm.models.networks.stepping._FEWEST_POSITIONS", fewest)
    network = network_of("grouped")
    ids, mask = batch(3, 5, (0, 3, 1))
    new, _ = batch(3, 70, (0,) * 3, seed=2)
    steps = DenseSteps(network, 3, pack=pack)
    first = steps.read(ids, mask, (mask.cumsum(1) - 1).clamp_min(0))
    check_against_full_passes(network, (first, steps), ids, mask, new, drop_after=12)


@pytest.mark.parametrize(("width", "precision"), [(48, torch.float32), (700, torch.bfloat16)])
@torch.inference_mode()
def test_bf16_steps_are_as_close_as_bf16_passes(width, precision):
    """Those of few weights compute in fp32, whatever is to come."""
    config = DecoderConfig(40, 32 if width < 100 else 600, 3, 6, 2, 8, width, rope_theta=1e6, pad_id=3)
    exact = random_decoder(config, 5).eval()
    network = random_decoder(config, 5).eval().to(torch.bfloat16)
    ids, mask = batch(4, 9, (0, 5, 2, 0))
    new, _ = batch(4, 12, (0,) * 4, seed=2)
    errors = {"steps": 0.0, "pass": 0.0}
    for told in (1, 20):
        _, steps = begin_steps(network, ids, mask, told)
        assert steps.dtype == precision
        for step in range(12):
            logits = steps.next(new[:, step])
            for row in range(4):
                whole = torch.cat((ids[row][mask[row]], new[row, : step + 1]))[None]
                wanted = exact(whole).logits_BLV[0, -1]
                errors["steps"] += (logits[row] - wanted).square().sum().item()
                errors["pass"] += (network(whole).logits_BLV[0, -1] - wanted).square().sum().item()
    assert 0 < errors["steps"] < 1.5 * errors["pass"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("outputs", [(24, 8), (300, 200), (500,)])
@torch.inference_mode()
def test_packed_maps_are_the_maps_side_by_side(dtype, outputs):
    """Small and large ones: the large ones are packed."""
    weights = [torch.randn(out, 100).to(dtype) for out in outputs]
    x = torch.randn(5, 1, 100).to(dtype)
    wanted = torch.cat([x.double() @ weight.double().T for weight in weights], -1)
    for pack in (True, False):
        found = joined_linear(weights, 5, pack=pack)(x)
        assert found.dtype == dtype
        tolerance = 0.15 if dtype is torch.bfloat16 else 1e-4
        torch.testing.assert_close(found.double(), wanted, atol=tolerance, rtol=tolerance / 10)


@torch.inference_mode()
def test_steps_of_a_network_whose_maps_are_packed():
    """Wide enough that no map counts as small."""
    config = DecoderConfig(512, 128, 2, 4, 2, 40, 400, rope_theta=1e6, pad_id=3)
    network = random_decoder(config, 5).eval()
    ids, mask = batch(3, 7, (0, 3, 1))
    new, _ = batch(3, 18, (0,) * 3, seed=2)
    check_against_full_passes(network, begin_steps(network, ids, mask, 20), ids, mask, new, drop_after=5)


def test_other_precisions_are_not_packed():
    assert not can_pack(torch.zeros(4, 4, dtype=torch.float64))
    assert not can_pack(torch.zeros(4, 4, device="meta"))


@pytest.mark.golden
@pytest.mark.parametrize("case", ["gqa", "mha"])
@pytest.mark.parametrize("pack", [True, False])
@torch.inference_mode()
def test_golden_greedy_tokens(golden_dir, tmp_path, case, pack):
    from tests.models.folder_networks import read_network

    topic = existing(golden_dir / "mistral")
    config = json.loads((topic / "config.json").read_text())["cases"][case]["hf_config"]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mistral", **config}))
    (tmp_path / "model.safetensors").write_bytes((topic / f"{case}_model.safetensors").read_bytes())
    network = read_network(tmp_path)
    vectors = load_file(topic / f"{case}_greedy.safetensors")
    ids, wanted = vectors["prompt"], vectors["sequence"]
    first, steps = begin_steps(network, ids, None, wanted.shape[1] - ids.shape[1], pack=pack)
    found = [ids, first.argmax(-1)[:, None]]
    while sum(part.shape[1] for part in found) < wanted.shape[1]:
        found.append(steps.next(found[-1][:, 0]).argmax(-1)[:, None])
    assert torch.cat(found, 1).tolist() == wanted.tolist()
