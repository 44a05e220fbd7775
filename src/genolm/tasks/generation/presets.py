"""Presets of generation, as published with GenomeOcean's command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from genolm.errors import InputError
from genolm.tasks.reading.continuation.sampling import Sampler

PresetName = Literal["conservative", "conservative-long", "creative", "creative-long"]


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings of a preset; explicit arguments override them.

    Attributes:
        n: sequences per prompt.
        min_tokens: minimum of new tokens.
        max_tokens: maximum of new tokens; the context may end a sequence earlier.
        sampler: sampling rule.
    """

    n: int = 1
    min_tokens: int = 1
    max_tokens: int | None = None
    sampler: Sampler = field(default_factory=Sampler)


_MAX_TOKENS = 10_240
_CONSERVATIVE = Sampler(temperature=0.7, top_p=0.9)
_CREATIVE = Sampler(temperature=0.9, top_p=0.9, repetition_penalty=1.2)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "conservative": Preset(10, 1_024, _MAX_TOKENS, _CONSERVATIVE),
        "conservative-long": Preset(10, 9_600, _MAX_TOKENS, _CONSERVATIVE),
        "creative": Preset(10, 1_024, _MAX_TOKENS, _CREATIVE),
        "creative-long": Preset(10, 9_600, _MAX_TOKENS, _CREATIVE),
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
