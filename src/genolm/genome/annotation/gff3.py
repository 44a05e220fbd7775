"""Transcripts out of GFF3, and out of whichever of GTF and GFF3 a file is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from genolm.errors import InputError
from genolm.genome.annotation.annotation_lines import annotation_lines, attributes, note_circle, parents
from genolm.genome.annotation.genes import PARTS, Draft, Transcript, finished, named_feature, read_gtf
from genolm.genome.formats import uncompressed_suffix
from genolm.genome.left_out import LeftOut

GFF3_ENDINGS = (".gff3", ".gff")
GTF_ENDING = ".gtf"


def read_genes(path: str | Path) -> Iterator[Transcript]:
    """Read the transcripts of a GTF or GFF3 file (plain, gzip or bgzip); its ending says which it is.

    Raises:
        InputError: another ending, and whatever :func:`genolm.genome.annotation.genes.read_gtf` and :func:`read_gff3`
        refuse.
    """
    path = Path(path)
    ending = uncompressed_suffix(path)
    if ending in GFF3_ENDINGS:
        return read_gff3(path)
    if ending == GTF_ENDING:
        return read_gtf(path)
    raise InputError("genes are read from .gtf, .gff3 or .gff, also with .gz", file=path)


def read_gff3(path: str | Path) -> Iterator[Transcript]:
    """Read the transcripts of a GFF3 (plain, gzip or bgzip), in the order in which their first feature appears.

    A transcript is what exons name as their ``Parent``; its own ``Parent`` is the gene, whose ``Name`` is the symbol.
    One whose features lie on several contigs is one transcript on each. Where there are coding features and no exons,
    as in bacterial files, the coding features are the exons; a ``CDS`` without ``Parent`` is a transcript of its own
    (all lines of one ``ID``). A transcript over the origin of a circular contig (``Is_circular=true``) is two.

    Raises:
        InputError: a line without nine columns, a position that is not a whole number, or no transcript that can be
            used; names file and line.

    Warns:
        UserWarning: once, of exons without ``Parent`` and of transcripts without a strand, on both strands, or with
            exons that overlap: they are left out.
    """
    path = Path(path)
    drafts: dict[tuple[str, str], Draft] = {}
    parent_of: dict[str, str] = {}
    names: dict[str, str] = {}
    circles: dict[str, int] = {}
    left_out = LeftOut(path)
    for number, columns in annotation_lines(path, "GFF3"):
        if columns[2] in PARTS:
            _add(drafts, columns, left_out, number)
        else:
            note_circle(circles, columns, path, number)
            _note(columns[8], parent_of, names)
    for draft in drafts.values():
        gene = parent_of.get(draft.id, draft.gene)
        draft.id, draft.gene, draft.symbol = _bare(draft.id), _bare(gene), names.get(gene, draft.symbol)
    yield from finished(drafts.values(), left_out, circles)


def _add(drafts: dict[tuple[str, str], Draft], columns: list[str], left_out: LeftOut, number: int) -> None:
    transcripts = parents(columns[8])
    for transcript in transcripts:
        draft = drafts.setdefault((columns[0], transcript), Draft(transcript, transcript, number))
        draft.add(columns, left_out.file, number, "GFF3")
    if transcripts:
        return
    if columns[2] != "CDS":
        left_out.add(f"{named_feature(columns[2])} without Parent", number, columns[8].strip())
        return
    told = attributes(columns[8])
    name = told.get("ID") or f"line {number}"
    draft = drafts.setdefault((columns[0], f"CDS {name}"), Draft(name, name, number, told.get("Name", "")))
    draft.add(columns, left_out.file, number, "GFF3")


def _note(text: str, parent_of: dict[str, str], names: dict[str, str]) -> None:
    """Enter what a gene or a transcript is called, and which gene a transcript belongs to."""
    told = attributes(text)
    name = told.get("ID")
    if name is None:
        return
    if "Parent" in told:
        parent_of[name] = parents(text)[0] if parents(text) else told["Parent"]
    symbol = told.get("Name") or told.get("gene_name")  # GENCODE has the second
    if symbol:
        names[name] = symbol


def _bare(name: str) -> str:
    """Ensembl writes ``gene:ENSG...`` and ``transcript:ENST...``."""
    return name.removeprefix("gene:").removeprefix("transcript:")
