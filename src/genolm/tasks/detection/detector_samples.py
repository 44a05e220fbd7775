"""Natural and generated sequences of equal lengths, each with its genome and generator."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from genolm.errors import InputError
from genolm.genome.kmers import Codes, distinct, letters, sampled_kmers
from genolm.genome.labelled.fragments import Pieces, genome_name, matched_pieces, named_files, read_genome
from genolm.genome.labelled.generated_records import GeneratedRecord, read_generated, written
from genolm.genome.labelled.keyed_rows import keyed_rows
from genolm.remedies import Remedy

SAMPLED = 20
"""One in this many 28-mers is kept to detect related genomes."""

_LISTED = 20  # genomes in a message


@dataclass(frozen=True, slots=True)
class Sample:
    """A sequence for training or testing.

    Attributes:
        id: name.
        sequence: upper-case letters.
        generated: whether a model generated it.
        genome: genome that it, or its prompt, comes from; empty if unknown or none.
        generator: model that generated it; empty for natural sequences.
        decoding: settings of its generation; empty for natural sequences or if unknown.
        prompt: its prompt; empty for natural sequences or without one.
    """

    id: str
    sequence: str
    generated: bool
    genome: str = ""
    generator: str = ""
    decoding: str = ""
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class GenomeFacts:
    """A natural genome.

    Attributes:
        path: its file.
        taxon: name for holding out: the table's taxon, otherwise the genome's name.
        fold: fold in the table; None without such a column.
        kmers: a sample of its 28-mers, sorted.
    """

    path: Path
    taxon: str
    fold: str | None
    kmers: Codes


def read_samples(
    natural: Sequence[Path],
    generated: Sequence[Path],
    *,
    provenance: Path | None,
    genomes: Path | None,
    crops: Sequence[int],
    seed: int,
) -> tuple[list[Sample], dict[str, GenomeFacts]]:
    """Return all samples: the generated sequences, and natural pieces of the same lengths from the genomes in turn.

    Args:
        natural: FASTA files, one per genome.
        generated: FASTA files as :func:`genolm.generate` writes them; prompts are removed.
        provenance: table of generators, decodings and genomes; see :func:`read_generated`.
        genomes: TSV file with the columns ``genome`` and ``taxon``, ``fold`` or both.
        crops: lengths to which generated sequences are cropped, one of those that fit at random; empty for no cropping.
        seed: random seed of pieces and crops.

    Raises:
        InputError: a file is invalid, a generated record has no generator or a genome that is not among the natural
            ones, or a genome is not in the table.
    """
    files = named_files(natural)
    table = {} if genomes is None else _genome_table(genomes, list(files))
    random = np.random.default_rng(seed)
    cropped = [
        _crop(record, crops, random)
        for record in _checked(written(read_generated(generated, provenance=provenance)), files)
    ]
    facts, pieces = {}, []
    for name, path in files.items():
        records = read_genome(path)
        kmers = distinct([sampled_kmers(letters(record.sequence), SAMPLED) for record in records])
        row = table.get(name, {})
        facts[name] = GenomeFacts(path, row.get("taxon") or name, row.get("fold") or None, kmers)
        pieces.append(Pieces(name, records, random))
    lengths = [len(record.sequence) for record in cropped]
    longest_first = sorted(random.permutation(len(lengths)).tolist(), key=lambda number: -lengths[number])
    sampled = matched_pieces(pieces, (lengths[number] for number in longest_first))
    samples = [Sample(one.id, one.sequence, False, one.genome) for one in sampled]
    samples += [
        Sample(one.id, one.sequence, True, _genome(one), one.generator, one.decoding, one.prompt) for one in cropped
    ]
    return samples, facts


def _checked(records: Sequence[GeneratedRecord], genomes: Collection[str]) -> Sequence[GeneratedRecord]:
    for record in records:
        if not record.generator:
            raise InputError(
                "unknown generator of this record",
                file=record.file,
                value=record.id,
                remedy=("add model=NAME to its header", Remedy("provenance", purpose="name the generators in a table")),
            )
        if record.genome and _genome(record) not in genomes:
            more = ", …" if len(genomes) > _LISTED else ""
            raise InputError(
                f"{record.id} names a genome that is not among the natural files:"
                f" {', '.join(list(genomes)[:_LISTED])}{more}",
                file=record.file,
                value=record.genome,
            )
    return records


def _genome(record: GeneratedRecord) -> str:
    return genome_name(record.genome) if record.genome else ""


def _crop(record: GeneratedRecord, crops: Sequence[int], random: np.random.Generator) -> GeneratedRecord:
    fitting = [length for length in crops if length <= len(record.sequence)]
    if not fitting:
        return record
    length = int(random.choice(fitting))
    start = int(random.integers(len(record.sequence) - length + 1))
    return replace(record, sequence=record.sequence[start : start + length])


def _genome_table(path: Path, names: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    table = keyed_rows(
        path,
        lambda columns: "genome" in columns and bool({"taxon", "fold"} & columns),
        "a table of genomes must have the columns genome and taxon or fold",
        lambda row: genome_name(row["genome"]),
    )
    for name in names:
        if name not in table:
            raise InputError("this genome is not in the table", file=path, value=name)
    return table
