"""Input and output files of verbs that score variants, including standard input and output.

A run reads its input several times and writes its output at the end. Input from a pipe is therefore saved to a
temporary file first, and output for standard output is written to a temporary file and then copied.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeGuard, get_args

from genolm.engine.interrupt import Interrupted
from genolm.engine.target import INDEXES
from genolm.errors import InputError, RunError
from genolm.files.names import through_link
from genolm.genome.formats import VARIANT_FORMATS, file_format, known_format
from genolm.genome.further_columns import FurtherColumn, further_columns
from genolm.genome.input_values import HeldVariants
from genolm.genome.streams import is_stream, saved
from genolm.genome.tabular import read_table
from genolm.genome.vcf.bcf_trial import check_bcf
from genolm.genome.vcf.vcf_records import read_variants
from genolm.tasks.reading.variant_columns import OUTPUT_COLUMNS
from genolm.tasks.reading.variant_records import VCF_SUFFIXES
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix

OutputFormat = Literal["vcf", "vcf.gz", "bcf", "tsv", "csv", "parquet"]
"""Formats of standard output."""


def is_standard_output(out: Path | None) -> bool:
    """Return whether the output is ``-``, standard output."""
    return out is not None and str(out) == "-"


def check_streams(
    source: HeldVariants, out: Path | None, output_format: str | None, *, resume: bool, shard: object
) -> None:
    """Check that the options of a run are compatible with pipes and standard output.

    Args:
        source: the input.
        out: the output; ``-`` for standard output, None for a table in memory.
        output_format: one of :data:`OutputFormat`; None if the ending of ``out`` decides, or for the default.
        resume: whether an earlier run is continued.
        shard: share of the run; None for all of it.

    Raises:
        InputError: if the format is unknown, or given for an output file.
        RunError: if a run with a pipe is resumed or sharded.
    """
    if output_format is not None and output_format not in get_args(OutputFormat):
        raise InputError(f"format must be one of {', '.join(get_args(OutputFormat))}", value=output_format)
    if output_format is not None and not is_standard_output(out):
        raise InputError(
            "a format can be chosen only for standard output (-): that of a file follows from its ending",
            file=out,
            code="inapplicable-argument",
        )
    if not (resume or shard is not None):
        return
    if is_standard_output(out):
        raise RunError("resume and shard need an output file; this run writes to standard output")
    if is_piped(source):
        raise RunError("resume and shard need an input file; save the input from the pipe to a file first")


@contextmanager
def readable(source: HeldVariants) -> Iterator[HeldVariants]:
    """Yield a source that can be read repeatedly; a pipe or standard input becomes a temporary file."""
    if not is_piped(source):
        yield source
        return
    with saved(source, ".vcf") as copy:
        yield copy


@contextmanager
def finished(
    source: HeldVariants, out: Path | None, output_format: str | None, *, piped: bool
) -> Iterator[Path | None]:
    """Yield the path to write to; the file becomes the output at the end of the block.

    Args:
        source: the input; for a pipe, its copy.
        out: the output; ``-`` for standard output, None for a table in memory.
        output_format: format of standard output; None: VCF for VCF and BCF input, else TSV.
        piped: whether the input came through a pipe; nothing is kept if such a run fails.

    Raises:
        BrokenPipeError: if standard output is closed.
    """
    if out is None or not (piped or is_standard_output(out)):
        yield out
        return
    if is_standard_output(out):
        with _kept_nothing(), tempfile.TemporaryDirectory(prefix="genolm-") as folder:
            path = Path(folder) / f"output.{output_format or _default_format(source)}"
            yield path
            _copy_to_standard_output(path)
        return
    with _kept_nothing(), tempfile.TemporaryDirectory(prefix=".partial-", dir=through_link(out).parent) as folder:
        yield Path(folder) / out.name
        _move(Path(folder), out)


def is_piped(source: HeldVariants) -> TypeGuard[Path]:
    """Return whether a source is standard input or a pipe."""
    return isinstance(source, Path) and is_stream(source)


def _default_format(source: HeldVariants) -> OutputFormat:
    """Return VCF for VCF and BCF input, TSV for tables and values in memory."""
    is_table = not isinstance(source, Path) or file_format(source) != "vcf"
    return "tsv" if is_table else "vcf"


def _copy_to_standard_output(path: Path) -> None:
    if not path.exists():  # after a dry run
        return
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _move(folder: Path, out: Path) -> None:
    """Move the files of a finished run to their destination, and remove the index of a replaced output."""
    names = {path.name for path in folder.iterdir()}
    if not names:  # after a dry run
        return
    target = through_link(out)
    indexes = {f"{out.name}{ending}": target.with_name(f"{target.name}{ending}") for ending in INDEXES}
    for name, index in indexes.items():
        if name not in names:
            index.unlink(missing_ok=True)
    for name in sorted(names, reverse=True):  # the output itself, which has the shortest name, is last
        shutil.move(folder / name, target if name == out.name else indexes.get(name, out.with_name(name)))


@contextmanager
def _kept_nothing() -> Iterator[None]:
    """Omit the advice to resume from the message of an interrupted run: a run with a pipe cannot be resumed."""
    try:
        yield
    except Interrupted:
        raise Interrupted("a run with a pipe cannot be resumed") from None


def further_variant_columns(source: HeldVariants) -> tuple[FurtherColumn, ...]:
    """Return the columns of a table that do not define a variant; none for other inputs."""
    if isinstance(source, tuple) or (isinstance(source, Path) and known_format(source) not in ("table", "parquet")):
        return ()
    used = ("chrom", "pos", "id", "ref", "alt") if read_table(source).has("chrom") else ("variant",)
    return further_columns(source, used, OUTPUT_COLUMNS)


def variant_output(out: Path | str | None) -> Path | None:
    """Return the output as a path, with a supported ending or ``-`` for standard output.

    Raises:
        InputError: if the ending is not supported.
    """
    return Path("-") if str(out) == "-" else check_suffix(out, (*VCF_SUFFIXES, *SUFFIXES))


def check_output_format(source: HeldVariants, path: Path | None, target: Path | None) -> None:
    """Check that the output format can hold the input; VCF output needs VCF or BCF input.

    Raises:
        InputError: if it cannot, or the format of the input is not supported.
    """
    if isinstance(source, Path) and known_format(source) is None:
        file_format(source, VARIANT_FORMATS)
    if path is None or not path.name.lower().endswith(VCF_SUFFIXES):
        return
    if not isinstance(source, Path) or known_format(source) != "vcf":
        described = source.name if isinstance(source, Path) else "values in memory"
        file = None if is_standard_output(target) else target
        raise InputError("VCF output needs VCF or BCF input; write .parquet, .tsv or .csv", file=file, value=described)
    if path.suffix.lower() == ".bcf":
        _check_bcf(source)


def _check_bcf(source: Path) -> None:
    try:
        check_bcf(source)
    except InputError:
        for _ in read_variants(source):  # a record that is not valid VCF either is reported as such
            pass
        raise
