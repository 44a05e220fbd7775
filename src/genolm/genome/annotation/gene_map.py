"""Positions of coding genes and other transcribed features, also of bacterial annotation.

Unlike :mod:`genolm.genome.annotation.genes`, it requires neither exons nor parents: a ``CDS`` line is enough. Intervals
are 0-based and half-open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from genolm.errors import InputError
from genolm.files.kinds import check_packing
from genolm.files.lines import locate_errors
from genolm.genome.annotation.annotation_lines import (
    Form,
    annotation_lines,
    attributes,
    feature_interval,
    gtf_attributes,
    is_unstranded,
    note_circle,
    within_circle,
)
from genolm.genome.contig_names import ContigNames, Synonyms
from genolm.genome.flat_files import FORMATS, flat_format, read_flat_file
from genolm.genome.formats import uncompressed_suffix
from genolm.genome.interval import Interval
from genolm.genome.left_out import LeftOut

_LINES = (".gff3", ".gff", ".gtf")
_GENIC = ("RNA", "gene", "CDS", "exon", "transcript", "UTR")
_NAMES = ("locus_tag", "gene", "Name", "protein_id", "transcript_id", "gene_id", "ID", "Parent")


class _Feature(NamedTuple):
    """One feature of an annotation.

    Attributes:
        key: identifier that joins the lines of one gene.
        name: display name.
        coding: whether it is a CDS and not of a pseudogene.
        parts: intervals.
        line: first line in the file, 1-based.
        stranded: whether its strand is known.
    """

    key: str
    name: str
    coding: bool
    parts: tuple[Interval, ...]
    line: int
    stranded: bool = True


@dataclass(frozen=True, slots=True)
class CodingGene:
    """The coding sequence of a gene or transcript.

    Attributes:
        id: name in the annotation.
        parts: intervals on one contig by ascending coordinate, each on its strand (strands differ in trans-splicing).
        line: first line in the file, 1-based.
    """

    id: str
    parts: tuple[Interval, ...]
    line: int | None = field(default=None, compare=False, repr=False)

    @property
    def interval(self) -> Interval:
        """Interval from the first to the last base, on the strand of the first part."""
        return replace(self.parts[0], end=max(part.end for part in self.parts))


@dataclass(frozen=True, slots=True)
class GeneMap:
    """The genes of an annotation.

    Attributes:
        file: the annotation file.
        coding: the coding genes, in file order.
        genic: intervals of all features of genes, coding or not.
        circular: contigs declared circular.
    """

    file: Path
    coding: tuple[CodingGene, ...]
    genic: tuple[Interval, ...] = field(repr=False)
    circular: frozenset[str] = frozenset()

    def on(self, lengths: Mapping[str, int], synonyms: Synonyms = ()) -> GeneMap:
        """Return the genes on these contigs, with the given contig names (see `ContigNames`).

        Features beyond the end of a circular contig continue at its first base.

        Args:
            lengths: length of every contig in bases.
            synonyms: further names of the contigs, such as `Genome.synonyms`.

        Raises:
            InputError: no coding gene is on these contigs, a gene starts beyond the end of its contig, or a contig name
                is ambiguous.
        """
        contigs = ContigNames(lengths, synonyms)
        with locate_errors(self.file, None):
            found = {name: contigs.find(name) for name in dict.fromkeys(one.chrom for one in self.genic)}
        names = {name: contig for name, contig in found.items() if contig is not None}
        kept = [
            CodingGene(gene.id, tuple(sorted(self._placed(gene.parts, names, lengths))), gene.line)
            for gene in self.coding
            if gene.parts[0].chrom in names
        ]
        if not kept:
            raise InputError("no coding gene is on a contig of the genome", file=self.file)
        for gene in kept:
            self._check(gene, lengths[gene.interval.chrom])
        genic = tuple(self._placed((one for one in self.genic if one.chrom in names), names, lengths))
        circular = frozenset(names[name] for name in self.circular if name in names)
        return GeneMap(self.file, tuple(kept), genic, circular)

    def _placed(
        self, parts: Iterable[Interval], names: Mapping[str, str], lengths: Mapping[str, int]
    ) -> Iterator[Interval]:
        for part in parts:
            renamed = replace(part, chrom=names[part.chrom])
            yield from within_circle(renamed, lengths[renamed.chrom]) if part.chrom in self.circular else (renamed,)

    def _check(self, gene: CodingGene, length: int) -> None:
        if gene.interval.start >= length:
            raise InputError(
                f"the gene starts beyond the end of its contig ({length:,} bases): the annotation belongs to another "
                "genome",
                file=self.file,
                line=gene.line,
                value=f"{gene.id} {gene.interval}",
            )


def read_gene_map(path: str | Path) -> GeneMap:
    """Read the genes of a GFF3, GTF, GenBank or EMBL file, plain or compressed, by its extension.

    Raises:
        InputError: the extension is unknown, the file is invalid, or no coding feature is usable.
        GenolmError: the file is GenBank or EMBL and Biopython (extra ``genbank``) is not installed.

    Notes:
        Once, if coding features without a strand or a readable location were skipped.
    """
    path = Path(path)
    ending = uncompressed_suffix(path)
    if ending in _LINES:
        circles: dict[str, int] = {}
        genes = _collected(path, _line_features(path, "GTF" if ending == ".gtf" else "GFF3", circles))
        return replace(genes, circular=frozenset(circles))
    if flat_format(path):
        return _collected(path, _flat_features(path))
    check_packing(path)
    extensions = ", ".join((*_LINES, *FORMATS))
    raise InputError(
        f"unsupported annotation format; expected {extensions}, or one of these with .gz",
        file=path,
        code="unknown-format",
    )


def _name(attributes: Mapping[str, str], place: Interval) -> str:
    """Return the name of a feature by its attributes, else its interval."""
    return next((attributes[name] for name in _NAMES if attributes.get(name)), str(place))


def _collected(path: Path, features: Iterable[_Feature]) -> GeneMap:
    coding: dict[str, list[_Feature]] = {}
    genic = list[Interval]()
    left_out = LeftOut(path)
    for feature in features:
        genic += feature.parts
        if feature.coding and not feature.stranded:
            left_out.add("a coding feature without a strand", feature.line, feature.name)
        elif feature.coding:
            coding.setdefault(feature.key, []).append(feature)
    left_out.report(len(coding))
    genes = [
        CodingGene(parts[0].name, tuple(sorted({part for one in parts for part in one.parts})), parts[0].line)
        for parts in coding.values()
    ]
    return GeneMap(path, tuple(genes), tuple(genic))


def _flat_features(path: Path) -> Iterator[_Feature]:
    """Yield the features of genes that are at least partly on their record."""
    for record in read_flat_file(path, _GENIC):
        for feature in record.features:
            if feature.parts:
                name = _name(feature.qualifiers, min(feature.parts))
                coding = feature.kind == "CDS" and not feature.pseudo
                yield _Feature(f"line {feature.line}", name, coding, feature.parts, feature.line)


def _line_features(path: Path, form: Form, circles: dict[str, int]) -> Iterator[_Feature]:
    """Yield the features of genes; add the lengths of circular contigs to ``circles``."""
    for number, columns in annotation_lines(path, form):
        if columns[2].endswith(_GENIC):
            yield _line_feature(columns, path, number, form)
        elif form == "GFF3":
            note_circle(circles, columns, path, number)


def _line_feature(columns: list[str], path: Path, number: int, form: Form) -> _Feature:
    interval = feature_interval(columns, path, number, form)
    values = gtf_attributes(columns[8]) if form == "GTF" else attributes(columns[8])
    key = values.get("ID") or values.get("transcript_id") or values.get("Parent") or f"line {number}"
    pseudo = values.get("pseudo", "").lower() == "true" or "pseudogene" in values
    coding = columns[2] == "CDS" and not pseudo
    stranded = not is_unstranded(columns)
    return _Feature(f"{interval.chrom} {key}", _name(values, interval), coding, (interval,), number, stranded)
