"""Release of a trained network as a model folder that :func:`genolm.load` reads."""

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
from genolm.models.checkpoints.convert import save
from genolm.models.model import Model
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.network import make_network
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import Tokenizer
from genolm.training.feeds.token_rows import row_layout
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.recipes.schedule import tokens_until

Lines = Sequence[dict[str, Any]]


def write_model(
    folder: Path,
    weights: Mapping[str, Tensor],
    tokenizer: Tokenizer,
    recipe: Recipe,
    log: Lines,
    processes: int = 1,
) -> Path:
    """Write a network with its card, replacing an earlier release of the same run in ``folder``.

    Args:
        folder: path of the model folder.
        weights: weights by name, in bf16.
        tokenizer: tokenizer of the model.
        recipe: recipe of the run.
        log: reports of the run.
        processes: number of processes of the run.
    """
    with torch.device("meta"):
        network = make_network(recipe.model, tokenizer.base_ids, tokenizer.n_id)
    shared = isinstance(recipe.model, DecoderConfig) and recipe.model.tied
    tied = {"head.weight": weights["embedding.weight"]} if shared else {}
    network.load_state_dict({**weights, **tied}, assign=True)
    shutil.rmtree(folder, ignore_errors=True)
    if isinstance(tokenizer, NucleotideTokenizer):
        tokenizer = NucleotideTokenizer(tokenizer.symbols)  # that of the corpus reads every ambiguity code as N
    return save(Model(network, tokenizer, _card(recipe, log, processes)), folder)


def _card(recipe: Recipe, log: Lines, processes: int) -> Card:
    steps = max((line["step"] for line in log), default=0)
    regions = "; ".join(f"{name}: {', '.join(texts)}" for name, texts in recipe.corpus.regions().items())
    notes = (recipe.card.strip(), f"Held out of training: {regions}." if regions else "")
    tokens = tokens_until(steps, recipe)
    layout = row_layout(recipe)
    return Card(
        name=recipe.name,
        family="genolm",
        context=recipe.context,
        precision="bfloat16",
        licence="Apache-2.0",
        source=f"genolm pretrain {recipe.name}",
        notes=tuple(note for note in notes if note),
        objective=recipe.objective,
        begin=layout.begin if layout else (),
        end=layout.end if layout else (),
        metrics={"training_tokens": tokens, **_metrics(log)},
        training=_training_record(recipe, steps, processes),
    )


def _metrics(log: Lines) -> dict[str, float]:
    """Return the last held-out metrics, and the baseline of token frequencies."""
    metrics: dict[str, float] = {}
    for key, name in _METRICS.items():
        lines = [line[key] for line in log if key in line]
        metrics |= {f"{split}_{name}": value for split, value in (lines[-1] if lines else {}).items()}
    return metrics


_METRICS = {
    "held_out_bits_per_base": "bits_per_base",
    "held_out_nats_per_token": "nats_per_token",
    "held_out_accuracy": "accuracy",
    "frequency_bits_per_base": "bits_per_base_by_frequency",
}


def _training_record(recipe: Recipe, steps: int, processes: int) -> dict[str, Any]:
    """Return everything that is needed to repeat the training."""
    return {
        "steps": steps,
        "seed": recipe.seed,
        "processes": processes,
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("genolm", "torch")},
        "commit": _commit(),
        # Through JSON, so that reading it back gives equal values: JSON has lists instead of tuples.
        "recipe": json.loads(json.dumps(asdict(recipe))),
    }


def _commit() -> str | None:
    """Return the commit of the source tree, with ``-dirty`` if it was modified; None for an installed package."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        tracked = subprocess.run(
            ["git", "-C", str(here), "ls-files", "--error-unmatch", Path(__file__).name],
            capture_output=True,
            check=False,
        )
        described = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return described.stdout.strip() or None if tracked.returncode == 0 and described.returncode == 0 else None
