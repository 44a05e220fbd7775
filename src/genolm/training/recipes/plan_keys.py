"""Keys of a recipe file that belong to its training plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from genolm.errors import InputError
from genolm.training.recipe_file import fill
from genolm.training.trainer.training_plan import OptimizerRecipe, Stage, with_stages


def read_plan(path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a recipe with its optimizer and stages read; others are unchanged.

    Args:
        path: file of the recipe, for messages.
        values: mapping of the file.

    Raises:
        InputError: the optimizer or a stage is invalid, or stages are contradicted by keys of the recipe.
    """
    values = dict(values)
    if "optimizer" in values:
        values["optimizer"] = fill(path, "optimizer", OptimizerRecipe, values["optimizer"])
    if "stages" not in values:
        return values
    listed = values.pop("stages")
    if not isinstance(listed, list) or not listed:
        raise InputError("stages must be a list of mappings", file=path, value=listed)
    for item in fields(Stage):
        if item.name in values:
            raise InputError("a recipe with stages must set this in each stage", file=path, value=item.name)
    stages = tuple(fill(path, f"stage {number}", Stage, stage) for number, stage in enumerate(listed, 1))
    return with_stages(values, stages)
