"""Tiles: the fixed stretches of a contig that variants share as context.

A strand of a contig is cut into steps of equal length, counted from where it begins. All sites of a step are scored
from one pass, whose sequence begins ``context`` bases before the step. Which tile serves a site follows from its
position alone, so a score never depends on the other variants of a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from genolm.errors import InputError, ModelError

DEFAULT_CONTEXT = 4096
"""Bases before every site, where the model's own limit allows it."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a strand is cut. Positions are 0-based and count along the strand, from its own beginning.

    Attributes:
        context: bases that at least precede every site, except near the beginning of the contig.
        step: sites that share a tile; at most ``context + step - 1`` bases precede a site.
        horizon: bases that count from the site on.
    """

    context: int
    step: int
    horizon: int

    @classmethod
    def fit(cls, limit: int, horizon: int, context: int | None = None) -> Tiling:
        """The tiling for a model that reads ``limit`` bases.

        A step is twice the context where there is room, so that a pass costs a third more than its sites. A model with
        a short limit gives half of what the horizon leaves to the context and half to the step.

        Args:
            limit: longest input of the model, in bases.
            horizon: bases that count from the site on, at least 1.
            context: bases that at least precede every site; None for 4,096, or less where the model reads less.

        Raises:
            InputError: a horizon or a context below 1.
            ModelError: the model's limit is too short; says how long the context may be.
        """
        if horizon < 1 or (context is not None and context < 1):
            name, value = ("horizon", horizon) if horizon < 1 else ("context", context)
            raise InputError(f"{name} must be at least 1 base", value=value)
        room = limit - (horizon - 1)
        if room < 2:
            raise ModelError(
                f"a horizon of {horizon:,} bases leaves no room for context in the {limit:,} that this model reads; "
                f"the largest possible is {limit - 1:,}"
            )
        chosen = min(DEFAULT_CONTEXT, room // 2) if context is None else context
        if chosen >= room:
            raise ModelError(
                f"a context of {chosen:,} bases and a horizon of {horizon:,} do not fit into the {limit:,} that this "
                f"model reads; the largest possible context is {room - 1:,}"
            )
        return cls(chosen, min(2 * chosen, room - chosen), horizon)

    @property
    def length(self) -> int:
        """Bases of the longest tile."""
        return self.context + self.step + self.horizon - 1

    def number(self, site: int) -> int:
        """The tile that serves a site."""
        return site // self.step

    def start(self, number: int) -> int:
        """First base of a tile's sequence."""
        return max(0, number * self.step - self.context)
