"""Requests of generation, and the FASTA records of the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

from genolm.engine.summary import Summary
from genolm.genome.input_values import Named, Value
from genolm.genome.records import fasta_lines
from genolm.tasks.reading.sources import Source

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = (".fa", ".fasta", ".fna")
"""File suffixes of the output of generation."""


@dataclass(frozen=True, slots=True)
class Request:
    """One sequence to generate.

    Attributes:
        prompt_id: name of the prompt.
        prompt: its bases; empty to start a new sequence.
        number: index of the prompt, from 0.
        sample: index of the sequence among those of the prompt, from 1.
    """

    prompt_id: str
    prompt: str
    number: int
    sample: int

    @property
    def id(self) -> str:
        """Name of the sequence."""
        return f"{self.prompt_id}_{self.sample}"

    @property
    def named(self) -> str:
        """Description of the sequence for messages."""
        return f"the continuation of prompt {self.prompt_id!r}, sample {self.sample}"


def prompts_of(source: Source) -> Iterator[tuple[str, str]]:
    """Yield the names and bases of prompts; values in memory may be empty texts, which start a new sequence."""
    if not isinstance(source.place, tuple):
        yield from ((record.id, record.sequence) for record in source.read())
        return
    # A placeholder keeps the numbering of names and messages.
    empty = [_is_empty(value) for value in source.place]
    placeholders = [_placeholder(value) if is_empty else value for value, is_empty in zip(source.place, empty)]
    for is_empty, record in zip(empty, source.read_values(placeholders)):
        yield record.id, "" if is_empty else record.sequence


def _is_empty(value: Value) -> bool:
    letters = value.value if isinstance(value, Named) else value
    return isinstance(letters, str) and not letters


def _placeholder(value: Value) -> Named | str:
    return replace(value, value="N") if isinstance(value, Named) else "N"


def finished(rows: pl.DataFrame, reasons: Iterable[str]) -> Summary:
    """Return the numbers of sequences, by reason of their end, and of new bases."""
    outcomes = Counter(f"ended by {reason}" for reason in reasons)
    bases = int(rows["generated"].str.len_chars().sum())
    return Summary({"sequences": rows.height}, outcomes, {"new bases": bases})


def write_record(file: TextIO, name: str, prompt: str, new: str, statistics: Mapping[str, str]) -> None:
    """Write a prompt with its continuation; the header has the number of prompt bases and further statistics."""
    words = " ".join(f"{key}={'_'.join(value.split())}" for key, value in statistics.items())
    file.writelines(fasta_lines(f"{'_'.join(name.split())} prompt_bases={len(prompt)} {words}", prompt + new))
