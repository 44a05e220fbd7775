"""Fine-tuning recipe: a training plan with a model to start from, what is trained, and labelled data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genolm.errors import InputError, ModelError
from genolm.models.heads.head_config import HeadConfig, LabelHeadConfig, TrackHeadConfig, head_from_json, head_to_json
from genolm.models.lora.lora_config import LoraConfig
from genolm.training.feeds.chats import ChatRecipe
from genolm.training.feeds.label_table import TableRecipe
from genolm.training.feeds.track_windows import TrackRecipe
from genolm.training.objectives.label_weights import ClassWeights, check_class_weights
from genolm.training.objectives.tracks import TRACK_LOSSES
from genolm.training.recipe_file import fill, read_mapping
from genolm.training.recipes.plan_keys import read_plan
from genolm.training.trainer.run_folder import RunSettings
from genolm.training.trainer.training_plan import TrainingPlan, check_choice

_DATA: Mapping[str, type[Any]] = {"labels": TableRecipe, "tracks": TrackRecipe, "answers": ChatRecipe}
"""Data of each objective."""

_HEADS: Mapping[str, type[Any]] = {"labels": LabelHeadConfig, "tracks": TrackHeadConfig}
"""Head of each objective that has one."""


@dataclass(frozen=True)
class FinetuneRecipe(TrainingPlan):
    """Recipe of a fine-tuning run.

    Attributes:
        name: name of the model.
        start: model to start from: name, folder or hub id; environment variables are expanded.
        objective: ``labels`` (of sequences or bases), ``tracks`` (a value for every base) or ``answers`` (those of
            conversations).
        data: training and held-out data.
        heads: the head that is trained, by its name; none for ``answers``. If the start has a head of this name, its
            weights are trained further.
        trainable: ``all``, ``heads`` (the backbone is frozen) or ``lora`` (low-rank updates and the head).
        lora: low-rank updates; None without.
        loss: loss of tracks: ``mse`` or ``poisson``.
        class_weights: of labels: ``balanced``, or a weight for each label; None: 1.
        focal: of labels: exponent of the focal loss; 0: none.
    """

    name: str
    start: str
    objective: str
    data: TableRecipe | TrackRecipe | ChatRecipe
    heads: Mapping[str, HeadConfig]
    trainable: str = "all"
    lora: LoraConfig | None = None
    loss: str = "mse"
    class_weights: ClassWeights | None = None
    focal: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("objective", self.objective, tuple(_DATA))
        check_choice("trainable", self.trainable, ("all", "heads", "lora"))
        check_choice("loss", self.loss, tuple(TRACK_LOSSES))
        if (self.trainable == "lora") != (self.lora is not None):
            raise InputError("trainable: lora and the settings lora belong together", value=self.trainable)
        if any(stage.context_parallel > 1 for stage in self.all_stages):
            raise InputError("context_parallel is available for pretraining only")
        self._check_heads()
        self._check_weights()

    def _check_heads(self) -> None:
        expected = _HEADS.get(self.objective)
        if expected is None:
            if self.heads or self.trainable == "heads":
                raise InputError("the objective answers trains no head", value=list(self.heads))
            return
        if len(self.heads) != 1:
            raise InputError("heads must have exactly one head", value=list(self.heads))
        if not isinstance(self.head, expected):
            raise InputError(f"the objective {self.objective} requires a head of the kind {self.objective}")

    def _check_weights(self) -> None:
        if self.class_weights is None and not self.focal:
            return
        head = next(iter(self.heads.values()), None)
        if not isinstance(head, LabelHeadConfig) or head.task == "regression":
            raise InputError("class_weights and focal require a head of classes or several labels")
        if not 0 <= self.focal < float("inf"):
            raise InputError("focal must not be negative", value=self.focal)
        if self.class_weights is not None:
            check_class_weights(self.class_weights, head)

    @property
    def head(self) -> HeadConfig:
        """Config of the head that is trained."""
        return next(iter(self.heads.values()))

    @property
    def head_name(self) -> str:
        """Name of the head that is trained."""
        return next(iter(self.heads))

    @classmethod
    def load(cls, source: str | Path) -> FinetuneRecipe:
        """Read a recipe from a YAML file.

        Raises:
            InputError: the file does not exist or is not YAML, a key is unknown or missing, or a value is invalid.
        """
        path, values = read_mapping(source, shipped=False)
        values = read_plan(path, values)
        kind = _DATA.get(str(values.get("objective")))
        if kind is not None and "data" in values:
            values["data"] = fill(path, "data", kind, values["data"])
        values["heads"] = _read_heads(path, values.get("heads") or {})
        if values.get("lora") is not None:
            values["lora"] = fill(path, "lora", LoraConfig, values["lora"])
        recipe: FinetuneRecipe = fill(path, "recipe", cls, values)
        return recipe

    def settings(self) -> RunSettings:
        """Return the settings that identify a run of this recipe."""
        return RunSettings.of(self, {"heads": {name: head_to_json(head) for name, head in self.heads.items()}})


def _read_heads(path: Path, values: Any) -> dict[str, HeadConfig]:
    if not isinstance(values, dict):
        raise InputError("heads must be a mapping of names", file=path, value=values)
    try:
        return {str(name): head_from_json(head, f"head {name}") for name, head in values.items()}
    except ModelError as error:
        raise InputError(str(error), file=path) from None
