"""BigBird encoders on a CPU, 4k to 32k tokens: block-sparse attention, dense attention and transformers.

    python -m benchmarks.bigbird

The shape of gena-lm-bigbird-base-t2t with random weights and a position table of 32,768 rows; its published length is
4,096. The two genolm variants (with and without the block pattern) are the same network and share all weights;
BigBirdModel of transformers, in its block_sparse mode, has the same weights. All variants compute the hidden states of
the last layer of one sequence, alternating in one process, in fp32 and in bf16. Peak memory is measured in a fresh
process. Writes results/bigbird.json.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.record import alternate, write
from genolm.models.adapters.encoders.gena_tensors import pieces
from genolm.models.networks.attention.block_layout import full_up_to
from genolm.models.networks.encoder import Encoder
from genolm.models.networks.encoder_config import BlockSparseConfig, EncoderConfig

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
WARM_UP = 1
_TOKENS = 32_000
_SPECIAL = 5  # ids below are special tokens


def config_of(layers: int, longest: int) -> EncoderConfig:
    """Return the config of gena-lm-bigbird-base-t2t without heads, for inputs of this length."""
    return EncoderConfig(
        vocab_size=_TOKENS,
        hidden_size=768,
        num_layers=layers,
        num_heads=12,
        ffn_size=3072,
        max_positions=longest,
        norm="post",
        final_norm=False,
        activation="gelu_tanh",
        masked_head=False,
        sparse=BlockSparseConfig("bigbird", random_blocks="zero"),
    )


def random_encoder(config: EncoderConfig, dtype: torch.dtype) -> Encoder:
    """Return a network with random weights, the same for every precision."""
    with torch.device("meta"):
        encoder = Encoder(config)
    encoder = encoder.to(dtype).to_empty(device="cpu").eval()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in encoder.named_parameters():
            drawn = torch.randn(weight.shape, generator=random)
            weight.copy_(1 + 0.1 * drawn if name.endswith("norm.weight") else 0.04 * drawn)
    return encoder


def transformers_model(encoder: Encoder) -> Any:
    """Return a BigBirdModel in block_sparse mode with the same weights; every tensor of either model is used."""
    from transformers import BigBirdConfig, BigBirdModel

    ours = encoder.config
    assert ours.sparse is not None
    config = BigBirdConfig(
        vocab_size=ours.vocab_size,
        hidden_size=ours.hidden_size,
        num_hidden_layers=ours.num_layers,
        num_attention_heads=ours.num_heads,
        intermediate_size=ours.ffn_size,
        hidden_act="gelu_new",
        max_position_embeddings=ours.max_positions,
        attention_type="block_sparse",
        block_size=ours.sparse.block,
        num_random_blocks=ours.sparse.random,
        pad_token_id=ours.pad_id,
    )
    model: Any = BigBirdModel(config, add_pooling_layer=False)
    model = model.to(encoder.embedding.norm.weight.dtype).eval()
    weights = dict(encoder.named_parameters())
    told = {piece.stored.removeprefix("bert."): weights.pop(piece.ours) for piece in pieces(ours)}
    missing = model.load_state_dict(told, strict=False)
    if weights or missing.unexpected_keys or any("embeddings." not in name for name in missing.missing_keys):
        raise SystemExit(f"the weights differ: {sorted(weights)} {missing}")
    return model


def ids_of(tokens: int) -> Tensor:
    """Return the random token ids of one sequence, (1, tokens)."""
    return torch.randint(_SPECIAL, _TOKENS, (1, tokens), generator=torch.Generator().manual_seed(1))


class Sides:
    """Variants to compare at one precision."""

    def __init__(self, config: EncoderConfig, dtype: torch.dtype) -> None:
        self.encoder = random_encoder(config, dtype)
        self.theirs = transformers_model(self.encoder)
        self.configs = {"genolm": config, "dense": replace(config, sparse=None)}
        self.last: dict[str, Tensor] = {}

    def side(self, name: str, ids: Tensor) -> Callable[[], None]:
        """Return a function that runs one pass of a variant and keeps the hidden states."""

        def ours() -> None:
            self.encoder.config = self.configs[name]
            layer = self.encoder.config.num_layers
            with torch.inference_mode():
                self.last[name] = self.encoder(ids, layers=[layer], logits=False).hidden[layer]

        def transformers() -> None:
            with torch.inference_mode():
                self.last[name] = self.theirs(ids).last_hidden_state

        return transformers if name == "transformers" else ours

    def compared(self, tokens: int, names: list[str], rounds: int) -> dict[str, Any]:
        """Return the seconds of alternating passes after a warm-up round, the ratios to genolm, and the distance of
        transformers from genolm."""
        ids = ids_of(tokens)
        timed = alternate({name: self.side(name, ids) for name in names}, rounds, uncounted=WARM_UP)
        ours = timed["genolm"]["median_seconds"]
        times = {name: round(timed[name]["median_seconds"] / ours, 3) for name in names if name != "genolm"}
        told: dict[str, Any] = {"tokens": tokens, "sides": timed, "times_as_long": times, "rounds_to_warm_up": WARM_UP}
        if "transformers" in names:
            told["relative_distance_to_transformers"] = distance(self.last["genolm"], self.last["transformers"])
        self.last.clear()
        return told


def distance(one: Tensor, other: Tensor) -> float:
    """Return the norm of the difference divided by the norm."""
    return float(f"{float((one.float() - other.float()).norm() / other.float().norm()):.3g}")


def growth(timed: list[dict[str, Any]], memory: list[dict[str, Any]]) -> dict[str, float]:
    """Return tokens, seconds and peak memory above the weights: ratios of the longest to the shortest input."""
    seconds = [one["sides"]["genolm"]["median_seconds"] for one in timed]
    above = [one["above_weights"] for one in memory]
    return {
        "tokens": timed[-1]["tokens"] / timed[0]["tokens"],
        "seconds": round(seconds[-1] / seconds[0], 3),
        "peak_memory_above_weights": round(above[-1] / above[0], 3),
    }


def peak_memory(words: argparse.Namespace, precision: str, tokens: int) -> dict[str, Any]:
    """Return the peak resident memory of a separate process that runs one pass."""
    line = [sys.executable, "-m", "benchmarks.bigbird", "--peak", str(tokens), "--precision", precision]
    line += ["--layers", str(words.layers), "--tokens", *map(str, words.tokens)]
    told = subprocess.run(line, capture_output=True, text=True, check=True)
    return dict(json.loads(told.stdout.splitlines()[-1]))


def _peak(config: EncoderConfig, dtype: torch.dtype, tokens: int) -> None:
    encoder = random_encoder(config, dtype)
    weights = sum(weight.nbytes for weight in encoder.parameters())
    with torch.inference_mode():
        encoder(ids_of(8), logits=False)  # the libraries' own buffers
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        before = _status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # reset the peak, which includes the creation of the weights
        encoder(ids_of(tokens), layers=[config.num_layers], logits=False)
    peak = _status("VmHWM")
    print(json.dumps({"tokens": tokens, "weights": weights, "peak": peak, "above_weights": peak - before}))


def _status(name: str) -> int:
    listing = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(listing[name].split()[0]) * 1024


def measured(words: argparse.Namespace, config: EncoderConfig, precision: str) -> dict[str, Any]:
    """Return the measurements of all lengths at one precision."""
    memory = [peak_memory(words, precision, tokens) for tokens in words.tokens]
    sides = Sides(config, PRECISIONS[precision])
    timed = []
    for tokens in words.tokens:
        names = ["genolm"]
        names += ["dense"] if tokens <= words.dense_up_to else []
        names += ["transformers"] if tokens <= words.transformers_up_to else []
        timed.append(sides.compared(tokens, names, words.rounds))
        print(precision, timed[-1], flush=True)
    return {"timed": timed, "memory": memory, "growth": growth(timed, memory)}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--tokens", type=int, nargs="+", default=[4096, 8192, 16384, 32768])
    parser.add_argument("--dense-up-to", type=int, default=16384)
    parser.add_argument("--transformers-up-to", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--precision", choices=tuple(PRECISIONS), help="measure this one only and write nothing")
    parser.add_argument("--peak", type=int)
    words = parser.parse_args()
    words.tokens.sort()
    if words.tokens[0] <= full_up_to(64, 3):
        parser.error("for such short inputs, BigBirdModel switches to full attention permanently")
    config = config_of(words.layers, words.tokens[-1])
    if words.peak:
        return _peak(config, PRECISIONS[words.precision], words.peak)
    wanted = [words.precision] if words.precision else list(PRECISIONS)
    told = {precision: measured(words, config, precision) for precision in wanted}
    if words.precision:
        return print(json.dumps(told, indent=1))
    model = f"gena-lm-bigbird-base-t2t's shape with {words.layers} layers, random weights"
    write("bigbird", {"model": model, "layers": words.layers, "precisions": told})


if __name__ == "__main__":
    main()
