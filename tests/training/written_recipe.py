"""A recipe as a YAML file, for processes that a test starts."""

import json
from dataclasses import asdict, fields
from pathlib import Path

import yaml

from genolm.training.recipes.pretrain_recipe import Recipe, Stage


def write_recipe(recipe: Recipe, path: Path) -> Path:
    values = json.loads(json.dumps(asdict(recipe)))
    for name in [item.name for item in fields(Stage)] if recipe.stages else ["stages"]:
        del values[name]
    path.write_text(yaml.safe_dump(values))
    assert Recipe.load(path) == recipe
    return path
