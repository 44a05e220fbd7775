"""Configuration of the genome browser of a report (igv.js), with all data embedded."""

from __future__ import annotations

import base64
import gzip
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float32
from genolm.errors import GenolmError, InputError
from genolm.genome.annotation.genes import Transcript
from genolm.genome.bigwig import BigWig, write_bigwig
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.tasks.report.nearby_genes import Genes, bed_lines
from genolm.tasks.report.report_regions import Regions, on_contig, resolved
from genolm.tasks.report.scored_variants import ScoredAllele, ScoredFile

_DECIMALS = 2
_FINEST = 250_000
"""Regions of up to twice this many bases have tracks at single-base resolution."""
_AROUND = 500
_WIDEST = 100_000
"""Maximum length in bases of the transcript shown first."""
_POSITIVE, _NEGATIVE, _NEITHER = "#d55e00", "#0072b2", "#8a8f98"
_VCF_HEADER = """\
##fileformat=VCFv4.2
##INFO=<ID=SCORE,Number=1,Type=Float,Description="score, nats">
##INFO=<ID=STATUS,Number=1,Type=String,Description="status">
##INFO=<ID=LABEL,Number=1,Type=String,Description="label">
##INFO=<ID=GENE,Number=1,Type=String,Description="gene">
##INFO=<ID=EFFECT,Number=1,Type=String,Description="effect">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""


@dataclass(frozen=True, slots=True)
class Track:
    """A bigWig file to show.

    Attributes:
        name: label.
        path: the file.
        colour: CSS colour.
    """

    name: str
    path: Path
    colour: str


def igv_script() -> str:
    """Return the source of igv.js from the ``igv-notebook`` package.

    Raises:
        GenolmError: the package is not installed.
    """
    return _igv_file("js/igv.min.js")


def igv_version() -> str:
    """Return the version of igv.js."""
    return _igv_file("VERSION_IGV").strip()


def _igv_file(name: str) -> str:
    """Return a file of the package without importing it, which would import notebook software."""
    spec = find_spec("igv_notebook")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = Path(folders[0]) / name if folders else None
    if path is None or not path.is_file():
        raise GenolmError("the report needs igv-notebook: pip install 'genolm[report]'", code="missing-package")
    return path.read_text(encoding="utf-8")


def browser_view(
    genome: Genome,
    regions: Regions,
    *,
    genes: Genes | None,
    scored: ScoredFile | None,
    tracks: Sequence[Track],
    locus: str,
) -> dict[str, Any]:
    """Return the configuration of ``igv.createBrowser``, without references to anything outside the page.

    Tracks without a value on the regions are left out.
    """
    shown: list[dict[str, Any]] = []
    if genes is not None:
        shown += _gene_track(genes, regions)
    if scored is not None and scored.alleles:
        shown += [_variant_track(genome, regions, scored), _score_track(genome, regions, scored)]
    shown += [shown_track for track in tracks for shown_track in _signal_track(genome, regions, track)]
    reference = {
        "id": "genolm",
        "name": genome.path.name,
        "indexed": False,
        "fastaURL": _packed(_fasta(genome, regions)),
    }
    return {
        "reference": {**reference, "wholeGenomeView": False, "tracks": []},
        "locus": locus,
        "loadDefaultGenomes": False,
        "search": False,
        "showChromosomeWidget": True,
        "showCircularViewButton": False,
        "tracks": [{**track, "order": order} for order, track in enumerate(shown, start=1)],
    }


def first_locus(
    genome: Genome, regions: Regions, transcripts: Sequence[Transcript], scored: ScoredFile | None
) -> Interval:
    """Return the initial locus: the transcript with the most scored variants, the lowest score, or the first base."""
    positions_by_contig = _scored_positions(genome, scored)
    inside = [one.interval for one in transcripts if regions.contains(one.interval)]
    best = max(inside, key=lambda interval: _count_inside(interval, positions_by_contig), default=None)
    if best is not None and len(best) <= _WIDEST:
        margin = 150 + len(best) // 10
        return on_contig(genome, best.chrom, best.start - margin, best.end + margin)
    lowest = _lowest(genome, regions, scored)
    first = regions.intervals[0]
    chrom, base = (first.chrom, first.start) if lowest is None else lowest
    return on_contig(genome, chrom, base - _AROUND, base + _AROUND)


def _lowest(genome: Genome, regions: Regions, scored: ScoredFile | None) -> tuple[str, int] | None:
    """Return contig and 0-based position of the shown ALT allele with the lowest score."""
    shown = [
        (one.score, resolved(genome, one.chrom) or "", one.start)
        for one in (scored.alleles if scored else ())
        if one.score is not None and regions.shows(genome, one)
    ]
    return min(shown)[1:] if shown else None


def _scored_positions(genome: Genome, scored: ScoredFile | None) -> dict[str, NDArray[np.int64]]:
    """Return the sorted 0-based positions of the scored ALT alleles of each contig."""
    positions_by_contig: dict[str, list[int]] = {}
    for allele in scored.alleles if scored else ():
        name = resolved(genome, allele.chrom)
        if allele.score is not None and name is not None:
            positions_by_contig.setdefault(name, []).append(allele.start)
    return {name: np.sort(positions) for name, positions in positions_by_contig.items()}


def _count_inside(interval: Interval, positions_by_contig: Mapping[str, NDArray[np.int64]]) -> int:
    positions = positions_by_contig.get(interval.chrom)
    return 0 if positions is None else int(np.diff(np.searchsorted(positions, [interval.start, interval.end]))[0])


def _fasta(genome: Genome, regions: Regions) -> str:
    parts = []
    for region in regions.intervals:
        length = genome.lengths[region.chrom]
        is_complete = len(region) == length
        name = region.chrom if is_complete else f"{region.chrom}:{region.start + 1}-{region.end} @len={length}"
        parts.append(f">{name}\n{genome.fetch(region.chrom, region.start, region.end)}\n")
    return "".join(parts)


def _gene_track(genes: Genes, regions: Regions) -> Iterator[dict[str, Any]]:
    """Yield the track of genes, one transcript each, unless none lies on the regions."""
    lines = list(bed_lines(genes, regions))
    if lines:
        yield {
            "name": "Genes", "type": "annotation", "format": "bed", "url": _packed("\n".join(lines) + "\n"),
            "indexed": False, "displayMode": "EXPANDED", "height": 70, "color": "#4b3f8f", "searchable": True,
            "visibilityWindow": -1,
        }  # fmt: skip


def _variant_track(genome: Genome, regions: Regions, scored: ScoredFile) -> dict[str, Any]:
    shown = (one for one in scored.alleles if regions.shows(genome, one))
    lines = (_vcf_line(genome, one, scored) for one in sorted(shown, key=lambda one: (one.chrom, one.pos)))
    track: dict[str, Any] = {
        "name": "Variants", "type": "variant", "format": "vcf", "url": _packed(_VCF_HEADER + "".join(lines)),
        "indexed": False, "displayMode": "SQUISHED", "height": 60, "visibilityWindow": -1,
        "squishedCallHeight": 8, "squishedVariantHeight": 8,
    }  # fmt: skip
    if scored.label is not None:
        positive = dict.fromkeys(scored.label.positive, _POSITIVE)
        negative = dict.fromkeys(scored.label.negative, _NEGATIVE)
        track |= {"colorBy": "LABEL", "colorTable": {**positive, **negative, "*": _NEITHER}}
    return track


def _vcf_line(genome: Genome, allele: ScoredAllele, scored: ScoredFile) -> str:
    """Return the VCF line of an ALT allele; samples and other INFO fields are not included in the page."""
    values = {
        "SCORE": "" if allele.score is None else f"{allele.score:.4f}",
        "STATUS": allele.status, "LABEL": allele.truth, "GENE": allele.gene, "EFFECT": allele.effect,
    }  # fmt: skip
    info = ";".join(f"{name}={_word(value)}" for name, value in values.items() if value) or "."
    chrom = resolved(genome, allele.chrom) or allele.chrom
    return f"{chrom}\t{allele.pos}\t.\t{allele.ref}\t{allele.alt}\t.\t.\t{info}\n"


def _word(text: str) -> str:
    """Replace the characters that separate VCF fields."""
    return re.sub(r"[;=\s]+", "_", text)


def _score_track(genome: Genome, regions: Regions, scored: ScoredFile) -> dict[str, Any]:
    features: list[dict[str, Any]] = [
        {"chr": resolved(genome, one.chrom), "start": one.start, "end": one.start + 1, "value": round(one.score, 4)}
        for one in scored.alleles
        if one.score is not None and regions.shows(genome, one)
    ]
    values = [0.0, *(feature["value"] for feature in features)]
    margin = 0.1 * (max(values) - min(values)) or 1.0
    return {
        "name": f"Score of variants ({scored.field}, nats)", "type": "wig", "features": features, "height": 80,
        "graphType": "points", "pointSize": 6, "color": "#0072b2", "altColor": "#d55e00", "visibilityWindow": -1,
        "min": round(min(values) - margin, 2), "max": round(max(values) + margin, 2), "autoscale": False,
    }  # fmt: skip


def _signal_track(genome: Genome, regions: Regions, track: Track) -> Iterator[dict[str, Any]]:
    """Yield the track unless it has no value on the regions."""
    url = _cut_bigwig(genome, regions, track.path)
    if url is not None:
        yield {
            "name": track.name, "type": "wig", "format": "bigwig", "url": url,
            "height": 70, "autoscale": True, "color": track.colour, "altColor": track.colour,
        }  # fmt: skip


def _cut_bigwig(genome: Genome, regions: Regions, path: Path) -> str | None:
    """Return the part of a bigWig file on the regions as a data URI, rounded to two decimals; None without a value."""
    with tempfile.TemporaryDirectory() as folder, BigWig(path, genome.synonyms) as source:
        pieces = list(_pieces(source, regions))
        if not pieces:
            return None
        cut = write_bigwig(Path(folder) / "cut.bw", genome.lengths, pieces)
        return f"data:application/octet-stream;base64,{base64.b64encode(cut.read_bytes()).decode()}"


def _pieces(source: BigWig, regions: Regions) -> Iterator[tuple[str, int, Float32]]:
    """Yield the values of each region, as means of bins if there are many bases, to limit the size of the page."""
    width = max(1, regions.bases // _FINEST)
    for region in regions.intervals:
        try:
            values = source.values(region)
        except InputError:  # contigs may be missing from a track
            continue
        if not np.isnan(values).all():
            yield region.chrom, region.start, np.round(_binned(values, width), _DECIMALS)


def _binned(values: Float32, width: int) -> Float32:
    """Replace every value by the mean of its bin of ``width`` bases; missing values are ignored."""
    if width == 1:
        return values
    starts = np.arange(0, len(values), width)
    known = np.add.reduceat(~np.isnan(values), starts, dtype=np.int64)
    sums = np.add.reduceat(np.nan_to_num(values), starts, dtype=np.float64)
    means = np.where(known > 0, sums / np.maximum(known, 1), np.nan).astype(np.float32)
    return np.repeat(means, width)[: len(values)]


def _packed(text: str) -> str:
    compressed = gzip.compress(text.encode(), mtime=0)
    return f"data:application/gzip;base64,{base64.b64encode(compressed).decode()}"


def named_tracks(tracks: Mapping[str, str | Path], scores: str | Path | None) -> list[Track]:
    """Return the score track, if any, and the other tracks in their order, with different colours."""
    colours = ("#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8f98")
    named = [] if scores is None else [Track("Log-likelihood per base (nats)", Path(scores), "#3a6ea5")]
    return named + [Track(name, Path(path), colours[index % 5]) for index, (name, path) in enumerate(tracks.items())]
