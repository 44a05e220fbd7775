"""Intervals of which more than half lies beyond the ends of their contig: counted, and reported once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval


@dataclass(slots=True)
class OffContig:
    """The intervals of one source that read mostly N because their contig is shorter.

    Attributes:
        file: the source.
        count: how many there are.
    """

    file: Path | str
    count: int = 0
    _first: tuple[int, Interval, int] | None = None

    def look(self, interval: Interval, genome: Genome, line: int) -> None:
        """Count an interval if more than half of it lies beyond the ends of its contig.

        Args:
            interval: as it was given, before it is resized.
            genome: with its contig.
            line: line or row of the source, 1-based.
        """
        length = genome.lengths[genome.resolve(interval.chrom)]
        inside = min(interval.end, length) - max(interval.start, 0)
        if 2 * inside < len(interval):
            self.count += 1
            self._first = self._first or (line, interval, length)

    def report(self) -> None:
        """Warn once, with the place of the first; nothing happens if there is none.

        Warns:
            UserWarning: how many intervals read mostly N.
        """
        if self._first is None:
            return
        line, interval, length = self._first
        many = f"{self.count:,} intervals lie mostly beyond the ends of their contig and read N there"
        which = many if self.count > 1 else "1 interval lies mostly beyond the ends of its contig and reads N there"
        text = f"{which}; here {interval.chrom} has {length:,} bases: is it of another genome build?"
        warnings.warn(str(InputError(text, file=self.file, line=line, value=str(interval))), stacklevel=1)
