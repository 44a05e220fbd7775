"""Checkpoints as Megatron would have saved them, written down independently of the adapter."""

import argparse
import enum
import sys
import types
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.random_weights import random_decoder

EXPERTS = DecoderConfig(
    vocab_size=128,
    hidden_size=16,
    num_layers=4,
    num_heads=4,
    num_kv_heads=2,
    head_dim=6,
    ffn_size=8,
    num_experts=4,
    experts_per_token=2,
    rope_theta=5e7,
    max_positions=4096,
)
DENSE = replace(EXPERTS, num_experts=0, experts_per_token=0)
GENGRAM = replace(EXPERTS, gengram=GengramConfig(layers=(2, 3), orders=(1, 2, 3), dim=4, window=7, conv_dilation=3))


def arguments(config: DecoderConfig, **more) -> dict:
    """What a run keeps of its command line."""
    values = {
        "num_layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.num_heads,
        "group_query_attention": True,
        "num_query_groups": config.num_kv_heads,
        "kv_channels": config.head_dim,
        "ffn_hidden_size": 10_240,
        "max_position_embeddings": config.max_positions,
        "rotary_base": int(config.rope_theta),
        "rotary_percent": 1.0,
        "norm_epsilon": config.norm_eps,
        "normalization": "RMSNorm",
        "swiglu": True,
        "position_embedding_type": "rope",
        "add_bias_linear": False,
        "untie_embeddings_and_output_weights": not config.tied,
        "padded_vocab_size": config.vocab_size,
        "init_method_std": config.initial_std,
        "num_experts": config.num_experts or None,
        "params_dtype": torch.bfloat16,
        "optimizer": "adam",
    }
    if config.num_experts:
        values |= {"moe_ffn_hidden_size": config.ffn_size, "moe_router_topk": config.experts_per_token}
        values |= {"moe_aux_loss_coeff": 1e-3, "moe_z_loss_coeff": 1e-3, "moe_layer_freq": [1] * config.num_layers}
    else:
        values["ffn_hidden_size"] = config.ffn_size
    if config.gengram is not None:
        values |= {
            "gengram_enabled": True,
            "gengram_layer_ids": list(config.gengram.layers),
            "gengram_ngram_sizes": list(config.gengram.orders),
            "gengram_embed_dim_per_ngram": config.gengram.dim,
            "gengram_window_size": config.gengram.window,
            "gengram_token_ids": [8, 5, 6, 7, 9],
            "gengram_short_conv_dilation": config.gengram.conv_dilation,
        }
    return values | more


def whole_state(network: Decoder, spelling: str = "local") -> dict[str, torch.Tensor]:
    """Weights by Megatron's names: ``local`` norms and experts, ``engine`` (fused, numbered) or ``stacked`` experts."""
    config, ours = network.config, {name: weight.detach() for name, weight in network.named_parameters()}
    state = {"embedding.word_embeddings.weight": ours["embedding.weight"]}
    state["decoder.final_layernorm.weight"] = ours["norm.weight"]
    if not config.tied:
        state["output_layer.weight"] = ours["head.weight"]
    for i in range(config.num_layers):
        part = {name.removeprefix(f"layers.{i}."): w for name, w in ours.items() if name.startswith(f"layers.{i}.")}
        state |= {f"decoder.layers.{i}.{name}": w.clone() for name, w in layer_state(config, part, spelling).items()}
    return state


def layer_state(config: DecoderConfig, part: dict[str, torch.Tensor], spelling: str) -> dict[str, torch.Tensor]:
    fused = spelling == "engine"
    state = {}
    rows, per = [], config.num_heads // config.num_kv_heads
    q, k, v = (part[f"attention.{name}.weight"].split(config.head_dim) for name in ("query", "key", "value"))
    for group in range(config.num_kv_heads):
        rows += [*q[group * per : (group + 1) * per], k[group], v[group]]
    state["self_attention.linear_qkv.weight"] = torch.cat(rows)
    state["self_attention.linear_proj.weight"] = part["attention.output.weight"]
    norm = "self_attention.linear_qkv.layer_norm_weight" if fused else "input_layernorm.weight"
    state[norm] = part["attention_norm.weight"]
    if config.num_experts:
        state["pre_mlp_layernorm.weight"] = part["ffn_norm.weight"]
        state["mlp.router.weight"] = part["ffn.router.weight"]
        state |= experts_state(part["ffn.gate_up"], part["ffn.down"], spelling)
    else:
        state["mlp.linear_fc1.layer_norm_weight" if fused else "pre_mlp_layernorm.weight"] = part["ffn_norm.weight"]
        state["mlp.linear_fc1.weight"] = torch.cat((part["ffn.gate.weight"], part["ffn.up.weight"]))
        state["mlp.linear_fc2.weight"] = part["ffn.down.weight"]
    for name, weight in part.items():
        if name.startswith("gengram."):
            state[memory_name(name)] = weight
    return state


def memory_name(ours: str) -> str:
    names = {"key.": "key_proj.", "value.": "value_proj.", "query_norm": "norm_q", "key_norm": "norm_k"}
    name = ours.removeprefix("gengram.").replace("tables.", "embeddings.").replace("conv.", "short_conv.conv.")
    for mine, theirs in names.items():
        name = name.replace(mine, theirs) if name.startswith(mine) else name
    return f"gengram.{name}"


