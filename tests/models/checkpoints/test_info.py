"""Facts without weights."""

import json
from dataclasses import replace

import pytest
import torch
from tests.models.live_peak import LivePeak

from genolm.errors import ModelError
from genolm.models.checkpoints.info import info as describe
from genolm.models.checkpoints.info import models_table
from genolm.models.footprint import activation_bytes
from genolm.models.networks.encoder import Encoder
from genolm.models.zoo.zoo import ZOO


def test_genos_small():
    info = describe("genos-1.2b")
    assert info["parameters"] == 1_246_094_336
    assert info["backbone_parameters"] == 1_245_963_264
    assert info["active_parameters"] == 340_124_672
    assert info["weights_bytes"] == {"float32": 4_984_377_344, "bfloat16": 2_492_188_672}
    assert info["cache_bytes_per_token"] == 24_576
    assert info["hub_id"] == "BGI-HangzhouAI/Genos-1.2B"
    assert info["licence"] == "Apache-2.0"


@pytest.mark.parametrize("name", ["genos-10b", "genos-10b-v2"])
def test_genos_large(name):
    info = describe(name)
    assert info["parameters"] == 10_270_248_960
    assert info["backbone_parameters"] == 10_269_200_384
    assert info["active_parameters"] == 3_022_491_648
    assert info["memory"][-1]["cache_bytes"] == 96 * 2**30


def test_memory_for_each_context_length():
    info = describe("genos-1.2b")
    assert [row["tokens"] for row in info["memory"]] == [8192 * 2**step for step in range(8)]
    for row in info["memory"]:
        assert row["peak_bytes"] > info["weights_bytes"]["bfloat16"]
        assert row["peak_bytes_with_cache"] == row["peak_bytes"] + row["cache_bytes"]
    assert info["memory"][2]["peak_bytes"] < info["weights_bytes"]["bfloat16"] + 1.5e9


@pytest.fixture(
    scope="module",
    params=["gena-lm-bert-base-t2t", "gena-lm-bigbird-base-sparse", "gena-lm-bigbird-base-t2t", "moderngena-base"],
)
def wide_encoder(request):
    """Two layers of the published width, with fewer tokens."""
    config = replace(ZOO[request.param].config, num_layers=2, vocab_size=8192, token_rows=8000)
    return Encoder(config).eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("kept", [1.0, 0.75, 0.3])
def test_an_encoder_needs_at_its_peak_no_more_than_is_told(wide_encoder, dtype, logits, kept):
    encoder = wide_encoder.to(dtype)
    length = min(encoder.config.max_positions, 1024)
    ids = torch.randint(6, 8000, (2, length))
    mask = torch.arange(length) < torch.tensor([[length], [int(length * (2 * kept - 1)) if kept > 0.5 else 100]])
    with LivePeak(ids, mask, *encoder.state_dict().values()) as watched, torch.inference_mode():
        encoder(ids, mask_BL=mask, logits=logits)
    told, fixed = (
        activation_bytes(encoder.config, tokens, dtype.itemsize, logits=logits) for tokens in (2 * length, 0)
    )
    assert watched.peak <= told - fixed
    if kept == 1.0:
        assert watched.peak > 0.3 * (told - fixed)


def test_contexts_stop_at_the_models_own():
    assert [row["tokens"] for row in describe("tiny-random-dense")["memory"]] == [8192, 16_384, 32_768]


@pytest.mark.parametrize(("name", "kib"), [("genomeocean-100m", 36), ("genomeocean-500m", 84), ("genomeocean-4b", 96)])
def test_caches_of_genomeocean(name, kib):
    assert describe(name)["cache_bytes_per_token"] == kib * 1024


def test_an_encoder_has_no_cache_and_tells_of_its_own_context():
    info = describe("gena-lm-bert-large-t2t")
    assert (info["objective"], info["cache_bytes_per_token"], info["experts"]) == ("masked", 0, 0)
    assert (info["key_value_heads"], info["active_parameters"]) == (16, info["parameters"])
    assert [row["tokens"] for row in info["memory"]] == [512]
    assert info["memory"][0]["peak_bytes"] == info["memory"][0]["peak_bytes_with_cache"]


def test_everything_is_json():
    for name, entry in ZOO.items():
        if entry.config is not None:
            info = describe(name)
            assert json.loads(json.dumps(info)) == info


def test_a_folder(mixtral_folder):
    info = describe(mixtral_folder)
    assert (info["name"], info["experts"], info["hub_id"]) == ("mixtral", 4, None)
    (mixtral_folder / "model.safetensors").unlink()
    assert describe(mixtral_folder) == info


def test_no_such_model():
    with pytest.raises(ModelError, match="unknown model 'gena'"):
        describe("gena")


def test_the_table_names_every_model():
    rows = {row["name"]: row for row in models_table()}
    assert list(rows) == list(ZOO)
    assert rows["genos-1.2b"]["parameters"] == 1_246_094_336
    assert rows["genos-10b"]["weights"] == "hub: BGI-HangzhouAI/Genos-10B"
    assert rows["tiny-random"]["weights"] == "random, made in memory"
    assert (rows["genolm-nano"]["parameters"] is None) == (rows["genolm-nano"]["weights"] == "not in this installation")


def test_every_row_has_the_same_columns():
    assert len({tuple(row) for row in models_table()}) == 1
