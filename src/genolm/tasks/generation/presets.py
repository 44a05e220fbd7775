"""Presets of generation, as published with GenomeOcean's command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from genolm.errors import InputError
from genolm.tasks.reading.sampling import Sampler

PresetName = Literal["conservative", "conservative-long", "creative", "creative-long"]


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings of a preset; explicit arguments override them.

    Attributes:
        n: sequences per prompt.
        min_tokens: minimum of new tokens.
        max_tokens: maximum of new tokens; the context may end a sequence earlier.
        temperature: see :class:`genolm.tasks.reading.sampling.Sampler`.
        top_k: see :class:`genolm.tasks.reading.sampling.Sampler`.
        top_p: see :class:`genolm.tasks.reading.sampling.Sampler`.
        repetition_penalty: see :class:`genolm.tasks.reading.sampling.Sampler`.
    """

    n: int = 1
    min_tokens: int = 1
    max_tokens: int | None = None
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0

    def sampler(
        self, temperature: float | None, top_k: int | None, top_p: float | None, repetition_penalty: float | None
    ) -> Sampler:
        """Return the sampler; arguments other than None override the preset."""
        return Sampler(
            self.repetition_penalty if repetition_penalty is None else repetition_penalty,
            self.temperature if temperature is None else temperature,
            self.top_k if top_k is None else top_k,
            self.top_p if top_p is None else top_p,
        )


_MAX_TOKENS = 10_240

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "conservative": Preset(10, 1_024, _MAX_TOKENS, 0.7, 0, 0.9, 1.0),
        "conservative-long": Preset(10, 9_600, _MAX_TOKENS, 0.7, 0, 0.9, 1.0),
        "creative": Preset(10, 1_024, _MAX_TOKENS, 0.9, 0, 0.9, 1.2),
        "creative-long": Preset(10, 9_600, _MAX_TOKENS, 0.9, 0, 0.9, 1.2),
    }
)
"""Published presets by name."""


def preset(name: str | None) -> Preset:
    """Return a preset by name; for None the defaults: one sequence per prompt, unchanged probabilities.

    Raises:
        InputError: there is no preset of this name.
    """
    if name is None:
        return Preset()
    if name not in PRESETS:
        raise InputError(f"unknown preset: expected one of {', '.join(PRESETS)}", value=name)
    return PRESETS[name]
