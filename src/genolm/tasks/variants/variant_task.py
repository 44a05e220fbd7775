"""Scoring of variants with decoders of single bases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.engine.windows import Window
from genolm.errors import InputError, ModelError
from genolm.genome.fasta import GenomePolicy
from genolm.genome.further_columns import FurtherColumn
from genolm.genome.variant import Variant
from genolm.tasks.reading.allele_status import Call, Mismatch, Rules
from genolm.tasks.reading.allele_strands import Obstacle, Site, Strand
from genolm.tasks.reading.allele_tiles import Tiling
from genolm.tasks.reading.variant_columns import Columns, Method
from genolm.tasks.reading.variant_records import Query, TileKey, VariantRun
from genolm.tasks.variants.allele_scores import SiteScores, TileSites, score_sites, score_suffixes
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    from genolm.models.model import Model


HORIZON = 512
TOKEN_METHODS: tuple[Method, ...] = ("window", "masked")
"""Methods that compare alleles token by token."""


class _Tile(NamedTuple):
    """A tile shared by several variants, and the REF to substitute where the genome is ambiguous."""

    reverse: bool
    chrom: str
    number: int
    ref: tuple[int, str] | None


@dataclass(frozen=True)
class VariantTask(VariantRun):
    """Scoring of variants with a decoder of single bases; see :func:`genolm.variants`.

    Attributes:
        tiling: context, step and horizon (1 for ``conditional``).
    """

    tiling: Tiling

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
            ModelError: if context and horizon exceed what the model can read.
        """
        tiling = Tiling.fit(model.context, horizon if method == "full" else 1, context)
        provenance = Provenance.of(model)
        return cls(
            source, genome, method, bool(rc), on_mismatch, provenance, tiling, genome_iupac=genome_iupac,
            further=further,
        )  # fmt: skip

    @cached_property
    def columns(self) -> Columns:
        """Names and descriptions of the results."""
        return Columns.of_tiles(self.method, self.tiling, self.rc)

    @cached_property
    def rules(self) -> Rules:
        """Eligibility rules for variants."""
        return Rules(self.method == "conditional", self.tiling.horizon, self.on_mismatch)

    def tokens(self, variants: Sequence[Variant], tile: TileKey) -> tuple[int, TileKey]:
        """Return the estimated tokens of a record that follows a record on ``tile``, and its own tile."""
        tokens = 1
        for variant in variants:
            own_tile = variant.chrom, self.tiling.number(variant.pos - 1)
            tokens += self.tiling.horizon + (self.tiling.length if own_tile != tile else 0)
            tile = own_tile
        return tokens * (2 if self.rc else 1), tile

    def windows(self, items: Sequence[Query], model: Model) -> list[Window[TileSites]]:
        """Return the tiles with variants, forward strand first, in the order of their first variant.

        A variant whose REF replaces an ambiguity code of the genome has a tile of its own with that REF; for all other
        variants the code reads N.
        """
        tiles: dict[_Tile, list[tuple[int, Site]]] = {}
        for row, variant in enumerate(call.variant for item in items for call in item.calls):
            if variant is None:
                continue
            for reverse in self.directions:
                site = self._site(variant, reverse)
                if isinstance(site, Site):
                    number = self.tiling.number(site.start)
                    tile = _Tile(reverse, variant.chrom, number, self._ref_substitution(variant, reverse))
                    tiles.setdefault(tile, []).append((row, site))
        return [self._window(tile, tiles[tile]) for tile in sorted(tiles, key=lambda tile: tile.reverse)]

    def _site(self, variant: Variant, reverse: bool) -> Site | Obstacle:
        strand = Strand(self.reference, variant.chrom, reverse)
        return strand.site(strand.edit(variant), self.tiling.horizon)

    def _ref_substitution(self, variant: Variant, reverse: bool) -> tuple[int, str] | None:
        """Return position and bases of a REF that differs from the genome as read; None if they are equal."""
        strand = Strand(self.reference, variant.chrom, reverse)
        edit = strand.edit(variant)
        same = strand.fetch(edit.start, edit.start + len(edit.ref)) == edit.ref
        return None if same else (edit.start, edit.ref)

    def _window(self, tile: _Tile, sites: list[tuple[int, Site]]) -> Window[TileSites]:
        start = self.tiling.start(tile.number)
        end = max(site.start + len(site.suffix) for _, site in sites)
        origin = TileSites(tile.reverse, start, tuple(site for _, site in sites), tuple(row for row, _ in sites))
        bases = Strand(self.reference, tile.chrom, tile.reverse).fetch(start, end)
        if tile.ref is not None:
            offset, ref = tile.ref[0] - start, tile.ref[1]
            bases = (bases[:offset] + ref + bases[offset + len(ref) :])[: len(bases)]
        return Window(bases, origin, start)

    def forward(self, model: Model, windows: Sequence[Window[TileSites]]) -> list[SiteScores]:
        """Return the scores of the sites of each tile."""
        return (score_sites if self.method == "conditional" else score_suffixes)(model, windows)

    def subject(self, items: Sequence[Query], window: Window[TileSites], part: int) -> str:
        """Return a description of the variant at a site of a tile, for messages."""
        tile: TileSites = window.origin
        return self.named(items, tile.rows[part], tile.reverse)

    def rows(
        self, items: Sequence[Query], windows: Sequence[Window[TileSites]], outputs: Sequence[SiteScores]
    ) -> pl.DataFrame:
        """Return one row per ALT allele."""
        calls = [(item.record, alt, call) for item in items for alt, call in zip(item.record.alts, item.calls)]
        scores, contexts, counts = _by_strand(len(calls), windows, outputs)
        mean = self.mean(scores)
        statuses = [self._status(call, value) for (_, _, call), value in zip(calls, mean.tolist())]
        further = {"left_context": contexts[0], "right_context": contexts[1]}
        for column, allele in enumerate(("ref", "alt")):
            uncounted = self.tiling.horizon - counts[: 1 + self.rc, :, column]
            further[f"uncounted_{allele}"] = np.where(np.isnan(mean), np.nan, uncounted.sum(0))
        return self.frame(items, scores, statuses, further)

    def _status(self, call: Call, value: float) -> str:
        if call.variant is None or not np.isnan(value):
            return call.status
        obstacles = {self._site(call.variant, reverse) for reverse in self.directions}
        return "no_context" if "no_context" in obstacles else "contig_end"

    @property
    def settings(self) -> dict[str, str | int]:
        """Settings for the provenance."""
        numbers = {name: getattr(self.tiling, name) for name in ("context", "step", "horizon")}
        return {"method": self.method, **numbers, "strands": self.strands, "on_mismatch": self.on_mismatch}


