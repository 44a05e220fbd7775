"""Variant effects: how much less, or more, likely the model finds the alternative than the reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.engine.progress import Progress
from genolm.engine.windows import Window
from genolm.errors import InputError, ModelError
from genolm.genome.fasta import Genome
from genolm.genome.formats import file_format
from genolm.genome.tables import is_table
from genolm.genome.variant import Variant
from genolm.genome.vcf import VariantRecord, read_variants, write_vcf
from genolm.tasks.allele_scores import SiteScores, TileSites, score_sites, score_suffixes
from genolm.tasks.allele_windows import Obstacle, Site, Strand
from genolm.tasks.bulk import Bulk
from genolm.tasks.provenance import Provenance
from genolm.tasks.tables import SUFFIXES, check_suffix, write_table
from genolm.tasks.tiles import Tiling
from genolm.tasks.variant_calls import Call, Mismatch, Rules
from genolm.tasks.variant_columns import RECORD, Columns, Method

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

HORIZON = 512
VCF_SUFFIXES = (".vcf", ".vcf.gz", ".bcf")


@dataclass(frozen=True, slots=True)
class Query:
    """One record of the input.

    Attributes:
        record: what was read.
        calls: for every alternative, whether it can be scored.
        tokens: what it costs, the tile included when it is the first on it.
    """

    record: VariantRecord
    calls: tuple[Call, ...]
    tokens: int


@dataclass(frozen=True)
class VariantTask:
    """Scores the records of a source against a genome; see :func:`variants`.

    Attributes:
        source: a path, or what :func:`genolm.genome.vcf.read_variants` takes.
        genome: the FASTA file.
        method: ``full`` or ``conditional``.
        tiling: context, step and horizon (1 for ``conditional``).
        rc: whether both strands are read.
        on_mismatch: what to do with records that do not fit the genome.
        provenance: the model.
    """

    source: Any
    genome: Path
    method: Method
    tiling: Tiling
    rc: bool
    on_mismatch: Mismatch
    provenance: Provenance

    name: ClassVar[str] = "variants"

    @cached_property
    def reference(self) -> Genome:
        """The opened genome."""
        return Genome(self.genome)

    @cached_property
    def columns(self) -> Columns:
        """Names of the results."""
        return Columns(self.method, self.tiling, self.rc)

    @cached_property
    def rules(self) -> Rules:
        """What can be scored."""
        return Rules(self.method == "conditional", self.tiling.horizon, self.on_mismatch)

    @property
    def _strands(self) -> tuple[bool, ...]:
        """Whether reverse, for every strand that is read."""
        return (False, True) if self.rc else (False,)

    def records(self) -> Iterator[VariantRecord]:
        """What is asked about."""
        return read_variants(self.source)

    def items(self) -> Iterator[Query]:
        """Records with their calls; every REF is compared with the genome here, before anything is computed."""
        file = self.source if isinstance(self.source, Path) else "variants"
        tile = None
        for record in self.records():
            calls = self.rules.calls(record, self.reference, file)
            tokens, tile = self._cost(calls, tile)
            yield Query(record, calls, tokens)

    def cost(self, item: Query) -> int:
        """Tokens, about."""
        return item.tokens

    def _cost(self, calls: Sequence[Call], tile: tuple[str, int] | None) -> tuple[int, tuple[str, int] | None]:
        """Tokens of a record after a record on ``tile``, and the tile after it."""
        tokens = 1
        for variant in (call.variant for call in calls if call.variant):
            here = variant.chrom, self.tiling.number(variant.pos - 1)
            tokens += self.tiling.horizon + (self.tiling.length if here != tile else 0)
            tile = here
        return tokens * (2 if self.rc else 1), tile

    def windows(self, items: Sequence[Query], model: Model) -> list[Window]:
        """The tiles with variants on them, forward ones first, in the order of their first variant."""
        tiles: dict[tuple[bool, str, int], list[tuple[int, Site]]] = {}
        for row, variant in enumerate(call.variant for item in items for call in item.calls):
            if variant is None:
                continue
            for reverse in self._strands:
                site = self._site(variant, reverse)
                if isinstance(site, Site):
                    key = reverse, variant.chrom, self.tiling.number(site.start)
                    tiles.setdefault(key, []).append((row, site))
        return [self._window(*key, tiles[key]) for key in sorted(tiles, key=lambda key: key[0])]

    def _site(self, variant: Variant, reverse: bool) -> Site | Obstacle:
        strand = Strand(self.reference, variant.chrom, reverse)
        return strand.site(strand.edit(variant), self.tiling.horizon)

    def _window(self, reverse: bool, chrom: str, number: int, sites: list[tuple[int, Site]]) -> Window:
        start = self.tiling.start(number)
        end = max(site.start + len(site.suffix) for _, site in sites)
        origin = TileSites(reverse, start, tuple(site for _, site in sites), tuple(row for row, _ in sites))
        return Window(Strand(self.reference, chrom, reverse).fetch(start, end), origin, start)

    def forward(self, model: Model, windows: Sequence[Window]) -> list[SiteScores]:
        """Scores of the sites of every tile."""
        return (score_sites if self.method == "conditional" else score_suffixes)(model, windows)

    def rows(self, items: Sequence[Query], windows: Sequence[Window], outputs: Sequence[SiteScores]) -> pl.DataFrame:
        """One row for every alternative."""
        calls = [(item.record, alt, call) for item in items for alt, call in zip(item.record.alts, item.calls)]
        scores, contexts, counts = _by_strand(len(calls), windows, outputs)
        name = self.columns.score
        mean = scores.mean(0) if self.rc else scores[0]
        values = {
            RECORD: [record.index for record, _, _ in calls],
            "chrom": [record.chrom for record, _, _ in calls],
            "pos": [record.pos for record, _, _ in calls],
            "id": [record.id for record, _, _ in calls],
            "ref": [record.ref for record, _, _ in calls],
            "alt": [alt for _, alt, _ in calls],
            name: mean, f"{name}_forward": scores[0], f"{name}_reverse": scores[1],
            "status": [self._status(call, value) for (_, _, call), value in zip(calls, mean.tolist())],
            "left_context": contexts[0], "right_context": contexts[1],
        }  # fmt: skip
        for place, allele in enumerate(("ref", "alt")):
            uncounted = self.tiling.horizon - counts[: 1 + self.rc, :, place]
            values[f"uncounted_{allele}"] = np.where(np.isnan(mean), np.nan, uncounted.sum(0))
        schema = self.columns.schema
        frame = pl.DataFrame({column: values[column] for column in schema}, strict=False)
        return frame.fill_nan(None).cast(schema)  # type: ignore[arg-type]

    def _status(self, call: Call, value: float) -> str:
        if call.variant is None or not np.isnan(value):
            return call.status
        obstacles = {self._site(call.variant, reverse) for reverse in self._strands}
        return "no_context" if "no_context" in obstacles else "contig_end"

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Writes the VCF, BCF or table."""
        settings = self.provenance.described(**self.settings)
        if out.name.lower().endswith(VCF_SUFFIXES):
            told = ",".join(f'{key}="{text}"' for key, text in settings.items())
            header = [f"##genolm=<ID={self.name},{told}>"]
            write_vcf(self.source, out, self.columns.info, self.columns.annotations(frames), header)
        else:
            write_table((frame.drop(RECORD) for frame in frames), out, settings)

    def collect(self, frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
        """The table."""
        return pl.concat(list(frames)).drop(RECORD)

    def inputs(self) -> tuple[Path, ...]:
        """The variants, when they are a file, and the genome."""
        return (self.source, self.genome) if isinstance(self.source, Path) else (self.genome,)

    @property
    def settings(self) -> dict[str, str | int]:
        """What the output says of the run, beside the model; nothing that depends on time or place."""
        strands = "both" if self.rc else "forward"
        numbers = {name: getattr(self.tiling, name) for name in ("context", "step", "horizon")}
        return {"method": self.method, **numbers, "strands": strands, "on_mismatch": self.on_mismatch}


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


def variants(
    model: Model | str | Path,
    inputs: Any,
    out: Path | str | None = None,
    *,
    genome: Genome | str | Path,
    method: Method = "full",
    context: int | None = None,
    horizon: int = HORIZON,
    rc: bool = False,
    on_mismatch: Mismatch = "raise",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
) -> Any:
    """Scores variants: log p(alternative) - log p(reference) in nats; negative: the alternative is less likely.

    ``conditional`` compares the two bases at the site of an SNV, given what is before it; all variants of a stretch
    come out of one pass. ``full`` compares, for any small variant, the ``horizon`` bases from the variant on with
    either allele, given what is before it: it costs a pass over the horizon for each alternative. Probabilities are
    those of A, C, G and T among each other; N is context but never counted.

    A variant's context begins at a place that follows from its own position alone (see :mod:`genolm.tasks.tiles`), so
    its score does not depend on the other variants of the input, up to rounding.

    Args:
        model: a model with one token per base, or what :func:`genolm.load` takes.
        inputs: a path of a VCF, BCF or table, a table, or a list of variants
            (see :func:`genolm.genome.vcf.read_variants`).
        out: ``.vcf``, ``.vcf.gz`` or ``.bcf`` (from a VCF or BCF input only), ``.parquet``, ``.tsv`` or ``.csv``; None
            returns the table.
        genome: FASTA, plain or bgzip.
        method: ``full`` or ``conditional``.
        context: bases that at least precede every variant, where the contig has them; None for 4,096, or what the model
            has room for.
        horizon: bases that ``full`` compares, from the first that differs.
        rc: read the reverse strand too, where the context is what follows the variant; the score is the mean.
        on_mismatch: for records that do not fit the genome: ``raise``; ``skip`` leaves them unscored, with a status;
            ``flip`` scores them with both alleles reverse-complemented where that fits, and skips the others.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.

    Returns:
        ``out``, or without one a polars table with a row for every alternative, in the order of the input: ``chrom``,
        ``pos`` (1-based), ``id``, ``ref``, ``alt``; ``llr_alt_minus_ref_sum_nats`` (``full``) or
        ``llr_alt_minus_ref_site_nats`` (``conditional``), with ``rc`` also ``…_forward`` and ``…_reverse``; ``status``
        (:data:`genolm.tasks.variant_calls.Status`); ``left_context`` and, with ``rc``, ``right_context`` in bases;
        ``uncounted_ref`` and ``uncounted_alt`` (``full``): bases of the horizon that were N or past the contig's end.

    Raises:
        InputError: input that cannot be used, with file and line; an output that does not fit it.
        ModelError: no such model, one without a token for every base, or one that cannot read context and horizon.
        RunError: the output exists, or parts of another run are in the way.
        ResourceError: not enough memory or disk.
    """
    path, source = check_suffix(out, (*VCF_SUFFIXES, *SUFFIXES)), _held(inputs)
    _check_pair(source, path)
    rules = Rules(method == "conditional", horizon, on_mismatch)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress)
    opened = bulk.open(model, path)
    tiling = fit_tiling(opened, method, context, horizon)
    fasta = genome.path if isinstance(genome, Genome) else Path(genome)
    task = VariantTask(source, fasta, method, tiling, rc, rules.on_mismatch, Provenance.of(opened))
    return bulk.run(task, opened, path)


