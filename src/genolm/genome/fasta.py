"""Random access to an indexed FASTA file."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

import pysam

from genolm.errors import InputError
from genolm.files.lines import locate_errors
from genolm.genome.contig_names import ContigNames, chrom_aliases
from genolm.genome.fasta_index import index_files, quiet_htslib
from genolm.genome.interval import Interval
from genolm.genome.sequence import LetterError, check_iupac, reverse_complement, upper_dna

GenomePolicy = Literal["N", "raise", "keep"]
"""Treatment of ambiguity codes in a genome: read as N, raise an error, or keep."""

_BLOCK = 1 << 16
"""Bases read and kept at a time: neighbouring windows and reference checks then cost no new read."""
_BLOCKS_KEPT = 256
_SAMPLES, _SAMPLE_LENGTH = 1024, 1024
"""Number and length (in bases) of the samples in a fingerprint."""


class Genome:
    """A FASTA file with random access: ``genome[Interval("chr22", 100, 200)]`` is a string of 100 bases.

    The file is plain or bgzip. A missing index (``.fai``) is created next to it, or in the user's cache if the folder
    is not writable. Objects can be pickled and used from several threads.

    Contigs are found by any name that `genolm.genome.contig_names.ContigNames` resolves: ``1`` or ``chr1``, ``MT`` or
    ``chrM``, ``KI270706.1`` or ``chr1_KI270706v1_random``. Further names, such as RefSeq accessions, are read from a
    ``chromAlias.txt`` file of UCSC in the folder of the FASTA: for ``hg38.fa.gz`` from ``hg38.chromAlias.txt``, or else
    from ``chromAlias.txt``.

    Args:
        path: the FASTA file.
        iupac: treatment of ambiguity codes such as R: read as ``"N"``, ``"raise"`` an error, or ``"keep"``.

    Attributes:
        path: the FASTA file.
        lengths: length of every contig in bases, in file order.
        synonyms: further names of the contigs, from the alias file.

    Raises:
        InputError: the argument is not a path; the file is not FASTA, is empty, truncated, or compressed with gzip
            instead of bgzip; two records have the same name; the alias file is malformed; ``iupac`` is unknown.
    """

    def __init__(self, path: str | os.PathLike[str], *, iupac: GenomePolicy = "N") -> None:
        check_iupac(iupac, get_args(GenomePolicy))
        if not isinstance(path, str | os.PathLike):
            raise InputError("expected the path of a FASTA file", value=path)
        self.path, self.iupac = Path(path), iupac
        self._index, self._block_index = index_files(self.path)
        self._open()
        self.lengths: dict[str, int] = dict(zip(self._file.references, self._file.lengths, strict=True))
        self.synonyms = chrom_aliases(self.path)
        self._names = ContigNames(self.lengths, self.synonyms)

    def _open(self) -> None:
        self._lock, self._process = threading.Lock(), os.getpid()
        self._blocks: OrderedDict[tuple[str, int], str] = OrderedDict()
        try:
            self._file = pysam.FastaFile(
                str(self.path), filepath_index=str(self._index),
                filepath_index_compressed=None if self._block_index is None else str(self._block_index),
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be opened with its index {self._index}: {error}", file=self.path) from None

    def __reduce__(self) -> tuple[object, ...]:
        return _reopened, (self.path, self.iupac)

    def __enter__(self) -> Genome:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; reading afterwards raises an error."""
        self._file.close()
        self._blocks.clear()

    def __repr__(self) -> str:
        return f"Genome({str(self.path)!r}, {len(self.lengths)} contigs, {sum(self.lengths.values()):,} bases)"

    def __contains__(self, chrom: object) -> bool:
        return isinstance(chrom, str) and len(self._names.candidates(chrom)) == 1

    def contig(self, chrom: str) -> str | None:
        """Return the name of a contig in the file, or None if it is not there.

        Raises:
            InputError: the name matches several contigs.
        """
        with locate_errors(self.path, None):
            return self._names.find(chrom)

    def resolve(self, chrom: str) -> str:
        """Return the name of a contig in the file.

        Raises:
            InputError: the name matches no contig, or several.
        """
        name = self.contig(chrom)
        if name is None:
            contigs = _listing(list(self.lengths))
            raise InputError(
                f"no such contig; the genome has {contigs}", file=self.path, value=chrom, code="unknown-contig"
            )
        return name

    def __getitem__(self, interval: Interval | str) -> str:
        """Return the bases of an interval in upper case, reverse-complemented on ``-``; N beyond the contig.

        Args:
            interval: an `Interval` (0-based, half-open), or text for `Interval.parse` (1-based, inclusive):
                ``genome["chr1:1-10"]`` returns the first ten bases.

        Raises:
            InputError: the argument is not an interval; or as `fetch`.
        """
        interval = Interval.of(interval)
        bases = self.fetch(interval.chrom, interval.start, interval.end)
        return reverse_complement(bases) if interval.strand == "-" else bases

    def fetch(self, chrom: str, start: int, end: int) -> str:
        """Return the upper-case bases ``[start, end)``, 0-based, of the forward strand; N beyond the contig.

        Raises:
            InputError: the contig is unknown, the interval is completely beyond it, or a letter is not a base (or, with
                ``iupac="raise"``, is an ambiguity code).
        """
        return self._checked(self.resolve(chrom), start, self.letters(chrom, start, end))

    def letters(self, chrom: str, start: int, end: int) -> str:
        """Return the letters of the file as `fetch` does, but with ambiguity codes.

        Raises:
            InputError: the contig is unknown, or the interval is completely beyond it.
        """
        name = self.resolve(chrom)
        length = self.lengths[name]
        first, last = max(start, 0), min(end, length)
        if first >= last:
            raise InputError(
                f"the interval lies beyond the ends of {name} (1-{length:,}): is it of another genome build?",
                file=self.path,
                value=f"{chrom}:{start + 1}-{end}",
                code="off-contig",
            )
        bases = self._read(name, first, last)
        return bases if last - first == end - start else "N" * (first - start) + bases + "N" * (end - last)

    def fingerprint(self) -> str:
        """Return a digest of names, lengths and about 1,024 evenly spaced samples of 1,024 bases.

        It is the same for plain, compressed and soft-masked copies of a genome.
        """
        total = sum(self.lengths.values())
        digest = hashlib.sha256(repr(list(self.lengths.items())).encode())
        step = max(_SAMPLE_LENGTH, total // _SAMPLES)
        for name, length in self.lengths.items():
            for start in range(0, length, step):
                digest.update(self._read(name, start, min(length, start + _SAMPLE_LENGTH)).encode())
        return digest.hexdigest()

    def _checked(self, name: str, start: int, bases: str) -> str:
        try:
            return upper_dna(bases, iupac=self.iupac)
        except LetterError as error:
            location = f"{name}:{start + error.position + 1}"
            raise InputError(
                f"invalid letter at {location} of {self.path.name}: not a base, or an ambiguity code",
                file=self.path,
                value=error.letter,
                code=error.code,
                remedy=error.remedy,
            ) from None

    def _read(self, name: str, start: int, end: int) -> str:
        """Return upper-case letters of the file, from cached blocks unless the interval is long."""
        if os.getpid() != self._process:  # a forked child must not move the file position of its parent
            self._open()
        with self._lock:
            if end - start > _BLOCK * _BLOCKS_KEPT // 4:
                return self._raw(name, start, end)
            first, last = start // _BLOCK, (end - 1) // _BLOCK
            if first == last:
                return self._block(name, first)[start - first * _BLOCK : end - first * _BLOCK]
            bases = "".join(self._block(name, number) for number in range(first, last + 1))
            return bases[start - first * _BLOCK : end - first * _BLOCK]

    def _block(self, name: str, number: int) -> str:
        key = (name, number)
        block = self._blocks.get(key)
        if block is not None:
            self._blocks.move_to_end(key)
            return block
        block = self._raw(name, number * _BLOCK, min(self.lengths[name], (number + 1) * _BLOCK))
        self._blocks[key] = block
        if len(self._blocks) > _BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        return block

    def _raw(self, name: str, start: int, end: int) -> str:
        try:
            with quiet_htslib():
                bases: str = self._file.fetch(name, start, end)
        except (OSError, ValueError) as error:
            raise self._unreadable(name, start, end, str(error)) from None
        if len(bases) != end - start:
            raise self._unreadable(name, start, end, f"found only {len(bases)} bases")
        return bases.upper()

    def _unreadable(self, name: str, start: int, end: int, why: str) -> InputError:
        return InputError(
            f"{name}:{start + 1}-{end} cannot be read ({why}): the file is truncated or closed, or its index belongs "
            f"to another file (delete {self._index} to create a new one)",
            file=self.path,
            code="damaged-file",
        )


def _reopened(path: Path, iupac: GenomePolicy) -> Genome:
    return Genome(path, iupac=iupac)


def _listing(names: list[str], limit: int = 6) -> str:
    if len(names) <= limit:
        return ", ".join(names)
    return f"{', '.join(names[:limit])}, … ({len(names)} contigs)"
