"""Small data and recipes for fine-tuning: labelled tables, tracks, and conversations that a tiny network can learn."""

import json
from pathlib import Path

import numpy as np
import yaml
from tests.training.conftest import random_dna

from genolm.genome.bigwig import write_bigwig

START = "tiny-random-dense"
OPTIMIZER = {"learning_rate": 0.02, "warmup_steps": 1, "weight_decay": 0.0}
CADENCE = {"report_every": 1, "evaluate_every": 4, "checkpoint_every": 2, "evaluate_windows": 4}
SHAPE = {"context": 48, "batch_rows": 2, "steps": 6, "precision": "fp32", **CADENCE, "optimizer": OPTIMIZER}


def write_tables(folder: Path, rows: int = 24) -> dict:
    """Tables of sequences that are rich in AT or in GC, with the label of a sequence and of its bases."""
    random = np.random.default_rng(0)
    for split, count in (("train", rows), ("test", 8)):
        lines = ["sequence,label,strength,of_bases"]
        for number in range(count):
            rich = number % 2
            odds = [0.1, 0.4, 0.4, 0.1] if rich else [0.4, 0.1, 0.1, 0.4]
            letters = random.choice(list("ACGT"), size=int(random.integers(20, 48)), p=odds)
            of_bases = ",".join("strong" if letter in "CG" else "weak" for letter in letters)
            share = float(np.isin(letters, ["C", "G"]).mean())
            lines.append(f'{"".join(letters)},{("weak", "strong")[rich]},{share:.4f},"{of_bases}"')
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return {"train": str(folder / "train.csv"), "held_out": {"test": str(folder / "test.csv")}}


def write_tracks(folder: Path, bases: int = 900) -> dict:
    """A genome and two tracks: one follows G and C, the other one, stored as negative numbers, the rest."""
    genome = {"chr1": random_dna(bases, 1), "chr2": random_dna(200, 2), "chr3": "N" * 90 + random_dna(20, 3)}
    fasta = folder / "tracks.fa"
    fasta.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in genome.items()))
    lengths = {name: len(sequence) for name, sequence in genome.items()}
    strong = {name: np.array([letter in "CG" for letter in text], np.float32) for name, text in genome.items()}
    plus = [(name, 0, 6 * values) for name, values in strong.items()]
    minus = [(name, 0, -3 * (1 - values)) for name, values in strong.items()]
    paths = {"plus": folder / "plus.bw", "minus": folder / "minus.bw"}
    write_bigwig(paths["plus"], lengths, plus)
    write_bigwig(paths["minus"], lengths, minus)
    return {
        "genome": str(fasta),
        "tracks": {name: str(path) for name, path in paths.items()},
        "held_out": {"test": ["chr2"]},
    }


def write_chats(folder: Path) -> dict:
    """Conversations: the answer to a sequence is its reverse complement."""
    for split, count in (("train", 12), ("test", 4)):
        lines = []
        for number in range(count):
            question = random_dna(8, number + (100 if split == "test" else 0))
            answer = question[::-1].translate(str.maketrans("ACGT", "TGCA"))
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            lines.append(json.dumps({"messages": messages}))
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return {"train": str(folder / "train.jsonl"), "held_out": {"test": str(folder / "test.jsonl")}}


LABELS = {"kind": "labels", "labels": ["weak", "strong"]}
TRACKS = {"kind": "tracks", "tracks": ["plus", "minus"], "dropout": 0.1}
LORA = {"rank": 2, "alpha": 4.0, "targets": ["attention.query", "ffn.up"]}


def finetune_values(kind: str, folder: Path) -> dict:
    """Return the YAML of a recipe: ``labels``, ``tracks``, ``lora`` or ``answers``."""
    values = {"name": f"toy-{kind}", "start": START, **SHAPE}
    if kind == "tracks":
        return {**values, "objective": "tracks", "heads": {"coverage": TRACKS}, "data": write_tracks(folder)}
    if kind == "answers":
        return {**values, "objective": "answers", "data": write_chats(folder)}
    values = {**values, "objective": "labels", "heads": {"richness": LABELS}, "data": write_tables(folder)}
    return {**values, "trainable": "lora", "lora": LORA} if kind == "lora" else values


def write_finetune_recipe(kind: str, folder: Path, **values: object) -> Path:
    path = folder / f"{kind}.yaml"
    path.write_text(yaml.safe_dump({**finetune_values(kind, folder), **values}))
    return path
