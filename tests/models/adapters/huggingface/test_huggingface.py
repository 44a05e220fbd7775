"""Tensor names of the Hugging Face layout."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.folder_networks import read_network

from genolm.errors import ModelError
from genolm.models.adapters.huggingface.huggingface import pieces
from genolm.models.networks.network import tensor_shapes
from genolm.models.zoo.zoo import ZOO


def network_of(folder):
    return read_network(folder)


@pytest.mark.parametrize(
    ("name", "width", "inner", "rows"), [("genos-1.2b", 1024, 4096, 128), ("genos-10b", 4096, 8192, 256)]
)
def test_the_published_names(name, width, inner, rows):
    config = ZOO[name].config
    assert config is not None
    table = {piece.stored: piece for piece in pieces(config)}
    assert len(table) == 375
    assert len([stored for stored in table if stored.startswith("model.layers.7.")]) == 31
    shapes = tensor_shapes(config)
    assert shapes["embedding.weight"] == shapes["head.weight"] == (rows, width)
    assert shapes["layers.11.ffn.gate_up"] == (8, 2 * inner, width)
    assert table["model.layers.3.block_sparse_moe.experts.5.w3.weight"].part == (5, slice(inner, 2 * inner))
    assert table["model.layers.3.block_sparse_moe.experts.5.w2.weight"].ours == "layers.3.ffn.down"


def test_every_expert_matrix_stands_in_its_place(folders, tmp_path):
    tensors = folders.tensors(folders.mixtral)
    network = network_of(folders.write(tmp_path, folders.mixtral, tensors))
    ffn = network.layers[1].ffn
    for expert in range(4):
        names = [f"model.layers.1.block_sparse_moe.experts.{expert}.{part}.weight" for part in ("w1", "w3", "w2")]
        gate, up, down = (tensors[name] for name in names)
        assert torch.equal(ffn.gate_up[expert], torch.cat((gate, up)))
        assert torch.equal(ffn.down[expert], down)
    assert torch.equal(ffn.router.weight, tensors["model.layers.1.block_sparse_moe.gate.weight"])
    assert torch.equal(network.head.weight, tensors["lm_head.weight"])


def test_the_dense_layout(folders, tmp_path):
    tensors = folders.tensors(folders.mistral)
    network = network_of(folders.write(tmp_path, folders.mistral, tensors))
    assert torch.equal(network.layers[0].ffn.up.weight, tensors["model.layers.0.mlp.up_proj.weight"])
    assert torch.equal(network.layers[1].ffn.gate.weight, tensors["model.layers.1.mlp.gate_proj.weight"])
    assert torch.equal(network.layers[1].attention.value.weight, tensors["model.layers.1.self_attn.v_proj.weight"])


def fused(tensors):
    """The same weights as recent transformers hold them in memory."""
    kept = {name: tensor for name, tensor in tensors.items() if "block_sparse_moe" not in name}
    for layer in range(2):
        old, new = f"model.layers.{layer}.block_sparse_moe", f"model.layers.{layer}.mlp"
        matrix = lambda e, part, old=old: tensors[f"{old}.experts.{e}.{part}.weight"]  # noqa: E731
        kept[f"{new}.gate.weight"] = tensors[f"{old}.gate.weight"]
        kept[f"{new}.experts.gate_up_proj"] = torch.stack(
            [torch.cat((matrix(e, "w1"), matrix(e, "w3"))) for e in range(4)]
        )
        kept[f"{new}.experts.down_proj"] = torch.stack([matrix(e, "w2") for e in range(4)])
    return kept


def test_stacked_experts_load_to_the_same_network(folders, tmp_path):
    tensors = folders.tensors(folders.mixtral)
    hub = network_of(folders.write(tmp_path / "hub", folders.mixtral, tensors))
    stacked = network_of(folders.write(tmp_path / "fused", folders.mixtral, fused(tensors)))
    assert all(torch.equal(weight, stacked.state_dict()[name]) for name, weight in hub.state_dict().items())


def test_rotary_frequencies_are_dropped_knowingly(folders, tmp_path):
    tensors = folders.tensors(folders.mixtral)
    extra = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(2)}
    network_of(folders.write(tmp_path, folders.mixtral, tensors | extra))


def test_an_unmatched_tensor_is_named(folders, tmp_path):
    tensors = folders.tensors(folders.mixtral) | {"model.layers.0.self_attn.q_proj.bias": torch.ones(16)}
    with pytest.raises(ModelError, match=r"unexpected tensor model\.layers\.0\.self_attn\.q_proj\.bias"):
        network_of(folders.write(tmp_path, folders.mixtral, tensors))


def test_missing_tensors_are_named_and_counted(folders, tmp_path):
    tensors = folders.tensors(folders.mixtral)
    del tensors["model.layers.1.self_attn.k_proj.weight"], tensors["model.norm.weight"]
    with pytest.raises(
        ModelError,
        match=r"missing tensor model\.layers\.1\.self_attn\.k_proj\.weight \(and 1 more: model\.norm\.weight\)",
    ):
        network_of(folders.write(tmp_path, folders.mixtral, tensors))


def test_a_misshaped_tensor_is_named_with_both_shapes(folders, tmp_path):
    tensors = folders.tensors(folders.mixtral)
    tensors["model.layers.0.block_sparse_moe.experts.3.w2.weight"] = torch.ones(24, 16)
    with pytest.raises(ModelError, match=r"w2\.weight has the shape \[24, 16\]; its config expects \[16, 24\]"):
        network_of(folders.write(tmp_path, folders.mixtral, tensors))


def test_integers_are_no_weights(folders, tmp_path):
    tensors = folders.tensors(folders.mixtral)
    tensors["model.norm.weight"] = torch.ones(16, dtype=torch.int32)
    with pytest.raises(ModelError, match=r"model\.norm\.weight holds torch\.int32, not floating-point weights"):
        network_of(folders.write(tmp_path, folders.mixtral, tensors))


def test_parts_of_one_tensor_in_two_types_are_refused(folders, tmp_path):
    tensors = folders.tensors(folders.mixtral)
    name = "model.layers.0.block_sparse_moe.experts.1.w1.weight"
    tensors[name] = tensors[name].bfloat16()
    with pytest.raises(ModelError, match=r"the parts of layers\.0\.ffn\.gate_up are stored in different types"):
        network_of(folders.write(tmp_path, folders.mixtral, tensors))


def test_a_tied_head_may_be_absent_or_a_copy_but_not_another(folders, tmp_path):
    values = folders.mixtral | {"tie_word_embeddings": True}
    tensors = folders.tensors(folders.mixtral)
    with pytest.raises(ModelError, match=r"lm_head\.weight differs from model\.embed_tokens\.weight"):
        network_of(folders.write(tmp_path, values, tensors))
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    network = network_of(folders.write(tmp_path, values, tensors))
    assert network.head.weight is network.embedding.weight
    del tensors["lm_head.weight"]
    save_file(tensors, tmp_path / "model.safetensors")
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")
    assert network_of(tmp_path).head.weight.shape == (128, 16)
