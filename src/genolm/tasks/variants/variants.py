"""Variant effects: how much less, or more, likely the model finds the alternative than the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.engine.progress import Progress
from genolm.engine.windows import Window
from genolm.errors import InputError, ModelError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.fasta import Genome, GenomePolicy
from genolm.genome.formats import VARIANT_FORMATS, file_format, known_format
from genolm.genome.further_columns import FurtherColumn, further_columns
from genolm.genome.in_memory import Variants
from genolm.genome.streams import warnings_renamed
from genolm.genome.tabular import is_table, read_table
from genolm.genome.variant import Variant
from genolm.genome.vcf.bcf_trial import check_bcf
from genolm.genome.vcf.vcf_records import read_variants
from genolm.tasks.reading.allele_status import Call, Mismatch, Rules
from genolm.tasks.reading.allele_strands import Obstacle, Site, Strand
from genolm.tasks.reading.allele_tiles import Tiling
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.sources import path_and_policy
from genolm.tasks.reading.variant_columns import OWN, Columns, Method
from genolm.tasks.reading.variant_records import VCF_SUFFIXES, Place, Query, VariantRun
from genolm.tasks.reading.variant_streams import (
    OutputFormat,
    check_streams,
    finished,
    is_piped,
    is_standard_output,
    readable,
)
from genolm.tasks.variants.allele_scores import SiteScores, TileSites, score_sites, score_suffixes
from genolm.tasks.variants.token_variants import TokenVariantTask
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

HORIZON = 512


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


def variants(
    model: Model | str | Path,
    inputs: Variants,
    out: Path | str | None = None,
    *,
    genome: Genome | str | Path,
    method: Method | None = None,
    context: int | None = None,
    horizon: int = HORIZON,
    rc: bool | None = None,
    on_mismatch: Mismatch = "raise",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    format: OutputFormat | None = None,
    dry_run: bool = False,
) -> Any:
    """Scores variants: log p(alternative) - log p(reference) in nats; negative: the alternative is less likely.

    Models that read single bases from the left have two methods. ``conditional`` compares the two bases at the site of
    an SNV, given what is before it; all variants of a stretch come out of one pass. ``full`` compares, for any small
    variant, the ``horizon`` bases from the variant on with either allele, given what is before it: it costs a pass over
    the horizon for each alternative. Probabilities are those of A, C, G and T among each other; N is context but never
    counted.

    Where tokens are several bases, or a model reads both ways, the alleles are compared token by token: a variant may
    move the borders of the tokens around it, so what is compared is all the tokens that differ, which cover the same
    bases but for the variant. Decoders (``window``) sum these and the tokens that follow within the horizon; encoders
    (``masked``) mask the tokens that differ and sum their log-probabilities given both sides. The counts of these
    tokens are told: an allele of more tokens tends to be less likely for that alone.

    A variant's context begins at a place that follows from its own position alone (see
    :mod:`genolm.tasks.reading.allele_tiles`), so
    its score does not depend on the other variants of the input, up to rounding.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        inputs: a path of a VCF, BCF or table, a table, or a list of variants
            (see :func:`genolm.genome.vcf.vcf_records.read_variants`); ``-`` reads standard input. What comes from
            there, or through
            a named pipe, is saved in a temporary file first.
        out: ``.vcf``, ``.vcf.gz`` or ``.bcf`` (from a VCF or BCF input only), ``.parquet``, ``.tsv`` or ``.csv``; ``-``
            writes to standard output; None returns the table.
        genome: FASTA, plain or bgzip.
        method: ``full`` or ``conditional``, ``window`` or ``masked``; None for the first that the model has.
        context: bases that at least precede every variant, where the contig has them; None for 4,096, or what the model
            has room for. With ``window`` and ``masked``: most bases that are read together; None for what the model
            can.
        horizon: bases that ``full`` compares, from the first that differs, and that ``window`` counts after the
            variant. No method scores a longer ALT.
        rc: read the reverse strand too, where the context is what follows the variant; the score is the mean. None:
            with ``window`` and ``masked``, because the strands have different tokens.
        on_mismatch: for records that do not fit the genome: ``raise``; ``skip`` leaves them unscored, with a status;
            ``flip`` scores them with both alleles reverse-complemented where that fits, and skips the others.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        resume: go on from the finished parts of a killed run.
        overwrite: replace an existing output.
        shard: ``"i/n"``: do the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a bar on standard error.
        format: of standard output; None for plain VCF of VCF and BCF input, and TSV of tables.
        dry_run: write nothing; measure a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

    Returns:
        ``out``, or without one a polars table with a row for every alternative, in the order of the input: ``chrom``,
        ``pos`` (1-based), ``id``, ``ref``, ``alt``; ``llr_alt_minus_ref_sum_nats`` (``full``, ``window``),
        ``llr_alt_minus_ref_site_nats`` (``conditional``) or ``llr_alt_minus_ref_masked_sum_nats``, with ``rc`` also
        ``…_forward`` and ``…_reverse``; ``status`` (:data:`genolm.tasks.reading.allele_status.Status`);
        ``left_context`` and,
        with ``rc``, ``right_context`` in bases; ``uncounted_ref`` and ``uncounted_alt`` (``full``): bases of the
        horizon that were N or past the contig's end; ``tokens_ref`` and ``tokens_alt`` (``window``, ``masked``): tokens
        that differ. Further columns of an input table follow, as they are.

    Raises:
        InputError: input that cannot be used, with file and line; an output that does not fit it.
        ModelError: no such model, a method that it does not have, or one that cannot read context and horizon.
        RunError: the output exists, or parts of another run are in the way.
        ResourceError: not enough memory or disk.
    """
    held, target = _held(inputs), _target(out)
    check_streams(held, target, format, resume=resume, shard=shard)
    Rules(method == "conditional", horizon, on_mismatch)
    check_method(method)
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    if target is not None and not is_standard_output(target):
        bulk.check_output(target)
    fasta, policy = path_and_policy(genome)
    piped = is_piped(held)
    with readable(held) as source, finished(source, target, format, piped=piped) as path:
        _check_pair(source, path, target)
        opened = bulk.open(model, path)
        with warnings_renamed(source, held) if piped else nullcontext():
            task = _task(opened, source, fasta, policy, method, context, horizon, rc, on_mismatch)
            warn_of_lengths(source, fasta)
        result = bulk.run(task, opened, path)  # type: ignore[arg-type]
    return result if dry_run or path == target else target


def _task(
    model: Model,
    source: Any,
    genome: Path,
    policy: GenomePolicy,
    method: Method | None,
    context: int | None,
    horizon: int,
    rc: bool | None,
    on_mismatch: Mismatch,
) -> VariantRun:
    chosen, further = choose_method(model, method), _further(source)
    if chosen in ("window", "masked"):
        both = True if rc is None else rc
        return TokenVariantTask.fit(
            model,
            context,
            horizon,
            source=source,
            genome=genome,
            method=chosen,
            rc=both,
            on_mismatch=on_mismatch,
            genome_iupac=policy,
            further=further,
        )
    tiling = fit_tiling(model, chosen, context, horizon)
    about = Provenance.of(model)
    return VariantTask(
        source, genome, chosen, bool(rc), on_mismatch, about, tiling, genome_iupac=policy, further=further
    )


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


def fit_tiling(model: Model, method: Method, context: int | None, horizon: int) -> Tiling:
    """Context, step and horizon for a model that reads single bases, and a method.

    Raises:
        InputError: a context or horizon below 1.
        ModelError: the model cannot read so much.
    """
    return Tiling.fit(model.context, horizon if method == "full" else 1, context)


def _held(inputs: Any) -> Any:
    """The source, such that it can be read twice."""
    if isinstance(inputs, Mapping):
        raise InputError("variants have no names of their own; pass a list of them, or a table with a column id")
    if isinstance(inputs, str) and _is_variant(inputs):
        raise InputError("no such file; pass variants in a list: ['chr22:1024:A>C']", value=inputs)
    if isinstance(inputs, str | Path):
        return Path(inputs)
    if is_table(inputs):
        return inputs
    return (inputs,) if isinstance(inputs, Variant) else tuple(inputs)


def _is_variant(text: str) -> bool:
    """Whether a text is a variant, and not the name of a file."""
    try:
        Variant.parse(text)
    except InputError:
        return False
    return not Path(text).exists()


def _further(source: Any) -> tuple[FurtherColumn, ...]:
    """The columns of a table of variants that are no variant; none of other inputs."""
    if not (is_table(source) or (isinstance(source, Path) and known_format(source) in ("table", "parquet"))):
        return ()
    used = ("chrom", "pos", "id", "ref", "alt") if read_table(source).has("chrom") else ("variant",)
    return further_columns(source, used, OWN)


def _target(out: Path | str | None) -> Path | None:
    """The output; its ending is checked unless it is ``-``, standard output."""
    return Path("-") if str(out) == "-" else check_suffix(out, (*VCF_SUFFIXES, *SUFFIXES))


def _check_pair(source: Any, path: Path | None, target: Path | None) -> None:
    """Raise unless the output can hold the input: VCF is a copy of VCF, and BCF cannot hold all that VCF can.

    A source of a kind that is not read is refused here too.
    """
    is_vcf = isinstance(source, Path) and known_format(source) == "vcf"
    if isinstance(source, Path) and known_format(source) is None:
        file_format(source, VARIANT_FORMATS)
    if path is None or not path.name.lower().endswith(VCF_SUFFIXES):
        return
    if not is_vcf:
        shown = source.name if isinstance(source, Path) else "values in memory"
        named = None if is_standard_output(target) else target
        raise InputError("VCF output needs VCF or BCF input; write .parquet, .tsv or .csv", file=named, value=shown)
    if path.suffix.lower() == ".bcf":
        _check_bcf(source)


def _check_bcf(source: Path) -> None:
    try:
        check_bcf(source)
    except InputError:
        for _ in read_variants(source):  # a record that is no VCF either is reported as such
            pass
        raise
