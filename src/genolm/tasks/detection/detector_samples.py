"""Natural and generated sequences of the same lengths, each with the genome and the generator behind it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from genolm.errors import InputError
from genolm.genome.kmers import Codes, distinct, letters, sampled_kmers
from genolm.genome.labelled.fragments import Pieces, genome_name, matched_pieces, named_files, read_genome
from genolm.genome.labelled.generated_records import Generated, read_generated, written
from genolm.genome.labelled.keyed_rows import keyed_rows

SAMPLED = 20
"""Of the 28-mers of genomes one in so many is kept to see which genomes are alike."""

_NAMED = 20  # genomes in a message


@dataclass(frozen=True, slots=True)
class Sample:
    """A sequence to learn from.

    Attributes:
        id: its name.
        sequence: upper-case letters.
        generated: whether a model wrote it.
        genome: the genome it was cut from, or its prompt; empty where there is none or nothing says so.
        generator: the model that wrote it; empty of natural sequence.
        decoding: how it was drawn; empty of natural sequence, or where nothing says so.
        prompt: the bases that it goes on from; empty of natural sequence, or where there are none.
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
    """What is known of a natural genome.

    Attributes:
        path: its file.
        taxon: what it is called when it is held out: the table's taxon, else its own name.
        fold: the fold that the table puts it into; None where there is no such column.
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
    """All samples: generated ones, and as many natural pieces of exactly their lengths, from the genomes in turn.

    Args:
        natural: FASTA files, one a genome.
        generated: FASTA files as :func:`genolm.generate` writes them; prompts are cut off.
        provenance: table of generators, decodings and genomes, see :func:`read_generated`.
        genomes: TSV with the columns ``genome`` and ``taxon`` or ``fold`` or both.
        crops: lengths that generated sequences are cut to, one drawn for each of those that it is long enough for;
            empty to take them whole.
        seed: of pieces and cuts.

    Raises:
        InputError: a file that cannot be used, a generated record of which nothing says what wrote it or which names
            a genome that is not among the natural ones, a genome that the table does not name.
    """
    files = named_files(natural)
    table = {} if genomes is None else _genome_table(genomes, list(files))
    random = np.random.default_rng(seed)
    made = [
        _cut(record, crops, random)
        for record in _checked(written(read_generated(generated, provenance=provenance)), files)
    ]
    facts, pieces = {}, []
    for name, path in files.items():
        records = read_genome(path)
        kmers = distinct([sampled_kmers(letters(record.sequence), SAMPLED) for record in records])
        row = table.get(name, {})
        facts[name] = GenomeFacts(path, row.get("taxon") or name, row.get("fold") or None, kmers)
        pieces.append(Pieces(name, records, random))
    lengths = [len(record.sequence) for record in made]
    longest_first = sorted(random.permutation(len(lengths)).tolist(), key=lambda number: -lengths[number])
    drawn = matched_pieces(pieces, (lengths[number] for number in longest_first))
    samples = [Sample(one.id, one.sequence, False, one.genome) for one in drawn]
    samples += [
        Sample(one.id, one.sequence, True, _genome(one), one.generator, one.decoding, one.prompt) for one in made
    ]
    return samples, facts


def _checked(records: Sequence[Generated], genomes: Collection[str]) -> Sequence[Generated]:
    for record in records:
        if not record.generator:
            raise InputError(
                "nothing says what generated this record: its header needs model=NAME, or give --provenance TABLE",
                file=record.file,
                value=record.id,
            )
        if record.genome and _genome(record) not in genomes:
            more = ", …" if len(genomes) > _NAMED else ""
            raise InputError(
                f"{record.id} names a genome that no natural file has; there are"
                f" {', '.join(list(genomes)[:_NAMED])}{more}",
                file=record.file,
                value=record.genome,
            )
    return records


def _genome(record: Generated) -> str:
    return genome_name(record.genome) if record.genome else ""


def _cut(record: Generated, crops: Sequence[int], random: np.random.Generator) -> Generated:
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
        "a table of genomes has the columns genome and taxon or fold",
        lambda row: genome_name(row["genome"]),
    )
    for name in names:
        if name not in table:
            raise InputError("the table does not name this genome", file=path, value=name)
    return table
