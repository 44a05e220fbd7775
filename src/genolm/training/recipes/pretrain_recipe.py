"""A pretraining recipe: every number of a run in one YAML file."""

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
    """AdamW, or Muon beside it, with a linear warm-up and a cosine to ``final_fraction`` of the peak.

    Attributes:
        name: ``adamw``; or ``muon`` (Jordan et al. 2024) for the matrices inside layers and AdamW for the rest.
        learning_rate: peak of AdamW.
        muon_learning_rate: peak of Muon.
        kmer_rate_factor: learning rate of k-mer tables relative to AdamW's; they have no weight decay.
        warmup_steps: linear from zero, in steps.
        warmup_fraction: the same as a fraction of all steps; one of the two is 0.
        decay_fraction: the cosine ends after this fraction of all steps; from there on the rate stays at its last.
        final_fraction: last learning rate over the peak.
        weight_decay: on matrices only.
        betas: of AdamW.
        epsilon: of AdamW.
        clip: largest gradient norm.
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
            raise InputError("the optimizer's name is adamw or muon", value=self.name)
        if self.warmup_steps and self.warmup_fraction:
            raise InputError("one of warmup_steps and warmup_fraction must be 0", value=self.warmup_fraction)
        if self.warmup_steps < 0:
            raise InputError("warmup_steps must not be negative", value=self.warmup_steps)
        for name, lowest in (("warmup_fraction", 0.0), ("decay_fraction", 1e-9), ("final_fraction", 0.0)):
            if not lowest <= getattr(self, name) <= 1:
                raise InputError(f"{name} is between 0 and 1", value=getattr(self, name))
        for name in ("learning_rate", "muon_learning_rate", "clip", "epsilon"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0", value=getattr(self, name))
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise InputError("betas are two numbers from 0 to below 1", value=list(self.betas))

    def warmup_of(self, steps: int) -> int:
        """Steps of warm-up in a run of so many steps."""
        return self.warmup_steps or round(self.warmup_fraction * steps)


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a run with its own context; weights, optimizer and schedule go on from stage to stage.

    Attributes:
        context: tokens a row predicts from.
        batch_rows: rows of one step, over all processes together.
        steps: optimizer steps of the stage.
        micro_rows: rows that one process computes at a time, gradients being added up; 0: as many as hold 8,192 tokens
            on a CPU, all at once elsewhere.
        context_parallel: processes that share one row, each with a piece of it.
        recompute: whether each layer's inside is computed again for its gradients instead of kept, to save memory.
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
            raise InputError(f"a context of {self.context} cannot be cut over so many", value=self.context_parallel)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One pretraining run.

    Attributes:
        name: what the model will be called.
        model: the config of a decoder, or of an encoder.
        corpus: the data and its splits.
        optimizer: how weights move.
        objective: ``causal``, the next token, of a decoder; ``masked``, hidden tokens, of an encoder.
        tokenizer: a byte-pair vocabulary: its folder or ``tokenizer.json``, environment variables expanded, or the
            name of a published one; empty for one base a token.
        masking: what is hidden, with ``masked``.
        haplotypes: individuals whose alleles the training sequence is read with; None for the sequence as it is.
        context, batch_rows, steps, micro_rows, context_parallel, recompute: as in :class:`Stage`, of a run of one.
        stages: the stages one after the other; ``context`` is then the last one's, ``batch_rows`` the first one's and
            ``steps`` the sum, and the other three stay at their defaults.
        precision: ``auto`` (bf16 where the device multiplies it natively), ``bf16`` or ``fp32``.
        sharding: what processes keep of the weights: ``none`` (each all of them, DDP) or ``fsdp`` (each its share).
        compile: whether norms and dense feed-forward blocks are compiled (torch.compile; CPUs need a C++ compiler).
        seed: of weights, order, phases and strands.
        report_every: steps between lines of the log.
        evaluate_every: steps between held-out evaluations.
        evaluate_windows: windows of each held-out split in those.
        checkpoint_every: steps between checkpoints.
        trackers: who is told besides the log: ``tensorboard``, ``wandb``.
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
            _among("a tracker", tracker, ("tensorboard", "wandb"))
        if self.sharding == "fsdp" and self.optimizer.name == "muon":
            raise InputError("muon needs whole matrices and fsdp keeps shares of them: choose adamw or sharding none")
        if self.stages and _own_stage(self) != Stage(**_summary(self.stages)):
            raise InputError("a recipe with stages says context, batch_rows, steps, micro_rows and so on there only")
        self._check_objective()
        for stage in self.plan:
            if stage.context > self.model.max_positions:
                raise InputError(
                    f"a context beyond the model's max_positions {self.model.max_positions}", value=stage.context
                )

    def _check_objective(self) -> None:
        _among("objective", self.objective, ("causal", "masked"))
        if isinstance(self.model, EncoderConfig):
            self._check_encoder(self.model)
        else:
            self._check_decoder(self.model)

    def _check_encoder(self, model: EncoderConfig) -> None:
        if self.objective == "causal":
            raise InputError("an encoder sees what it would predict: its objective is masked", value=self.objective)
        if not model.masked_head:
            raise InputError("an encoder without a masked-language head has nothing to learn by", value=False)
        if model.pooler != "none" or model.labels:
            raise InputError("hidden tokens do not train a pooler or labels: leave them out of the model")
        for stage in self.plan:
            if stage.context_parallel > 1:
                raise InputError("only a decoder's rows are cut over processes", value=stage.context_parallel)
            if stage.context < 3:
                raise InputError("a row has two special tokens and one more at least", value=stage.context)

    def _check_decoder(self, model: DecoderConfig) -> None:
        if self.objective == "masked":
            raise InputError("a decoder sees nothing behind a hidden token: its objective is causal", value="masked")
        if self.masking is not None:
            raise InputError("masking belongs to the objective masked")
        if self.tokenizer and (model.kmer_orders or model.gengram):
            raise InputError("k-mer memories read one base a token, and this recipe has a tokenizer of longer pieces")

    @property
    def plan(self) -> tuple[Stage, ...]:
        """The stages; one where the recipe does not name any."""
        return self.stages or (_own_stage(self),)

    @classmethod
    def load(cls, source: str | Path) -> Recipe:
        """Read a recipe from a YAML file, or a shipped one by its name.

        Raises:
            InputError: for a file that is not there or not YAML, an unknown or missing key, a wrong value.
        """
        path, values = read_mapping(source)
        return _build(path, values)

    def staged(self, stages: tuple[Stage, ...]) -> Recipe:
        """The same recipe in other stages."""
        own = {**_summary(stages), "micro_rows": 0, "context_parallel": 1, "recompute": False}
        return replace(self, stages=stages, **own)


def _own_stage(recipe: Recipe) -> Stage:
    names = ("context", "batch_rows", "steps", "micro_rows", "context_parallel", "recompute")
    return Stage(**{name: getattr(recipe, name) for name in names})


def _summary(stages: tuple[Stage, ...]) -> dict[str, Any]:
    """What a recipe of these stages holds under the keys of a run of one stage."""
    steps = sum(stage.steps for stage in stages)
    return {"context": stages[-1].context, "batch_rows": stages[0].batch_rows, "steps": steps}


def _among(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{what} is {', '.join(known[:-1])} or {known[-1]}", value=value)


def _build(path: Path, values: dict[str, Any]) -> Recipe:
    values = dict(values)
    parts: dict[str, Any] = {}
    if "model" in values:
        parts["model"] = _read_model(path, values.pop("model"), str(values.get("objective", "causal")))
    for key, kind in _PARTS.items():
        if key in values and (values[key] is not None or key not in _MAY_BE_ABSENT):
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
_MAY_BE_ABSENT = ("masking", "haplotypes")
"""Parts that a recipe may name and leave empty."""


def _read_model(path: Path, values: Any, objective: str) -> Any:
    """A model's config: of the network that has such keys; where both or none could be meant, that of the objective."""
    kind: type[Any] = EncoderConfig if objective == "masked" else DecoderConfig
    if isinstance(values, dict):
        kinds: tuple[type[Any], ...] = (DecoderConfig, EncoderConfig)
        known = [one for one in kinds if set(values) <= _keys(one)]
        whole = [one for one in known if _keys(one, needed=True) <= set(values)]
        for fitting in (known, whole):
            kind = fitting[0] if len(fitting) == 1 else kind
        for key, inner in (("gengram", GengramConfig), ("sparse", BlockSparseConfig)):
            if key in _keys(kind) and values.get(key) is not None:
                values = {**values, key: fill(path, key, inner, values[key])}
    return fill(path, "model", kind, values)


def _keys(kind: type[Any], needed: bool = False) -> set[str]:
    """Names of a dataclass's fields; or of those without a default."""
    return {item.name for item in fields(kind) if not needed or item.default is MISSING}


def _read_stages(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    listed = values.pop("stages")
    if not isinstance(listed, list) or not listed:
        raise InputError("stages is a list of mappings", file=path, value=listed)
    for item in fields(Stage):
        if item.name in values:
            raise InputError("a recipe with stages says this in each stage", file=path, value=item.name)
    stages = tuple(fill(path, f"stage {number}", Stage, one) for number, one in enumerate(listed, 1))
    return {"stages": stages, **_summary(stages)}
