"""Card of a pretrained model."""

from __future__ import annotations

from genolm.models.card import Card
from genolm.training.feeds.tokenisation import Tokenisation
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.trainer.release import Lines, held_out_metrics, last_step, release_precision, training_record
from genolm.training.trainer.schedule import tokens_until


def pretrain_card(recipe: Recipe, tokens: Tokenisation, log: Lines, processes: int) -> Card:
    """Return the card of a model.

    Args:
        recipe: recipe of the run.
        tokens: tokenisation of the run.
        log: reports up to the released weights.
        processes: number of processes of the run.
    """
    regions = "; ".join(f"{name}: {', '.join(texts)}" for name, texts in recipe.corpus.regions().items())
    notes = (recipe.card.strip(), f"Held out of training: {regions}." if regions else "")
    begin, end = tokens.special_tokens
    return Card(
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


def _baseline(log: Lines) -> dict[str, float]:
    """Return the held-out bits per base of token frequencies alone, by split."""
    found = [line["frequency_bits_per_base"] for line in log if "frequency_bits_per_base" in line]
    return {f"{split}_bits_per_base_by_frequency": value for split, value in found[-1].items()} if found else {}
