"""Masked-language modelling: which tokens of a row are hidden, and by what, as GENA-LM and ModernGENA do it.

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
"""Label of a token that need not be predicted."""

_REPLACEMENTS = ("vocabulary", "bases")


@dataclass(frozen=True, slots=True)
class MaskingRecipe:
    """How rows are hidden and how long they are.

    Attributes:
        fraction: share of a row's tokens that are predicted in training; at least one is.
        evaluation_fraction: the same in held-out evaluation.
        spans: odds of spans of 1, 2, 3 ... tokens.
        replace: of the chosen tokens, what share reads ``[MASK]``, what share stays, and what share is a random token.
        random_tokens: where a random token comes from: the whole ``vocabulary``, special tokens included, as published;
            or its pieces of ``bases`` alone.
        short_probability: chance that a row is not as long as it could be.
        shortest: tokens of such a row at least, special tokens not counted; the end of a piece may be shorter.
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
                raise InputError(f"{name} is a share above 0, at most 1", value=share)
        _check_shares("spans", self.spans, len(self.spans) if isinstance(self.spans, tuple) else 0)
        _check_shares("replace", self.replace, 3)
        if abs(sum(self.replace) - 1) > 1e-9:
            raise InputError("the three shares of replace add up to 1", value=list(self.replace))
        if self.random_tokens not in _REPLACEMENTS:
            raise InputError(f"random_tokens is {' or '.join(_REPLACEMENTS)}", value=self.random_tokens)
        if not is_number(self.short_probability) or not 0 <= self.short_probability <= 1:
            raise InputError("short_probability is between 0 and 1", value=self.short_probability)
        if self.shortest < 1:
            raise InputError("shortest must be at least 1", value=self.shortest)


class Masking:
    """Hides tokens of rows; every draw comes from the generator that is handed in, never from a global one.

    Args:
        recipe: how.
        tokenizer: of the rows.
    """

    def __init__(self, recipe: MaskingRecipe, tokenizer: Tokenizer) -> None:
        self._recipe, self._mask_id = recipe, tokenizer.special_id(MASK)
        self._body_V = target_tokens(tokenizer)
        odds = np.asarray(recipe.spans, float)
        self._span_odds = odds / odds.sum()
        whole = recipe.random_tokens == "vocabulary"
        self._random_ids = np.arange(tokenizer.vocab_size) if whole else np.flatnonzero(self._body_V)

    def positions(self, ids_T: NDArray[Any], fraction: float, random: np.random.Generator) -> NDArray[np.int64]:
        """The places to predict, rising: ``round(fraction * T)`` of them, at least one.

        Starts are tried in random order. Each has a span of drawn length, which is shortened to what is still to be
        chosen (and to the row's end), and left out when it holds a chosen token. Special tokens and pieces with N are
        never chosen; a span passes over them. A short row may run out of starts before the number is reached.
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
        """What the network reads of a row, and what it is to say: labels, ``IGNORED`` where nothing.

        Args:
            ids_T: the row.
            random: of this row alone.
            evaluation: hide the share that evaluations hide.
        """
        fraction = self._recipe.evaluation_fraction if evaluation else self._recipe.fraction
        positions = self.positions(ids_T, fraction, random)
        labels_T = np.full(len(ids_T), IGNORED, np.int32)
        labels_T[positions] = ids_T[positions]
        masked, kept, _ = self._recipe.replace
        draws = random.random(len(positions))
        others = self._random_ids[random.integers(0, len(self._random_ids), len(positions))]
        hidden_T = ids_T.copy()
        hidden_T[positions] = np.where(
            draws < masked, self._mask_id, np.where(draws < masked + kept, ids_T[positions], others)
        )
        return hidden_T, labels_T


def row_lengths(tokens: int, longest: int, recipe: MaskingRecipe, random: np.random.Generator) -> list[int]:
    """Lengths of the rows that a piece of so many tokens is cut into; they add up to it.

    A row is the longest that it can be, or with ``short_probability`` of a uniformly drawn length. A piece a little
    longer than a row is cut in equal parts instead of leaving a crumb.
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
        raise InputError(f"{name} is a list of {count or 'some'} numbers, not negative and not all 0", value=values)
