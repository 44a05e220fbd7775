"""Scoring of variants token by token, with multi-base tokenizers and encoders.

Shapes: N ALT alleles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.engine.windows import Window
from genolm.errors import InputError
from genolm.genome.fasta import GenomePolicy
from genolm.genome.further_columns import FurtherColumn
from genolm.genome.variant import Variant
from genolm.tasks.reading.allele_status import Mismatch, Rules
from genolm.tasks.reading.allele_strands import Obstacle, Strand
from genolm.tasks.reading.model_limits import context_bases, unreadable_letters
from genolm.tasks.reading.variant_columns import Columns, Method
from genolm.tasks.reading.variant_records import Query, TileKey, VariantRun
from genolm.tasks.variants.allele_token_scores import Ratio, masked_ratio, window_ratio
from genolm.tasks.variants.allele_tokens import AlleleTokens, TokenWindow
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    from genolm.models.model import Model
    from genolm.tokens.tokenizer import Tokenizer


class Pair(NamedTuple):
    """Tokens of both alleles on one strand; the origin of a window.

    Attributes:
        row: row of the ALT allele within the part.
        reverse: whether the strand is the reverse strand.
        tokens: tokens of both alleles.
    """

    row: int
    reverse: bool
    tokens: AlleleTokens


@dataclass(frozen=True)
class TokenVariantTask(VariantRun):
    """Scoring of variants token by token; see :func:`genolm.variants`.

    Attributes:
        window: size of the window around a variant.
        longest: maximum length of ALT in bases.
        window_tokens: approximate number of tokens of a full window.
    """

    window: TokenWindow
    longest: int
    window_tokens: int

    name: ClassVar[str] = "variants"

    @classmethod
    def fit(
        cls,
        model: Model,
        context: int | None,
        horizon: int,
        *,
        source: Any,
        genome: Path,
        method: Method,
        rc: bool | None,
        on_mismatch: Mismatch,
        genome_iupac: GenomePolicy = "N",
        further: tuple[FurtherColumn, ...] = (),
    ) -> Self:
        """Return the task for a model; arguments as in :func:`genolm.variants`.

        Raises:
            InputError: if context or horizon is below 1.
            ModelError: if the context exceeds what the model can read.
        """
        if horizon < 1:
            raise InputError("horizon must be at least 1 base", value=horizon)
        bases = context_bases(model, context)
        window = TokenWindow(model.max_tokens, bases, None if method == "masked" else min(horizon, bases // 2))
        tokens = min(model.context, math.ceil(bases / model.tokenizer.bases_per_token))
        both, provenance = rc is None or rc, Provenance.of(model)
        return cls(
            source, genome, method, both, on_mismatch, provenance, window, horizon, tokens, genome_iupac=genome_iupac,
            further=further,
        )  # fmt: skip

    @cached_property
    def columns(self) -> Columns:
        """Names and descriptions of the results."""
        return Columns.of_tokens(self.method, self.window.bases, self.window.horizon or 0, self.rc)

    @cached_property
    def rules(self) -> Rules:
        """Eligibility rules for variants."""
        return Rules(False, self.longest, self.on_mismatch)

    @property
    def settings(self) -> dict[str, str | int]:
        """Settings for the provenance."""
        horizon = {} if self.window.horizon is None else {"horizon": self.window.horizon}
        sizes = {"context_bases": self.window.bases, **horizon}
        return {"method": self.method, **sizes, "strands": self.strands, "on_mismatch": self.on_mismatch}

    def tokens(self, variants: Sequence[Variant], previous: TileKey) -> tuple[int, TileKey]:
        """Return the estimated tokens of both alleles of all variants on all strands; records share none."""
        return 1 + 2 * len(variants) * len(self.directions) * self.window_tokens, None

    def windows(self, items: Sequence[Query], model: Model) -> list[Window[Pair]]:
        """Return a window for each ALT allele and strand that can be scored."""
        unreadable = unreadable_letters(model.tokenizer)
        return [self._window(pair, model) for pair in self._pairs(items, model.tokenizer, unreadable)]

    def _pairs(self, items: Sequence[Query], tokenizer: Tokenizer, unreadable: str) -> Iterator[Pair]:
        for row, variant in enumerate(call.variant for item in items for call in item.calls):
            if variant is None:
                continue
            for reverse in self.directions:
                strand = Strand(self.reference, variant.chrom, reverse)
                tokens = self.window.alleles(strand, strand.edit(variant), tokenizer, unreadable)
                if tokens is not None:
                    yield Pair(row, reverse, tokens)

    def _window(self, pair: Pair, model: Model) -> Window[Pair]:
        tokens = pair.tokens
        longest = len(tokens.left) + max(len(tokens.ref), len(tokens.alt)) + len(tokens.right)
        rows = 1 if self.method == "masked" and len(tokens.ref) == len(tokens.alt) else 2
        return Window("", pair, tokens=rows * (longest + len(model.begin_ids) + len(model.end_ids)))

    def forward(self, model: Model, windows: Sequence[Window[Pair]]) -> list[Ratio]:
        """Return the score of each window, or why it has none."""
        pairs = [window.origin.tokens for window in windows]
        return (masked_ratio if self.method == "masked" else window_ratio)(model, pairs)

    def subject(self, items: Sequence[Query], window: Window[Pair], part: int) -> str:
        """Return a description of the variant of a window, for messages."""
        pair: Pair = window.origin
        return self.named(items, pair.row, pair.reverse)

    def rows(self, items: Sequence[Query], windows: Sequence[Window[Pair]], outputs: Sequence[Ratio]) -> pl.DataFrame:
        """Return one row per ALT allele."""
        calls = [call for item in items for call in item.calls]
        scores, contexts, counts = (np.full((2, len(calls)), np.nan) for _ in range(3))
        obstacles: dict[tuple[int, bool], Obstacle | None] = {}
        for window, value in zip(windows, outputs):
            pair: Pair = window.origin
            tokens = pair.tokens
            obstacles[pair.row, pair.reverse] = value if isinstance(value, str) else None
            scores[int(pair.reverse), pair.row] = np.nan if isinstance(value, str) else value
            counts[:, pair.row] = np.nan_to_num(counts[:, pair.row]) + np.array([len(tokens.ref), len(tokens.alt)])
            self._set_contexts(contexts, pair)
        mean = self.mean(scores)
        statuses = [
            (None if call.variant is None else self._obstacle(row, obstacles)) or call.status
            for row, call in enumerate(calls)
        ]
        unscored = np.isnan(mean)
        further = {"left_context": contexts[0], "right_context": contexts[1]}
        for allele, count in zip(("ref", "alt"), counts):
            further[f"tokens_{allele}"] = np.where(unscored, np.nan, count)
        return self.frame(items, scores, statuses, further)

    def _set_contexts(self, contexts_2N: NDArray[np.float64], pair: Pair) -> None:
        """Set the context to the left and right of the compared tokens, on the forward strand of the genome."""
        sides = pair.tokens.left_bases, pair.tokens.right_bases
        if self.method == "masked" and not pair.reverse:
            contexts_2N[:, pair.row] = sides
        elif self.method == "window":
            contexts_2N[int(pair.reverse), pair.row] = sides[0]

    def _obstacle(self, row: int, obstacles: Mapping[tuple[int, bool], Obstacle | None]) -> Obstacle | None:
        """Return why the first strand without a score has none; without a window, the tokens did not fit."""
        by_strand = (obstacles.get((row, reverse), "longer_than_horizon") for reverse in self.directions)
        return next((obstacle for obstacle in by_strand if obstacle is not None), None)
