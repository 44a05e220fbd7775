"""Streams: standard input, named pipes and process substitution, which can be read only once."""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from genolm.errors import InputError
from genolm.files.kinds import BOM
from genolm.files.lines import GZIP_MAGIC, is_pipe, raw_stream
from genolm.genome.formats import known_format
from genolm.notes import held, note

_HEAD = 1 << 16
_BEGINNINGS = (
    (b"##fileformat=VCF", ".vcf"),
    (b"##fileformat=vcf", ".vcf"),
    (b"#CHROM\tPOS\t", ".vcf"),
    (b"BCF", ".bcf"),
    (b"PAR1", ".parquet"),
    (b"LOCUS  ", ".gb"),
    (b"ID   ", ".embl"),
    (b">", ".fa"),
    (b"@", ".fq"),
)


def is_stream(path: Path) -> bool:
    """Return whether a path is ``-`` (standard input) or a pipe."""
    return str(path) == "-" or is_pipe(path)


@contextmanager
def saved(path: Path, otherwise: str) -> Iterator[Path]:
    """Copy a stream to a temporary file that can be read repeatedly; errors name the stream.

    The extension of the copy gives the format. It is that of the pipe; for standard input, and for pipes without an
    extension, it is detected from the content: VCF, BCF, FASTA, FASTQ, BED, TSV, CSV or parquet, compressed or not.

    Args:
        path: ``-`` or a pipe.
        otherwise: extension if the format cannot be detected, such as ``.fa``.

    Raises:
        InputError: the stream cannot be read.
        OSError: the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="genolm-") as folder:
        draft = Path(folder) / "draft"
        with raw_stream(path) as source, draft.open("wb") as target:
            shutil.copyfileobj(source, target, _HEAD)
        stem = "input" if str(path) == "-" else path.name
        ending = "" if known_format(path) else _ending(draft, otherwise)
        copy = draft.rename(draft.with_name(f"{stem}{ending}"))
        try:
            yield copy
        except InputError as error:
            if error.file is None or str(error.file) != str(copy):
                raise
            raise error.at(file=path, line=error.line) from None


@contextmanager
def notes_renamed(copy: Path, stream: Path) -> Iterator[None]:
    """Make the notes of the block at its end, naming the stream instead of its copy.

    Args:
        copy: path from `saved`.
        stream: ``-`` or a pipe.
    """
    with held() as notices:
        yield
    shown = "standard input" if str(stream) == "-" else str(stream)
    for notice in notices:
        note(replace(notice, text=notice.text.replace(str(copy), shown)))


def _ending(path: Path, otherwise: str) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(GZIP_MAGIC):
        try:
            head = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head)
        except zlib.error:
            return otherwise
    head = head.removeprefix(BOM)
    for beginning, ending in _BEGINNINGS:
        if head.startswith(beginning):
            return ending
    return _ending_of_rows(head) or otherwise


def _ending_of_rows(head: bytes) -> str | None:
    """Return ``.bed`` for coordinates, ``.tsv`` or ``.csv`` for a table; None otherwise."""
    rows = (line for line in head.splitlines() if line.strip() and not line.startswith((b"#", b"track", b"browser")))
    fields = next(rows, b"").split()
    if len(fields) >= 3 and fields[1].isdigit() and fields[2].isdigit():
        return ".bed"
    first = next((line for line in head.splitlines() if line.strip() and not line.startswith(b"##")), b"")
    if b"\t" in first:
        return ".tsv"
    return ".csv" if b"," in first else None
