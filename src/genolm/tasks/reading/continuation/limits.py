"""Limits of a continuation: when a sequence ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genolm.errors import InputError

Reason = Literal["stop", "length", "context"]
"""Why a sequence ended: end token, maximum length or full context."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a continuation; the end token is excluded until both minima are reached.

    Attributes:
        min_tokens: minimum number of new tokens, at least 1.
        max_tokens: maximum number of new tokens; None: no limit.
        min_bases: minimum number of new bases.
        max_bases: number of new bases after which the sequence ends, at the end of a token; None: no limit.
        ignore_end: never sample the end token.
        slide: if the context is full, continue after dropping the older half.
        whole_tokens: keep the bases of the last token that exceed ``max_bases``.

    Raises:
        InputError: if a value is out of range, or a minimum exceeds its maximum.
    """

    min_tokens: int = 1
    max_tokens: int | None = None
    min_bases: int = 0
    max_bases: int | None = None
    ignore_end: bool = False
    slide: bool = False
    whole_tokens: bool = False

    def __post_init__(self) -> None:
        for name, low in (("min_tokens", 1), ("max_tokens", 1), ("min_bases", 0), ("max_bases", 1)):
            value = getattr(self, name)
            if value is not None and value < low:
                raise InputError(f"{name} must be at least {low}", value=value)
        for unit in ("tokens", "bases"):
            minimum, maximum = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if maximum is not None and minimum > maximum:
                raise InputError(f"the minimum of {minimum:,} new {unit} exceeds the maximum of {maximum:,}")

    def cut(self, bases: str, before: int = 0) -> str:
        """Return the bases of new tokens up to the maximum, or all of them if complete tokens are kept.

        Args:
            bases: bases of the tokens.
            before: number of new bases before them.
        """
        return bases if self.whole_tokens or self.max_bases is None else bases[: self.max_bases - before]
