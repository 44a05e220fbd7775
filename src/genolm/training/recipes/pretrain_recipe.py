"""Pretraining recipe: all settings of a run in one YAML file."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from genolm.errors import InputError
from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import BlockSparseConfig, EncoderConfig
from genolm.training.corpus.corpus_recipe import CorpusRecipe
from genolm.training.corpus.haplotypes import HaplotypeRecipe
from genolm.training.objectives.masking import MaskingRecipe
from genolm.training.recipe_file import fill, read_mapping, shipped_recipes

__all__ = [
    "CorpusRecipe",
    "HaplotypeRecipe",
    "MaskingRecipe",
    "OptimizerRecipe",
    "Recipe",
    "Stage",
    "shipped_recipes",
]


@dataclass(frozen=True, slots=True)
class OptimizerRecipe:
    """AdamW, optionally with Muon; linear warm-up, then a cosine to ``final_fraction`` of the peak learning rate.

    Attributes:
        name: ``adamw``, or ``muon`` (Jordan et al. 2024) for the matrices inside layers with AdamW for all other
            weights.
        learning_rate: peak learning rate of AdamW.
        muon_learning_rate: peak learning rate of Muon.
        kmer_rate_factor: learning rate of k-mer tables relative to AdamW's; they have no weight decay.
        warmup_steps: steps of linear warm-up from zero.
        warmup_fraction: warm-up as a fraction of all steps; this or ``warmup_steps`` must be 0.
        decay_fraction: fraction of all steps after which the cosine ends; the learning rate is constant from there on.
        final_fraction: final learning rate relative to the peak.
        weight_decay: weight decay of matrices; other weights have none.
        betas: betas of AdamW.
        epsilon: epsilon of AdamW.
        clip: maximum gradient norm.
    """

    learning_rate: float = 1e-3
    kmer_rate_factor: float = 2.0
    warmup_steps: int = 100
    final_fraction: float = 0.05
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    name: str = "adamw"
    muon_learning_rate: float = 0.02
    warmup_fraction: float = 0.0
    decay_fraction: float = 1.0
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        if self.name not in ("adamw", "muon"):
            raise InputError("the optimizer must be adamw or muon", value=self.name)
        if self.warmup_steps and self.warmup_fraction:
            raise InputError("one of warmup_steps and warmup_fraction must be 0", value=self.warmup_fraction)
        if self.warmup_steps < 0:
            raise InputError("warmup_steps must not be negative", value=self.warmup_steps)
        for name, lowest in (("warmup_fraction", 0.0), ("decay_fraction", 1e-9), ("final_fraction", 0.0)):
            if not lowest <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be between 0 and 1", value=getattr(self, name))
        for name in ("learning_rate", "muon_learning_rate", "clip", "epsilon"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0", value=getattr(self, name))
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise InputError("betas must be two numbers from 0 to below 1", value=list(self.betas))

    def warmup_of(self, steps: int) -> int:
        """Return the warm-up steps of a run of ``steps`` steps."""
        return self.warmup_steps or round(self.warmup_fraction * steps)


@dataclass(frozen=True, slots=True)
class Stage:
    """Stage of a run with its own context; weights, optimizer state and schedule continue from stage to stage.

    Attributes:
        context: number of tokens that a row predicts from.
        batch_rows: rows of a step, over all processes.
        steps: optimizer steps of the stage.
        micro_rows: rows that a process computes at a time, with gradient accumulation; 0 for 8,192 tokens on a CPU, and
            all rows on other devices.
        context_parallel: number of processes that share a row, each with a piece of it.
        recompute: whether activations inside layers are recomputed for the gradients, to save memory.
    """

    context: int
    batch_rows: int
    steps: int
    micro_rows: int = 0
    context_parallel: int = 1
    recompute: bool = False

    def __post_init__(self) -> None:
        for name in ("context", "batch_rows", "steps", "context_parallel"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1", value=getattr(self, name))
        if self.micro_rows < 0:
            raise InputError("micro_rows must not be negative", value=self.micro_rows)
        if self.context % self.context_parallel:
            raise InputError(
                f"context ({self.context}) must be divisible by context_parallel ({self.context_parallel})",
                value=self.context_parallel,
            )


@dataclass(frozen=True, slots=True)
class Recipe:
    """Recipe of a pretraining run.

    Attributes:
        name: name of the model.
        model: config of a decoder or an encoder.
        corpus: training data and its splits.
        optimizer: optimizer and learning-rate schedule.
        objective: ``causal`` (next tokens) for a decoder, ``masked`` (masked tokens) for an encoder.
        tokenizer: byte-pair vocabulary: path of its folder or ``tokenizer.json`` (environment variables are expanded),
            or name of a published one; empty for one base per token.
        masking: masking of rows, for the objective ``masked``.
        haplotypes: individuals whose alleles are read into the training sequence; None for the sequence as it is.
        context, batch_rows, steps, micro_rows, context_parallel, recompute: as in :class:`Stage`, for a run of one
            stage.
        stages: consecutive stages; ``context`` is then that of the last stage, ``batch_rows`` that of the first and
            ``steps`` the sum, and the other three have their defaults.
        precision: ``auto`` (bf16 if the device supports it natively), ``bf16`` or ``fp32``.
        sharding: ``none`` (every process has all weights, DDP) or ``fsdp`` (every process has a shard of them).
        compile: whether norms and dense feed-forward blocks are compiled (torch.compile; on CPUs it needs a C++
            compiler).
        seed: random seed of weights, order, phases and strands.
        report_every: steps between lines of the log.
        evaluate_every: steps between held-out evaluations.
        evaluate_windows: windows of each held-out split in an evaluation.
        checkpoint_every: steps between checkpoints.
        trackers: experiment trackers besides the log: ``tensorboard``, ``wandb``.
        card: free text for the model card.
    """

    name: str
    model: DecoderConfig | EncoderConfig
    corpus: CorpusRecipe
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    objective: str = "causal"
    tokenizer: str = ""
    masking: MaskingRecipe | None = None
    haplotypes: HaplotypeRecipe | None = None
    context: int = 1024
    batch_rows: int = 16
    steps: int = 1000
    micro_rows: int = 0
    context_parallel: int = 1
    recompute: bool = False
    stages: tuple[Stage, ...] = ()
    precision: str = "auto"
    sharding: str = "none"
    compile: bool = False
    seed: int = 0
    report_every: int = 20
    evaluate_every: int = 200
    evaluate_windows: int = 64
    checkpoint_every: int = 100
    trackers: tuple[str, ...] = ()
    card: str = ""

    def __post_init__(self) -> None:
        for name in ("report_every", "evaluate_every", "evaluate_windows", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1", value=getattr(self, name))
        _among("precision", self.precision, ("auto", "bf16", "fp32"))
        _among("sharding", self.sharding, ("none", "fsdp"))
        for tracker in self.trackers:
            _among("tracker", tracker, ("tensorboard", "wandb"))
        if self.sharding == "fsdp" and self.optimizer.name == "muon":
            raise InputError("muon needs complete matrices, but fsdp shards them: choose adamw or sharding none")
        if self.stages and _single_stage(self) != Stage(**_summary(self.stages)):
            raise InputError("a recipe with stages must set context, batch_rows, steps and so on in each stage")
        self._check_objective()
        for stage in self.plan:
            if stage.context > self.model.max_positions:
                limit = self.model.max_positions
                raise InputError(f"context must not exceed the model's max_positions ({limit})", value=stage.context)

    def _check_objective(self) -> None:
        _among("objective", self.objective, ("causal", "masked"))
        if isinstance(self.model, EncoderConfig):
            self._check_encoder(self.model)
        else:
            self._check_decoder(self.model)

    def _check_encoder(self, model: EncoderConfig) -> None:
        if self.objective == "causal":
            raise InputError("encoders require objective: masked", value=self.objective)
        if not model.masked_head:
            raise InputError("masked_head must be true for the masked objective", value=False)
        if model.pooler != "none" or model.labels:
            raise InputError("the masked objective does not train a pooler or labels: remove them from the model")
        for stage in self.plan:
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

    @property
    def plan(self) -> tuple[Stage, ...]:
        """The stages of the run; a single one if the recipe lists none."""
        return self.stages or (_single_stage(self),)

    @classmethod
    def load(cls, source: str | Path) -> Recipe:
        """Read a recipe from a YAML file, or a shipped recipe by name.

        Raises:
            InputError: the file does not exist or is not YAML, a key is unknown or missing, or a value is invalid.
        """
        path, values = read_mapping(source)
        return _build(path, values)

    def staged(self, stages: tuple[Stage, ...]) -> Recipe:
        """Return the recipe with other stages."""
        settings = {**_summary(stages), "micro_rows": 0, "context_parallel": 1, "recompute": False}
        return replace(self, stages=stages, **settings)


def _single_stage(recipe: Recipe) -> Stage:
    names = ("context", "batch_rows", "steps", "micro_rows", "context_parallel", "recompute")
    return Stage(**{name: getattr(recipe, name) for name in names})


def _summary(stages: tuple[Stage, ...]) -> dict[str, Any]:
    """Return the top-level settings that correspond to these stages."""
    steps = sum(stage.steps for stage in stages)
    return {"context": stages[-1].context, "batch_rows": stages[0].batch_rows, "steps": steps}


def _among(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{what} must be {', '.join(known[:-1])} or {known[-1]}", value=value)


def _build(path: Path, values: dict[str, Any]) -> Recipe:
    values = dict(values)
    parts: dict[str, Any] = {}
    if "model" in values:
        parts["model"] = _read_model(path, values.pop("model"), str(values.get("objective", "causal")))
    for key, kind in _PARTS.items():
        if key in values and (values[key] is not None or key not in _OPTIONAL_PARTS):
            parts[key] = fill(path, key, kind, values.pop(key))
    if "stages" in values:
        parts |= _read_stages(path, values)
    recipe: Recipe = fill(path, "recipe", Recipe, {**values, **parts})
    return recipe


_PARTS: dict[str, type[Any]] = {
    "corpus": CorpusRecipe,
    "optimizer": OptimizerRecipe,
    "masking": MaskingRecipe,
    "haplotypes": HaplotypeRecipe,
}
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


def _read_stages(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    listed = values.pop("stages")
    if not isinstance(listed, list) or not listed:
        raise InputError("stages must be a list of mappings", file=path, value=listed)
    for item in fields(Stage):
        if item.name in values:
            raise InputError("a recipe with stages must set this in each stage", file=path, value=item.name)
    stages = tuple(fill(path, f"stage {number}", Stage, stage) for number, stage in enumerate(listed, 1))
    return {"stages": stages, **_summary(stages)}
