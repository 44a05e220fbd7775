"""Generated FASTA: the new bases of every record, and what made them."""

from __future__ import annotations

import re
import warnings
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

_DECODING = ("preset", "temperature", "top_k", "top_p", "repetition_penalty")
_PROMPT_BASES = re.compile(r"(?<!\S)prompt_bases=\d+(?!\S)")
_COLUMNS = ("file", "id", "generator", "decoding", "genome")


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated sequence.

    Attributes:
        id: its name.
        sequence: the new bases, without the prompt unless that was asked for; empty where the model wrote none.
        file: where it was read.
        generator: the model that wrote it; empty where nothing says so.
        decoding: how its tokens were drawn, as ``temperature=1.0 top_k=0``; empty where nothing says so.
        genome: the genome that its prompt came from; empty where there is none, or nothing says so.
        prompt: the bases in front of it that were given; empty where there are none.
        about: its header behind the name, where ``prompt_bases`` counts those that ``sequence`` holds.
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
) -> list[Generated]:
    """The records of FASTA files as :func:`genolm.generate` writes them, or of others with a table beside them.

    A header's ``prompt_bases=N`` says how many bases were given and not generated: they are cut off. ``model=``,
    ``genome=`` and the settings of decoding are read there too.

    Args:
        paths: FASTA files.
        with_prompt: keep the prompts.
        provenance: a TSV with the columns ``generator`` and, all optional, ``file`` (name of a FASTA), ``id`` (of a
            record), ``decoding`` and ``genome``; a row of an id goes before one of a file. It goes before the headers.

    Raises:
        InputError: a file that cannot be read, a header whose number of prompt bases is none, a record with nothing
            but N, no record with a new base, a table without the columns or with a name twice.

    Warns:
        UserWarning: the table names files that are not among the paths.
    """
    table = {} if provenance is None else _table(Path(provenance))
    found, files = [], [Path(path) for path in paths]
    for path in files:
        for record in read_sequence_file(path, partial(upper_dna, iupac="N")):
            with locate_errors(path, record.line):
                found.append(_one(record, path, with_prompt, table))
    unread = {name for kind, name in table if kind == "file" and name} - {path.name for path in files}
    if unread:
        names = ", ".join(sorted(unread))
        warnings.warn(f"{provenance} speaks of files that were not given: {names}", stacklevel=2)
    if not any(one.sequence for one in found):
        raise InputError("no record holds a new base behind its prompt", file=found[0].file if found else None)
    return found


def written(records: Iterable[Generated]) -> list[Generated]:
    """The records in which the model wrote something."""
    return [record for record in records if record.sequence]


def _one(
    record: FlatRecord, path: Path, with_prompt: bool, table: Mapping[tuple[str, str], Mapping[str, str]]
) -> Generated:
    header = _words(record.about)
    told = table.get(("id", record.id)) or table.get(("file", path.name)) or {}
    given = _prompt_bases(header, record.sequence)
    sequence = record.sequence if with_prompt else record.sequence[given:]
    if set(sequence) == {"N"}:
        raise InputError("the record holds nothing but N", value=record.id)
    decoding = " ".join(f"{name}={header[name]}" for name in _DECODING if name in header)
    return Generated(
        record.id,
        sequence,
        path,
        told.get("generator") or header.get("model", ""),
        told.get("decoding") or decoding,
        told.get("genome") or header.get("genome", ""),
        record.sequence[:given],
        record.about if with_prompt else _PROMPT_BASES.sub("prompt_bases=0", record.about),
    )


def without_prompts(records: Iterable[SequenceRecord]) -> Iterator[SequenceRecord]:
    """Records without the bases that their headers say were given.

    Raises:
        InputError: a header whose number of prompt bases is none.

    Warns:
        UserWarning: at the end, how many records held no base behind their prompt and were passed over.
    """
    passed = 0
    for record in records:
        given = _prompt_bases(_words(record.about), record.sequence)
        if given < len(record.sequence):
            yield replace(record, sequence=record.sequence[given:]) if given else record
        passed += given == len(record.sequence)
    if passed:
        warnings.warn(f"records without a base behind their prompt were passed over: {passed}", stacklevel=2)


def _words(about: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in about.split() if "=" in word)


def _prompt_bases(header: Mapping[str, str], sequence: str) -> int:
    text = header.get("prompt_bases", "0")
    if not text.isdecimal() or int(text) > len(sequence):
        raise InputError(f"prompt_bases is no number of bases of a record of {len(sequence):,}", value=text)
    return int(text)


def _table(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Rows by what they speak of: ``("id", name)`` or ``("file", name)``."""
    return keyed_rows(
        path,
        lambda names: "generator" in names and bool({"file", "id"} & names),
        f"a table of provenance has the columns generator and file or id, and may have decoding and genome; "
        f"known are {', '.join(_COLUMNS)}",
        lambda row: ("id", row["id"]) if row.get("id") else ("file", Path(row.get("file", "")).name),
    )
