"""Variants through pipes: VCF from standard input, results to standard output.

A run reads its input several times and writes its output when all is computed. What comes through a pipe is therefore
saved in a temporary file first, and what goes to standard output is written to one and then copied.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

from genolm.engine.interrupt import Interrupted
from genolm.engine.target import INDEXES
from genolm.errors import InputError, RunError
from genolm.files.names import through_link
from genolm.genome.formats import VARIANT_FORMATS, file_format, known_format
from genolm.genome.further_columns import FurtherColumn, further_columns
from genolm.genome.streams import is_stream, saved
from genolm.genome.tabular import is_table, read_table
from genolm.genome.variant import Variant
from genolm.genome.vcf.bcf_trial import check_bcf
from genolm.genome.vcf.vcf_records import read_variants
from genolm.tasks.reading.variant_columns import OWN
from genolm.tasks.reading.variant_records import VCF_SUFFIXES
from genolm.tasks.writing.table_files import SUFFIXES, check_suffix

OutputFormat = Literal["vcf", "vcf.gz", "bcf", "tsv", "csv", "parquet"]
"""What standard output gets."""


def is_standard_output(out: Path | None) -> bool:
    """Return whether results go to standard output, which is written ``-``."""
    return out is not None and str(out) == "-"


def check_streams(source: Any, out: Path | None, output_format: str | None, *, resume: bool, shard: object) -> None:
    """Raise unless the settings of a run fit pipes and standard output.

    Args:
        source: what is read.
        out: the output; ``-`` for standard output, None for a table in memory.
        output_format: of :data:`OutputFormat`; None where the ending of ``out`` decides, or for the default.
        resume: whether an earlier run is continued.
        shard: the share of the run; None for all of it.

    Raises:
        InputError: an unknown format, or one beside the name of a file.
        RunError: a run through a pipe that is resumed or sharded: the parts of another process cannot be found again.
    """
    if output_format is not None and output_format not in get_args(OutputFormat):
        raise InputError(f"format must be one of {', '.join(get_args(OutputFormat))}", value=output_format)
    if output_format is not None and not is_standard_output(out):
        raise InputError("--format is for standard output (-); the ending of a file chooses its format", file=out)
    if not (resume or shard is not None):
        return
    if is_standard_output(out):
        raise RunError("a run that writes to standard output can neither be resumed nor sharded; name an output file")
    if is_piped(source):
        raise RunError("input from a pipe can neither be resumed nor sharded; save it as a file first")


@contextmanager
def readable(source: Any) -> Iterator[Any]:
    """Yield the source in a form that can be read again: a pipe or standard input becomes a temporary file."""
    if not is_piped(source):
        yield source
        return
    with saved(source, ".vcf") as copy:
        yield copy


@contextmanager
def finished(source: Any, out: Path | None, output_format: str | None, *, piped: bool) -> Iterator[Path | None]:
    """Yield the path to write to; what was written there becomes the output when the block ends.

    Args:
        source: what is read, of a pipe its copy.
        out: the output; ``-`` for standard output, None for a table in memory.
        output_format: of standard output; None for VCF where the input is VCF or BCF, else TSV.
        piped: whether the input came through a pipe: such a run cannot be resumed, so nothing is left when it fails.

    Raises:
        BrokenPipeError: nobody reads standard output.
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


def is_piped(source: Any) -> bool:
    """Return whether a source is standard input or a pipe."""
    return isinstance(source, Path) and is_stream(source)


def _default_format(source: Any) -> OutputFormat:
    """VCF of VCF and BCF, TSV of tables and of values in memory."""
    is_table = not isinstance(source, Path) or file_format(source) != "vcf"
    return "tsv" if is_table else "vcf"


def _copy_to_standard_output(path: Path) -> None:
    if not path.exists():  # after a dry run
        return
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _move(folder: Path, out: Path) -> None:
    """Let the files of a finished run take their places, and remove the index of what stood there before."""
    made = {path.name for path in folder.iterdir()}
    if not made:  # after a dry run
        return
    place = through_link(out)
    indexes = {f"{out.name}{ending}": place.with_name(f"{place.name}{ending}") for ending in INDEXES}
    for name, index in indexes.items():
        if name not in made:
            index.unlink(missing_ok=True)
    for name in sorted(made, reverse=True):  # the output itself, whose name is the shortest, last
        shutil.move(folder / name, place if name == out.name else indexes.get(name, out.with_name(name)))


@contextmanager
def _kept_nothing() -> Iterator[None]:
    """Do not suggest ``--resume`` when a run through a pipe is interrupted: it cannot be resumed."""
    try:
        yield
    except Interrupted:
        raise Interrupted("a run through a pipe keeps nothing") from None


def reusable_variants(inputs: Any) -> Any:
    """The source, such that it can be read twice."""
    if isinstance(inputs, Mapping):
        raise InputError("variants have no names of their own; pass a list of them, or a table with a column id")
    if isinstance(inputs, str) and _is_variant(inputs):
        raise InputError("no such file; pass variants in a list: ['chr22:1024:A>C']", value=inputs)
    if isinstance(inputs, str | Path):
        return Path(inputs)
    if is_table(inputs):
        return inputs
    return (inputs,) if isinstance(inputs, Variant) else tuple(inputs)


def _is_variant(text: str) -> bool:
    """Whether a text is a variant, and not the name of a file."""
    try:
        Variant.parse(text)
    except InputError:
        return False
    return not Path(text).exists()


def further_variant_columns(source: Any) -> tuple[FurtherColumn, ...]:
    """The columns of a table of variants that are no variant; none of other inputs."""
    if not (is_table(source) or (isinstance(source, Path) and known_format(source) in ("table", "parquet"))):
        return ()
    used = ("chrom", "pos", "id", "ref", "alt") if read_table(source).has("chrom") else ("variant",)
    return further_columns(source, used, OWN)


def variant_output(out: Path | str | None) -> Path | None:
    """The output; its ending is checked unless it is ``-``, standard output."""
    return Path("-") if str(out) == "-" else check_suffix(out, (*VCF_SUFFIXES, *SUFFIXES))


def check_output_format(source: Any, path: Path | None, target: Path | None) -> None:
    """Raise unless the output can hold the input: VCF is a copy of VCF, and BCF cannot hold all that VCF can.

    A source of a kind that is not read is refused here too.
    """
    is_vcf = isinstance(source, Path) and known_format(source) == "vcf"
    if isinstance(source, Path) and known_format(source) is None:
        file_format(source, VARIANT_FORMATS)
    if path is None or not path.name.lower().endswith(VCF_SUFFIXES):
        return
    if not is_vcf:
        shown = source.name if isinstance(source, Path) else "values in memory"
        named = None if is_standard_output(target) else target
        raise InputError("VCF output needs VCF or BCF input; write .parquet, .tsv or .csv", file=named, value=shown)
    if path.suffix.lower() == ".bcf":
        _check_bcf(source)


def _check_bcf(source: Path) -> None:
    try:
        check_bcf(source)
    except InputError:
        for _ in read_variants(source):  # a record that is no VCF either is reported as such
            pass
        raise
