"""A pretraining recipe: every number of a run in one YAML file."""

from __future__ import annotations

import os
import re
from dataclasses import MISSING, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from genolm.errors import InputError, ModelError
from genolm.genome.interval import Interval
from genolm.models.config import DecoderConfig

_INTERVAL = re.compile(r".+:[\d,]+-[\d,]+(:[+-])?")


@dataclass(frozen=True, slots=True)
class CorpusRecipe:
    """Which bases are learned from, and which are kept away.

    Attributes:
        fasta: FASTA files, bgzip or plain; environment variables are expanded.
        held_out: regions that never enter training, as contig names or browser intervals, one list for each split.
        skip: contigs or intervals that belong to no split (overlaps, other builds of held-out sequence).
        min_run: shortest run of ACGT that is used, in bases.
        leak_fraction: a piece of training sequence is dropped when more than this share of its 28-mers stands in the
            held-out sequence.
    """

    fasta: tuple[str, ...]
    held_out: dict[str, tuple[str, ...]]
    skip: tuple[str, ...] = ()
    min_run: int = 200
    leak_fraction: float = 0.5

    def paths(self) -> tuple[Path, ...]:
        """The FASTA files; an InputError for one that is not there."""
        found = tuple(Path(os.path.expandvars(name)) for name in self.fasta)
        for path in found:
            if not path.is_file():
                raise InputError("the recipe's FASTA is not there", file=path)
        return found


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
        path = _recipe_path(source)
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            raise InputError("not UTF-8 text", file=path) from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            raise InputError("not valid YAML", file=path, line=mark.line + 1 if mark else None) from error
        if not isinstance(values, dict):
            raise InputError("a recipe is a YAML mapping", file=path, value=values)
        return _build(path, values)


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = Path(str(resources.files("genolm.training") / "recipes"))
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _recipe_path(source: str | Path) -> Path:
    path = Path(source)
    if path.is_file():
        return path
    if str(source) in shipped_recipes():
        return Path(str(resources.files("genolm.training") / "recipes" / f"{source}.yaml"))
    known = ", ".join(shipped_recipes())
    raise InputError(f"no such recipe file, and not one of the shipped recipes: {known}", value=str(source))


def _build(path: Path, values: dict[str, Any]) -> Recipe:
    values = dict(values)
    parts: dict[str, Any] = {}
    for key, kind in (("model", DecoderConfig), ("corpus", CorpusRecipe), ("optimizer", OptimizerRecipe)):
        if key in values:
            parts[key] = _fill(path, key, kind, values.pop(key))
    recipe: Recipe = _fill(path, "recipe", Recipe, {**values, **parts})
    return recipe


def _fill(path: Path, where: str, kind: type[Any], values: Any) -> Any:
    if not isinstance(values, dict):
        raise InputError(f"{where} is a mapping", file=path, value=values)
    known = {item.name for item in fields(kind)}
    for key in values:
        if key not in known:
            raise InputError(f"unknown key in {where}; it has {', '.join(sorted(known))}", file=path, value=key)
    for item in fields(kind):
        if item.name not in values and item.default is MISSING and item.default_factory is MISSING:
            raise InputError(f"{where} lacks the key {item.name}", file=path)
        if item.name in values and not isinstance(values[item.name], _TYPES.get(str(item.type), object)):
            raise InputError(f"{item.name} in {where} must be of type {item.type}", file=path, value=values[item.name])
    try:
        return kind(**{key: _frozen(value) for key, value in values.items()})
    except InputError as error:
        raise InputError(error.message, file=path, value=error.value) from None
    except (TypeError, ModelError) as error:
        raise InputError(f"{where}: {str(error).split('__init__() ')[-1]}", file=path) from error


_TYPES: dict[str, Any] = {"int": int, "float": int | float, "str": str, "bool": bool}
"""What YAML may hold for a field of each plain type."""


def _frozen(value: Any) -> Any:
    """Lists as tuples all the way down, so that a recipe cannot change."""
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value


def parse_regions(texts: tuple[str, ...]) -> list[Interval | str]:
    """Contig names and browser intervals (``chr1:1-1,000,000``); text that could be either counts as both."""
    regions: list[Interval | str] = list(texts)
    return regions + [Interval.parse(text) for text in texts if _INTERVAL.fullmatch(text)]
