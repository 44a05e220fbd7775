"""What the genome browser of a report shows, as an igv.js configuration that carries all its data inside."""

from __future__ import annotations

import base64
import gzip
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.errors import GenolmError, InputError
from genolm.genome.fasta import Genome
from genolm.genome.genes import Transcript
from genolm.genome.interval import Interval
from genolm.genome.lines import text_lines
from genolm.genome.tracks import BigWig, Float32, write_bigwig
from genolm.tasks.report.scored_variants import ScoredFile

FLANKS = (5_000, 1_000, 200)
_DECIMALS = 2
_CLASS_COLOURS = {"LP": "#d55e00", "P": "#d55e00", "LB": "#0072b2", "B": "#0072b2", "*": "#8a8f98"}


@dataclass(frozen=True, slots=True)
class Track:
    """A bigWig to show.

    Attributes:
        name: its label.
        path: the file.
        colour: CSS colour.
    """

    name: str
    path: Path
    colour: str


def igv_script() -> str:
    """The text of igv.js, out of the ``igv-notebook`` package.

    Raises:
        GenolmError: the package is not installed.
    """
    return _igv_file("js/igv.min.js")


def igv_version() -> str:
    """The version of that igv.js."""
    return _igv_file("VERSION_IGV").strip()


def _igv_file(name: str) -> str:
    """A file of the package, which is not imported: it would import notebook software."""
    spec = find_spec("igv_notebook")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = Path(folders[0]) / name if folders else None
    if path is None or not path.is_file():
        raise GenolmError("the report needs igv-notebook: pip install 'genolm[report]'")
    return path.read_text(encoding="utf-8")


def choose_regions(genome: Genome, scored: ScoredFile | None, most: int) -> list[Interval]:
    """The whole genome if it has at most `most` bases, else what lies around the variants, up to that many bases.

    The surroundings shrink from 5,000 to 200 bases where there are many variants; what is still too much is left out.
    """
    if sum(genome.lengths.values()) <= most:
        return [Interval(chrom, 0, length) for chrom, length in genome.lengths.items()]
    for flank in FLANKS:
        wanted = _merged(_around_variants(genome, scored, flank)) if scored else _starts(genome)
        if sum(map(len, wanted)) <= most:
            break
    return list(_first_bases(wanted, most))


def _first_bases(regions: Iterable[Interval], left: int) -> Iterator[Interval]:
    for region in regions:
        if left > 0:
            kept = min(len(region), left)
            yield Interval(region.chrom, region.start, region.start + kept)
            left -= kept


def browser_view(
    genome: Genome,
    regions: Sequence[Interval],
    *,
    genes: str | Path | None,
    scored: ScoredFile | None,
    tracks: Sequence[Track],
    locus: str,
) -> dict[str, Any]:
    """The configuration of ``igv.createBrowser``; nothing in it points outside of the page."""
    shown: list[dict[str, Any]] = []
    if genes is not None:
        shown.append(_gene_track(genome, regions, Path(genes)))
    if scored is not None:
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
        "tracks": [{**track, "order": place} for place, track in enumerate(shown, start=1)],
    }


def first_locus(
    genome: Genome, regions: Sequence[Interval], transcripts: Sequence[Transcript], scored: ScoredFile | None
) -> Interval:
    """Where the browser opens: a transcript with the most scored variants, else the lowest score, else the start."""
    places = _scored_places(genome, scored)
    inside = [one.interval for one in transcripts if any(region.contains(one.interval) for region in regions)]
    best = max(inside, key=lambda interval: _count_inside(interval, places), default=None)
    if best is not None:
        margin = 150 + len(best) // 10
        return _on_contig(genome, best.chrom, best.start - margin, best.end + margin)
    lowest = _lowest(genome, regions, scored)
    chrom, base = (regions[0].chrom, regions[0].start) if lowest is None else lowest
    return _on_contig(genome, chrom, base - 500, base + 500)


def _lowest(genome: Genome, regions: Sequence[Interval], scored: ScoredFile | None) -> tuple[str, int] | None:
    """Contig and 0-based position of the shown alternative with the lowest score."""
    shown = [
        (one.score, _resolved(genome, one.chrom) or "", one.pos - 1)
        for one in (scored.alleles if scored else ())
        if one.score is not None and _covers(genome, regions, one.chrom, one.pos - 1, one.pos)
    ]
    return min(shown)[1:] if shown else None


def _scored_places(genome: Genome, scored: ScoredFile | None) -> dict[str, NDArray[np.int64]]:
    """Sorted 0-based positions of the scored alternatives of each contig."""
    places: dict[str, list[int]] = {}
    for allele in scored.alleles if scored else ():
        name = _resolved(genome, allele.chrom)
        if allele.score is not None and name is not None:
            places.setdefault(name, []).append(allele.pos - 1)
    return {name: np.sort(positions) for name, positions in places.items()}


def _count_inside(interval: Interval, places: Mapping[str, NDArray[np.int64]]) -> int:
    positions = places.get(interval.chrom)
    return 0 if positions is None else int(np.diff(np.searchsorted(positions, [interval.start, interval.end]))[0])


def _on_contig(genome: Genome, chrom: str, start: int, end: int) -> Interval:
    return Interval(chrom, max(0, start), min(genome.lengths[chrom], end))


def _resolved(genome: Genome, chrom: str) -> str | None:
    try:
        return genome.resolve(chrom)
    except InputError:
        return None


def _around_variants(genome: Genome, scored: ScoredFile, flank: int) -> Iterator[Interval]:
    for chrom, start, end, _ in scored.lines:
        name = _resolved(genome, chrom)
        if name is not None and start < genome.lengths[name]:
            yield _on_contig(genome, name, start - flank, end + flank)


