"""Pretraining recipe: all settings of a run in one YAML file."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from genolm.errors import InputError
from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import BlockSparseConfig, EncoderConfig
from genolm.models.networks.network_config import NetworkConfig
from genolm.training.corpus.corpus_recipe import CorpusRecipe
from genolm.training.corpus.haplotypes import HaplotypeRecipe
from genolm.training.objectives.masking import MaskingRecipe
from genolm.training.recipe_file import fill, read_mapping, shipped_recipes
from genolm.training.recipes.plan_keys import read_plan
from genolm.training.recipes.start_model import start_config
from genolm.training.trainer.run_folder import RunSettings
from genolm.training.trainer.training_plan import OptimizerRecipe, Stage, TrainingPlan, check_choice

__all__ = [
    "CorpusRecipe",
    "HaplotypeRecipe",
    "MaskingRecipe",
    "OptimizerRecipe",
    "Recipe",
    "Stage",
    "shipped_recipes",
]


@dataclass(frozen=True)
class Recipe(TrainingPlan):
    """Recipe of a pretraining run: a training plan with a network, a corpus and an objective.

    Attributes:
        name: name of the model.
        model: config of a decoder or an encoder.
        corpus: training data and its splits.
        objective: ``causal`` (next tokens) for a decoder, ``masked`` (masked tokens) for an encoder.
        tokenizer: byte-pair vocabulary: path of its folder or ``tokenizer.json`` (environment variables are expanded),
            or name of a published one; empty for one base per token.
        masking: masking of rows, for the objective ``masked``.
        haplotypes: individuals whose alleles are read into the training sequence; None for the sequence as it is.
        start: model to start from (continued pretraining): name, folder or hub id. ``model`` is then its config, and
            the tokens are its own; empty to start from random weights.
    """

    name: str
    model: DecoderConfig | EncoderConfig
    corpus: CorpusRecipe
    objective: str = "causal"
    tokenizer: str = ""
    masking: MaskingRecipe | None = None
    haplotypes: HaplotypeRecipe | None = None
    start: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("objective", self.objective, ("causal", "masked"))
        if self.start and self.tokenizer:
            raise InputError(
                "the tokens are those of start: remove the tokenizer from the recipe", value=self.tokenizer
            )
        if isinstance(self.model, EncoderConfig):
            self._check_encoder(self.model)
        else:
            self._check_decoder(self.model)
        for stage in self.all_stages:
            if stage.context > self.model.max_positions:
                limit = self.model.max_positions
                raise InputError(f"context must not exceed the model's max_positions ({limit})", value=stage.context)

    def _check_encoder(self, model: EncoderConfig) -> None:
        if self.objective == "causal":
            raise InputError("encoders require objective: masked", value=self.objective)
        if not model.masked_head:
            raise InputError("masked_head must be true for the masked objective", value=False)
        if not self.start and (model.pooler != "none" or model.labels):
            raise InputError("the masked objective does not train a pooler or labels: remove them from the model")
        for stage in self.all_stages:
            if stage.context_parallel > 1:
                raise InputError("context_parallel is available for decoders only", value=stage.context_parallel)
            if stage.context < 3:
                raise InputError("context must be at least 3: two special tokens and one more", value=stage.context)

    def _check_decoder(self, model: DecoderConfig) -> None:
        if self.objective == "masked":
            raise InputError("decoders require objective: causal", value="masked")
        if self.masking is not None:
            raise InputError("masking requires objective: masked")
        if self.tokenizer and (model.kmer_orders or model.gengram):
            raise InputError("k-mer memories require one base per token: remove the tokenizer from the recipe")

    @classmethod
    def load(cls, source: str | Path) -> Recipe:
        """Read a recipe from a YAML file, or a shipped recipe by name.

        Raises:
            InputError: the file does not exist or is not YAML, a key is unknown or missing, or a value is invalid.
        """
        path, values = read_mapping(source)
        return _build(path, values)

    def settings(self) -> RunSettings:
        """Return the settings that identify a run of this recipe."""
        built = {"built_corpus": self.corpus.manifest_sha256()} if self.corpus.built else {}
        return RunSettings.of(self, built)


def _build(path: Path, values: dict[str, Any]) -> Recipe:
    values = dict(values)
    parts: dict[str, Any] = {}
    if values.get("start"):
        parts["model"] = _start_model(path, values)
    elif "model" in values:
        parts["model"] = _read_model(path, values.pop("model"), str(values.get("objective", "causal")))
    for key, kind in _PARTS.items():
        if key in values and (values[key] is not None or key not in _OPTIONAL_PARTS):
            parts[key] = fill(path, key, kind, values.pop(key))
    recipe: Recipe = fill(path, "recipe", Recipe, {**read_plan(path, values), **parts})
    return recipe


def _start_model(path: Path, values: dict[str, Any]) -> NetworkConfig:
    """Return the config of the model that a recipe starts from; the default objective becomes that of its network."""
    for key in ("model", "tokenizer"):
        if values.pop(key, None):
            raise InputError(f"{key} is that of start: remove it from the recipe", file=path, value=key)
    if not isinstance(values["start"], str):
        raise InputError("start must be the name or folder of a model", file=path, value=values["start"])
    try:
        config = start_config(values["start"])
    except InputError as error:
        raise error.at(file=path) from None
    values.setdefault("objective", "causal" if config.causal else "masked")
    return config


_PARTS: dict[str, type[Any]] = {"corpus": CorpusRecipe, "masking": MaskingRecipe, "haplotypes": HaplotypeRecipe}
_OPTIONAL_PARTS = ("masking", "haplotypes")
"""Keys of a recipe that may be empty."""


def _read_model(path: Path, values: Any, objective: str) -> Any:
    """Return the config of the network type with these keys; if both or none match, that of the objective."""
    kind: type[Any] = EncoderConfig if objective == "masked" else DecoderConfig
    if isinstance(values, dict):
        kinds: tuple[type[Any], ...] = (DecoderConfig, EncoderConfig)
        matching = [candidate for candidate in kinds if set(values) <= _keys(candidate)]
        complete = [candidate for candidate in matching if _keys(candidate, required=True) <= set(values)]
        for candidates in (matching, complete):
            kind = candidates[0] if len(candidates) == 1 else kind
        for key, inner in (("gengram", GengramConfig), ("sparse", BlockSparseConfig)):
            if key in _keys(kind) and values.get(key) is not None:
                values = {**values, key: fill(path, key, inner, values[key])}
    return fill(path, "model", kind, values)


def _keys(kind: type[Any], required: bool = False) -> set[str]:
    """Return the field names of a dataclass, optionally only those without a default."""
    return {item.name for item in fields(kind) if not required or item.default is MISSING}
