"""Division of contigs between the splits, by held-out regions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genolm.errors import InputError
from genolm.genome.contig_names import ContigNames, SynonymIndex, Synonyms
from genolm.genome.interval import Interval

TRAIN = "train"
SKIPPED = ""
"""Split of bases that belong to none."""

_INTERVAL = re.compile(r".+:[\d,]+-[\d,]+(:[+-])?")
_END = 1 << 62


@dataclass(frozen=True, slots=True)
class Region:
    """One reading of a region in a recipe.

    Attributes:
        text: text in the recipe.
        split: split of its bases; empty for none.
        assembly: assembly to which it applies; None for all.
        contig: name of its contig; None for all contigs.
        start: first base, 0-based.
        end: one past the last base, 0-based.
    """

    text: str
    split: str
    assembly: str | None
    contig: str | None
    start: int = 0
    end: int = _END


class Division:
    """Divides contigs between training, the held-out splits and no split.

    Contigs are found by any name that `ContigNames` resolves: ``22``, ``chr22`` and ``CHR22`` are equal. A held-out
    contig includes contigs that were cut out of it, according to their names (``chr22:20000001-20509431``). Text that
    can be read as the name of a contig and as an interval counts as both. The first matching region applies; ``skip``
    comes last.

    Args:
        held_out: held-out regions by split.
        skip: regions that belong to no split.
        assemblies: names of assemblies that may precede a slash.
        synonyms: further names of contigs, by assembly.
    """

    def __init__(
        self,
        held_out: Mapping[str, Sequence[str]],
        skip: Sequence[str],
        assemblies: Sequence[str],
        synonyms: Mapping[str, Synonyms] | None = None,
    ) -> None:
        texts = [(text, split) for split, items in held_out.items() for text in items]
        texts += [(text, SKIPPED) for text in skip]
        self._regions = [region for text, split in texts for region in _read(text, split, assemblies)]
        self._texts = [text for text, _ in texts]
        self._matched: set[str] = set()
        self._synonyms = {name: SynonymIndex(groups) for name, groups in (synonyms or {}).items()}
        self._contigs: dict[tuple[str, str], dict[str, None]] = {}

    def divide(self, assembly: str, contig: str, start: int, end: int) -> list[tuple[int, int, str]]:
        """Divide ``[start, end)`` of a contig into pieces (start, end, split), in order and without gaps."""
        regions = self._regions_of(assembly, contig)
        inside = [region for region in regions if region.start < end and start < region.end]
        cuts = {start, end}
        for region in inside:
            self._matched.add(region.text)
            cuts |= {max(region.start, start), min(region.end, end)}
        borders = sorted(cuts)
        return [(left, right, _owner(inside, left, right)) for left, right in itertools.pairwise(borders)]

    def contig_names(self) -> list[str]:
        """Return the contig names that the regions use, each once."""
        return list(dict.fromkeys(region.contig for region in self._regions if region.contig is not None))

    def check_names(self) -> None:
        """Raise `InputError` if a name of the recipe matches several contigs of an assembly and none exactly."""
        for (_, name), contigs in self._contigs.items():
            if len(contigs) > 1 and name not in contigs:
                raise InputError(f"ambiguous contig name: it matches {' and '.join(contigs)}", value=name)

    def unmatched(self) -> list[str]:
        """Return the regions that matched no base so far, as text."""
        return [text for text in self._texts if text not in self._matched]

    def _regions_of(self, assembly: str, contig: str) -> list[Region]:
        index = self._synonyms.get(assembly) or SynonymIndex(())
        names = index.contig(contig)
        parent = index.contig(Interval.parse(contig).chrom) if is_interval(contig) else None
        return [
            region
            for region in self._regions
            if region.assembly in (None, assembly)
            and (
                region.contig is None
                or (parent and region.end == _END and parent.candidates(region.contig))
                or self._is_named(region.contig, assembly, contig, names)
            )
        ]

    def _is_named(self, name: str, assembly: str, contig: str, names: ContigNames) -> bool:
        """Whether a name of the recipe refers to a contig."""
        if not names.candidates(name):
            return False
        self._contigs.setdefault((assembly, name), {}).setdefault(contig)
        return True


def _read(text: str, split: str, assemblies: Sequence[str]) -> list[Region]:
    head, slash, rest = text.partition("/")
    readings = [(None, text), (head, rest)] if slash and head in assemblies else [(None, text)]
    regions = []
    for assembly, name in readings:
        contig = None if assembly is not None and name in ("", "*") else name
        regions.append(Region(text, split, assembly, contig))
        if is_interval(name):
            interval = Interval.parse(name)
            regions.append(Region(text, split, assembly, interval.chrom, interval.start, interval.end))
    return regions


def _owner(regions: Sequence[Region], start: int, end: int) -> str:
    return next((region.split for region in regions if region.start <= start and end <= region.end), TRAIN)


def is_interval(text: str) -> bool:
    """Return whether a text has the form of a browser interval, ``chr1:1-1,000``; its numbers may be invalid."""
    return _INTERVAL.fullmatch(text) is not None and " " not in text
