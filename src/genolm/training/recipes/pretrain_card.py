"""Card of a pretrained model."""

from __future__ import annotations

from dataclasses import replace

from genolm.models.card import Card
from genolm.training.feeds.tokenisation import Tokenisation
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.recipes.start_model import StartModel
from genolm.training.trainer.release import Lines, held_out_metrics, last_step, release_precision, training_record
from genolm.training.trainer.schedule import tokens_until


def pretrain_card(
    recipe: Recipe, tokens: Tokenisation, log: Lines, processes: int, start: StartModel | None = None
) -> Card:
    """Return the card of a model.

    Args:
        recipe: recipe of the run.
        tokens: tokenisation of the run.
        log: reports up to the released weights.
        processes: number of processes of the run.
        start: model that the run started from.
    """
    regions = "; ".join(f"{name}: {', '.join(texts)}" for name, texts in recipe.corpus.regions().items())
    notes = (recipe.card.strip(), f"Held out of training: {regions}." if regions else "")
    begin, end = tokens.special_tokens
    card = Card(
        name=recipe.name,
        family="genolm",
        context=recipe.context,
        precision=str(release_precision(recipe)).removeprefix("torch."),
        licence="Apache-2.0",
        source=f"genolm pretrain {recipe.name}",
        notes=tuple(note for note in notes if note),
        objective=recipe.objective,
        begin=begin,
        end=end,
        metrics={
            "training_tokens": tokens_until(last_step(log), recipe),
            **held_out_metrics(log),
            **_baseline(log),
        },
        training=training_record(recipe, recipe.settings(), log, processes),
    )
    return card if start is None else _continued(card, start)


def _continued(card: Card, start: StartModel) -> Card:
    """Return the card of a model that was trained further; family, licence and tokens are those of its start."""
    old = start.model.card
    return replace(
        card,
        family=old.family,
        context=max(card.context, old.context),
        layer=old.layer,
        pooling=old.pooling,
        begin=old.begin,
        end=old.end,
        licence=old.licence,
        source=f"genolm pretrain {card.name}, from {old.name} ({start.name})",
        citation=old.citation,
        notes=(*card.notes, f"Continued pretraining of {old.name}."),
        training={**card.training, "start": {"name": old.name, "sha256": start.sha256}},
    )


def _baseline(log: Lines) -> dict[str, float]:
    """Return the held-out bits per base of token frequencies alone, by split."""
    found = [line["frequency_bits_per_base"] for line in log if "frequency_bits_per_base" in line]
    return {f"{split}_bits_per_base_by_frequency": value for split, value in found[-1].items()} if found else {}
