"""Vectors of BERT with norms after its blocks, ModernBERT and stock BigBird."""

from pathlib import Path
from random import Random
from typing import Any

import torch
from tests.golden_sets.weights import published_tensors, randomised, write, write_config
from torch import Tensor

IGNORED = -100


def bert(folder: Path, seed: int) -> None:
    """The topic ``gena-bert``, of which ``transformers`` has the case ``postln``."""
    random = Random(seed)
    heads = random.choice((2, 3))
    values = _dropout("attention_probs_dropout_prob", "hidden_dropout_prob") | {
        "hidden_act": "gelu",
        "model_type": "bert",
        "pad_token_id": 3,
        "type_vocab_size": 2,
        "vocab_size": random.randint(60, 100),
        "hidden_size": heads * 2 * random.randint(5, 9),
        "intermediate_size": random.randint(40, 80),
        "num_hidden_layers": random.choice((3, 4)),
        "num_attention_heads": heads,
        "max_position_embeddings": 56,
        "layer_norm_eps": 1e-12,
        "pre_layer_norm": False,
        "position_embedding_type": "absolute",
    }
    network = _network("Bert", "BertForMaskedLM", values, seed)
    write_config(folder, {"seed": seed, "cases": {"postln": {"hf_config": values}}})
    write(folder / "postln_model.safetensors", published_tensors(network))
    write(folder / "postln_mask.safetensors", _masked_run(network, random, seed, length=random.randint(25, 50)))


def modernbert(folder: Path, seed: int) -> None:
    """The topic ``modern-gena``: either activation of the head, and two bases of the rotary positions."""
    random = Random(seed)
    thetas = {"global_rope_theta": random.choice((1e4, 5e4)), "local_rope_theta": 1e4}
    cases = {
        "gena_gelu": _modern_values(random) | thetas | {"classifier_activation": "gelu"},
        "gena_silu": _modern_values(random) | thetas | {"classifier_activation": "silu"},
        "two_thetas": _modern_values(random) | {"global_rope_theta": 80_000.0, "local_rope_theta": 5_000.0},
    }
    write_config(folder, {"seed": seed, "cases": {name: {"hf_config": values} for name, values in cases.items()}})
    for name, values in cases.items():
        network = _network("ModernBert", "ModernBertForMaskedLM", values, seed)
        write(folder / f"{name}_model.safetensors", published_tensors(network))
        run = _masked_run(network, random, seed, length=random.randint(40, 90))
        run["last_hidden_state"] = run[f"hidden_states.{values['num_hidden_layers']}"]
        write(folder / f"{name}_run.safetensors", run)


def _modern_values(random: Random) -> dict[str, Any]:
    heads = random.choice((2, 3))
    return _dropout("attention_dropout", "classifier_dropout", "embedding_dropout", "mlp_dropout") | {
        "attention_bias": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "cls_token_id": 1,
        "sep_token_id": 2,
        "pad_token_id": 3,
        "classifier_bias": False,
        "classifier_pooling": "mean",
        "classifier_activation": "gelu",
        "decoder_bias": True,
        "global_attn_every_n_layers": 3,
        "hidden_activation": "gelu",
        "mlp_bias": False,
        "norm_bias": False,
        "norm_eps": 1e-5,
        "tie_word_embeddings": True,
        "vocab_size": random.randint(50, 90),
        "hidden_size": heads * 2 * random.randint(4, 8),
        "intermediate_size": random.randint(16, 40),
        "num_hidden_layers": random.choice((4, 5)),
        "num_attention_heads": heads,
        "local_attention": 2 * random.randint(3, 8),
        "max_position_embeddings": 160,
    }


def bigbird(folder: Path, seed: int) -> None:
    """The topic ``gena-bigbird`` without its DeepSpeed cases: five runs, seeded blocks and all-zero ones."""
    random = Random(seed)
    heads, block = random.choice((2, 3)), random.choice((4, 8))
    values = _dropout("attention_probs_dropout_prob", "hidden_dropout_prob") | {
        "attention_type": "block_sparse",
        "hidden_act": "gelu_new",
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 1024,
        "position_embedding_type": "absolute",
        "rescale_embeddings": False,
        "type_vocab_size": 2,
        "use_bias": True,
        "pad_token_id": 3,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "sep_token_id": 2,
        "vocab_size": random.randint(60, 90),
        "hidden_size": heads * 2 * random.randint(4, 8),
        "num_hidden_layers": random.choice((2, 3)),
        "num_attention_heads": heads,
        "intermediate_size": random.randint(24, 50),
    }
    runs = {
        "sparse": {"block": block, "r": 2, "L": block * random.randint(13, 18), "B": 3, "pad": random.randint(9, 30)},
        "unaligned": {"block": block, "r": 2, "L": block * 14 - random.randint(1, block - 1), "B": 1, "pad": 0},
        "block64": {"block": 64, "r": 3, "L": 64 * 13, "B": 1, "pad": random.randint(20, 60)},
        "len1024": {"block": 64, "r": 3, "L": 1024, "B": 1, "pad": 0},
        "full_fallback": {"block": block, "r": 3, "L": 11 * block, "B": 2, "pad": random.randint(3, 12)},
    }
    write_config(folder, {"seed": seed, "hf_config": values, "runs": runs})
    network = _bigbird_network(values, runs["sparse"], seed)
    write(folder / "model.safetensors", published_tensors(network))
    for name, run in runs.items():
        _write_bigbird_run(folder, name, _bigbird_network(values, run, seed), run, seed)