def experts_state(gate_up: torch.Tensor, down: torch.Tensor, spelling: str) -> dict[str, torch.Tensor]:
    if spelling == "stacked":
        wide, inner = gate_up.shape[-1], down.shape[-1]
        first = torch.stack([matrix.T.contiguous() for matrix in gate_up]).view(wide, -1)
        second = torch.stack([matrix.T.contiguous() for matrix in down]).view(-1, wide)
        assert second.shape[0] == len(down) * inner
        return {"mlp.experts.weight1": first, "mlp.experts.weight2": second}
    state = {}
    for e in range(len(gate_up)):
        for name, matrix in (("linear_fc1", gate_up[e]), ("linear_fc2", down[e])):
            one = f"{name}.weight{e}" if spelling == "engine" else f"local_experts.{e}.{name}.weight"
            state[f"mlp.experts.{one}"] = matrix
    return state


def rank_state(network: Decoder, spelling: str, rank: tuple, sizes: tuple, layers: range) -> dict[str, torch.Tensor]:
    """What one process holds, cut out of our own tensors rather than out of Megatron's."""
    config = network.config
    t, _, e = rank
    tensor, _, experts = sizes
    cut = replace_sizes(config, tensor, experts)
    ours = {name: weight.detach() for name, weight in network.named_parameters()}
    state = {}
    for local, layer in enumerate(layers):
        part = {name.removeprefix(f"layers.{layer}."): w for name, w in ours.items() if f"layers.{layer}." in name}
        part = {name: cut_of(name, w, t, tensor, e, experts) for name, w in part.items()}
        state |= {f"decoder.layers.{local}.{name}": w for name, w in layer_state(cut, part, spelling).items()}
    if 0 in layers:
        state["embedding.word_embeddings.weight"] = ours["embedding.weight"].chunk(tensor)[t]
    if config.num_layers - 1 in layers:
        state["decoder.final_layernorm.weight"] = ours["norm.weight"]
        if not config.tied:
            state["output_layer.weight"] = ours["head.weight"].chunk(tensor)[t]
    return {name: weight.clone() for name, weight in state.items()}


def replace_sizes(config: DecoderConfig, tensor: int, experts: int) -> DecoderConfig:
    """The shape of one rank's share; only heads and experts matter to ``layer_state``."""
    return replace(
        config,
        num_heads=config.num_heads // tensor,
        num_kv_heads=config.num_kv_heads // tensor,
        num_experts=config.num_experts // experts,
        experts_per_token=1 if config.num_experts else 0,
    )


def cut_of(name: str, weight: torch.Tensor, t: int, tensor: int, e: int, experts: int) -> torch.Tensor:
    if name in ("ffn.gate_up", "ffn.down"):
        weight = weight.chunk(experts)[e]
    if name == "ffn.gate_up":
        gate, up = weight.chunk(2, 1)
        return torch.cat((gate.chunk(tensor, 1)[t], up.chunk(tensor, 1)[t]), 1)
    if name == "ffn.down":
        return weight.chunk(tensor, 2)[t]
    if name in ("attention.output.weight", "ffn.down.weight"):
        return weight.chunk(tensor, 1)[t]
    if name.startswith("attention.") or name in ("ffn.gate.weight", "ffn.up.weight"):
        return weight.chunk(tensor, 0)[t]
    return weight


def folder_name(rank: tuple, sizes: tuple) -> str:
    t, p, e = rank
    return f"mp_rank_{t:02d}" + (f"_{p:03d}" if sizes[1] > 1 else "") + (f"_{e:03d}" if sizes[2] > 1 else "")


def save_run(
    folder: Path, network: Decoder, *, sizes=(1, 1, 1), spelling="local", chunks=1, told: dict | None = None, edit=None
) -> Path:
    """A checkpoint of iteration 30 in ``folder``; ``edit`` may change each rank's file before it is written."""
    config = network.config
    told = arguments(config) if told is None else told
    kinds = ("tensor_model_parallel_size", "pipeline_model_parallel_size", "expert_model_parallel_size")
    for t in range(sizes[0]):
        for p in range(sizes[1]):
            for e in range(sizes[2]):
                rank = (t, p, e)
                file = {"checkpoint_version": 3.0, "iteration": 30, "optimizer": {"step": torch.ones(3)}}
                if told:
                    file["args"] = argparse.Namespace(**{**dict(zip(kinds, sizes, strict=True)), **told})
                for chunk in range(chunks):
                    share = layers_of(config.num_layers, p, sizes[1], chunk, chunks)
                    key = "model" if chunks == 1 else f"model{chunk}"
                    file[key] = rank_state(network, spelling, rank, sizes, share)
                if edit is not None:
                    edit(file, rank)
                path = folder / "iter_0000030" / folder_name(rank, sizes) / "model_optim_rng.pt"
                path.parent.mkdir(parents=True)
                torch.save(file, path)
    (folder / "latest_checkpointed_iteration.txt").write_text("30")
    return folder


def layers_of(count: int, stage: int, stages: int, chunk: int, chunks: int) -> range:
    """Layers of one chunk of a stage; chunks of all stages take turns. A last stage may be shorter."""
    size = -(-count // (stages * chunks))
    start = (chunk * stages + stage) * size
    return range(start, min(count, start + size))


def random_run(config: DecoderConfig) -> Decoder:
    return random_decoder(config, seed=11)


@contextmanager
def megatron_choice():
    """A value of a type that lives in Megatron, whose module is gone again when the file is read."""
    module = types.ModuleType("megatron.core.enums")
    kind = enum.Enum("ModelType", {"encoder_or_decoder": 1}, module="megatron.core.enums")
    module.ModelType = kind
    names = {"megatron": types.ModuleType("megatron"), "megatron.core": types.ModuleType("megatron.core")}
    sys.modules.update(names | {"megatron.core.enums": module})
    try:
        yield kind.encoder_or_decoder
    finally:
        for name in (*names, "megatron.core.enums"):
            del sys.modules[name]
