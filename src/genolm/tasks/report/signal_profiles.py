"""A track averaged around the signals of genes."""

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
        mean: mean per base, 5' to 3', ``(2 * REACH,)``; the signal begins at index `REACH`.
        error: standard error of each mean, ``(2 * REACH,)``.
        sites: how many sites have data.
    """

    name: str
    mean: Float32
    error: Float32
    sites: int


def average_profiles(track: BigWig, transcripts: Sequence[Transcript], *, most: int = 2000) -> list[Profile]:
    """Average a track around the signals of transcripts; a signal with fewer than 5 sites in the track is left out.

    Args:
        track: values per base.
        transcripts: where the signals are; the same site in several transcripts counts once.
        most: sites of one kind that are looked at.
    """
    found: dict[str, dict[Interval, None]] = {name: {} for name in SIGNALS}
    for transcript in transcripts:
        for name, site in _sites(transcript):
            found[name].setdefault(site)
    profiles = (_average(track, name, list(sites)[:most]) for name, sites in found.items())
    return [profile for profile in profiles if profile is not None]


def _sites(transcript: Transcript) -> Iterator[tuple[str, Interval]]:
    """Stretches of 2 * REACH bases; the signal's first base is at REACH."""
    whole = transcript.interval
    yield SIGNALS[0], _around(whole, transcript.tss)
    if transcript.coding is not None:
        first = transcript.coding.start if whole.strand == "+" else transcript.coding.end - 1
        yield SIGNALS[1], _around(whole, first)
    for intron in transcript.introns:
        ends = (intron.start, intron.end - 1) if whole.strand == "+" else (intron.end - 1, intron.start)
        after = ends[1] + (1 if whole.strand == "+" else -1)
        yield SIGNALS[2], _around(whole, ends[0])
        yield SIGNALS[3], _around(whole, after)


def _around(whole: Interval, base: int) -> Interval:
    """The stretch whose base at index REACH, read on the strand, is `base`."""
    return Interval(whole.chrom, base, base + 1, whole.strand).expand(REACH, REACH - 1)


def _average(track: BigWig, name: str, sites: Iterable[Interval]) -> Profile | None:
    rows = [values for values in (_read(track, site) for site in sites) if values is not None]
    if len(rows) < 5:
        return None
    table = np.stack(rows)
    error = table.std(axis=0, ddof=1) / np.sqrt(len(rows))
    return Profile(name, table.mean(axis=0), error, len(rows))


def _read(track: BigWig, site: Interval) -> Float32 | None:
    """The values of a site, or None unless every base has one."""
    try:
        values = track.values(site)
    except InputError:
        return None
    return None if np.isnan(values).any() else values
