"""The decoder against outputs of the published code, for any folder of vectors of the same layout."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.golden_sets.comparison import assert_close, existing, load
from tests.models.folder_networks import read_network

from genolm.models.networks.experts import load_balancing_loss

pytestmark = pytest.mark.golden

TOLERANCE = {"atol": 5e-5, "rtol": 1e-4}


def network_of(folder: Path, weights: Path, model_type: str, hf_config: dict):
    """The vectors' weights, loaded through the same door as any published folder."""
    (folder / "config.json").write_text(json.dumps({"model_type": model_type, **hf_config}))
    shutil.copyfile(weights, folder / "model.safetensors")
    return read_network(folder)


def mixtral(golden_dir: Path, folder: Path):
    topic = existing(golden_dir / "mixtral")
    config = json.loads((topic / "config.json").read_text())["hf_config"]
    return topic, "", network_of(folder, topic / "model.safetensors", "mixtral", config)


def mistral(golden_dir: Path, folder: Path, case: str):
    topic = existing(golden_dir / "mistral")
    config = json.loads((topic / "config.json").read_text())["cases"][case]["hf_config"]
    return topic, f"{case}_", network_of(folder, topic / f"{case}_model.safetensors", "mistral", config)


@pytest.fixture(params=["mixtral", "mistral gqa", "mistral mha"])
def case(request, golden_dir, tmp_path):
    """Folder of vectors, prefix of its files, network."""
    _, _, name = request.param.partition(" ")
    return mistral(golden_dir, tmp_path, name) if name else mixtral(golden_dir, tmp_path)


def passes(topic: Path, prefix: str):
    found = sorted(topic.glob(f"{prefix}pass_*.safetensors"))
    assert found, f"no passes in {topic}"
    return [(path.stem, load(path)) for path in found]


def documents_of(positions):
    """The published code takes a jump in explicit positions for the start of another packed document."""
    if positions is None:
        return None
    return F.pad(positions.diff(dim=1) != 1, (1, 0)).cumsum(1)


def run(network, vectors):
    mask = vectors.get("in.attention_mask")
    with torch.inference_mode():
        return network(
            vectors["in.input_ids"],
            mask_BL=None if mask is None else mask.bool(),
            positions_BL=vectors.get("in.position_ids"),
            documents_BL=documents_of(vectors.get("in.position_ids")),
            layers=range(network.config.num_layers + 1),
            router=True,
        )


def real_rows(vectors):
    mask = vectors.get("in.attention_mask")
    return torch.ones_like(vectors["in.input_ids"]).bool() if mask is None else mask.bool()


def test_logits(case):
    topic, prefix, network = case
    for name, vectors in passes(topic, prefix):
        rows = real_rows(vectors)
        logits = run(network, vectors).logits_BLV
        assert_close(logits[rows], vectors["logits"][rows], **TOLERANCE, name=name)


def test_every_hidden_state(case):
    topic, prefix, network = case
    for name, vectors in passes(topic, prefix):
        rows, hidden = real_rows(vectors), run(network, vectors).hidden
        expected = [key for key in vectors if key.startswith("hidden_states.")]
        assert expected, f"no hidden states in {name}"
        for key in expected:
            ours = hidden[int(key.rpartition(".")[2])]
            assert_close(ours[rows], vectors[key][rows], **TOLERANCE, name=f"{name} {key}")


def test_router_logits_and_auxiliary_loss(golden_dir, tmp_path):
    topic, prefix, network = mixtral(golden_dir, tmp_path)
    for name, vectors in passes(topic, prefix):
        rows, router = real_rows(vectors).flatten(), run(network, vectors).router
        for layer, logits in enumerate(router):
            assert_close(logits[rows], vectors[f"router_logits.{layer}"][rows], **TOLERANCE)
        loss = load_balancing_loss(router, network.config.experts_per_token, rows)
        assert loss.item() == pytest.approx(vectors["aux_loss"].item(), abs=1e-5), name


def test_training_loss_is_cross_entropy_and_a_share_of_the_auxiliary_loss(golden_dir, tmp_path):
    topic, prefix, network = mixtral(golden_dir, tmp_path)
    with_labels = [vectors for _, vectors in passes(topic, prefix) if "in.labels" in vectors]
    assert with_labels
    for vectors in with_labels:
        output = run(network, vectors)
        nll = F.cross_entropy(output.logits_BLV[:, :-1].flatten(0, 1), vectors["in.labels"][:, 1:].flatten())
        auxiliary = load_balancing_loss(output.router, network.config.experts_per_token, real_rows(vectors).flatten())
        loss = nll + network.config.router_aux_coef * auxiliary
        assert loss.item() == pytest.approx(vectors["loss"].item(), abs=5e-5)


@pytest.mark.parametrize("name", ["gqa", "mha"])
def test_token_likelihoods_and_mean_pool(golden_dir, tmp_path, name):
    topic, prefix, network = mistral(golden_dir, tmp_path, name)
    for _, vectors in passes(topic, prefix):
        output, rows = run(network, vectors), real_rows(vectors)
        nll = F.cross_entropy(
            output.logits_BLV[:, :-1].transpose(1, 2), vectors["in.input_ids"][:, 1:], reduction="none"
        )
        valid = rows[:, :-1]
        assert_close(nll[valid], vectors["token_nll"][valid], **TOLERANCE)
        last, weight = output.hidden[network.config.num_layers], rows[..., None].float()
        assert_close((last * weight).sum(1) / weight.sum(1), vectors["mean_pooled_last"], **TOLERANCE)


@pytest.mark.parametrize("cached", [False, True])
def test_greedy_continuation(case, cached):
    topic, prefix, network = case
    vectors = load(topic / f"{prefix}greedy.safetensors")
    ids = sequence = vectors["prompt"]
    cache = network.new_cache() if cached else None
    with torch.inference_mode():
        while sequence.shape[1] < vectors["sequence"].shape[1]:
            best = network(ids, cache=cache).logits_BLV[:, -1:].argmax(-1)
            sequence = torch.cat((sequence, best), 1)
            ids = best if cached else sequence
    assert torch.equal(sequence, vectors["sequence"])
