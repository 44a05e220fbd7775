"""Average of a track around gene signals: transcription starts, start codons, splice sites."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from genolm.arrays import Float32
from genolm.errors import InputError
from genolm.genome.annotation.genes import Transcript
from genolm.genome.bigwig import BigWig
from genolm.genome.interval import Interval

REACH = 40
SIGNALS = ("Transcription start", "Start codon", "Splice donor", "Splice acceptor")


@dataclass(frozen=True, slots=True)
class Profile:
    """Mean of a track around one kind of signal.

    Attributes:
        name: one of `SIGNALS`.
        mean: mean per base, 5' to 3', ``(2 * REACH,)``; the signal starts at index `REACH`.
        error: standard error of each mean, ``(2 * REACH,)``.
        sites: number of sites with data.
    """

    name: str
    mean: Float32
    error: Float32
    sites: int


def average_profiles(track: BigWig, transcripts: Sequence[Transcript], *, most: int = 2000) -> list[Profile]:
    """Average a track around the signals of transcripts; signals with fewer than 5 sites in the track are left out.

    Args:
        track: values per base.
        transcripts: transcripts with the signals; a site shared by several transcripts counts once.
        most: maximum number of sites per signal.
    """
    sites_by_signal: dict[str, dict[Interval, None]] = {name: {} for name in SIGNALS}
    for transcript in transcripts:
        for name, site in _sites(transcript):
            sites_by_signal[name].setdefault(site)
    profiles = (_average(track, name, list(sites)[:most]) for name, sites in sites_by_signal.items())
    return [profile for profile in profiles if profile is not None]


def _sites(transcript: Transcript) -> Iterator[tuple[str, Interval]]:
    """Yield the intervals of 2 * REACH bases around the signals; the first base of a signal is at REACH."""
    transcript_interval = transcript.interval
    yield SIGNALS[0], _around(transcript_interval, transcript.tss)
    if transcript.coding is not None:
        first = transcript.coding.start if transcript_interval.strand == "+" else transcript.coding.end - 1
        yield SIGNALS[1], _around(transcript_interval, first)
    for intron in transcript.introns:
        ends = (intron.start, intron.end - 1) if transcript_interval.strand == "+" else (intron.end - 1, intron.start)
        after = ends[1] + (1 if transcript_interval.strand == "+" else -1)
        yield SIGNALS[2], _around(transcript_interval, ends[0])
        yield SIGNALS[3], _around(transcript_interval, after)


def _around(transcript_interval: Interval, base: int) -> Interval:
    """Return the interval in which `base` is at index REACH on the strand."""
    return Interval(transcript_interval.chrom, base, base + 1, transcript_interval.strand).expand(REACH, REACH - 1)


def _average(track: BigWig, name: str, sites: Iterable[Interval]) -> Profile | None:
    rows = [values for values in (_read(track, site) for site in sites) if values is not None]
    if len(rows) < 5:
        return None
    table = np.stack(rows)
    error = table.std(axis=0, ddof=1) / np.sqrt(len(rows))
    return Profile(name, table.mean(axis=0), error, len(rows))


def _read(track: BigWig, site: Interval) -> Float32 | None:
    """Return the values of a site; None unless every base has one."""
    try:
        values = track.values(site)
    except InputError:
        return None
    return None if np.isnan(values).any() else values