def _starts(genome: Genome) -> list[Interval]:
    return [Interval(chrom, 0, min(length, 200_000)) for chrom, length in genome.lengths.items()]


def _merged(intervals: Iterable[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for interval in sorted(intervals):
        last = merged[-1] if merged else None
        if last is not None and last.chrom == interval.chrom and interval.start <= last.end:
            merged[-1] = Interval(last.chrom, last.start, max(last.end, interval.end))
        else:
            merged.append(interval)
    return merged


def _fasta(genome: Genome, regions: Sequence[Interval]) -> str:
    parts = []
    for region in regions:
        length = genome.lengths[region.chrom]
        whole = len(region) == length
        name = region.chrom if whole else f"{region.chrom}:{region.start + 1}-{region.end} @len={length}"
        parts.append(f">{name}\n{genome.fetch(region.chrom, region.start, region.end)}\n")
    return "".join(parts)


def _gene_track(genome: Genome, regions: Sequence[Interval], path: Path) -> dict[str, Any]:
    lines = [line for _, line in text_lines(path) if not line.startswith("#") and _shown(genome, regions, line)]
    url = _packed("\n".join(lines) + "\n")
    return {
        "name": "Genes", "type": "annotation", "format": "gtf", "url": url, "indexed": False,
        "displayMode": "EXPANDED", "height": 70, "color": "#4b3f8f", "searchable": True, "visibilityWindow": -1,
    }  # fmt: skip


def _shown(genome: Genome, regions: Sequence[Interval], line: str) -> bool:
    columns = line.split("\t", 5)
    if len(columns) < 6:
        return False
    return _covers(genome, regions, columns[0], int(columns[3]) - 1, int(columns[4]))


def _covers(genome: Genome, regions: Sequence[Interval], chrom: str, start: int, end: int) -> bool:
    name = _resolved(genome, chrom)
    return any(region.chrom == name and region.start < end and start < region.end for region in regions)


def _variant_track(genome: Genome, regions: Sequence[Interval], scored: ScoredFile) -> dict[str, Any]:
    kept = [line for chrom, start, end, line in scored.lines if _covers(genome, regions, chrom, start, end)]
    track: dict[str, Any] = {
        "name": "Variants", "type": "variant", "format": "vcf", "url": _packed(scored.header + "".join(kept)),
        "indexed": False, "displayMode": "SQUISHED", "height": 60, "visibilityWindow": -1,
        "squishedCallHeight": 8, "squishedVariantHeight": 8,
    }  # fmt: skip
    if "ID=CLS," in scored.header:
        track |= {"colorBy": "CLS", "colorTable": _CLASS_COLOURS}
    return track


def _score_track(genome: Genome, regions: Sequence[Interval], scored: ScoredFile) -> dict[str, Any]:
    features: list[dict[str, Any]] = [
        {"chr": genome.resolve(one.chrom), "start": one.pos - 1, "end": one.pos, "value": round(one.score, 4)}
        for one in scored.alleles
        if one.score is not None and _covers(genome, regions, one.chrom, one.pos - 1, one.pos)
    ]
    values = [0.0, *(feature["value"] for feature in features)]
    margin = 0.1 * (max(values) - min(values)) or 1.0
    return {
        "name": f"Score of variants ({scored.field}, nats)", "type": "wig", "features": features, "height": 80,
        "graphType": "points", "pointSize": 6, "color": "#0072b2", "altColor": "#d55e00", "visibilityWindow": -1,
        "min": round(min(values) - margin, 2), "max": round(max(values) + margin, 2), "autoscale": False,
    }  # fmt: skip


def _signal_track(genome: Genome, regions: Sequence[Interval], track: Track) -> Iterator[dict[str, Any]]:
    """The track, unless it has no value inside the regions."""
    url = _cut_bigwig(genome, regions, track.path)
    if url is not None:
        yield {
            "name": track.name, "type": "wig", "format": "bigwig", "url": url,
            "height": 70, "autoscale": True, "color": track.colour, "altColor": track.colour,
        }  # fmt: skip


def _cut_bigwig(genome: Genome, regions: Sequence[Interval], path: Path) -> str | None:
    """The part of a bigWig inside the regions, rounded to two decimals, as a data URI; None if there is no value."""
    with tempfile.TemporaryDirectory() as folder, BigWig(path) as source:
        pieces = list(_pieces(source, regions))
        if not pieces:
            return None
        cut = write_bigwig(Path(folder) / "cut.bw", genome.lengths, pieces)
        return f"data:application/octet-stream;base64,{base64.b64encode(cut.read_bytes()).decode()}"


def _pieces(source: BigWig, regions: Sequence[Interval]) -> Iterator[tuple[str, int, Float32]]:
    for region in regions:
        try:
            values = source.values(region)
        except InputError:  # a track need not have every contig
            continue
        if not np.isnan(values).all():
            yield region.chrom, region.start, np.round(values, _DECIMALS)


def _packed(text: str) -> str:
    compressed = gzip.compress(text.encode(), mtime=0)
    return f"data:application/gzip;base64,{base64.b64encode(compressed).decode()}"


def named_tracks(tracks: Mapping[str, str | Path], scores: str | Path | None) -> list[Track]:
    """The score track first, then the others in their order, each with a colour of its own."""
    colours = ("#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8f98")
    named = [] if scores is None else [Track("Log-likelihood per base (nats)", Path(scores), "#3a6ea5")]
    return named + [Track(name, Path(path), colours[place % 5]) for place, (name, path) in enumerate(tracks.items())]
