"""Encoding with the gena-lm-bert-base configuration on a CPU: genolm and transformers, same weights.

    python -m benchmarks.encoder

BertModel of transformers accepts the same weights only with post-layer normalisation, so both use it; it costs the same
as pre-layer normalisation. Two batches: rows of 512 tokens, and rows of mixed lengths, which transformers pads to the
longest and genolm does not. Both run in fp32 and in bf16, so that equal precisions can be compared. Writes
results/encoder.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.record import alternate, selected_kernels, write
from genolm.models.adapters.encoders.gena_tensors import pieces
from genolm.models.networks.encoder import Encoder
from genolm.models.networks.encoder_config import EncoderConfig

_TOKENS, _SPECIAL, _PAD = 32_000, 5, 3
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def config_of(layers: int) -> EncoderConfig:
    """Return the config of gena-lm-bert-base with post-layer normalisation and without the masked-language head."""
    return EncoderConfig(_TOKENS, 768, layers, 12, 3072, norm="post", final_norm=False, masked_head=False)


def random_encoder(config: EncoderConfig, dtype: torch.dtype) -> Encoder:
    """Return a network with random weights, the same for every precision."""
    encoder, random = Encoder(config).eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in encoder.named_parameters():
            drawn = torch.randn(weight.shape, generator=random)
            weight.copy_(1 + 0.1 * drawn if name.endswith("norm.weight") else 0.04 * drawn)
    return encoder.to(dtype)


def transformers_model(encoder: Encoder) -> Any:
    """Return a BertModel with torch's fused attention and the same weights; every tensor of either model is used."""
    from transformers import BertConfig, BertModel

    ours = encoder.config
    config = BertConfig(
        vocab_size=ours.vocab_size,
        hidden_size=ours.hidden_size,
        num_hidden_layers=ours.num_layers,
        num_attention_heads=ours.num_heads,
        intermediate_size=ours.ffn_size,
        max_position_embeddings=ours.max_positions,
        pad_token_id=_PAD,
        attn_implementation="sdpa",
    )
    model: Any = BertModel(config, add_pooling_layer=False).to(encoder.embedding.norm.weight.dtype).eval()
    weights = dict(encoder.named_parameters())
    told = {piece.stored.removeprefix("bert."): weights.pop(piece.ours) for piece in pieces(ours)}
    missing = model.load_state_dict(told, strict=False)
    if weights or missing.missing_keys or missing.unexpected_keys:
        raise SystemExit(f"the weights differ: {sorted(weights)} {missing}")
    return model


def batch_of(lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Return random token ids padded on the right, and the mask of real tokens."""
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids = torch.randint(_SPECIAL, _TOKENS, mask.shape, generator=torch.Generator().manual_seed(1))
    return ids.masked_fill(~mask, _PAD), mask


def sides_of(layers: int, ids: Tensor, mask: Tensor, last: dict[str, Tensor]) -> dict[str, Callable[[], None]]:
    """Return functions that run one pass of each implementation and precision and keep the hidden states."""
    sides: dict[str, Callable[[], None]] = {}
    for name, dtype in PRECISIONS.items():
        ours = random_encoder(config_of(layers), dtype)
        theirs, kernels = transformers_model(ours), selected_kernels(ours, [512])

        def genolm(ours: Encoder = ours, name: str = name, kernels: Any = kernels) -> None:
            with kernels.imposed(), torch.inference_mode():
                last[f"genolm {name}"] = ours(ids, mask_BL=mask, layers=[layers], logits=False).hidden[layers][mask]

        def transformers(theirs: Any = theirs, name: str = name) -> None:
            with torch.inference_mode():
                last[f"transformers {name}"] = theirs(ids, attention_mask=mask.long()).last_hidden_state[mask]

        sides |= {f"genolm {name}": genolm, f"transformers {name}": transformers}
    return sides


def compare(layers: int, lengths: list[int], rounds: int) -> dict[str, Any]:
    """Time all on one batch, alternating: seconds, real tokens per second, and distance to transformers in fp32."""
    ids, mask = batch_of(lengths)
    last: dict[str, Tensor] = {}
    timed = alternate(sides_of(layers, ids, mask, last), rounds)
    base = last["transformers fp32"].double()
    seconds = {name: side["median_seconds"] for name, side in timed.items()}
    return {
        "rows": len(lengths),
        "real_tokens": sum(lengths),
        "padded_tokens": ids.numel(),
        "sides": timed,
        "tokens_per_second": {name: round(sum(lengths) / value) for name, value in seconds.items()},
        "speedup_bf16_over_transformers_fp32": round(seconds["transformers fp32"] / seconds["genolm bf16"], 3),
        "speedup_at_equal_precision": {
            name: round(seconds[f"transformers {name}"] / seconds[f"genolm {name}"], 3) for name in PRECISIONS
        },
        "relative_distance_to_transformers_fp32": {
            name: float(f"{float((values.double() - base).norm() / base.norm()):.3g}") for name, values in last.items()
        },
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    words = parser.parse_args()
    mixed = np.random.default_rng(0).integers(64, 513, words.rows).tolist()
    batches = {"rows of 512 tokens": [512] * (words.rows // 2), "rows of 64 to 512 tokens": mixed}
    timed = {}
    for name, lengths in batches.items():
        timed[name] = compare(words.layers, lengths, words.rounds)
        print(name, timed[name], flush=True)
    about = {"model": "gena-lm-bert-base, norms after the blocks, random weights", "layers": words.layers}
    write(
        "encoder",
        {
            **about,
            "attention": "torch's fused kernel on both sides",
            "batches": timed,
        },
    )


if __name__ == "__main__":
    main()
