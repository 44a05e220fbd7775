"""Check that a file and a genome agree on the lengths of contigs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from genolm.genome.bed import read_bed
from genolm.genome.bigwig import BigWig
from genolm.genome.fasta import Genome
from genolm.genome.formats import uncompressed_suffix
from genolm.genome.vcf.vcf_text import read_vcf_text
from genolm.notes import note

_BUILD = "is it another genome build, or a part of one?"
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')
_CONTIG = re.compile(rb"##contig=<(?:.*,)?ID=([^,>]+)")
_LENGTH = re.compile(rb"[<,]length=(\d+)[,>]")


def warn_of_lengths(path: object, genome: Genome | Path | None) -> None:
    """Make a note if a file disagrees with a genome on the length of a contig.

    VCF and BCF give lengths in the header, bigWig in the list of contigs; in BED an interval may end beyond its
    contig. Other files, values in memory and contigs that the genome lacks are not checked.

    Args:
        path: the file; other values are ignored.
        genome: the genome that the file is used with, or its FASTA; None for no check.

    Raises:
        InputError: the file or genome cannot be read.
    """
    if isinstance(path, Path) and genome is not None:
        opened = genome if isinstance(genome, Genome) else Genome(genome)
        if text := contradiction(path, opened):
            note(f"{path}: {text}")


def contradiction(path: Path, genome: Genome) -> str | None:
    """Describe the disagreement between a file and a genome; None if they agree."""
    match uncompressed_suffix(path):
        case ".vcf" | ".bcf":
            return _other_lengths(dict(_header_lengths(path)), genome, "its header gives")
        case ".bw" | ".bigwig":
            with BigWig(path) as track:
                return _other_lengths(track.lengths, genome, "it gives")
        case ".bed":
            return _past_the_end(path, genome)
    return None


def _header_lengths(path: Path) -> Iterator[tuple[str, int]]:
    for line in read_vcf_text(path).header:
        plain = _QUOTED.sub(b"", line)
        name, length = _CONTIG.match(plain), _LENGTH.search(plain)
        if name and length:
            yield name[1].decode("utf-8", "replace"), int(length[1])


def _other_lengths(lengths: dict[str, int], genome: Genome, subject: str) -> str | None:
    others = [
        (name, length, genome.lengths[genome.resolve(name)])
        for name, length in lengths.items()
        if name in genome and length != genome.lengths[genome.resolve(name)]
    ]
    if not others:
        return None
    name, length, expected = others[0]
    more = f" ({len(others):,} contigs differ)" if len(others) > 1 else ""
    return f"{subject} {name} {length:,} bases, and {genome.path.name} has {expected:,}{more}: {_BUILD}"


def _past_the_end(path: Path, genome: Genome) -> str | None:
    """Count intervals that end beyond their contig; one completely beyond it raises an error when it is read."""
    total = past = 0
    for record in read_bed(path):
        total += 1
        if record.interval.chrom in genome:
            length = genome.lengths[genome.resolve(record.interval.chrom)]
            if record.interval.start >= length:
                return None
            past += record.interval.end > length
    if not past:
        return None
    return f"{past:,} of {total:,} intervals end after the last base of their contig in {genome.path.name}: {_BUILD}"
