"""Generation with BPE tokens on a CPU, compared with transformers and with single-base tokens at equal size.

    python -m benchmarks.generation --sizes tiny small genomeocean-100m --tokens 256

Decoders with the architecture of GenomeOcean, random weights and a vocabulary of 4,096 tokens trained on simulated DNA.
16 prompts of about 400 bases, with different numbers of tokens, are continued by the same number of tokens with
``continue_prompts`` of genolm and ``generate`` of transformers' MistralForCausalLM: same weights, one process,
alternating, greedy and sampled, in fp32 and in bf16. transformers runs with its dynamic cache, its static cache, and
the compiled static cache if a compiler is available; genolm is compared with the fastest of these at the same
precision. Single bases: a decoder of the same shape whose feed-forward width makes up for the smaller vocabulary; both
generate the same number of bases with genolm. Writes results/generation.json.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.record import alternate, selected_kernels, write
from genolm.genome.records import read_fasta
from genolm.genome.sequence import upper_dna
from genolm.genome.simulation.simulate import simulate
from genolm.models.adapters.huggingface.huggingface import pieces
from genolm.models.adapters.huggingface.huggingface_config import write_config
from genolm.models.card import Card
from genolm.models.model import Model
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.tasks.reading.continuation.continue_prompts import continue_prompts
from genolm.tasks.reading.continuation.limits import Limits
from genolm.tasks.reading.continuation.prompts import Prompt, prompt_ids
from genolm.tasks.reading.continuation.sampling import Sampler, random_stream
from genolm.tasks.reading.continuation.steps import Continuation, collect
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.bpe_training import train_vocabulary
from genolm.tokens.nucleotide import NucleotideTokenizer

BATCH = 16
PROMPT_BASES = 400
VOCABULARY = 4096
LONGEST_PIECE = 12
NEW_BASES = 320
SIZES = {
    "tiny": {"hidden_size": 64, "num_layers": 2, "num_heads": 4, "num_kv_heads": 4, "head_dim": 16, "ffn_size": 256},
    "small": {"hidden_size": 256, "num_layers": 8, "num_heads": 4, "num_kv_heads": 4, "head_dim": 64, "ffn_size": 1024},
    "genomeocean-100m": {
        "hidden_size": 768,
        "num_layers": 12,
        "num_heads": 8,
        "num_kv_heads": 8,
        "head_dim": 96,
        "ffn_size": 3072,
    },
}
SAMPLERS = {"greedy": Sampler(temperature=0), "sampled": Sampler(temperature=0.7, top_k=50, top_p=0.95)}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def dna(bases: int) -> str:
    """Return the first contig of a simulated genome."""
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder) / "world", length=int(bases * 1.2), contigs=2)
        records = read_fasta(Path(folder) / "world" / "genome.fa", lambda text: upper_dna(text, iupac="N"))
        return next(records).sequence.replace("N", "")[:bases]


def byte_pairs(sequence: str) -> BpeTokenizer:
    """Return a tokenizer with a vocabulary of the size of GenomeOcean's."""
    chunks = [sequence[start : start + 2048] for start in range(0, len(sequence), 2048)]
    return BpeTokenizer(train_vocabulary(chunks, VOCABULARY, max_length=LONGEST_PIECE))


def model_of(config: DecoderConfig, tokenizer: Any, dtype: torch.dtype) -> Model:
    """Return a decoder with random weights, the same for both precisions except for rounding."""
    torch.manual_seed(0)
    network = Decoder(config, tokenizer.base_ids, tokenizer.n_id)
    for weight in network.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=weight.shape[-1] ** -0.5)
    begin = ("[CLS]",) if isinstance(tokenizer, BpeTokenizer) else ()
    return Model(network.to(dtype), tokenizer, Card("random", context=4096, begin=begin))


def config_of(size: str, vocabulary: int = VOCABULARY, **changes: int) -> DecoderConfig:
    """Return the config of a decoder with the architecture of GenomeOcean."""
    return DecoderConfig(vocabulary, **{**SIZES[size], **changes}, rope_theta=1e6, max_positions=32_768, pad_id=3)


