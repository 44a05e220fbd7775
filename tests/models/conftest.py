"""Small model folders as other programs would have written them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

MIXTRAL = {
    "model_type": "mixtral",
    "torch_dtype": "float32",
    "vocab_size": 128,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": None,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "rope_theta": 5e7,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 4096,
    "hidden_act": "silu",
    "sliding_window": None,
    "tie_word_embeddings": False,
    "pad_token_id": 14,
}
MISTRAL = {key: value for key, value in MIXTRAL.items() if "experts" not in key} | {"model_type": "mistral"}


def hub_shapes(values: dict) -> dict[str, tuple[int, ...]]:
    """Names and shapes as the published files have them, written down independently of the adapter."""
    wide, inner, kv = values["hidden_size"], values["intermediate_size"], 8
    shapes = {"model.embed_tokens.weight": (values["vocab_size"], wide), "model.norm.weight": (wide,)}
    shapes["lm_head.weight"] = (values["vocab_size"], wide)
    for i in range(values["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        shapes[layer + "self_attn.q_proj.weight"] = shapes[layer + "self_attn.o_proj.weight"] = (wide, wide)
        shapes[layer + "self_attn.k_proj.weight"] = shapes[layer + "self_attn.v_proj.weight"] = (kv, wide)
        shapes[layer + "input_layernorm.weight"] = shapes[layer + "post_attention_layernorm.weight"] = (wide,)
        if values["model_type"] != "mixtral":
            shapes[layer + "mlp.gate_proj.weight"] = shapes[layer + "mlp.up_proj.weight"] = (inner, wide)
            shapes[layer + "mlp.down_proj.weight"] = (wide, inner)
            continue
        shapes[layer + "block_sparse_moe.gate.weight"] = (values["num_local_experts"], wide)
        for e in range(values["num_local_experts"]):
            expert = f"{layer}block_sparse_moe.experts.{e}."
            shapes[expert + "w1.weight"] = shapes[expert + "w3.weight"] = (inner, wide)
            shapes[expert + "w2.weight"] = (wide, inner)
    return shapes


def random_tensors(values: dict, dtype=torch.float32, seed=0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in hub_shapes(values).items()}


def write_folder(folder: Path, values: dict, tensors: dict | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values))
    if tensors is not None:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


class Folders:
    """What the tests build folders with."""

    mixtral, mistral = MIXTRAL, MISTRAL
    tensors = staticmethod(random_tensors)
    write = staticmethod(write_folder)
    shapes = staticmethod(hub_shapes)


@pytest.fixture
def folders() -> type[Folders]:
    return Folders


@pytest.fixture
def mixtral_folder(tmp_path) -> Path:
    """A Genos-like folder of random weights, without tokenizer files."""
    return write_folder(tmp_path / "mixtral", MIXTRAL, random_tensors(MIXTRAL))
