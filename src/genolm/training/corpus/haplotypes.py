"""Haplotypes of a population: training sequence with the alleles of individuals, from phased genotypes in VCF.

Only substitutions of single bases are used, so that coordinates, rows and held-out regions stay the same. Held-out
splits are never changed.

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
from genolm.files.lines import decoded, locate_errors
from genolm.genome.contig_names import ContigNames, chrom_aliases
from genolm.genome.vcf.vcf_records import VariantRecord, parse_record
from genolm.genome.vcf.vcf_text import VcfLines, read_vcf_text
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus.split_documents import DocumentSpans
from genolm.training.recipe_file import is_number

Ids = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class HaplotypeRecipe:
    """Individuals whose alleles are read into training sequence.

    Attributes:
        vcf: VCF or BCF files with phased genotypes; environment variables are expanded.
        samples: names of the samples; empty for all samples of the files.
        assembly: assembly of the corpus to which the files refer; required if there are several.
        share: probability that a piece is read as a haplotype instead of the reference.
    """

    vcf: tuple[str, ...]
    samples: tuple[str, ...] = ()
    assembly: str = ""
    share: float = 1.0

    def __post_init__(self) -> None:
        for name in ("vcf", "samples"):
            items = getattr(self, name)
            if not isinstance(items, tuple) or not all(isinstance(item, str) and item for item in items):
                raise InputError(f"{name} of haplotypes must be a list of texts", value=items)
        if not self.vcf:
            raise InputError("haplotypes must name at least one VCF file")
        if not is_number(self.share) or not 0 < self.share <= 1:
            raise InputError("share of haplotypes must be above 0 and at most 1", value=self.share)


class _Substitution(NamedTuple):
    """ALT base within a training document.

    Attributes:
        document: index of the document.
        offset: offset of the base in its buffer.
        alternative: token id of the ALT base.
        carried_H: whether each haplotype carries it.
    """

    document: int
    offset: int
    alternative: int
    carried_H: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Haplotypes:
    """Substitutions of a population, by position in the buffers of a corpus.

    Attributes:
        samples: names; sample i has the haplotypes 2 i and 2 i + 1.
        share: probability that a piece is read as a haplotype.
        left_out: number of unused alleles, by reason.
        digest: digest of everything that determines the sequence.
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
        """Sample a haplotype for each of ``pieces`` pieces, -1 for the reference."""
        haplotype_P = random.integers(0, 2 * len(self.samples), pieces, dtype=np.int32)
        return np.where(random.random(pieces) < self.share, haplotype_P, np.int32(-1))

    def read(self, buffer: int, start: int, ids_L: Ids, haplotype: int) -> Ids:
        """Return bases of a buffer, from ``start`` on, with the alleles of a haplotype; the input is not changed."""
        first, last = np.searchsorted(self._place_S, [_key(buffer, start), _key(buffer, start + len(ids_L))])
        if first == last:
            return ids_L
        bits = np.unpackbits(self._carried_HS[haplotype, first // 8 : -(-last // 8)])
        carried = first + np.flatnonzero(bits[first % 8 : first % 8 + last - first])
        changed = ids_L.copy()
        changed[self._place_S[carried] - _key(buffer, start)] = self._alternative_S[carried]
        return changed


def read_haplotypes(recipe: HaplotypeRecipe, train: DocumentSpans, tokenizer: NucleotideTokenizer) -> Haplotypes:
    """Read the substitutions of VCF files within training documents.

    Other alleles are left out and counted: indels, symbolic alleles, and bases outside the training documents. A
    missing genotype is read as the reference.

    Raises:
        InputError: a file does not exist or has no genotypes, a sample is unknown, or the assembly must be named; with
            file and line (in BCF: the number of the record): a record cannot be read, its REF allele differs from the
            sequence, or a heterozygous genotype is not phased.
    """
    index = _DocumentIndex(train, recipe.assembly)
    left_out = {"not a substitution": 0, "outside training sequence": 0}
    substitutions: list[_Substitution] = []
    samples: tuple[str, ...] = recipe.samples
    for text in recipe.vcf:
        path = Path(os.path.expandvars(text))
        samples = _samples(path, samples)
        substitutions += _substitutions(path, samples, index, tokenizer, left_out)
    if not substitutions:
        raise InputError("no substitution of the haplotypes lies in training sequence", file=recipe.vcf[0])
    place_S = np.array([_key(int(train.buffer_N[item.document]), item.offset) for item in substitutions], np.int64)
    order = np.argsort(place_S, kind="stable")
    carried_HS = np.packbits(np.stack([substitutions[i].carried_H for i in order], axis=1), axis=1)
    alternative_S = np.array([substitutions[i].alternative for i in order], np.uint8)
    return Haplotypes(samples, float(recipe.share), left_out, place_S[order], alternative_S, carried_HS)


def _key(buffer: int, offset: int) -> int:
    """Return one number for a position: ascending by buffer, then by offset."""
    return (buffer << 40) + offset


class _DocumentIndex:
    """Lookup of the training document at a position of a contig."""

    def __init__(self, train: DocumentSpans, assembly: str) -> None:
        names = set(train.assemblies.names)
        if assembly and assembly not in names:
            raise InputError("the assembly of the haplotypes has no training sequence", value=assembly)
        if not assembly and len(names) > 1:
            raise InputError(f"haplotypes must name their assembly, one of {', '.join(sorted(names))}")
        self.train = train
        self._starts: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        used = np.array([not assembly or name == assembly for name in train.assemblies.names])[train.assemblies.code_N]
        for code in dict.fromkeys(train.contigs.code_N[used].tolist()):
            index = np.flatnonzero(used & (train.contigs.code_N == code))
            index = index[np.argsort(train.start_N[index])]
            self._starts[train.contigs.names[code]] = train.start_N[index], index
        self._names = ContigNames(self._starts)

    def rename(self, path: Path) -> None:
        """Resolve contigs by the aliases next to a VCF file, too."""
        self._names = ContigNames(self._starts, chrom_aliases(path))

    def find(self, contig: str, position: int) -> tuple[int, int] | None:
        """Return the index of the document at a 0-based position and the offset in its buffer; None outside of all.

        Raises:
            InputError: the name matches several contigs.
        """
        name = self._names.find(contig)
        if name is None:
            return None
        starts, index = self._starts[name]
        before = int(np.searchsorted(starts, position, side="right")) - 1
        if before < 0:
            return None
        document = int(index[before])
        within = position - int(self.train.start_N[document])
        if within >= int(self.train.length_N[document]):
            return None
        return document, int(self.train.offset_N[document]) + within


def _samples(path: Path, requested: tuple[str, ...]) -> tuple[str, ...]:
    known = _open_vcf(path)[1]
    if unknown := [name for name in requested if name not in known]:
        raise InputError("the file has no sample with this name", file=path, value=unknown[0])
    return requested or known


def _substitutions(
    path: Path,
    samples: Sequence[str],
    documents: _DocumentIndex,
    tokenizer: NucleotideTokenizer,
    left_out: dict[str, int],
) -> Iterator[_Substitution]:
    lines, known = _open_vcf(path)
    documents.rename(path)
    genotypes = _Genotypes(path, samples, [known.index(name) for name in samples])
    for index, (number, line) in enumerate(lines.records):
        record = parse_record(index, number, line, path)
        alts = [] if record.alts == (".",) else [alt.upper() for alt in record.alts]
        single = [n for n, alt in enumerate(alts, start=1) if len(alt) == 1 and alt in "ACGT"]
        left_out["not a substitution"] += len(alts) - len(single)
        if len(record.ref) != 1 or not single:
            left_out["not a substitution"] += len(single)
            continue
        with locate_errors(path, number):
            position = documents.find(record.chrom, record.pos - 1)
        if position is None:
            left_out["outside training sequence"] += len(single)
            continue
        document, offset = position
        _check_reference(path, record, documents.train, position, tokenizer)
        carried_H = genotypes.carried(record, line)
        for allele in single:
            alternative = int(tokenizer.encode(alts[allele - 1])[0])
            yield _Substitution(document, offset, alternative, carried_H == allele)


def _check_reference(
    path: Path, record: VariantRecord, train: DocumentSpans, position: tuple[int, int], tokenizer: NucleotideTokenizer
) -> None:
    document, offset = position
    base = tokenizer.decode(train.buffers[train.buffer_N[document]][offset : offset + 1])
    if base != record.ref.upper():
        message = f"the REF allele is {record.ref.upper()}, but the sequence has {base}: another build?"
        raise InputError(message, file=path, line=record.line, value=f"{record.chrom}:{record.pos}")


class _Genotypes:
    """Genotypes of some samples of a VCF file.

    Args:
        path: path of the file.
        samples: names of the samples.
        columns: positions of the samples among those of the file.
    """

    def __init__(self, path: Path, samples: Sequence[str], columns: Sequence[int]) -> None:
        self._path, self._samples, self._columns = path, samples, columns
        self._parsed: dict[bytes, tuple[int, int]] = {}

    def carried(self, record: VariantRecord, line: bytes) -> NDArray[np.int64]:
        """Return the allele number that each haplotype carries, 0 if unknown, (H,)."""
        form, *calls = line.split(b"\t")[8:]
        keys = form.split(b":")
        if b"GT" not in keys:
            return np.zeros(2 * len(self._samples), np.int64)
        field_number = keys.index(b"GT")
        alleles: list[int] = []
        for name, column in zip(self._samples, self._columns):
            values = calls[column].split(b":")
            text = values[field_number] if field_number < len(values) else b"."
            try:
                pair = self._parsed.get(text) or self._parse(name, text)
                if max(pair) > len(record.alts):
                    raise InputError(
                        f"{name} has allele {max(pair)}, but the record has {len(record.alts)} ALT alleles"
                    )
            except InputError as error:
                value = f"{record.chrom}:{record.pos}"
                raise error.at(file=self._path, line=record.line, value=value) from None
            alleles += pair
        return np.array(alleles, np.int64)

    def _parse(self, name: str, text: bytes) -> tuple[int, int]:
        """Return the alleles of the two haplotypes; for a haploid genotype the same allele twice."""
        alleles = text.removeprefix(b"|").removeprefix(b"/").replace(b"/", b"|").split(b"|")
        if not all(allele == b"." or allele.isdigit() for allele in alleles):
            genotype = text.decode("utf-8", "replace")
            raise InputError(f"the genotype of {name} must be allele numbers, as in 0|1, not {genotype!r}")
        if len(alleles) > 2:
            raise InputError(f"the genotype of {name} must have at most 2 alleles, not {len(alleles)}")
        numbers = [0 if allele == b"." else int(allele) for allele in alleles]
        if len(set(numbers)) > 1 and b"/" in text:
            raise InputError(f"the genotype of {name} is not phased, so its haplotypes are unknown")
        pair = numbers[0], numbers[-1]
        self._parsed[text] = pair
        return pair


def _open_vcf(path: Path) -> tuple[VcfLines, tuple[str, ...]]:
    """Return the lines of a file and the names of its samples."""
    if not path.is_file():
        raise InputError("the haplotypes' VCF file does not exist", file=path, code="file-not-found")
    lines = read_vcf_text(path)
    columns = decoded(lines.header[-1], path, len(lines.header)).split("\t")
    samples = tuple(columns[9:])
    if not samples or not any(line.startswith(b"##FORMAT=<ID=GT,") for line in lines.header):
        raise InputError("haplotypes require genotypes (GT), but this file has none", file=path)
    if repeated := [name for name in samples if samples.count(name) > 1]:
        raise InputError("two samples have this name", file=path, line=len(lines.header), value=repeated[0])
    return lines, samples
