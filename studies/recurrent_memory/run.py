"""Study run: each arm with each seed, one JSON file each, combined in results.json.

    python -m studies.recurrent_memory.run
    python -m studies.recurrent_memory.report            # tables of docs/studies/recurrent_memory.md

Finished runs are not repeated, so an interrupted study can be continued. All runs take up to an hour on one core.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from benchmarks.record import machine

from studies.recurrent_memory.needle import CORPUS, MOTIF, VOCABULARY, Needle, tokenizer
from studies.recurrent_memory.training import HEADS, LAYERS, WIDTH, Plan, right_answers, train

HERE = Path(__file__).parent
RUNS, RESULTS = HERE / "runs", HERE / "results.json"
TASKS = {"one motif": 0.0, "decoys": 0.5}
LENGTHS = (1, 2, 4, 8, 12, 16, 32)
TESTED = 1000
SEEDS = (0, 1, 2)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    words = parser.parse_args()
    torch.set_num_threads(1)
    for seed in words.seeds:
        for task in TASKS:
            if not _file(task, seed).exists():
                print(task, seed, flush=True)
                _write(_file(task, seed), run(task, seed))
    wanted = [_file(task, seed) for task in TASKS for seed in SEEDS]
    if all(file.exists() for file in wanted):
        runs = [json.loads(file.read_text()) for file in wanted]
        _write(RESULTS, {"machine": machine(), "setting": _setting(), "runs": runs})


def run(task: str, seed: int) -> dict[str, Any]:
    """Train the encoder with memory and, with the same steps per stage, without memory; test both."""
    plan = Plan(decoys=TASKS[task])
    with_memory, told = train(plan, seed)
    without, told_without = train(replace(plan, memory=0), seed, told["stage_steps"])
    found: dict[str, dict[str, int]] = {"memory": {}, "memory forgotten": {}, "no memory": {}}
    for segments in LENGTHS:
        needle = Needle(plan.content, segments, plan.decoys)
        found["memory"][str(segments)] = right_answers(with_memory, needle, TESTED, seed)
        found["memory forgotten"][str(segments)] = right_answers(with_memory, needle, TESTED, seed, forget=True)
        found["no memory"][str(segments)] = right_answers(without, needle, TESTED, seed)
    training = {"memory": told, "no memory": told_without}
    return {"task": task, "seed": seed, "tested": TESTED, "right": found, "training": training}


def _setting() -> dict[str, Any]:
    return {
        "plan": asdict(Plan()),
        "encoder": {"width": WIDTH, "layers": LAYERS, "heads": HEADS},
        "vocabulary": VOCABULARY,
        "vocabulary_corpus_bases": CORPUS,
        "bases_per_token": round(tokenizer().bases_per_token, 2),
        "motif_bases": MOTIF,
    }


def _file(task: str, seed: int) -> Path:
    return RUNS / f"{task.replace(' ', '-')}_{seed}.json"


def _write(path: Path, values: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    staging = path.with_suffix(".tmp")
    staging.write_text(json.dumps(values) + "\n", encoding="utf-8")
    staging.replace(path)


if __name__ == "__main__":
    main()
