"""Reader of generated FASTA: new bases, model and sampling settings of every record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from genolm.errors import InputError
from genolm.files.lines import locate_errors
from genolm.genome.labelled.keyed_rows import keyed_rows
from genolm.genome.records import FlatRecord
from genolm.genome.sequence import upper_dna
from genolm.genome.sequence_files import read_sequence_file
from genolm.genome.sequences import SequenceRecord
from genolm.notes import note

_DECODING = ("preset", "temperature", "top_k", "top_p", "repetition_penalty")
_PROMPT_BASES = re.compile(r"(?<!\S)prompt_bases=\d+(?!\S)")
_COLUMNS = ("file", "id", "generator", "decoding", "genome")


@dataclass(frozen=True, slots=True)
class GeneratedRecord:
    """A generated sequence.

    Attributes:
        id: name.
        sequence: new bases, without the prompt unless requested; empty if the model generated none.
        file: FASTA file.
        generator: name of the model; empty if unknown.
        decoding: sampling settings, such as ``temperature=1.0 top_k=0``; empty if unknown.
        genome: genome of the prompt; empty if there is none or it is unknown.
        prompt: prompt bases; empty if there are none.
        about: header after the name, with ``prompt_bases`` as the number of prompt bases in ``sequence``.
    """

    id: str
    sequence: str
    file: Path
    generator: str = ""
    decoding: str = ""
    genome: str = ""
    prompt: str = ""
    about: str = ""


def read_generated(
    paths: Iterable[Path | str], *, with_prompt: bool = False, provenance: Path | str | None = None
) -> list[GeneratedRecord]:
    """Read FASTA files written by :func:`genolm.generate`, or others with a provenance table.

    ``prompt_bases=N`` in a header is the number of leading bases that were given as a prompt; they are removed.
    ``model=``, ``genome=`` and the sampling settings are read from the header, too.

    Args:
        paths: FASTA files.
        with_prompt: whether to keep prompts.
        provenance: TSV with the column ``generator`` and optional columns ``file`` (name of a FASTA), ``id`` (of a
            record), ``decoding`` and ``genome``. Rows of an id override rows of a file, and both override headers.

    Raises:
        InputError: a file cannot be read, a header has an invalid number of prompt bases, a record contains only N, no
            record has new bases, or the table lacks columns or has duplicate names.

    Notes:
        The table contains files that are not in ``paths``.
    """
    table = {} if provenance is None else _table(Path(provenance))
    records, files = [], [Path(path) for path in paths]
    for path in files:
        for record in read_sequence_file(path, partial(upper_dna, iupac="N")):
            with locate_errors(path, record.line):
                records.append(_parse(record, path, with_prompt, table))
    unread = {name for kind, name in table if kind == "file" and name} - {path.name for path in files}
    if unread:
        names = ", ".join(sorted(unread))
        note(f"{provenance} contains files that were not given: {names}")
    if not any(one.sequence for one in records):
        raise InputError("no record has new bases after its prompt", file=records[0].file if records else None)
    return records


def written(records: Iterable[GeneratedRecord]) -> list[GeneratedRecord]:
    """Return the records with new bases."""
    return [record for record in records if record.sequence]


def _parse(
    record: FlatRecord, path: Path, with_prompt: bool, table: Mapping[tuple[str, str], Mapping[str, str]]
) -> GeneratedRecord:
    header = _words(record.about)
    row = table.get(("id", record.id)) or table.get(("file", path.name)) or {}
    prompt = _prompt_bases(header, record.sequence)
    sequence = record.sequence if with_prompt else record.sequence[prompt:]
    if set(sequence) == {"N"}:
        raise InputError("the record contains only N", value=record.id, code="empty-input")
    decoding = " ".join(f"{name}={header[name]}" for name in _DECODING if name in header)
    return GeneratedRecord(
        record.id,
        sequence,
        path,
        row.get("generator") or header.get("model", ""),
        row.get("decoding") or decoding,
        row.get("genome") or header.get("genome", ""),
        record.sequence[:prompt],
        record.about if with_prompt else _PROMPT_BASES.sub("prompt_bases=0", record.about),
    )


def without_prompts(records: Iterable[SequenceRecord]) -> Iterator[SequenceRecord]:
    """Yield the records without their prompts, as declared in the headers.

    Raises:
        InputError: a header has an invalid number of prompt bases.

    Notes:
        At the end: number of records that were skipped because they have no new bases.
    """
    skipped = 0
    for record in records:
        prompt = _prompt_bases(_words(record.about), record.sequence)
        if prompt < len(record.sequence):
            yield replace(record, sequence=record.sequence[prompt:]) if prompt else record
        skipped += prompt == len(record.sequence)
    if skipped:
        note(f"skipped records without new bases after their prompt: {skipped}")


def _words(about: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in about.split() if "=" in word)


def _prompt_bases(header: Mapping[str, str], sequence: str) -> int:
    text = header.get("prompt_bases", "0")
    if not text.isdecimal() or int(text) > len(sequence):
        raise InputError(f"prompt_bases must be a number from 0 to the record length, {len(sequence):,}", value=text)
    return int(text)


def _table(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Return the rows by their key: ``("id", name)`` or ``("file", name)``."""
    return keyed_rows(
        path,
        lambda names: "generator" in names and bool({"file", "id"} & names),
        f"a provenance table must have the columns generator and file or id; known columns are {', '.join(_COLUMNS)}",
        lambda row: ("id", row["id"]) if row.get("id") else ("file", Path(row.get("file", "")).name),
    )
