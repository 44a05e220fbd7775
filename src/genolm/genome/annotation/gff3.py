"""Reader of transcripts from GFF3, and from GTF or GFF3 by extension."""

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
    """Read the transcripts of a GTF or GFF3 file (plain, gzip or bgzip), by its extension.

    Raises:
        InputError: the extension is unknown; or as :func:`genolm.genome.annotation.genes.read_gtf` and
            :func:`read_gff3`.
    """
    path = Path(path)
    ending = uncompressed_suffix(path)
    if ending in GFF3_ENDINGS:
        return read_gff3(path)
    if ending == GTF_ENDING:
        return read_gtf(path)
    raise InputError(
        "unsupported annotation format; expected .gtf, .gff3 or .gff, optionally with .gz",
        file=path,
        code="unknown-format",
    )


def read_gff3(path: str | Path) -> Iterator[Transcript]:
    """Read the transcripts of a GFF3 (plain, gzip or bgzip), in the order of their first feature.

    A transcript is the ``Parent`` of exons; its own ``Parent`` is the gene, whose ``Name`` is the symbol. A transcript
    with features on several contigs gives one transcript per contig. If there are coding features but no exons, as in
    bacterial annotation, the coding features are the exons; a ``CDS`` without ``Parent`` (all lines with one ``ID``) is
    a transcript. A transcript across the origin of a circular contig (``Is_circular=true``) is split in two.

    Raises:
        InputError: a line is invalid, or no transcript is usable.

    Notes:
        Once, if exons without ``Parent`` or transcripts without a strand, on both strands or with
        overlapping exons were skipped.
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
    values = attributes(columns[8])
    name = values.get("ID") or f"line {number}"
    draft = drafts.setdefault((columns[0], f"CDS {name}"), Draft(name, name, number, values.get("Name", "")))
    draft.add(columns, left_out.file, number, "GFF3")


def _note(text: str, parent_of: dict[str, str], names: dict[str, str]) -> None:
    """Record the symbol of a gene and the parent of a transcript."""
    values = attributes(text)
    name = values.get("ID")
    if name is None:
        return
    if "Parent" in values:
        parent_of[name] = parents(text)[0] if parents(text) else values["Parent"]
    symbol = values.get("Name") or values.get("gene_name")  # GENCODE uses gene_name
    if symbol:
        names[name] = symbol


def _bare(name: str) -> str:
    """Remove the prefixes of Ensembl: ``gene:ENSG...`` and ``transcript:ENST...``."""
    return name.removeprefix("gene:").removeprefix("transcript:")
