"""What is asked of generation, and how an answer stands in a FASTA."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

from genolm.engine.summary import Summary
from genolm.genome.in_memory import Named
from genolm.tasks.reading.sources import Source

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = (".fa", ".fasta", ".fna")
"""Endings of the files that generation writes."""

_LINE = 80


@dataclass(frozen=True, slots=True)
class Request:
    """One sequence to generate.

    Attributes:
        prompt_id: the prompt's name.
        prompt: its bases; empty to begin a new sequence.
        number: the prompt's number, from 0.
        sample: which of the prompt's sequences this is, from 1.
    """

    prompt_id: str
    prompt: str
    number: int
    sample: int

    @property
    def named(self) -> str:
        """The sequence in words, for messages."""
        return f"the continuation of prompt {self.prompt_id!r}, sample {self.sample}"


def prompts_of(source: Source) -> Iterator[tuple[str, str]]:
    """Names and bases; an empty text, which no file can hold, is a prompt too."""
    if not isinstance(source.place, tuple):
        yield from ((record.id, record.sequence) for record in source.read())
        return
    # The placeholder keeps the numbers of names and messages.
    empty = [_is_empty(value) for value in source.place]
    stand_ins = [_stand_in(value) if none else value for value, none in zip(source.place, empty)]
    for none, record in zip(empty, source.read_values(stand_ins)):
        yield record.id, "" if none else record.sequence


def _is_empty(value: object) -> bool:
    letters = value.value if isinstance(value, Named) else value
    return isinstance(letters, str) and not letters


def _stand_in(value: object) -> Named | str:
    return replace(value, value="N") if isinstance(value, Named) else "N"


def finished(rows: pl.DataFrame, reasons: Iterable[str]) -> Summary:
    """How many sequences were generated, why each ended, and how many bases are new."""
    outcomes = Counter(f"ended by {reason}" for reason in reasons)
    bases = int(rows["generated"].str.len_chars().sum())
    return Summary({"sequences": rows.height}, outcomes, {"new bases": bases})


def write_record(file: TextIO, name: str, prompt: str, new: str, told: Mapping[str, str]) -> None:
    """One record: prompt and continuation, and in its header how many bases are the prompt's and what else is told."""
    words = " ".join(f"{key}={'_'.join(value.split())}" for key, value in told.items())
    write_fasta_record(file, f"{'_'.join(name.split())} prompt_bases={len(prompt)} {words}", prompt + new)


def write_fasta_record(file: TextIO, header: str, sequence: str) -> None:
    """Write one FASTA record."""
    file.write(f">{header}\n")
    file.writelines(f"{sequence[start : start + _LINE]}\n" for start in range(0, len(sequence), _LINE))