def _bigbird_network(values: dict[str, Any], run: dict[str, int], seed: int) -> Any:
    sizes = {"block_size": run["block"], "num_random_blocks": run["r"]}
    return _network("BigBird", "BigBirdForPreTraining", values | sizes, seed)


def _write_bigbird_run(folder: Path, name: str, network: Any, run: dict[str, int], seed: int) -> None:
    given = _padded_ids(network.config, run["B"], run["L"], run["pad"], seed)
    plans: list[Tensor] = []
    # The class draws its random blocks in training mode only; without dropout nothing else differs.
    write(folder / f"run_{name}_seeded.safetensors", _bigbird_run(network.train(), given, plans))
    if name in ("sparse", "unaligned"):
        zeros = _bigbird_run(network.eval(), given, [])
        last = f"hidden_states.{network.config.num_hidden_layers}"
        kept = {key: zeros[key] for key in (last, "nsp_logits")}
        kept["mlm_logits_first32"] = zeros["mlm_logits"][:, :32]
        write(folder / f"run_{name}_zeroplan.safetensors", kept)


@torch.no_grad()
def _bigbird_run(network: Any, given: dict[str, Tensor], plans: list[Tensor]) -> dict[str, Tensor]:
    layers = network.bert.encoder.layer
    hooks = [_record_plan(layer.attention.self, plans) for layer in layers if hasattr(layer.attention.self, "seed")]
    out = network(**given, output_hidden_states=True)
    for restore in hooks:
        restore()
    found = {f"in.{name}": tensor for name, tensor in given.items()}
    found |= {f"hidden_states.{i}": hidden for i, hidden in enumerate(out.hidden_states) if i}
    found |= {"mlm_logits": out.prediction_logits, "nsp_logits": out.seq_relationship_logits}
    return found | ({"rand_attn_plan": torch.stack(plans).to(torch.uint8)} if plans else {})


def _record_plan(attention: Any, plans: list[Tensor]) -> Any:
    """Add the blocks that the layer draws, (heads, blocks - 2, r), to ``plans``; return what undoes this."""
    draw = attention._create_rand_mask_from_inputs

    def recording(from_mask: Tensor, to_mask: Tensor, plan_BHRr: Tensor, *more: Any) -> Tensor:
        plans.append(plan_BHRr[0].clone())
        return draw(from_mask, to_mask, plan_BHRr, *more)

    attention._create_rand_mask_from_inputs = recording
    return lambda: delattr(attention, "_create_rand_mask_from_inputs")


def _dropout(*names: str) -> dict[str, float]:
    return dict.fromkeys(names, 0.0)


def _network(kind: str, head: str, values: dict[str, Any], seed: int) -> Any:
    import transformers

    config = getattr(transformers, f"{kind}Config")(**values, attn_implementation="eager")
    return randomised(getattr(transformers, head)(config), seed)


def _padded_ids(config: Any, rows: int, length: int, pad: int, seed: int) -> dict[str, Tensor]:
    """Random tokens; the last row ends with ``pad`` padding tokens."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, config.vocab_size, (rows, length), generator=generator)
    mask = torch.ones_like(ids)
    mask[-1, length - pad :] = 0
    return {"input_ids": ids.masked_fill(mask == 0, config.pad_token_id), "attention_mask": mask}


@torch.no_grad()
def _masked_run(network: Any, random: Random, seed: int, *, length: int) -> dict[str, Tensor]:
    """Inputs with labels at a fifth of the tokens, hidden states, logits and loss."""
    given = _padded_ids(network.config, 3, length, random.randint(4, 12), seed)
    chosen = torch.rand(given["input_ids"].shape, generator=torch.Generator().manual_seed(seed)) < 0.2
    labels = given["input_ids"].masked_fill(~chosen | (given["attention_mask"] == 0), IGNORED)
    out = network(**given, labels=labels, output_hidden_states=True)
    found = {f"in.{name}": tensor for name, tensor in given.items()} | {"in.labels": labels}
    found |= {f"hidden_states.{i}": hidden for i, hidden in enumerate(out.hidden_states)}
    return found | {"logits": out.logits, "loss": out.loss.reshape(1)}
