"""Masked-language modelling: selection and replacement of masked tokens, as in GENA-LM and ModernGENA.

Shapes: T tokens of a row, special tokens included; V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.tokens.tokenizer import MASK, Tokenizer
from genolm.training.objectives.next_token import target_tokens
from genolm.training.recipe_file import is_number

IGNORED = -100
"""Label of a token that is not predicted."""

_REPLACEMENTS = ("vocabulary", "bases")


@dataclass(frozen=True, slots=True)
class MaskingRecipe:
    """Masking and lengths of rows.

    Attributes:
        fraction: fraction of a row's tokens that are predicted in training; at least one token is.
        evaluation_fraction: the same for held-out evaluation.
        spans: relative frequencies of spans of 1, 2, 3 ... tokens.
        replace: fractions of the selected tokens that become ``[MASK]``, stay, and become a random token.
        random_tokens: source of random tokens: the complete ``vocabulary`` with special tokens, as published, or only
            its pieces of ``bases``.
        short_probability: probability that a row is shorter than the maximum.
        shortest: minimum tokens of such a row without special tokens; the last row of a piece may be shorter.
    """

    fraction: float = 0.15
    evaluation_fraction: float = 0.15
    spans: tuple[float, ...] = (6.0, 3.0, 2.0)
    replace: tuple[float, float, float] = (0.8, 0.1, 0.1)
    random_tokens: str = "vocabulary"
    short_probability: float = 0.1
    shortest: int = 1

    def __post_init__(self) -> None:
        for name in ("fraction", "evaluation_fraction"):
            if not is_number(share := getattr(self, name)) or not 0 < share <= 1:
                raise InputError(f"{name} must be above 0 and at most 1", value=share)
        _check_shares("spans", self.spans, len(self.spans) if isinstance(self.spans, tuple) else 0)
        _check_shares("replace", self.replace, 3)
        if abs(sum(self.replace) - 1) > 1e-9:
            raise InputError("the three fractions of replace must add up to 1", value=list(self.replace))
        if self.random_tokens not in _REPLACEMENTS:
            raise InputError(f"random_tokens must be {' or '.join(_REPLACEMENTS)}", value=self.random_tokens)
        if not is_number(self.short_probability) or not 0 <= self.short_probability <= 1:
            raise InputError("short_probability must be between 0 and 1", value=self.short_probability)
        if self.shortest < 1:
            raise InputError("shortest must be at least 1", value=self.shortest)


class Masking:
    """Masks tokens of rows; all random numbers come from the given generator.

    Args:
        recipe: masking recipe.
        tokenizer: tokenizer of the rows.
    """

    def __init__(self, recipe: MaskingRecipe, tokenizer: Tokenizer) -> None:
        self._recipe, self._mask_id = recipe, tokenizer.special_id(MASK)
        self._body_V = target_tokens(tokenizer)
        odds = np.asarray(recipe.spans, float)
        self._span_odds = odds / odds.sum()
        any_token = recipe.random_tokens == "vocabulary"
        self._random_ids = np.arange(tokenizer.vocab_size) if any_token else np.flatnonzero(self._body_V)

    def positions(self, ids_T: NDArray[Any], fraction: float, random: np.random.Generator) -> NDArray[np.int64]:
        """Return the positions to predict, ascending: ``round(fraction * T)`` of them, at least one.

        Starts are tried in random order, each with a span of random length, shortened to the number of tokens still
        needed (and at the row's end), and skipped if it contains a selected token. Special tokens and pieces with N are
        never selected; a span skips them. A short row may run out of starts before the number is reached.
        """
        body = np.flatnonzero(self._body_V[ids_T])
        target = min(max(1, round(fraction * len(ids_T))), len(body))
        spans = random.choice(len(self._span_odds), size=len(body), p=self._span_odds) + 1
        selected = np.zeros(len(body), bool)
        left = target
        for start in random.permutation(len(body)).tolist():
            if not left:
                break
            span = selected[start : start + min(int(spans[start]), left)]
            if not span.any():
                span[:] = True
                left -= len(span)
        return body[selected]

    def mask(
        self, ids_T: NDArray[np.int32], random: np.random.Generator, evaluation: bool = False
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the masked row, and its labels: the original ids of tokens to predict, ``IGNORED`` elsewhere.

        Args:
            ids_T: token ids of the row.
            random: random generator of this row.
            evaluation: use the fraction for evaluation.
        """
        fraction = self._recipe.evaluation_fraction if evaluation else self._recipe.fraction
        positions = self.positions(ids_T, fraction, random)
        labels_T = np.full(len(ids_T), IGNORED, np.int32)
        labels_T[positions] = ids_T[positions]
        masked, kept, _ = self._recipe.replace
        draws = random.random(len(positions))
        others = self._random_ids[random.integers(0, len(self._random_ids), len(positions))]
        masked_T = ids_T.copy()
        masked_T[positions] = np.where(
            draws < masked, self._mask_id, np.where(draws < masked + kept, ids_T[positions], others)
        )
        return masked_T, labels_T


def row_lengths(tokens: int, longest: int, recipe: MaskingRecipe, random: np.random.Generator) -> list[int]:
    """Return the lengths of the rows that a piece of ``tokens`` tokens is cut into; they add up to it.

    A row has the maximum length or, with ``short_probability``, a uniformly random one. A piece slightly longer than a
    row is cut into equal parts, to avoid a tiny remainder.
    """
    lengths, left = [], tokens
    while left:
        if recipe.short_probability and random.random() < recipe.short_probability:
            length = int(random.integers(min(recipe.shortest, longest), longest + 1))
        else:
            length = -(-left // -(-left // longest))
        lengths.append(min(length, left))
        left -= lengths[-1]
    return lengths


def _check_shares(name: str, values: object, count: int) -> None:
    if (
        not isinstance(values, tuple)
        or len(values) != count
        or not values
        or not all(is_number(value) and value >= 0 for value in values)
        or not sum(values) > 0
    ):
        raise InputError(f"{name} must be {count or 'a list of'} non-negative numbers, not all 0", value=values)
