"""Pretraining of a decoder or an encoder from a recipe, on one or many processes, with bit-exact resume."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from torch import Tensor

from genolm.errors import InputError
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.network import Network, make_network
from genolm.parameters import Count, OutputFolder, PythonOnly
from genolm.training.corpus import load_corpus
from genolm.training.corpus.haplotypes import read_haplotypes
from genolm.training.feeds.corpus_feed import CorpusFeed
from genolm.training.feeds.tokenisation import Tokenisation
from genolm.training.objectives.next_token import next_base_loss
from genolm.training.objectives.token_prediction import CausalObjective, MaskedObjective, TokenPrediction
from genolm.training.recipes.pretrain_card import pretrain_card
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.recipes.recipe_tokens import corpus_tokenizer, tokenisation_of
from genolm.training.recipes.start_model import StartModel
from genolm.training.trainer.release import Lines, write_model
from genolm.training.trainer.run_folder import Listener
from genolm.training.trainer.schedule import schedule
from genolm.training.trainer.training_loop import Trainer, initial_network, started_network, uses_bf16
from genolm.training.trainer.training_run import run_training
from genolm.training.trainer.workers import Workers
from genolm.verbs import verb

__all__ = ["next_base_loss", "pretrain", "schedule"]


@verb(example="genolm pretrain recipe.yaml run")
def pretrain(
    recipe: Recipe | str | Path,
    out: OutputFolder,
    *,
    resume: bool = False,
    steps: Count | None = None,
    log: Annotated[Listener | None, PythonOnly()] = None,
) -> Path:
    """Pretrain a model from a recipe.

    For several GPUs or nodes, start it with torchrun.

    Decoders are trained on next tokens, encoders on masked ones. ``out`` receives ``log.jsonl`` (a line per report),
    ``checkpoints/`` and, at the end, ``model/``, which :func:`genolm.load` reads. On Ctrl-C or SIGTERM the run saves a
    checkpoint and stops. A resumed run gives the same weights, bit for bit, as an uninterrupted one (on the same
    machine, with the same number of threads and processes); only settings that do not affect the weights may differ
    then: ``name``, ``card``, ``trackers``, ``compile``, ``report_every``, ``evaluate_every``, ``evaluate_windows``,
    ``checkpoint_every`` and ``release``. Started by torchrun, it runs on all its processes, and rank 0 writes.

    Args:
        recipe: Training recipe: a YAML file, or the name of a recipe that ships with genolm.
        out: Folder of the run: log, checkpoints and trained model.
        resume: Resume from the last checkpoint in the folder.
        steps: Stop after this many steps; the learning-rate schedule is unchanged. Default: the recipe's steps.
        log: function that receives every report as a mapping.

    Returns:
        Path of the model folder.

    Raises:
        InputError: the recipe, its start or the corpus is invalid.
        RunError: ``out`` contains a run and ``resume`` is not set; ``resume`` is set and there is no run or no complete
            checkpoint; the run has another recipe, its input files have changed, or it is still active; ``out`` cannot
            be written; a loss or gradient is NaN or infinite (no checkpoint of such weights is written).
        GenolmError: a package required for training is not installed.
        KeyboardInterrupt: the run was asked to stop; raised after the checkpoint.
    """
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    read = partial(PretrainingTask.read, recipe)
    return run_training(recipe, recipe.settings(), read, Path(out), resume=resume, steps=steps, listener=log)


class PretrainingTask:
    """Data of a run, and what it trains.

    Args:
        recipe: recipe of the run.
        start: model that the run starts from.

    Raises:
        InputError: the corpus, the vocabulary or the haplotypes are invalid, or the start has another config.
    """

    def __init__(self, recipe: Recipe, start: StartModel | None = None) -> None:
        if start is not None and start.model.config != recipe.model:
            raise InputError("the model of the recipe differs from that of start", value=recipe.start)
        self.recipe, self.start = recipe, start
        tokenizer = corpus_tokenizer(start)
        corpus = load_corpus(recipe.corpus, tokenizer)
        train = corpus.splits["train"]
        self.tokens: Tokenisation = tokenisation_of(recipe, tokenizer, train, start)
        haplotypes = None if recipe.haplotypes is None else read_haplotypes(recipe.haplotypes, train, tokenizer)
        self.feed = CorpusFeed(corpus, recipe, tokenizer, self.tokens, haplotypes)

    @classmethod
    def read(cls, recipe: Recipe) -> PretrainingTask:
        """Read the files of a recipe, and the model that it starts from."""
        return cls(recipe, StartModel.read(recipe.start) if recipe.start else None)

    @property
    def digest(self) -> str:
        """SHA-256 of the data, and of the weights that the run starts from."""
        return self.feed.digest if self.start is None else self.start.digest_with(self.feed.digest)

    def trainer(self, out: Path, workers: Workers, listener: Listener | None = None) -> Trainer:
        """Return the trainer of the run.

        Args:
            out: folder of the run.
            workers: processes of the run.
            listener: function that receives every report.
        """
        recipe, tokenizer = self.recipe, self.tokens.tokenizer
        if self.start is not None:
            network = started_network(_trained_by_tokens(self.start.model.network), recipe, workers)
        else:
            make = partial(make_network, recipe.model, tokenizer.base_ids, tokenizer.n_id)
            network = initial_network(make, recipe, workers)
        objectives = _objectives(recipe, self.tokens, workers)
        return Trainer(recipe.name, recipe, recipe.settings(), network, objectives, self.feed, out, workers, listener)

    def first_report(self, trainer: Trainer) -> dict[str, Any]:
        """Return the held-out bits per base of token frequencies alone, for multi-base tokens."""
        if self.tokens.plain:
            return {}
        stage, shares_V = trainer.plan.all_stages[-1], self.tokens.frequencies()
        objective = trainer.objectives[stage.context_parallel]
        assert isinstance(objective, TokenPrediction)
        bits = {name: objective.frequency_bits(shares_V, rows) for name, rows in self.feed.held_out(stage).items()}
        entry = {name: round(value, 5) for name, value in bits.items() if value is not None}
        return {"frequency_bits_per_base": entry}

    def release(self, folder: Path, weights: Mapping[str, Tensor], log: Lines, processes: int) -> None:
        """Write the model with its card."""
        card = pretrain_card(self.recipe, self.tokens, log, processes, self.start)
        write_model(folder, self.recipe.model, weights, self.tokens.tokenizer, card)


def _trained_by_tokens(network: Network) -> Network:
    """Freeze the heads of an encoder that the prediction of tokens does not train; they are released as they were."""
    for name in ("pooler", "sentence", "classifier"):
        head = getattr(network, name, None)
        if head is not None:
            head.requires_grad_(False)
    return network


def _objectives(recipe: Recipe, tokens: Tokenisation, workers: Workers) -> dict[int, TokenPrediction]:
    """Return the objective by the number of processes that share a row."""
    device, bf16 = workers.device, uses_bf16(recipe, workers.device)
    if not isinstance(recipe.model, DecoderConfig):
        return {1: MaskedObjective(device, bf16, tokens.bases_V)}
    found: dict[int, TokenPrediction] = {}
    for sharers in sorted({stage.context_parallel for stage in recipe.all_stages}):
        group = workers.groups(sharers)[workers.rank // sharers] if sharers > 1 else None
        found[sharers] = CausalObjective(recipe.model, tokens.targets_V, device, bf16, tokens.bases_V, group)
    return found
