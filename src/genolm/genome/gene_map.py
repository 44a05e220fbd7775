"""Where an annotation puts genes: coding ones, and whatever else is transcribed; bacterial annotations included.

Unlike :mod:`genolm.genome.genes` this asks for no exons and no parents: a ``CDS`` line is enough. Intervals are 0-based
and half-open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from genolm.errors import InputError
from genolm.genome.flat_files import FORMATS, flat_format, read_flat_file
from genolm.genome.genes import feature_interval
from genolm.genome.gff3 import attributes as gff3_attributes
from genolm.genome.interval import Interval
from genolm.genome.lines import text_lines

_LINES = (".gff3", ".gff", ".gtf")
_GENIC = ("RNA", "gene", "CDS", "exon", "transcript", "UTR")
_GTF_PAIR = re.compile(r'(\w+) "?([^";]*)"?')
_NAMES = ("locus_tag", "gene", "Name", "protein_id", "transcript_id", "gene_id", "ID", "Parent")


class _Feature(NamedTuple):
    """One feature of an annotation.

    Attributes:
        key: what joins the parts of a gene that stand on several lines.
        name: what it is called.
        coding: whether it is translated: a CDS, and of no pseudogene.
        parts: where it lies.
    """

    key: str
    name: str
    coding: bool
    parts: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class CodingGene:
    """What is translated of a gene, or of one of its transcripts.

    Attributes:
        id: its name in the annotation.
        parts: by rising coordinate, on one contig.
    """

    id: str
    parts: tuple[Interval, ...]

    @property
    def interval(self) -> Interval:
        """From the first to the last base, on the strand of the first part."""
        return replace(self.parts[0], end=max(part.end for part in self.parts))


@dataclass(frozen=True, slots=True)
class GeneMap:
    """The genes of an annotation.

    Attributes:
        file: where they stand.
        coding: the coding genes, in the order of the file.
        genic: all features that belong to genes, coding or not.
    """

    file: Path
    coding: tuple[CodingGene, ...]
    genic: tuple[Interval, ...] = field(repr=False)

    def on(self, lengths: Mapping[str, int]) -> GeneMap:
        """The genes that lie on these contigs, under their names; ``NC_000908.2`` and ``NC_000908`` are one name.

        Args:
            lengths: bases of every contig.

        Raises:
            InputError: no coding gene lies on any of them, or one begins beyond the end of its contig.
        """
        names = _own_names({one.chrom for one in self.genic}, lengths)
        kept = [
            CodingGene(gene.id, tuple(replace(part, chrom=chrom) for part in gene.parts))
            for gene in self.coding
            if (chrom := names.get(gene.parts[0].chrom)) is not None
        ]
        if not kept:
            raise InputError("no coding gene lies on a contig of the genome", file=self.file)
        for gene in kept:
            if gene.interval.start >= lengths[gene.interval.chrom]:
                raise InputError(
                    f"the gene begins beyond the end of its contig, which has {lengths[gene.interval.chrom]:,} bases: "
                    "the annotation is of another genome",
                    file=self.file,
                    value=f"{gene.id} {gene.interval}",
                )
        genic = [replace(one, chrom=names[one.chrom]) for one in self.genic if one.chrom in names]
        return GeneMap(self.file, tuple(kept), tuple(genic))


def read_gene_map(path: str | Path) -> GeneMap:
    """Read the genes of a GFF3, GTF, GenBank or EMBL file, plain or compressed; its ending says which it is.

    Raises:
        InputError: another ending, or a file that is not what its ending says; names file and, of text lines, line.
        GenolmError: a GenBank or EMBL file and no Biopython (extra ``genbank``).
    """
    path = Path(path)
    ending = Path(path.name.lower().removesuffix(".gz").removesuffix(".bgz")).suffix
    if ending in _LINES:
        return _collected(path, _line_features(path, gtf=ending == ".gtf"))
    if flat_format(path):
        return _collected(path, _flat_features(path))
    raise InputError(f"genes are read from {', '.join((*_LINES, *FORMATS))}, also with .gz", file=path)


def _name(attributes: Mapping[str, str], place: Interval) -> str:
    """What a feature is called by its attributes; where it lies, if they do not say."""
    return next((attributes[name] for name in _NAMES if attributes.get(name)), str(place))


def _collected(path: Path, features: Iterable[_Feature]) -> GeneMap:
    coding: dict[str, list[_Feature]] = {}
    genic = list[Interval]()
    for feature in features:
        genic += feature.parts
        if feature.coding:
            coding.setdefault(feature.key, []).append(feature)
    genes = [
        CodingGene(parts[0].name, tuple(sorted(part for one in parts for part in one.parts)))
        for parts in coding.values()
    ]
    return GeneMap(path, tuple(genes), tuple(genic))


def _flat_features(path: Path) -> Iterator[_Feature]:
    """Those of genes that lie on their record at least in part."""
    for record in read_flat_file(path, _GENIC):
        for feature in record.features:
            if feature.parts:
                name = _name(feature.qualifiers, min(feature.parts))
                coding = feature.kind == "CDS" and not feature.pseudo
                yield _Feature(f"line {feature.line}", name, coding, feature.parts)


def _line_features(path: Path, *, gtf: bool) -> Iterator[_Feature]:
    form = "GTF" if gtf else "GFF3"
    for number, line in text_lines(path):
        if line.startswith("##FASTA"):
            return
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != 9:
            raise InputError(f"a {form} line has 9 columns, this one {len(columns)}", file=path, line=number)
        if columns[2].endswith(_GENIC):
            yield _line_feature(columns, path, number, form)


def _line_feature(columns: list[str], path: Path, number: int, form: str) -> _Feature:
    coding = columns[2] == "CDS"
    if not coding and columns[6] not in ("+", "-"):
        columns = [*columns[:6], "+", *columns[7:]]  # which strand does not matter
    place = feature_interval(columns, path, number, form)
    attributes = _gtf_attributes(columns[8]) if form == "GTF" else gff3_attributes(columns[8])
    key = attributes.get("ID") or attributes.get("transcript_id") or attributes.get("Parent") or f"line {number}"
    pseudo = attributes.get("pseudo", "").lower() == "true" or "pseudogene" in attributes
    return _Feature(f"{place.chrom} {key}", _name(attributes, place), coding and not pseudo, (place,))


def _gtf_attributes(text: str) -> dict[str, str]:
    return {key: value.strip() for key, value in _GTF_PAIR.findall(text)}


def _own_names(named: Iterable[str], contigs: Iterable[str]) -> dict[str, str]:
    """The contig that each name means: that of the same name, else the only one of the same accession."""
    same: dict[str, list[str]] = {}
    for contig in contigs:
        same.setdefault(_accession(contig), []).append(contig)
    found = {}
    for name in named:
        candidates = same.get(_accession(name), [])
        if name in candidates or len(candidates) == 1:
            found[name] = name if name in candidates else candidates[0]
    return found


def _accession(name: str) -> str:
    """``NC_000908`` of ``NC_000908.2``."""
    return re.sub(r"\.\d+$", "", name)
