"""Variant scoring with models that read single bases from the left."""

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
from genolm.tasks.reading.variant_records import Place, Query, VariantRun
from genolm.tasks.variants.allele_scores import SiteScores, TileSites, score_sites, score_suffixes
from genolm.tasks.writing.provenance import Provenance

if TYPE_CHECKING:
    from genolm.models.model import Model


HORIZON = 512
TOKEN_METHODS: tuple[Method, ...] = ("window", "masked")
"""Methods that compare alleles token by token."""


class _Tile(NamedTuple):
    """A stretch of a strand that several variants share, and the REF to write on it where the genome is ambiguous."""

    reverse: bool
    chrom: str
    number: int
    ref: tuple[int, str] | None


@dataclass(frozen=True)
class VariantTask(VariantRun):
    """Scores the records of a source against a genome with a model that reads single bases; see :func:`variants`.

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
        """Names of the results."""
        return Columns.of_tiles(self.method, self.tiling, self.rc)

    @cached_property
    def rules(self) -> Rules:
        """What can be scored."""
        return Rules(self.method == "conditional", self.tiling.horizon, self.on_mismatch)

    def tokens(self, variants: Sequence[Variant], tile: Place) -> tuple[int, Place]:
        """Tokens of a record after a record on ``tile``, and the tile after it."""
        tokens = 1
        for variant in variants:
            here = variant.chrom, self.tiling.number(variant.pos - 1)
            tokens += self.tiling.horizon + (self.tiling.length if here != tile else 0)
            tile = here
        return tokens * (2 if self.rc else 1), tile

    def windows(self, items: Sequence[Query], model: Model) -> list[Window]:
        """The tiles with variants on them, forward ones first, in the order of their first variant.

        A variant whose REF stands for an ambiguous letter of the genome has a tile of its own, on which its REF is
        written; for all others the letter is N.
        """
        tiles: dict[_Tile, list[tuple[int, Site]]] = {}
        for row, variant in enumerate(call.variant for item in items for call in item.calls):
            if variant is None:
                continue
            for reverse in self.directions:
                site = self._site(variant, reverse)
                if isinstance(site, Site):
                    number = self.tiling.number(site.start)
                    tile = _Tile(reverse, variant.chrom, number, self._written_ref(variant, reverse))
                    tiles.setdefault(tile, []).append((row, site))
        return [self._window(tile, tiles[tile]) for tile in sorted(tiles, key=lambda tile: tile.reverse)]

    def _site(self, variant: Variant, reverse: bool) -> Site | Obstacle:
        strand = Strand(self.reference, variant.chrom, reverse)
        return strand.site(strand.edit(variant), self.tiling.horizon)

    def _written_ref(self, variant: Variant, reverse: bool) -> tuple[int, str] | None:
        """Where REF differs from the bases that are read there, and REF; None where they are the same."""
        strand = Strand(self.reference, variant.chrom, reverse)
        edit = strand.edit(variant)
        same = strand.fetch(edit.start, edit.start + len(edit.ref)) == edit.ref
        return None if same else (edit.start, edit.ref)

    def _window(self, tile: _Tile, sites: list[tuple[int, Site]]) -> Window:
        start = self.tiling.start(tile.number)
        end = max(site.start + len(site.suffix) for _, site in sites)
        origin = TileSites(tile.reverse, start, tuple(site for _, site in sites), tuple(row for row, _ in sites))
        bases = Strand(self.reference, tile.chrom, tile.reverse).fetch(start, end)
        if tile.ref is not None:
            place, ref = tile.ref[0] - start, tile.ref[1]
            bases = (bases[:place] + ref + bases[place + len(ref) :])[: len(bases)]
        return Window(bases, origin, start)

    def forward(self, model: Model, windows: Sequence[Window]) -> list[SiteScores]:
        """Scores of the sites of every tile."""
        return (score_sites if self.method == "conditional" else score_suffixes)(model, windows)

    def subject(self, items: Sequence[Query], window: Window, part: int) -> str:
        """The variant at a site of a tile, in words."""
        tile: TileSites = window.origin
        return self.named(items, tile.rows[part], tile.reverse)

    def rows(self, items: Sequence[Query], windows: Sequence[Window], outputs: Sequence[SiteScores]) -> pl.DataFrame:
        """One row for every alternative."""
        calls = [(item.record, alt, call) for item in items for alt, call in zip(item.record.alts, item.calls)]
        scores, contexts, counts = _by_strand(len(calls), windows, outputs)
        mean = self.mean(scores)
        statuses = [self._status(call, value) for (_, _, call), value in zip(calls, mean.tolist())]
        further = {"left_context": contexts[0], "right_context": contexts[1]}
        for place, allele in enumerate(("ref", "alt")):
            uncounted = self.tiling.horizon - counts[: 1 + self.rc, :, place]
            further[f"uncounted_{allele}"] = np.where(np.isnan(mean), np.nan, uncounted.sum(0))
        return self.frame(items, scores, statuses, further)

    def _status(self, call: Call, value: float) -> str:
        if call.variant is None or not np.isnan(value):
            return call.status
        obstacles = {self._site(call.variant, reverse) for reverse in self.directions}
        return "no_context" if "no_context" in obstacles else "contig_end"

    @property
    def settings(self) -> dict[str, str | int]:
        """What the output says of the run, beside the model; nothing that depends on time or place."""
        numbers = {name: getattr(self.tiling, name) for name in ("context", "step", "horizon")}
        return {"method": self.method, **numbers, "strands": self.strands, "on_mismatch": self.on_mismatch}


def _by_strand(
    rows: int, windows: Sequence[Window], outputs: Sequence[SiteScores]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Scores and bases of context, (2 strands, rows), NaN where there is none; bases counted, (2 strands, rows, 2)."""
    scores, contexts = np.full((2, 2, rows), np.nan)
    counts = np.zeros((2, rows, 2), np.int64)
    for window, output in zip(windows, outputs):
        tile: TileSites = window.origin
        places = int(tile.reverse), list(tile.rows)
        scores[places], contexts[places], counts[places] = output.scores_N, tile.offsets, output.counted_N2
    return scores, contexts, counts


def check_method(asked: str | None) -> None:
    """Raise `InputError` for a method that does not exist, whatever the model."""
    if asked is not None and asked not in get_args(Method):
        raise InputError(f"method is one of {', '.join(get_args(Method))}", value=asked)


def choose_method(model: Model, asked: Method | None) -> Method:
    """The method that is meant; None for the first that the model has.

    Raises:
        InputError: no such method.
        ModelError: the model has others.
    """
    if not model.causal:
        known: tuple[Method, ...] = ("masked",)
    elif model.tokenizer.bases_per_token != 1.0:
        known = ("window",)
    else:
        known = ("full", "conditional")
    check_method(asked)
    if asked is not None and asked not in known:
        raise ModelError(f"{model.card.name} scores variants by method {' or '.join(known)}, not {asked}")
    return asked or known[0]
