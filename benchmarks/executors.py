"""Computing time of `variants` with one and two workers, one thread each: worker processes and Ray actors.

python -m benchmarks.executors

2,000 variants with genolm-nano, in parts of 8,192 tokens; about four minutes. Start-up (processes, Ray, loading the
model) is excluded: the wall time is from the start of the first part to the end of the last one. All runs must give the
same bytes. Writes results/executors.json.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import genolm
from benchmarks.record import versions, write
from genolm.engine import plan
from genolm.engine.events import Event, PartDone
from genolm.engine.executors.device_workers import DeviceWorkers
from genolm.engine.executors.executor import Executor
from genolm.engine.executors.ray_actors import RayActors
from genolm.engine.run import Options, run
from genolm.tasks.variants.variant_task import VariantTask

PART_TOKENS, CONTEXT, HORIZON = 8_192, 64, 32
EXECUTORS: dict[str, dict[int, Executor]] = {
    "device workers": {1: DeviceWorkers(("cpu",), 1), 2: DeviceWorkers(("cpu", "cpu"), 1)},
    "ray": {1: RayActors(workers=1, threads=1), 2: RayActors(workers=2, threads=1)},
}


def write_input(folder: Path, records: int) -> None:
    """Write a random genome and variants spread over it."""
    choose = random.Random(0)
    bases = 20 * records
    sequence = "".join(choose.choices("ACGT", k=bases))
    (folder / "genome.fa").write_text(f">chrB\n{sequence}\n")
    sites = sorted(choose.sample(range(2 * CONTEXT, bases - 2 * HORIZON), records))
    rows = [f"chrB\t{site + 1}\t.\t{sequence[site]}\t{other(sequence[site])}\t.\t.\t." for site in sites]
    header = [
        "##fileformat=VCFv4.2",
        f"##contig=<ID=chrB,length={bases}>",
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO",
    ]
    (folder / "calls.vcf").write_text("\n".join([*header, *rows]) + "\n")


def other(base: str) -> str:
    """Return another base."""
    return "CGTA"["ACGT".index(base)]


def measured(executor: Executor, folder: Path) -> tuple[dict[str, Any], str]:
    """Return the times of a run, and the digest of its output."""
    model = genolm.load("genolm-nano", device="cpu", dtype="float32")
    task = VariantTask.fit(
        model, CONTEXT, HORIZON, source=folder / "calls.vcf", genome=folder / "genome.fa", method="full", rc=False,
        on_mismatch="raise", genome_iupac="N", further=(),
    )  # fmt: skip
    ends: list[tuple[float, float]] = []

    def listen(event: Event) -> None:
        if isinstance(event, PartDone):
            ends.append((time.perf_counter(), event.seconds))

    out = folder / "scored.vcf"
    run(task, model, out, Options(overwrite=True, executor=executor), progress=listen)
    wall = max(end for end, _ in ends) - min(end - seconds for end, seconds in ends)
    summed = sum(seconds for _, seconds in ends)
    times = {"parts": len(ends), "wall_seconds": round(wall, 2), "summed_seconds": round(summed, 2)}
    return times, hashlib.sha256(out.read_bytes()).hexdigest()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2000, help="number of variants")
    records = parser.parse_args().records
    os.environ["OMP_NUM_THREADS"] = "1"
    plan.PART_TOKENS = PART_TOKENS
    results: dict[str, Any] = {}
    digests = set()
    with tempfile.TemporaryDirectory() as name:
        write_input(Path(name), records)
        for kind, executors in EXECUTORS.items():
            results[kind] = {}
            for workers, executor in executors.items():
                results[kind][f"{workers} workers"], digest = measured(executor, Path(name))
                digests.add(digest)
                print(kind, workers, results[kind][f"{workers} workers"], flush=True)
            one, two = (results[kind][f"{workers} workers"]["wall_seconds"] for workers in (1, 2))
            results[kind]["two_to_one"] = round(two / one, 3)
    same = len(digests) == 1
    settings = {
        "model": "genolm-nano, float32",
        "records": records,
        "threads_per_worker": 1,
        "part_tokens": PART_TOKENS,
    }
    write("executors", {**settings, "ray": versions("ray"), "same_bytes": same, "executors": results})
    if not same:
        raise SystemExit("the executors gave different bytes")


if __name__ == "__main__":
    main()
