"""A pretraining recipe: every number of a run in one YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genolm.errors import InputError
from genolm.models.config import DecoderConfig
from genolm.training.corpus.recipe import CorpusRecipe
from genolm.training.recipe_file import fill, read_mapping, shipped_recipes

__all__ = ["CorpusRecipe", "OptimizerRecipe", "Recipe", "shipped_recipes"]


@dataclass(frozen=True, slots=True)
class OptimizerRecipe:
    """AdamW with a linear warm-up and a cosine to ``final_fraction`` of the peak.

    Attributes:
        learning_rate: peak.
        kmer_rate_factor: the k-mer table's learning rate relative to that; the table has no weight decay.
        warmup_steps: linear from zero.
        final_fraction: last learning rate over the peak.
        weight_decay: on matrices only.
        betas: of AdamW.
        clip: largest gradient norm.
    """

    learning_rate: float = 1e-3
    kmer_rate_factor: float = 2.0
    warmup_steps: int = 100
    final_fraction: float = 0.05
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """One pretraining run.

    Attributes:
        name: what the model will be called.
        model: the decoder's config.
        corpus: the data and its splits.
        optimizer: how weights move.
        context: tokens a row predicts from.
        batch_rows: rows of one step.
        steps: optimizer steps of the whole run.
        precision: ``auto`` (bf16 where the device multiplies it natively), ``bf16`` or ``fp32``.
        seed: of weights, order, phases and strands.
        evaluate_every: steps between held-out evaluations.
        evaluate_windows: windows of each held-out split in those.
        checkpoint_every: steps between checkpoints.
        card: free text for the model card.
    """

    name: str
    model: DecoderConfig
    corpus: CorpusRecipe
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    context: int = 1024
    batch_rows: int = 16
    steps: int = 1000
    precision: str = "auto"
    seed: int = 0
    evaluate_every: int = 200
    evaluate_windows: int = 64
    checkpoint_every: int = 100
    card: str = ""

    def __post_init__(self) -> None:
        for name in ("context", "batch_rows", "steps", "evaluate_every", "evaluate_windows", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1", value=getattr(self, name))
        if self.precision not in ("auto", "bf16", "fp32"):
            raise InputError("precision is auto, bf16 or fp32", value=self.precision)

    @classmethod
    def load(cls, source: str | Path) -> Recipe:
        """Read a recipe from a YAML file, or a shipped one by its name.

        Raises:
            InputError: for a file that is not there or not YAML, an unknown or missing key, a wrong value.
        """
        path, values = read_mapping(source)
        return _build(path, values)


def _build(path: Path, values: dict[str, Any]) -> Recipe:
    values = dict(values)
    parts: dict[str, Any] = {}
    for key, kind in (("model", DecoderConfig), ("corpus", CorpusRecipe), ("optimizer", OptimizerRecipe)):
        if key in values:
            parts[key] = fill(path, key, kind, values.pop(key))
    recipe: Recipe = fill(path, "recipe", Recipe, {**values, **parts})
    return recipe
