"""A trained network as a model folder that :func:`genolm.load` reads."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genolm.models.card import Card
from genolm.models.conversion import save
from genolm.models.decoder import Decoder
from genolm.models.model import Model
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.recipe import Recipe
from genolm.training.schedule import tokens_until

Lines = Sequence[dict[str, Any]]


def write_model(
    folder: Path,
    weights: Mapping[str, Tensor],
    tokenizer: NucleotideTokenizer,
    recipe: Recipe,
    log: Lines,
    processes: int = 1,
) -> Path:
    """Write a network with its card, replacing what an earlier end of the same run left in ``folder``.

    Args:
        folder: the model folder.
        weights: by name, in bf16.
        tokenizer: the corpus's.
        recipe: what it was trained by.
        log: the run's reports.
        processes: how many trained it.
    """
    with torch.device("meta"):
        network = Decoder(recipe.model, tokenizer.base_ids, tokenizer.n_id)
    tied = {"head.weight": weights["embedding.weight"]} if recipe.model.tied else {}
    network.load_state_dict({**weights, **tied}, assign=True)
    shutil.rmtree(folder, ignore_errors=True)
    return save(Model(network, NucleotideTokenizer(tokenizer.symbols), _card(recipe, log, processes)), folder)


def _card(recipe: Recipe, log: Lines, processes: int) -> Card:
    evaluated = [line for line in log if "held_out_bits_per_base" in line]
    bits = evaluated[-1]["held_out_bits_per_base"] if evaluated else {}
    steps = max((line["step"] for line in log), default=0)
    regions = "; ".join(f"{name}: {', '.join(texts)}" for name, texts in recipe.corpus.regions().items())
    notes = (recipe.card.strip(), f"Held out of training: {regions}." if regions else "")
    tokens = tokens_until(steps, recipe)
    return Card(
        name=recipe.name,
        family="genolm",
        context=recipe.context,
        precision="bfloat16",
        licence="Apache-2.0",
        source=f"genolm pretrain {recipe.name}",
        notes=tuple(note for note in notes if note),
        metrics={"training_tokens": tokens, **{f"{name}_bits_per_base": value for name, value in bits.items()}},
        training=_how(recipe, steps, processes),
    )


def _how(recipe: Recipe, steps: int, processes: int) -> dict[str, Any]:
    """What it takes to train the same again."""
    return {
        "steps": steps,
        "seed": recipe.seed,
        "processes": processes,
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("genolm", "torch")},
        "commit": _commit(),
        # Through JSON, so that what is read back is what was written: tuples are lists there.
        "recipe": json.loads(json.dumps(asdict(recipe))),
    }


def _commit() -> str | None:
    """Commit of the checkout that this code runs from, ``-dirty`` where it was changed; None for an installed one."""
    here = Path(__file__).resolve().parent
    words = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        tracked = subprocess.run(
            ["git", "-C", str(here), "ls-files", "--error-unmatch", Path(__file__).name],
            capture_output=True,
            check=False,
        )
        found = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return found.stdout.strip() or None if tracked.returncode == 0 and found.returncode == 0 else None
