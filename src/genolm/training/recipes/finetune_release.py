"""Release of a fine-tuned model with its heads, or of an adapter."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from genolm.models.card import Card
from genolm.models.checkpoints.adapter_folder import write_adapter
from genolm.models.checkpoints.convert import save
from genolm.models.heads.head_config import HeadConfig
from genolm.models.heads.headed_network import Head, HeadedNetwork, build_head
from genolm.models.lora.lora_linear import add_lora
from genolm.models.model import Model
from genolm.models.networks.network import load_tensors, make_network
from genolm.training.recipes.finetune_recipe import FinetuneRecipe
from genolm.training.recipes.start_model import StartModel
from genolm.training.trainer.release import (
    Lines,
    held_out_metrics,
    release_precision,
    restored_network,
    training_record,
)

_BACKBONE, _HEADS = "backbone.", "heads."


def release_model(
    folder: Path,
    recipe: FinetuneRecipe,
    start: StartModel,
    heads: Mapping[str, HeadConfig],
    weights: Mapping[str, Tensor],
    log: Lines,
    processes: int,
) -> None:
    """Write the backbone in the precision of the release and its heads in fp32, replacing an earlier release.

    Other heads of the start are kept if the backbone was frozen, and left out otherwise: they do not fit its weights.

    Args:
        folder: folder of the model.
        recipe: recipe of the run.
        start: model that the run started from.
        heads: configs of the trained heads.
        weights: tensors of the network with heads.
        log: reports up to these weights.
        processes: number of processes of the run.
    """
    tokenizer = start.model.tokenizer
    network = restored_network(start.model.config, _within(weights, _BACKBONE), tokenizer)
    kept = dict(start.model.added_heads) if recipe.trainable == "heads" else {}
    trained = _heads(heads, start, weights)
    precision = str(release_precision(recipe)).removeprefix("torch.")
    card = replace(_card(recipe, start, log, processes), precision=precision, heads={})
    shutil.rmtree(folder, ignore_errors=True)
    save(Model(network, tokenizer, card, heads={**kept, **trained}), folder)


def release_adapter(
    folder: Path,
    recipe: FinetuneRecipe,
    start: StartModel,
    heads: Mapping[str, HeadConfig],
    weights: Mapping[str, Tensor],
    log: Lines,
    processes: int,
) -> None:
    """Write the low-rank updates and the heads in fp32, in the layout of PEFT; arguments as for `release_model`."""
    assert recipe.lora is not None
    tokenizer = start.model.tokenizer
    backbone = make_network(start.model.config, tokenizer.base_ids, tokenizer.n_id)
    network = add_lora(HeadedNetwork(backbone, _heads(heads, start, weights), tokenizer), recipe.lora)
    load_tensors(network, weights, str(folder))
    card = replace(_card(recipe, start, log, processes), base_sha256=start.sha256, heads={})
    shutil.rmtree(folder, ignore_errors=True)
    write_adapter(folder, network, recipe.lora, card, start.model.origin or start.name)


def _heads(heads: Mapping[str, HeadConfig], start: StartModel, weights: Mapping[str, Tensor]) -> dict[str, Head]:
    found = {}
    for name, config in heads.items():
        head = build_head(config, start.model.config)
        load_tensors(head, _within(weights, f"{_HEADS}{name}."), f"head {name}")
        found[name] = head.eval()
    return found


def _within(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def _card(recipe: FinetuneRecipe, start: StartModel, log: Lines, processes: int) -> Card:
    old = start.model.card
    record = training_record(recipe, recipe.settings(), log, processes)
    notes = (f"Fine-tuned from {old.name} on {recipe.objective}.", recipe.card.strip())
    return replace(
        old,
        name=recipe.name,
        sha256=None,
        source=f"fine-tuned from {old.name} ({start.name})",
        notes=tuple(note for note in notes if note),
        metrics=held_out_metrics(log),
        training={**record, "start": {"name": old.name, "sha256": start.sha256}},
    )
