"""Embedding of long DNA with the genos-1.2b configuration on a CPU: genolm and transformers, same weights, bf16.

    python -m benchmarks.embedding runs/genos-1.2b --bases 8192 32768

Writes results/embedding.json: seconds of both, their ratio, the agreement of the pooled vectors, and the peak memory
of a fresh process that loads the model and embeds each length.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

import genolm
from benchmarks.genos_weights import random_bases, write_weights
from benchmarks.record import alternate, selected_kernels, write

LONG = 16_384

# Settings of transformers to try; genolm is compared with the one that is fastest at the shortest length.
SETTINGS = {
    "sdpa, grouped_mm experts": {"attn_implementation": "sdpa", "experts_implementation": "grouped_mm"},
    "sdpa, eager experts": {"attn_implementation": "sdpa", "experts_implementation": "eager"},
    "eager attention, eager experts": {"attn_implementation": "eager", "experts_implementation": "eager"},
    "eager attention, grouped_mm experts": {"attn_implementation": "eager", "experts_implementation": "grouped_mm"},
    "sdpa, grouped_mm experts, compiled": {"attn_implementation": "sdpa", "experts_implementation": "grouped_mm"},
}


def transformers_model(folder: Path, settings: dict[str, str]) -> Any:
    """Return the MixtralModel of the same folder in bf16."""
    from transformers import MixtralModel

    return MixtralModel.from_pretrained(folder, dtype=torch.bfloat16, **settings).eval()


def working(theirs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Share the weights, compile where the setting says so; return what runs on a short input, and other errors."""
    models, errors = dict(theirs), {}
    first = next(iter(theirs.values()))
    for name, model in theirs.items():
        model.load_state_dict(first.state_dict(), assign=True)
        if name.endswith("compiled"):
            models[name] = torch.compile(model)
        try:
            with torch.inference_mode():
                models[name](torch.full((1, 64), 5), use_cache=False)
        except Exception as error:  # whatever stops the compiler
            errors[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
            del models[name]
    return models, errors


def compare(folder: Path, bases: int, rounds: int, settings: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Time both on one sequence, alternating; without a warm-up round if a round takes minutes."""
    sequence = random_bases(bases)
    ours = genolm.load(folder, dtype="bfloat16")
    ids = torch.from_numpy(ours.tokenizer.encode(sequence)).long()[None]
    theirs, failed = working({name: transformers_model(folder, words) for name, words in settings.items()})
    out: dict[str, torch.Tensor] = {}

    # The engine selects kernels when it plans a run; this one is too short to time all of them.
    selected_kernels(ours.network, [bases])

    def run_ours() -> None:
        vectors = genolm.embed(ours, [sequence], layer=ours.config.num_layers, pooling="mean", batch_tokens=bases).table
        out["genolm"] = torch.as_tensor(vectors["embedding"].to_numpy()[0])

    def run_theirs(name: str) -> None:
        with torch.inference_mode():
            out[name] = theirs[name](ids, use_cache=False).last_hidden_state.float().mean(1)[0]

    sides = {"genolm": run_ours} | {name: (lambda name=name: run_theirs(name)) for name in theirs}
    timed = alternate(sides, rounds, uncounted=1 if bases <= LONG else 0)
    best = min(theirs, key=lambda name: timed[name]["median_seconds"])
    return {
        "bases": bases,
        "sides": timed,
        "fastest_transformers_setting": best,
        "settings_that_fail": failed,
        "speedup": round(timed[best]["median_seconds"] / timed["genolm"]["median_seconds"], 3),
        "pooled_vector_relative_distance": relative_distance(out["genolm"], out[best]),
        "pooled_vector_correlation": correlation(out["genolm"], out[best]),
    }


def relative_distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return the norm of the difference divided by the norm."""
    return round(float((one - other).norm() / other.norm()), 6)


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    """Pearson."""
    return round(float(torch.corrcoef(torch.stack((one, other)))[0, 1]), 6)


def peak_memory(folder: Path, bases: int) -> dict[str, Any]:
    """Return the peak resident memory of a separate process that embeds one sequence."""
    words = [sys.executable, "-m", "benchmarks.embedding", str(folder), "--peak", str(bases)]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    return dict(json.loads(told.stdout.splitlines()[-1]))


def _peak(folder: Path, bases: int) -> None:
    model = genolm.load(folder, dtype="bfloat16")
    weights = sum(weight.nbytes for weight in model.network.parameters())
    genolm.embed(model, [random_bases(bases)], batch_tokens=bases)
    # Not ru_maxrss: a new process inherits its parent's.
    listing = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(listing["VmHWM"].split()[0]) * 1024
    print(json.dumps({"bases": bases, "peak_bytes": peak, "weights_bytes": weights, "above_weights": peak - weights}))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="model folder; created if it does not exist")
    parser.add_argument("--bases", type=int, nargs="+", default=[8192, 32768])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peak", type=int)
    words = parser.parse_args()
    folder = write_weights(words.folder)
    if words.peak:
        return _peak(folder, words.peak)
    timed: list[dict[str, Any]] = []
    settings = SETTINGS
    for bases in sorted(words.bases):
        timed.append(compare(folder, bases, words.rounds if bases <= LONG else 1, settings))
        print(timed[-1], flush=True)
        best = timed[-1]["fastest_transformers_setting"]
        settings = {best: SETTINGS[best]}
    peaks = [peak_memory(folder, bases) for bases in (8192, 16384, 32768)]
    write("embedding", {"model": "genos-1.2b, random weights", "precision": "bf16", "timed": timed, "memory": peaks})


if __name__ == "__main__":
    main()