def same_parameters(size: str) -> DecoderConfig:
    """Return the config with one token per base and a feed-forward width that gives about as many weights."""
    wanted, few = config_of(size).parameters, config_of(size, 32)
    widths = range(few.ffn_size, 16 * few.ffn_size, 8)
    return min((replace(few, ffn_size=width) for width in widths), key=lambda one: abs(one.parameters - wanted))


def ours(model: Model, prompts: list[Any], limits: Limits, sampler: Sampler) -> list[Continuation]:
    """Generate with genolm."""
    asked = [Prompt(ids, limits, random_stream(0, number, 1)) for number, ids in enumerate(prompts)]
    return collect(continue_prompts(model, asked, sampler), len(asked))


def transformers_model(model: Model) -> Any:
    """Return a MistralForCausalLM with the same weights."""
    from transformers import MistralConfig, MistralForCausalLM

    values = {key: value for key, value in write_config(model.config).items() if key not in ("architectures",)}
    theirs = MistralForCausalLM(MistralConfig(**values)).to(model.dtype).eval()
    held = dict(model.network.named_parameters())
    theirs.load_state_dict({piece.stored: held[piece.ours] for piece in pieces(model.config)})
    return theirs


def their_words(model: Model, sampler: Sampler, tokens: int) -> dict[str, Any]:
    """Return the same suppressed tokens, length and sampling settings for transformers."""
    plain = model.tokenizer.plain_ids
    words: dict[str, Any] = {
        "max_new_tokens": tokens,
        "min_new_tokens": tokens,
        "suppress_tokens": [number for number in range(len(plain)) if not plain[number]],
        "pad_token_id": model.tokenizer.pad_id,
        "do_sample": sampler.temperature > 0,
    }
    if sampler.temperature:
        words |= {"temperature": sampler.temperature, "top_k": sampler.top_k, "top_p": sampler.top_p}
    return words


def caches(compiled: bool) -> dict[str, dict[str, Any]]:
    """Return the settings of transformers to try."""
    settings: dict[str, dict[str, Any]] = {
        "dynamic cache": {"cache_implementation": "dynamic"},
        "static cache": {"cache_implementation": "static", "disable_compile": True},
    }
    if compiled and shutil.which("g++"):
        settings["static cache, compiled"] = {"cache_implementation": "static", "disable_compile": True}
    return settings


def compare(
    size: str, dtype: str, tokenizer: BpeTokenizer, sequence: str, tokens: int, rounds: int, compiled: bool
) -> Iterator[dict[str, Any]]:
    """Time greedy and sampled generation with genolm and transformers."""
    model = model_of(config_of(size), tokenizer, DTYPES[dtype])
    kernels = selected_kernels(model.network, [128])
    prompts = [prompt_ids(model, text) for text in prompts_of(sequence)]
    longest = max(map(len, prompts))
    ids = torch.tensor([[tokenizer.pad_id] * (longest - len(row)) + row.tolist() for row in prompts])
    mask = (ids != tokenizer.pad_id).long()
    theirs = transformers_model(model)
    forwards = {False: theirs.forward, True: _compiled(theirs.forward)}
    limits = Limits(max_tokens=tokens, ignore_end=True)
    for name, sampler in SAMPLERS.items():
        made: dict[str, Any] = {}

        def run_ours(sampler: Sampler = sampler, made: dict[str, Any] = made) -> None:
            with kernels.imposed():
                made["genolm"] = [one.ids_T.tolist() for one in ours(model, prompts, limits, sampler)]

        def run_theirs(cache: str, sampler: Sampler = sampler, made: dict[str, Any] = made) -> None:
            theirs.forward = forwards["compiled" in cache]
            words = {**their_words(model, sampler, tokens), **caches(compiled)[cache]}
            with torch.inference_mode():
                made[cache] = theirs.generate(ids, attention_mask=mask, **words)[:, longest:].tolist()

        sides: dict[str, Callable[[], None]] = {"genolm": run_ours}
        sides |= {cache: (lambda cache=cache: run_theirs(cache)) for cache in caches(compiled)}
        timed = alternate(sides, rounds)
        best = min(caches(compiled), key=lambda cache: timed[cache]["median_seconds"])
        yield {
            "size": size,
            "parameters": model.config.parameters,
            "precision": dtype,
            "drawing": name,
            "new_tokens": tokens,
            "bases_per_token": round(_bases(tokenizer, made["genolm"]) / (BATCH * tokens), 3),
            "sides": {
                side: {**one, "bases_per_second": _rate(tokenizer, made[side], one)} for side, one in timed.items()
            },
            "fastest_of_transformers": best,
            "speedup": round(
                _rate(tokenizer, made["genolm"], timed["genolm"]) / _rate(tokenizer, made[best], timed[best]), 3
            ),
            "same_greedy_tokens": _agreement(made["genolm"], made[best]) if name == "greedy" else None,
        }


