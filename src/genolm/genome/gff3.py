"""Transcripts out of GFF3, and out of whichever of GTF and GFF3 a file is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from genolm.errors import InputError
from genolm.genome.genes import Draft, Transcript, feature_interval, read_gtf
from genolm.genome.lines import text_lines

_PARTS = ("exon", "CDS", "stop_codon")
_GFF3 = (".gff3", ".gff")
_GTF = (".gtf",)


def read_genes(path: str | Path) -> Iterator[Transcript]:
    """Read the transcripts of a GTF or GFF3 file (plain, gzip or bgzip); its ending says which it is.

    Raises:
        InputError: another ending, and whatever :func:`genolm.genome.genes.read_gtf` and :func:`read_gff3` refuse.
    """
    path = Path(path)
    name = path.name.lower().removesuffix(".gz").removesuffix(".bgz")
    if name.endswith(_GFF3):
        return read_gff3(path)
    if name.endswith(_GTF):
        return read_gtf(path)
    raise InputError("genes are read from .gtf, .gff3 or .gff, also with .gz", file=path)


def read_gff3(path: str | Path) -> Iterator[Transcript]:
    """Read the transcripts of a GFF3 (plain, gzip or bgzip), in the order in which their first exon appears.

    A transcript is what exons name as their ``Parent``; its own ``Parent`` is the gene, whose ``Name`` is the symbol.

    Raises:
        InputError: a line without nine columns, a position that is no number, an exon without ``Parent``; names file
            and line.
    """
    path = Path(path)
    drafts: dict[str, Draft] = {}
    parents: dict[str, str] = {}
    names: dict[str, str] = {}
    for number, line in text_lines(path):
        if line.startswith("##FASTA"):
            break
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != 9:
            raise InputError(f"a GFF3 line has 9 columns, this one {len(columns)}", file=path, line=number)
        if columns[2] in _PARTS:
            _add(drafts, columns, path, number)
        else:
            _note(attributes(columns[8]), parents, names)
    for draft in drafts.values():
        gene = parents.get(draft.id, draft.id)
        draft.id, draft.gene, draft.symbol = _bare(draft.id), _bare(gene), names.get(gene, "")
        if draft.exons:
            yield draft.transcript()


def _add(drafts: dict[str, Draft], columns: list[str], path: Path, number: int) -> None:
    transcripts = attributes(columns[8]).get("Parent")
    if not transcripts:
        raise InputError(f"a GFF3 {columns[2]} without Parent", file=path, line=number, value=columns[8])
    part = feature_interval(columns, path, number, "GFF3")
    for transcript in transcripts.split(","):
        draft = drafts.setdefault(transcript, Draft(transcript, transcript))
        (draft.exons if columns[2] == "exon" else draft.coding).append(part)


def _note(attributes: dict[str, str], parents: dict[str, str], names: dict[str, str]) -> None:
    """What a gene or a transcript is called, and which gene a transcript belongs to."""
    name = attributes.get("ID")
    if name is None:
        return
    if "Parent" in attributes:
        parents[name] = attributes["Parent"]
    symbol = attributes.get("Name") or attributes.get("gene_name")  # GENCODE has the second
    if symbol:
        names[name] = symbol


def attributes(text: str) -> dict[str, str]:
    """The ninth column of a GFF3 line by key."""
    pairs = (pair.partition("=") for pair in text.strip().split(";"))
    return {key.strip(): unquote(value) for key, found, value in pairs if found}


def _bare(name: str) -> str:
    """Ensembl writes ``gene:ENSG...`` and ``transcript:ENST...``."""
    return name.removeprefix("gene:").removeprefix("transcript:")
