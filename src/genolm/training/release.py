"""A trained network as a model folder that :func:`genolm.load` reads."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from genolm.models.card import Card
from genolm.models.conversion import save
from genolm.models.decoder import Decoder
from genolm.models.model import Model
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.recipe import Recipe


def write_model(
    folder: Path, network: Decoder, tokenizer: NucleotideTokenizer, recipe: Recipe, log: Sequence[dict[str, Any]]
) -> Path:
    """Write the network in bf16 with its card, replacing what an earlier end of the same run left in ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    stored = deepcopy(network).to(torch.bfloat16)
    return save(Model(stored, NucleotideTokenizer(tokenizer.symbols), _card(recipe, log)), folder)


def _card(recipe: Recipe, log: Sequence[dict[str, Any]]) -> Card:
    evaluated = [line for line in log if "held_out_bits_per_base" in line]
    bits = evaluated[-1]["held_out_bits_per_base"] if evaluated else {}
    steps = max((line["step"] for line in log), default=0)
    tokens = steps * recipe.batch_rows * recipe.context
    regions = "; ".join(f"{name}: {', '.join(texts)}" for name, texts in recipe.corpus.held_out.items())
    return Card(
        name=recipe.name,
        family="genolm",
        context=recipe.context,
        precision="bfloat16",
        licence="Apache-2.0",
        source=f"genolm pretrain {recipe.name}",
        notes=tuple(note for note in (recipe.card.strip(), f"Held out of training: {regions}.") if note),
        metrics={"training_tokens": tokens, **{f"{name}_bits_per_base": value for name, value in bits.items()}},
    )
