"""Encoder folders as their authors publish them, names written down independently of the adapters."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

SIZES = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
    "pad_token_id": 3,
}
BERT = SIZES | {"model_type": "bert", "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}
SPARSE = {
    "sparse_config_cls": "deepspeed.ops.sparse_attention:BigBirdSparsityConfig",
    "sparse_attention": {
        "num_heads": 2,
        "block": 4,
        "different_layout_per_head": True,
        "num_sliding_window_blocks": 3,
        "num_global_blocks": 2,
        "num_random_blocks": 3,
    },
}
ROTARY = {"position_embedding_type": "rotary", "rotary_dim": 4, "rotary_base": 10_000}
PRE = {"pre_layer_norm": True, "position_embedding_type": "absolute"}
CONFIGS = {
    "last": BERT | PRE,
    "nolast": BERT | PRE | {"last_layer_norm": False, "hidden_act": "gelu_new"},
    "rotary": BERT | PRE | ROTARY | {"last_layer_norm": False},
    "sparse": BERT | PRE | SPARSE | {"layer_norm_eps": 1e-5},
    "sparse rotary": BERT | PRE | SPARSE | ROTARY | {"last_layer_norm": False},
    "post": BERT,
    "bigbird": BERT | {"model_type": "big_bird", "attention_type": "block_sparse", "block_size": 4},
    "modern": SIZES
    | {
        "model_type": "modernbert",
        "norm_eps": 1e-5,
        "hidden_activation": "gelu",
        "classifier_activation": "silu",
        "global_attn_every_n_layers": 3,
        "global_rope_theta": 160_000.0,
        "local_rope_theta": 10_000.0,
        "local_attention": 8,
    },
}


def shapes_of(values: dict, heads: tuple[str, ...] = ()) -> dict[str, tuple[int, ...]]:
    """Floating-point tensors of a published file, the tied copies left out."""
    return _modern(values) if values["model_type"] == "modernbert" else _bert(values, heads)


def _bert(values, heads):
    wide, inner, rows = values["hidden_size"], values["intermediate_size"], values["vocab_size"]
    shapes = {"bert.embeddings.word_embeddings.weight": (rows, wide)}
    shapes["bert.embeddings.token_type_embeddings.weight"] = (2, wide)
    if values.get("position_embedding_type") != "rotary":
        shapes["bert.embeddings.position_embeddings.weight"] = (values["max_position_embeddings"], wide)
    norms = ["bert.embeddings.LayerNorm", "cls.predictions.transform.LayerNorm"]
    before = values.get("pre_layer_norm", False)
    if values.get("last_layer_norm", before):
        norms.append("bert.encoder.last_layer_ln")
    linear = {"cls.predictions.transform.dense": (wide, wide)}
    for number in range(values["num_hidden_layers"]):
        layer = f"bert.encoder.layer.{number}."
        norms += [layer + name for name in (_BEFORE if before else _AFTER)]
        linear |= {layer + f"attention.self.{name}": (wide, wide) for name in ("query", "key", "value")}
        linear |= {layer + "attention.output.dense": (wide, wide), layer + "intermediate.dense": (inner, wide)}
        linear[layer + "output.dense"] = (wide, inner)
    linear |= {name: HEADS[name](wide) for name in heads}
    for name in norms:
        shapes |= {f"{name}.weight": (wide,), f"{name}.bias": (wide,)}
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes | {"cls.predictions.bias": (rows,)}


_BEFORE = ("pre_attention_ln", "post_attention_ln")
_AFTER = ("attention.output.LayerNorm", "output.LayerNorm")
HEADS = {
    "bert.pooler.dense": lambda wide: (wide, wide),
    "bert.pooler": lambda wide: (wide, wide),
    "cls.seq_relationship": lambda wide: (2, wide),
    "classifier": lambda wide: (3, wide),
}


def _modern(values):
    wide, inner = values["hidden_size"], values["intermediate_size"]
    shapes = {"model.embeddings.tok_embeddings.weight": (values["vocab_size"], wide)}
    shapes |= {"decoder.bias": (values["vocab_size"],), "head.dense.weight": (wide, wide), "head.norm.weight": (wide,)}
    shapes |= {"model.embeddings.norm.weight": (wide,), "model.final_norm.weight": (wide,)}
    for number in range(values["num_hidden_layers"]):
        layer = f"model.layers.{number}."
        if number:
            shapes[layer + "attn_norm.weight"] = (wide,)
        shapes |= {layer + "attn.Wqkv.weight": (3 * wide, wide), layer + "attn.Wo.weight": (wide, wide)}
        shapes |= {layer + "mlp_norm.weight": (wide,), layer + "mlp.Wi.weight": (2 * inner, wide)}
        shapes[layer + "mlp.Wo.weight"] = (wide, inner)
    return shapes


def tensors_of(values: dict, heads: tuple[str, ...] = (), dtype=torch.float32, seed=0) -> dict[str, torch.Tensor]:
    """Everything in a published file: random weights, tied copies, positions, frequencies, layouts."""
    generator = torch.Generator().manual_seed(seed)
    shapes = shapes_of(values, heads)
    tensors = {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in shapes.items()}
    if values["model_type"] == "modernbert":
        return tensors
    tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"].clone()
    tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"].clone()
    tensors["bert.embeddings.position_ids"] = torch.arange(values["max_position_embeddings"])[None]
    for number in range(values["num_hidden_layers"]):
        inside = f"bert.encoder.layer.{number}.attention.self."
        if values.get("position_embedding_type") == "rotary":
            steps = torch.arange(0, values["rotary_dim"], 2, dtype=torch.float32) / values["rotary_dim"]
            tensors[inside + "rotary_emb.inv_freq"] = 1.0 / values["rotary_base"] ** steps
        if "sparse_attention" in values:
            blocks = values["max_position_embeddings"] // values["sparse_attention"]["block"]
            layout = (torch.rand(2, blocks, blocks, generator=generator) > 0.5) | torch.eye(blocks).bool()
            tensors[inside + "sparse_self_attention.master_layout"] = layout.long()
    return tensors


def write(folder: Path, values: dict, tensors: dict[str, torch.Tensor]) -> Path:
    """A model folder; its letters are those of Genos, which a padding id of 14 would announce without a file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    symbols = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "A", "C", "G", "N", "T")
    vocabulary = {symbol: number for number, symbol in enumerate(symbols)} | {"AC": 10}
    model = {"type": "BPE", "unk_token": "[UNK]", "vocab": vocabulary, "merges": ["A C"]}
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", "model": model}))
    return folder
