"""Variant scoring with the genos-1.2b configuration on a CPU: two methods of genolm, and two full passes per variant.

    python -m benchmarks.variants runs/genos-1.2b

1,000 single-base variants within 100 kb of random DNA. The plain method, with the fastest setting of transformers, is
the log-likelihood of the 8,192-base ALT window minus that of the REF window; it is timed on a few of the same variants,
since all of them would take hours, and rates are compared. Correlations with its scores are computed on those variants,
and on many more with genolm-nano, whose weights are trained. The method full is timed on the variants of the first
25 kb. Writes results/variants.json.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import genolm
from benchmarks.embedding import SETTINGS, transformers_model
from benchmarks.genos_weights import random_bases, write_weights
from benchmarks.record import write

CONTEXT, WINDOW, HORIZON = 4096, 8192, 512
FULL = 250  # number of variants in the first 25 kb, at the same density, for timing the method full
Logits = Callable[[torch.Tensor], torch.Tensor]


def random_variants(sequence: str, start: int, stop: int, count: int, seed: int = 0) -> list[genolm.Variant]:
    """Return distinct single-base variants in [start, stop) of a contig ``chrB``, in order."""
    drawn = random.Random(seed)
    sites = sorted(drawn.sample(range(start, stop), count))
    others = {base: [other for other in "ACGT" if other != base] for base in "ACGT"}
    return [genolm.Variant("chrB", site + 1, sequence[site], drawn.choice(others[sequence[site]])) for site in sites]


def plain_score(
    logits: Logits, encode: Callable[[str], Any], sequence: str, variant: genolm.Variant, window: int
) -> float:
    """Return the log-likelihood of the ALT window minus that of the REF window, centred on the variant, in nats."""
    start = max(0, variant.pos - 1 - window // 2)
    reference = sequence[start : start + window]
    site = variant.pos - 1 - start
    alternative = reference[:site] + variant.alt + reference[site + 1 :]
    totals = []
    for text in (alternative, reference):
        ids = torch.from_numpy(encode(text)).long()[None]
        logp = logits(ids)[0, :-1].float().log_softmax(-1)
        totals.append(logp.gather(-1, ids[0, 1:, None]).double().sum().item())
    return totals[0] - totals[1]


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds and the result of a call."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def large_model(folder: Path, plain_count: int) -> dict[str, Any]:
    """Return the rates with the 1.2B configuration."""
    sequence = random_bases(120_000)
    fasta = folder.parent / "chrB.fa"
    fasta.write_text(f">chrB\n{sequence}\n")
    variants = random_variants(sequence, 10_000, 110_000, 1000)
    model = genolm.load(folder, dtype="bfloat16")
    near = variants[:FULL]
    chosen = near[:: len(near) // plain_count][:plain_count]
    theirs = fastest_causal(folder, model.tokenizer.encode(sequence[:WINDOW]))
    with torch.inference_mode():
        seconds, plain = timed(
            lambda: [plain_score(theirs, model.tokenizer.encode, sequence, variant, WINDOW) for variant in chosen]
        )
    rate = plain_count / seconds
    result: dict[str, Any] = {"plain": {"variants": plain_count, "seconds": round(seconds, 2), "per_second": rate}}
    for method, column, asked in (("conditional", "site", variants), ("full", "sum", near)):
        took, table = timed(
            lambda method=method, asked=asked: (
                genolm.variants(model, asked, genome=fasta, method=method, context=CONTEXT, horizon=HORIZON).table
            )
        )
        scores = dict(zip(table["pos"], table[f"llr_alt_minus_ref_{column}_nats"]))
        same = [scores[variant.pos] for variant in chosen]
        result[method] = {
            "variants": len(asked),
            "seconds": round(took, 2),
            "per_second": len(asked) / took,
            "speedup": round(len(asked) / took / rate, 1),
            "smallest_left_context": int(table["left_context"].min()),
            "correlation_with_plain": round(float(np.corrcoef(plain, same)[0, 1]), 4),
        }
        print(method, result[method], flush=True)
    return result


def fastest_causal(folder: Path, ids: Any) -> Logits:
    """Return the MixtralModel with head in its faster setting, as measured on one window."""
    from transformers import MixtralForCausalLM

    times = {}
    for name, settings in SETTINGS.items():
        model = transformers_model(folder, settings)
        batch = torch.from_numpy(ids).long()[None]
        with torch.inference_mode():
            model(batch[:, :256], use_cache=False)
            times[name], _ = timed(lambda model=model, batch=batch: model(batch, use_cache=False))
        del model
    best = min(times, key=lambda name: times[name])
    whole = MixtralForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, **SETTINGS[best]).eval()
    return lambda batch: whole(batch, use_cache=False).logits


def small_model(count: int) -> dict[str, Any]:
    """Return the correlation of both methods with the plain score for trained weights, fp32."""
    from genolm.genome.simulation.simulate import simulate

    model = genolm.load("genolm-nano")
    folder = Path("runs/simulated")
    simulate(folder, overwrite=True)
    with genolm.Genome(folder / "genome.fa") as genome:
        chrom = max(genome.lengths, key=lambda name: genome.lengths[name])
        sequence = genome.fetch(chrom, 0, genome.lengths[chrom])
    window = model.context
    sites = list(random_variants(sequence.replace("N", "A"), window, len(sequence) - window, count * 2))
    variants = [genolm.Variant(chrom, v.pos, v.ref, v.alt) for v in sites if sequence[v.pos - 1] != "N"][:count]
    with torch.inference_mode():
        plain = [
            plain_score(lambda ids: model.network(ids).logits_BLV, model.tokenizer.encode, sequence, v, window)
            for v in variants
        ]
    told: dict[str, Any] = {"model": "genolm-nano", "variants": count, "window": window}
    for method, column in (("conditional", "site"), ("full", "sum")):
        table = genolm.variants(model, variants, genome=folder / "genome.fa", method=method).table
        scores = table[f"llr_alt_minus_ref_{column}_nats"].to_numpy()
        told[f"{method}_correlation_with_plain"] = round(float(np.corrcoef(plain, scores)[0, 1]), 4)
    return told


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="model folder; created if it does not exist")
    parser.add_argument("--plain", type=int, default=4, help="number of variants to score with the plain method")
    words = parser.parse_args()
    trained = small_model(300)
    print(trained, flush=True)
    measured = large_model(write_weights(words.folder), words.plain)
    write("variants", {"model": "genos-1.2b, random weights, bf16", "rates": measured, "trained_weights": trained})


if __name__ == "__main__":
    main()