def fit_tiling(model: Model, method: Method, context: int | None, horizon: int) -> Tiling:
    """Context, step and horizon for a model and a method.

    Raises:
        InputError: no such method, a context or horizon below 1.
        ModelError: the model has not one token per base, or cannot read so much.
    """
    if method not in ("full", "conditional"):
        raise InputError("method is full or conditional", value=method)
    if model.tokenizer.bases_per_token != 1.0:
        raise ModelError(
            f"{model.card.name} has tokens of several bases; variants need a model with one token per base"
        )
    return Tiling.fit(model.context, horizon if method == "full" else 1, context)


def _held(inputs: Any) -> Any:
    """The source, such that it can be read twice."""
    if isinstance(inputs, str | Path):
        return Path(inputs)
    if is_table(inputs):
        return inputs
    return (inputs,) if isinstance(inputs, Variant) else tuple(inputs)


def _check_pair(source: Any, out: Path | None) -> None:
    """A VCF is written as a copy of one; whatever else is wrong with the source's name shows here too."""
    is_vcf = isinstance(source, Path) and file_format(source) == "vcf"
    if out is not None and out.name.lower().endswith(VCF_SUFFIXES) and not is_vcf:
        shown = source.name if isinstance(source, Path) else "values in memory"
        raise InputError("VCF output needs VCF or BCF input; write .parquet, .tsv or .csv", file=out, value=shown)
