"""Vectors of Mixtral (Genos) and Mistral (GenomeOcean)."""

from pathlib import Path
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from tests.golden_sets.weights import published_tensors, randomised, write, write_config
from torch import Tensor

GREEDY_TOKENS = 20
LEAST_GAP = 1e-3  # between the two best logits of every greedy step, so that rounding can't choose


def mixtral(folder: Path, seed: int) -> None:
    """The topic ``mixtral``: passes with router logits, auxiliary loss and loss, and a greedy continuation."""
    values = _mixtral_values(Random(seed))
    network = _network("Mixtral", values, seed)
    write_config(folder, {"seed": seed, "hf_config": values})
    write(folder / "model.safetensors", published_tensors(network))
    for name, given in _passes(values, seed, labels=True).items():
        write(folder / f"pass_{name}.safetensors", _named(given) | _outputs(network, given, router=True))
    write(folder / "greedy.safetensors", _greedy(network, values["vocab_size"], seed))


def mistral(folder: Path, seed: int) -> None:
    """The topic ``mistral``: grouped and full heads, each with passes and a greedy continuation."""
    random = Random(seed)
    cases = {"gqa": _mistral_values(random, random.choice((2, 3))), "mha": _mistral_values(random, 1)}
    write_config(folder, {"seed": seed, "cases": {name: {"hf_config": values} for name, values in cases.items()}})
    for name, values in cases.items():
        network = _network("Mistral", values, seed)
        write(folder / f"{name}_model.safetensors", published_tensors(network))
        for kind, given in _passes(values, seed, labels=False).items():
            write(folder / f"{name}_pass_{kind}.safetensors", _named(given) | _likelihoods(network, given))
        write(folder / f"{name}_greedy.safetensors", _greedy(network, values["vocab_size"], seed))


def _shared_values(random: Random) -> dict[str, Any]:
    return {
        "num_hidden_layers": random.choice((2, 4)),
        "intermediate_size": 8 * random.randint(4, 9),
        "hidden_act": "silu",
        "attention_dropout": 0.0,
        "sliding_window": None,
        "tie_word_embeddings": False,
        "max_position_embeddings": 131_072,
    }


def _mixtral_values(random: Random) -> dict[str, Any]:
    groups, head_dim = random.choice((1, 3)), 2 * random.randint(3, 6)
    heads = 2 * groups
    return _shared_values(random) | {
        "vocab_size": 128,
        "hidden_size": heads * head_dim,
        "num_attention_heads": heads,
        "num_key_value_heads": 2,
        "head_dim": head_dim,
        "num_local_experts": random.choice((4, 6)),
        "num_experts_per_tok": 2,
        "rope_theta": random.choice((1e6, 1e7)),
        "rms_norm_eps": 1e-5,
        "router_aux_loss_coef": 0.01,
        "pad_token_id": 14,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def _mistral_values(random: Random, groups: int) -> dict[str, Any]:
    heads = 2 * groups
    return _shared_values(random) | {
        "vocab_size": random.randint(90, 140),
        "hidden_size": 4 * random.randint(9, 14),
        "num_attention_heads": heads,
        "num_key_value_heads": heads // groups,
        "head_dim": 2 * random.randint(4, 9),
        "rope_theta": random.choice((1e5, 1e7)),
        "rms_norm_eps": 1e-5,
        "pad_token_id": 3,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }


def _network(kind: str, values: dict[str, Any], seed: int) -> Any:
    import transformers

    config = getattr(transformers, f"{kind}Config")(**values, attn_implementation="eager")
    return randomised(getattr(transformers, f"{kind}ForCausalLM")(config), seed)


def _passes(values: dict[str, Any], seed: int, *, labels: bool) -> dict[str, dict[str, Tensor]]:
    """Inputs of each pass: without a mask, padded on either side, and at distant positions."""
    generator, random = torch.Generator().manual_seed(seed), Random(seed + 1)

    def ids(rows: int, length: int) -> Tensor:
        return torch.randint(4, 13 if labels else values["vocab_size"], (rows, length), generator=generator)

    full = {"input_ids": ids(2, random.randint(30, 70))}
    offset = ids(1, 18)
    start = random.randint(2_000, 50_000)
    found = {
        "full": full | ({"labels": full["input_ids"]} if labels else {}),
        "leftpad": _padded(ids(3, 26), values["pad_token_id"], random, left=True),
        "offset": {"input_ids": offset, "position_ids": torch.arange(start, start + 18)[None]},
    }
    if labels:
        right = _padded(ids(2, 33), values["pad_token_id"], random, left=False)
        found["rightpad"] = right | {"labels": right["input_ids"].masked_fill(right["attention_mask"] == 0, -100)}
    return found


def _padded(ids: Tensor, pad: int, random: Random, *, left: bool) -> dict[str, Tensor]:
    """The rows with their first or last tokens padded, but for the first row."""
    mask = torch.ones_like(ids)
    for row in mask[1:]:
        pads = random.randint(3, 12)
        row[slice(None, pads) if left else slice(len(row) - pads, None)] = 0
    return {"input_ids": ids.masked_fill(mask == 0, pad), "attention_mask": mask}


def _named(given: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"in.{name}": tensor for name, tensor in given.items()}


@torch.no_grad()
def _outputs(network: Any, given: dict[str, Tensor], *, router: bool = False) -> dict[str, Tensor]:
    more = {"output_router_logits": True} if router else {}
    out = network(**given, output_hidden_states=True, use_cache=False, **more)
    found = {"logits": out.logits} | {f"hidden_states.{i}": hidden for i, hidden in enumerate(out.hidden_states)}
    if router:
        found |= {f"router_logits.{i}": logits for i, logits in enumerate(out.router_logits)}
        found["aux_loss"] = out.aux_loss.reshape(1)
    return found | ({} if out.loss is None else {"loss": out.loss.reshape(1)})


def _likelihoods(network: Any, given: dict[str, Tensor]) -> dict[str, Tensor]:
    found = _outputs(network, given)
    ids = given["input_ids"]
    found["token_nll"] = F.cross_entropy(found["logits"][:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    last = found[f"hidden_states.{network.config.num_hidden_layers}"]
    weight = given.get("attention_mask", torch.ones_like(ids))[..., None].float()
    found["mean_pooled_last"] = (last * weight).sum(1) / weight.sum(1)
    return found


@torch.no_grad()
def _greedy(network: Any, tokens: int, seed: int) -> dict[str, Tensor]:
    """A prompt and its continuation, from the first of a series of prompts that leaves no near-tie."""
    for attempt in range(100):
        generator = torch.Generator().manual_seed(seed + attempt)
        prompt = sequence = torch.randint(4, min(tokens, 13), (2, 11), generator=generator)
        gap = float("inf")
        for _ in range(GREEDY_TOKENS):
            best = network(sequence, use_cache=False).logits[:, -1].topk(2)
            gap = min(gap, float((best.values[:, 0] - best.values[:, 1]).min()))
            sequence = torch.cat((sequence, best.indices[:, :1]), 1)
        if gap > LEAST_GAP:
            return {"prompt": prompt, "sequence": sequence}
    raise RuntimeError("every continuation has two tokens that are about as likely")
