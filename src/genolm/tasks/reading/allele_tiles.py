"""Tiles: fixed stretches of a contig that variants share as context.

A strand of a contig is divided into steps of equal length from its beginning. All sites of a step are scored in one
pass, whose sequence begins ``context`` bases before the step. The tile of a site depends on the position alone, so a
score never depends on the other variants of a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from genolm.errors import InputError, ModelError

DEFAULT_CONTEXT = 4096
"""Default number of bases before every site, within the model's limit."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """Division of a strand into tiles. Positions are 0-based from the beginning of the strand.

    Attributes:
        context: minimum number of bases before a site (fewer near the beginning of the contig).
        step: positions that share a tile; at most ``context + step - 1`` bases precede a site.
        horizon: number of compared bases, from the site on.
    """

    context: int
    step: int
    horizon: int

    @classmethod
    def fit(cls, limit: int, horizon: int, context: int | None = None) -> Tiling:
        """Return the tiling for a model that reads ``limit`` bases.

        A step is twice the context if the limit allows, so that a pass costs half as much again as its sites. With a
        short limit, what the horizon leaves is divided equally between context and step.

        Args:
            limit: maximum input of the model in bases.
            horizon: number of compared bases, from the site on.
            context: minimum number of bases before every site; None: 4,096, or less if the limit is short.

        Raises:
            InputError: if horizon or context is below 1.
            ModelError: if they exceed the limit; the message gives the largest possible value.
        """
        if horizon < 1 or (context is not None and context < 1):
            name, value = ("horizon", horizon) if horizon < 1 else ("context", context)
            raise InputError(f"{name} must be at least 1 base", value=value)
        available = limit - (horizon - 1)
        if available < 2:
            raise ModelError(
                f"a horizon of {horizon:,} bases leaves no context within the model's limit of {limit:,} bases; "
                f"the largest possible horizon is {limit - 1:,}",
                code="context-exceeded",
            )
        chosen = min(DEFAULT_CONTEXT, available // 2) if context is None else context
        if chosen >= available:
            raise ModelError(
                f"a context of {chosen:,} bases and a horizon of {horizon:,} exceed the model's limit of {limit:,} "
                f"bases; the largest possible context is {available - 1:,}",
                code="context-exceeded",
            )
        return cls(chosen, min(2 * chosen, available - chosen), horizon)

    @property
    def length(self) -> int:
        """Length of the longest tile in bases."""
        return self.context + self.step + self.horizon - 1

    def number(self, site: int) -> int:
        """Return the number of the tile of a site."""
        return site // self.step

    def start(self, number: int) -> int:
        """Return the position of the first base of a tile."""
        return max(0, number * self.step - self.context)
