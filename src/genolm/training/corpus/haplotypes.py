"""Haplotypes of a population: training sequence read with the alleles of individuals, out of phased genotypes in VCF.

Only substitutions of single bases are taken: they leave every coordinate, and so rows and held-out regions, where they
are. Held-out splits are never changed.

Shapes: S substitutions, H haplotypes (two for each sample).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genolm.errors import InputError
from genolm.files.lines import decoded
from genolm.genome.contig_names import contig_alias
from genolm.genome.vcf.vcf_records import VariantRecord, parse_record
from genolm.genome.vcf.vcf_text import VcfLines, read_vcf_text
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus.split_documents import DocumentSpans
from genolm.training.recipe_file import is_number

Ids = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class HaplotypeRecipe:
    """Whose alleles training sequence is read with.

    Attributes:
        vcf: VCF or BCF files with phased genotypes, environment variables expanded.
        samples: names of the samples that are drawn from; none for all of the files.
        assembly: the assembly of the corpus that the files are about; needed when there are several.
        share: chance that a piece is read as a haplotype; else it is read as it stands in the FASTA file.
    """

    vcf: tuple[str, ...]
    samples: tuple[str, ...] = ()
    assembly: str = ""
    share: float = 1.0

    def __post_init__(self) -> None:
        for name in ("vcf", "samples"):
            items = getattr(self, name)
            if not isinstance(items, tuple) or not all(isinstance(item, str) and item for item in items):
                raise InputError(f"{name} of haplotypes is a list of texts", value=items)
        if not self.vcf:
            raise InputError("haplotypes name at least one VCF file")
        if not is_number(self.share) or not 0 < self.share <= 1:
            raise InputError("share of haplotypes is above 0, at most 1", value=self.share)


class _Substitution(NamedTuple):
    """An alternative base of the files within a training document.

    Attributes:
        document: number of the document.
        offset: of the base in its buffer.
        alternative: token id.
        carried_H: which haplotypes carry it.
    """

    document: int
    offset: int
    alternative: int
    carried_H: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Haplotypes:
    """Substitutions of a population by their places in the buffers of a corpus.

    Attributes:
        samples: names, in the order of their haplotypes: sample i has 2 i and 2 i + 1.
        share: chance that a piece is read as a haplotype.
        left_out: alleles of the files that were not taken, by reason.
        digest: of everything that decides what is read.
    """

    samples: tuple[str, ...]
    share: float
    left_out: dict[str, int]
    digest: str = field(init=False)
    _place_S: NDArray[np.int64]
    _alternative_S: Ids
    _carried_HS: Ids

    def __post_init__(self) -> None:
        parts = (str((self.samples, self.share)).encode(), self._place_S, self._alternative_S, self._carried_HS)
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
        object.__setattr__(self, "digest", digest.hexdigest())

    def __len__(self) -> int:
        """Number of substitutions."""
        return len(self._place_S)

    def sample(self, pieces: int, random: np.random.Generator) -> NDArray[np.int32]:
        """A haplotype for each of so many pieces, -1 for the sequence as it is."""
        drawn_P = random.integers(0, 2 * len(self.samples), pieces, dtype=np.int32)
        return np.where(random.random(pieces) < self.share, drawn_P, np.int32(-1))

    def read(self, buffer: int, start: int, ids_L: Ids, haplotype: int) -> Ids:
        """Some bases of a buffer, from its ``start`` on, as a haplotype has them; what is passed stays as it is."""
        first, last = np.searchsorted(self._place_S, [_place(buffer, start), _place(buffer, start + len(ids_L))])
        if first == last:
            return ids_L
        bits = np.unpackbits(self._carried_HS[haplotype, first // 8 : -(-last // 8)])
        own = first + np.flatnonzero(bits[first % 8 : first % 8 + last - first])
        changed = ids_L.copy()
        changed[self._place_S[own] - _place(buffer, start)] = self._alternative_S[own]
        return changed


def read_haplotypes(recipe: HaplotypeRecipe, train: DocumentSpans, tokenizer: NucleotideTokenizer) -> Haplotypes:
    """The substitutions of VCF files that fall into training documents.

    Other alleles are left out and counted: indels and symbolic ones, and bases outside of every training document. A
    missing genotype reads the reference.

    Raises:
        InputError: a file that is not there or has no genotypes, an unknown sample, several assemblies and none named;
            with file and line (of BCF: the number of the record) a record that cannot be read, a reference allele that
            is not what the sequence has, a heterozygous genotype without phase.
    """
    places = _Places(train, recipe.assembly)
    left_out = {"not a substitution": 0, "outside training sequence": 0}
    result: list[_Substitution] = []
    samples: tuple[str, ...] = recipe.samples
    for text in recipe.vcf:
        path = Path(os.path.expandvars(text))
        samples = _samples(path, samples)
        result += _substitutions(path, samples, places, tokenizer, left_out)
    if not result:
        raise InputError("no substitution of the haplotypes lies in training sequence", file=recipe.vcf[0])
    place_S = np.array([_place(int(train.buffer_N[one.document]), one.offset) for one in result], np.int64)
    order = np.argsort(place_S, kind="stable")
    carried_HS = np.packbits(np.stack([result[i].carried_H for i in order], axis=1), axis=1)
    alternative_S = np.array([result[i].alternative for i in order], np.uint8)
    return Haplotypes(samples, float(recipe.share), left_out, place_S[order], alternative_S, carried_HS)


def _place(buffer: int, offset: int) -> int:
    return (buffer << 40) + offset


class _Places:
    """Where a position of a contig stands among the training documents."""

    def __init__(self, train: DocumentSpans, assembly: str) -> None:
        names = set(train.assemblies.names)
        if assembly and assembly not in names:
            raise InputError("haplotypes are of an assembly that gives no training sequence", value=assembly)
        if not assembly and len(names) > 1:
            raise InputError(f"haplotypes name the assembly they are of: {', '.join(sorted(names))}")
        self.train = train
        self._starts: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        aliases = np.array([contig_alias(name) for name in train.contigs.names])[train.contigs.code_N]
        own = np.array([not assembly or name == assembly for name in train.assemblies.names])[train.assemblies.code_N]
        for alias in dict.fromkeys(aliases[own].tolist()):
            index = np.flatnonzero(own & (aliases == alias))
            index = index[np.argsort(train.start_N[index])]
            self._starts[alias] = train.start_N[index], index

    def find(self, contig: str, position: int) -> tuple[int, int] | None:
        """Number of the document of a 0-based position, and the offset in its buffer; None outside of all."""
        starts, index = self._starts.get(contig_alias(contig), (np.empty(0, np.int64), np.empty(0, np.int64)))
        before = int(np.searchsorted(starts, position, side="right")) - 1
        if before < 0:
            return None
        document = int(index[before])
        within = position - int(self.train.start_N[document])
        if within >= int(self.train.length_N[document]):
            return None
        return document, int(self.train.offset_N[document]) + within


def _samples(path: Path, wanted: tuple[str, ...]) -> tuple[str, ...]:
    known = _opened(path)[1]
    if unknown := [name for name in wanted if name not in known]:
        raise InputError("the file has no sample of this name", file=path, value=unknown[0])
    return wanted or known


def _substitutions(
    path: Path, samples: Sequence[str], places: _Places, tokenizer: NucleotideTokenizer, left_out: dict[str, int]
) -> Iterator[_Substitution]:
    lines, known = _opened(path)
    genotypes = _Genotypes(path, samples, [known.index(name) for name in samples])
    for index, (number, line) in enumerate(lines.records):
        record = parse_record(index, number, line, path)
        alts = [] if record.alts == (".",) else [alt.upper() for alt in record.alts]
        single = [n for n, alt in enumerate(alts, start=1) if len(alt) == 1 and alt in "ACGT"]
        left_out["not a substitution"] += len(alts) - len(single)
        if len(record.ref) != 1 or not single:
            left_out["not a substitution"] += len(single)
            continue
        place = places.find(record.chrom, record.pos - 1)
        if place is None:
            left_out["outside training sequence"] += len(single)
            continue
        document, offset = place
        _check_reference(path, record, places.train, place, tokenizer)
        carried_H = genotypes.carried(record, line)
        for allele in single:
            alternative = int(tokenizer.encode(alts[allele - 1])[0])
            yield _Substitution(document, offset, alternative, carried_H == allele)


def _check_reference(
    path: Path, record: VariantRecord, train: DocumentSpans, place: tuple[int, int], tokenizer: NucleotideTokenizer
) -> None:
    document, offset = place
    has = tokenizer.decode(train.buffers[train.buffer_N[document]][offset : offset + 1])
    if has != record.ref.upper():
        message = f"the reference allele is {record.ref.upper()} and the sequence has {has}: another build?"
        raise InputError(message, file=path, line=record.line, value=f"{record.chrom}:{record.pos}")


class _Genotypes:
    """The genotypes of some samples in the records of a file.

    Args:
        path: the file.
        samples: their names.
        columns: their places among the samples of the file.
    """

    def __init__(self, path: Path, samples: Sequence[str], columns: Sequence[int]) -> None:
        self._path, self._samples, self._columns = path, samples, columns
        self._read: dict[bytes, tuple[int, int]] = {}

    def carried(self, record: VariantRecord, line: bytes) -> NDArray[np.int64]:
        """Return the number of the allele that each haplotype carries, 0 where it is not known, (H,)."""
        form, *calls = line.split(b"\t")[8:]
        keys = form.split(b":")
        if b"GT" not in keys:
            return np.zeros(2 * len(self._samples), np.int64)
        place = keys.index(b"GT")
        result: list[int] = []
        for name, column in zip(self._samples, self._columns):
            values = calls[column].split(b":")
            text = values[place] if place < len(values) else b"."
            try:
                pair = self._read.get(text) or self._parsed(name, text)
                if max(pair) > len(record.alts):
                    raise InputError(f"{name} has allele {max(pair)}, and the record has {len(record.alts)} in ALT")
            except InputError as error:
                value = f"{record.chrom}:{record.pos}"
                raise InputError(error.message, file=self._path, line=record.line, value=value) from None
            result += pair
        return np.array(result, np.int64)

    def _parsed(self, name: str, text: bytes) -> tuple[int, int]:
        """Return the alleles of the two haplotypes; of a haploid genotype its allele twice."""
        alleles = text.removeprefix(b"|").removeprefix(b"/").replace(b"/", b"|").split(b"|")
        if not all(allele == b"." or allele.isdigit() for allele in alleles):
            shown = text.decode("utf-8", "replace")
            raise InputError(f"the genotype of {name} must be numbers of alleles, as in 0|1, and is {shown!r}")
        if len(alleles) > 2:
            raise InputError(f"{name} has {len(alleles)} alleles")
        numbers = [0 if allele == b"." else int(allele) for allele in alleles]
        if len(set(numbers)) > 1 and b"/" in text:
            raise InputError(f"the genotype of {name} is not phased, so its haplotypes are not known")
        pair = numbers[0], numbers[-1]
        self._read[text] = pair
        return pair


def _opened(path: Path) -> tuple[VcfLines, tuple[str, ...]]:
    """A file's lines and the names of its samples."""
    if not path.is_file():
        raise InputError("the haplotypes' VCF file is not there", file=path)
    lines = read_vcf_text(path)
    columns = decoded(lines.header[-1], path, len(lines.header)).split("\t")
    samples = tuple(columns[9:])
    if not samples or not any(line.startswith(b"##FORMAT=<ID=GT,") for line in lines.header):
        raise InputError("haplotypes need genotypes (GT), and this file has none", file=path)
    if repeated := [name for name in samples if samples.count(name) > 1]:
        raise InputError("two samples have this name", file=path, line=len(lines.header), value=repeated[0])
    return lines, samples
