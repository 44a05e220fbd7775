"""Fine-tuning of a model on labels, tracks or answers from a recipe, with bit-exact resume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from torch import Tensor

from genolm.errors import InputError, ModelError
from genolm.models.checkpoints.adapter_folder import is_adapter
from genolm.models.heads.head_config import HeadConfig, LabelHeadConfig, TrackHeadConfig
from genolm.models.heads.headed_network import Head, HeadedNetwork, build_head
from genolm.models.lora.lora_linear import add_lora
from genolm.models.networks.network import Network
from genolm.parameters import Count, OutputFolder, PythonOnly
from genolm.training.feeds.chats import ChatFeed, ChatRecipe
from genolm.training.feeds.label_table import LabelFeed, TableRecipe
from genolm.training.feeds.track_windows import TrackFeed, TrackRecipe
from genolm.training.objectives.answers import AnswerObjective
from genolm.training.objectives.label_weights import label_weights
from genolm.training.objectives.labels import LabelObjective
from genolm.training.objectives.tracks import TrackObjective
from genolm.training.recipes.finetune_recipe import FinetuneRecipe
from genolm.training.recipes.finetune_release import release_adapter, release_model
from genolm.training.recipes.start_model import StartModel
from genolm.training.trainer.objective import Feed, Objective
from genolm.training.trainer.release import Lines
from genolm.training.trainer.run_folder import Listener
from genolm.training.trainer.training_loop import Trainer, started_network, uses_bf16
from genolm.training.trainer.training_run import run_training
from genolm.training.trainer.workers import Workers
from genolm.verbs import verb


@verb(example="genolm finetune recipe.yaml run")
def finetune(
    recipe: FinetuneRecipe | str | Path,
    out: OutputFolder,
    *,
    resume: bool = False,
    steps: Count | None = None,
    log: Annotated[Listener | None, PythonOnly()] = None,
) -> Path:
    """Fine-tune a model on labels, tracks or conversations.

    The recipe says what is trained: a head with the complete model, with low-rank updates (LoRA), or alone.

    ``out`` receives ``log.jsonl``, ``checkpoints/`` and, at the end, ``model/``: a model with its head, or an adapter.
    Interruption, resume and processes are those of :func:`genolm.pretrain`.

    Args:
        recipe: Fine-tuning recipe, a YAML file.
        out: Folder of the run: log, checkpoints and trained model.
        resume: Resume from the last checkpoint in the folder.
        steps: Stop after this many steps; the learning-rate schedule is unchanged. Default: the recipe's steps.
        log: function that receives every report as a mapping.

    Returns:
        Path of the folder of the model or adapter.

    Raises:
        InputError: the recipe, its start or its data are invalid.
        RunError: as for :func:`genolm.pretrain`.
        KeyboardInterrupt: the run was asked to stop; raised after the checkpoint.
    """
    recipe = recipe if isinstance(recipe, FinetuneRecipe) else FinetuneRecipe.load(recipe)
    read = partial(FinetuningTask, recipe)
    return run_training(recipe, recipe.settings(), read, Path(out), resume=resume, steps=steps, listener=log)


class FinetuningTask:
    """Data of a run, and what it trains.

    Args:
        recipe: recipe of the run.

    Attributes:
        start: model that the run starts from.
        feed: rows of every step.
        heads: config of the trained head by its name.
        digest: SHA-256 of the data, and of the weights that the run starts from.

    Raises:
        InputError: the start or the data are invalid, or the head does not fit the start.
    """

    def __init__(self, recipe: FinetuneRecipe) -> None:
        self.recipe, self.start = recipe, StartModel.read(recipe.start)
        model = self.start.model
        for stage in recipe.all_stages:
            if stage.context > model.config.max_positions:
                limit = model.config.max_positions
                raise InputError(f"context must not exceed the start's max_positions ({limit})", value=stage.context)
        if recipe.lora is not None and is_adapter(Path(model.origin or "")):
            raise InputError(
                "the recipe's start is an adapter, which cannot be the base of another one; merge it first, with"
                " genolm convert",
                value=recipe.start,
            )
        if recipe.objective == "answers" and not model.causal:
            raise InputError("the objective answers requires a causal start", value=recipe.start)
        self.feed, self.heads = self._read_data()
        self.digest = self.start.digest_with(self.feed.digest)  # now, because training changes the weights of the start
        self._weights = self._label_weights()
        self._network = self._make_network()

    def trainer(self, out: Path, workers: Workers, listener: Listener | None = None) -> Trainer:
        """Return the trainer of the run.

        Args:
            out: folder of the run.
            workers: processes of the run.
            listener: function that receives every report.
        """
        recipe = self.recipe
        network = started_network(self._network, recipe, workers)
        objective = self._objective(workers)
        settings = recipe.settings()
        return Trainer(recipe.name, recipe, settings, network, {1: objective}, self.feed, out, workers, listener)

    def first_report(self, trainer: Trainer) -> dict[str, int]:
        """Return the number of trained weights."""
        return {"trained_weights": sum(weight.numel() for weight in trainer.optimizer.weights())}

    def release(self, folder: Path, weights: Mapping[str, Tensor], log: Lines, processes: int) -> None:
        """Write the model with its heads, or an adapter with them."""
        release = release_model if self.recipe.lora is None else release_adapter
        release(folder, self.recipe, self.start, self.heads, weights, log, processes)

    def _read_data(self) -> tuple[Feed, dict[str, HeadConfig]]:
        """Return the feed, and the config of the trained head, to which its tracks may have added their means."""
        recipe, model = self.recipe, self.start.model
        if isinstance(recipe.data, ChatRecipe):
            return ChatFeed(recipe.data, recipe, model), {}
        head = self._head_config()
        if isinstance(recipe.data, TableRecipe):
            assert isinstance(head, LabelHeadConfig)
            return LabelFeed(recipe.data, recipe, model, head), {recipe.head_name: head}
        assert isinstance(recipe.data, TrackRecipe) and isinstance(head, TrackHeadConfig)
        tracks = TrackFeed(recipe.data, recipe, model, head)
        return tracks, {recipe.head_name: tracks.head}

    def _head_config(self) -> HeadConfig:
        """Return the config of the trained head; that of a head of the start has the means of its tracks."""
        head, known = self.recipe.head, self.start.model.added_heads.get(self.recipe.head_name)
        if known is None or not isinstance(head, TrackHeadConfig) or not isinstance(known.config, TrackHeadConfig):
            return head
        return known.config if replace(known.config, means=(), squashed=()) == head else head

    def _label_weights(self) -> list[float] | None:
        """Return the weight of each label in the loss; None if all are 1."""
        head = next(iter(self.heads.values()), None)
        if self.recipe.class_weights is None or not isinstance(head, LabelHeadConfig):
            return None
        assert isinstance(self.feed, LabelFeed)
        return label_weights(self.recipe.class_weights, head, *self.feed.present())

    def _objective(self, workers: Workers) -> Objective:
        device, bf16 = workers.device, uses_bf16(self.recipe, workers.device)
        for name, head in self.heads.items():
            if isinstance(head, TrackHeadConfig):
                return TrackObjective(name, head, self.recipe.loss, device, bf16)
            assert isinstance(head, LabelHeadConfig)
            return LabelObjective(name, head, device, bf16, self._weights, self.recipe.focal)
        return AnswerObjective(device, bf16)

    def _make_network(self) -> HeadedNetwork:
        """Return the backbone with the head that is trained; what is not trained is frozen."""
        backbone = self.start.model.network
        try:
            heads = {name: self._head(name, config) for name, config in self.heads.items()}
            network = HeadedNetwork(backbone, heads, self.start.model.tokenizer)
            if self.recipe.lora is not None:
                return add_lora(network, self.recipe.lora, self.recipe.seed)
        except ModelError as error:
            raise InputError(f"the recipe's head or lora does not fit its start: {error}") from None
        if self.recipe.trainable == "heads":
            backbone.requires_grad_(False)
        elif heads:
            _freeze_built_in_heads(backbone)
        return network

    def _head(self, name: str, config: HeadConfig) -> Head:
        """Return the head of the start of this name, or a new one."""
        known = self.start.model.added_heads.get(name)
        if known is None:
            return build_head(config, self.start.model.config, self.recipe.seed)
        if known.config != config:
            raise InputError("the start has a head of this name with another config", value=name)
        return known.float()


def _freeze_built_in_heads(backbone: Network) -> None:
    """Freeze the heads of the backbone, which the loss of an added head does not reach."""
    tied = backbone.config.causal and backbone.head.weight is backbone.embedding.weight  # type: ignore[union-attr]
    for name in ("head", "pooler", "sentence", "classifier"):
        module = getattr(backbone, name, None)
        if module is not None and not (name == "head" and tied):
            module.requires_grad_(False)
