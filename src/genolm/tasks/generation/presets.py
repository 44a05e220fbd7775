"""Named settings of generation, as GenomeOcean's command line publishes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from genolm.errors import InputError
from genolm.tasks.reading.sampling import Sampler


@dataclass(frozen=True, slots=True)
class Preset:
    """What a preset stands for; whatever is given beside it goes before.

    Attributes:
        n: sequences for each prompt.
        min_tokens: new tokens at least.
        max_tokens: new tokens at most; the context may end a sequence earlier.
        temperature: as in :class:`genolm.tasks.reading.sampling.Sampler`.
        top_k: likewise.
        top_p: likewise.
        repetition_penalty: likewise.
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
        """The sampler, with what is not None in place of the preset's own."""
        return Sampler(
            self.repetition_penalty if repetition_penalty is None else repetition_penalty,
            self.temperature if temperature is None else temperature,
            self.top_k if top_k is None else top_k,
            self.top_p if top_p is None else top_p,
        )


_MOST = 10_240

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "conservative": Preset(10, 1_024, _MOST, 0.7, 0, 0.9, 1.0),
        "conservative-long": Preset(10, 9_600, _MOST, 0.7, 0, 0.9, 1.0),
        "creative": Preset(10, 1_024, _MOST, 0.9, 0, 0.9, 1.2),
        "creative-long": Preset(10, 9_600, _MOST, 0.9, 0, 0.9, 1.2),
    }
)
"""The published presets by name."""


def preset(name: str | None) -> Preset:
    """The preset of that name; for None the model as it is, one sequence.

    Raises:
        InputError: no preset of that name.
    """
    if name is None:
        return Preset()
    if name not in PRESETS:
        raise InputError(f"no preset of that name; there are {', '.join(PRESETS)}", value=name)
    return PRESETS[name]
