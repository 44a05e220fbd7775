"""Settings of generation as they are requested; sampler, limits and task follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

from genolm.errors import InputError, ModelError
from genolm.tasks.generation.generate_task import GenerateTask, check_prompts
from genolm.tasks.generation.presets import Preset, preset
from genolm.tasks.reading.continuation.limits import Limits
from genolm.tasks.reading.continuation.sampling import Sampler
from genolm.tasks.reading.seeds import check_seed
from genolm.tasks.reading.sources import Source
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    from genolm.models.model import Model

_BASES = 256
"""Default number of new bases."""

_TOKEN_OPTIONS = ("min_length", "max_tokens", "min_tokens", "ignore_end", "whole_tokens", "slide", "preset")
_RULES = ("temperature", "top_k", "top_p", "repetition_penalty")


class GenerationOptions(TypedDict, total=False):
    """Keyword arguments of :func:`genolm.generate` that determine the sequences."""

    preset: str | None
    n: int | None
    length: int | None
    min_length: int | None
    max_tokens: int | None
    min_tokens: int | None
    ignore_end: bool
    whole_tokens: bool
    slide: bool
    temperature: float | None
    top_k: int | None
    top_p: float | None
    repetition_penalty: float | None
    seed: int


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """Values of :class:`GenerationOptions`; None where unspecified.

    Raises:
        InputError: a value is out of range.
    """

    preset: str | None = None
    n: int | None = None
    length: int | None = None
    min_length: int | None = None
    max_tokens: int | None = None
    min_tokens: int | None = None
    ignore_end: bool = False
    whole_tokens: bool = False
    slide: bool = False
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        preset(self.preset)
        for name in ("n", "length", "min_length", "max_tokens", "min_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1", value=value)
        check_seed(self.seed)
        self.sampler()
        self.limits()

    def sampler(self) -> Sampler:
        """Return the sampling rule: that of the preset, with the requested values."""
        requested = {name: value for name in _RULES if (value := getattr(self, name)) is not None}
        return replace(self._base.sampler, **requested)

    def limits(self) -> Limits:
        """Return when a sequence ends."""
        maximum = self._base.max_tokens if self.max_tokens is None else self.max_tokens
        minimum = self._base.min_tokens if self.min_tokens is None else self.min_tokens
        if self.min_tokens is None and self.max_tokens is not None:
            minimum = min(minimum, self.max_tokens)
        length = _BASES if self.length is None and maximum is None else self.length
        least = self.min_length or 0
        return Limits(minimum, maximum, least, length, self.ignore_end, self.slide, self.whole_tokens)

    def task(self, model: Model, provenance: Provenance, source: Source) -> GenerateTask:
        """Return the task for a model.

        Raises:
            InputError: a prompt has a letter that the model does not support.
            ModelError: the model is an encoder or lacks what a setting requires, or a prompt and its continuation
                exceed its context.
        """
        model.decoder  # noqa: B018  # raises ModelError for an encoder
        width, limits = model.tokenizer.bases_per_token, self.limits()
        if width == 1:
            self._refuse_token_options(model)
            limits = replace(limits, ignore_end=True)
        requested = self._requested_tokens(limits, width)
        needed = max(requested, limits.min_tokens, math.ceil(limits.min_bases / width))
        check_prompts(source, model, limits, needed)
        unbounded = requested == limits.min_tokens and self.preset
        planned = min(limits.max_tokens or model.context, model.context) if unbounded else needed
        n, name = self.n or self._base.n, self.preset or ""
        return GenerateTask(source, n, limits, self.sampler(), self.seed, planned, width, provenance, name)

    @property
    def _base(self) -> Preset:
        return preset(self.preset)

    def _requested_tokens(self, limits: Limits, width: float) -> int:
        """Return the requested number of new tokens; the maximum of a preset is not a request."""
        by_length = None if limits.max_bases is None else math.ceil(limits.max_bases / width)
        counts = [self.max_tokens, by_length]
        return min((count for count in counts if count is not None), default=limits.min_tokens)

    def _refuse_token_options(self, model: Model) -> None:
        unsupported = [name for name in _TOKEN_OPTIONS if getattr(self, name)]
        if unsupported:
            raise ModelError(
                f"{model.card.name} has one token per base, but {', '.join(unsupported)}"
                f" {'require' if unsupported[1:] else 'requires'} a model with multi-base tokens"
            )