def _by_strand(
    rows: int, windows: Sequence[Window[TileSites]], outputs: Sequence[SiteScores]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return scores and context in bases, (2 strands, rows), NaN if missing; counted bases, (2 strands, rows, 2)."""
    scores, contexts = np.full((2, 2, rows), np.nan)
    counts = np.zeros((2, rows, 2), np.int64)
    for window, output in zip(windows, outputs):
        tile: TileSites = window.origin
        index = int(tile.reverse), list(tile.rows)
        scores[index], contexts[index], counts[index] = output.scores_N, tile.offsets, output.counted_N2
    return scores, contexts, counts


def check_method(method: str | None) -> None:
    """Raise `InputError` if the method is unknown."""
    if method is not None and method not in get_args(Method):
        raise InputError(f"method must be one of {', '.join(get_args(Method))}", value=method)


def choose_method(model: Model, requested: Method | None) -> Method:
    """Return the requested method, or the first that the model supports.

    Raises:
        InputError: if the method is unknown.
        ModelError: if the model does not support it.
    """
    if not model.causal:
        supported: tuple[Method, ...] = ("masked",)
    elif model.tokenizer.bases_per_token != 1.0:
        supported = ("window",)
    else:
        supported = ("full", "conditional")
    check_method(requested)
    if requested is not None and requested not in supported:
        raise ModelError(
            f"{model.card.name} does not support method {requested}: use {' or '.join(supported)}",
            code="unsupported-by-model",
        )
    return requested or supported[0]