def _compiled(forward: Any) -> Any:
    """Compile the forward pass; prompts and single tokens are two graphs.

    Resets the compiler first: all models share one code object, and beyond a limit of graphs torch silently falls back
    to eager execution.
    """
    torch._dynamo.reset()
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    return torch.compile(forward, dynamic=None)


def _bases(tokenizer: BpeTokenizer, rows: list[list[int]]) -> int:
    return int(sum(tokenizer.lengths[row].sum() for row in rows))


def _rate(tokenizer: BpeTokenizer, rows: list[list[int]], timed: dict[str, Any]) -> float:
    return round(_bases(tokenizer, rows) / timed["median_seconds"], 1)


def _agreement(one: list[list[int]], other: list[list[int]]) -> float:
    """Return the fraction of tokens before the first difference in each sequence."""
    equal = sum(int(np.cumprod(np.array(a) == np.array(b)).sum()) for a, b in zip(one, other))
    return round(equal / sum(map(len, one)), 4)


def prompts_of(sequence: str) -> list[str]:
    """Return 16 prompts of 350 to 450 bases."""
    starts = range(0, BATCH * 1000, 1000)
    return [sequence[start : start + PROMPT_BASES - 50 + 100 * n // BATCH] for n, start in enumerate(starts)]


def single_bases(
    size: str, dtype: str, tokenizer: BpeTokenizer, sequence: str, bases: int, rounds: int
) -> dict[str, Any]:
    """Time the generation of equally many bases with BPE and with single-base tokens, at about equal size."""
    models = {
        "byte pairs": model_of(config_of(size), tokenizer, DTYPES[dtype]),
        "single bases": model_of(same_parameters(size), NucleotideTokenizer(), DTYPES[dtype]),
    }
    prompts = {name: [prompt_ids(model, text) for text in prompts_of(sequence)] for name, model in models.items()}
    limits = Limits(max_bases=bases, ignore_end=True)
    kernels = {name: selected_kernels(model.network, [512]) for name, model in models.items()}

    def run(name: str) -> None:
        with kernels[name].imposed():
            ours(models[name], prompts[name], limits, SAMPLERS["sampled"])

    timed = alternate({name: (lambda name=name: run(name)) for name in models}, rounds)
    return {
        "size": size,
        "precision": dtype,
        "new_bases": bases,
        "parameters": {name: model.config.parameters for name, model in models.items()},
        "sides": {
            name: {**one, "bases_per_second": round(BATCH * bases / one["median_seconds"], 1)}
            for name, one in timed.items()
        },
        "advantage": round(timed["single bases"]["median_seconds"] / timed["byte pairs"]["median_seconds"], 3),
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--precisions", nargs="+", default=list(DTYPES), choices=list(DTYPES))
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-compile", action="store_true", help="skip the compiled static cache")
    parser.add_argument("--name", default="generation", help="name of the result file")
    parser.add_argument("--trial", action="store_true", help="print the results without writing them")
    words = parser.parse_args()
    sequence = dna(1_000_000)
    tokenizer = byte_pairs(sequence)
    timed, single = [], []
    for size in words.sizes:
        for dtype in words.precisions:
            for one in compare(size, dtype, tokenizer, sequence, words.tokens, words.rounds, not words.no_compile):
                timed.append(one)
                print(one, flush=True)
            single.append(single_bases(size, dtype, tokenizer, sequence, NEW_BASES, words.rounds))
            print(single[-1], flush=True)
    if not words.trial:
        write(words.name, {"batch": BATCH, "prompt_bases": PROMPT_BASES, "timed": timed, "single_bases": single})


if __name__ == "__main__":
    main()
