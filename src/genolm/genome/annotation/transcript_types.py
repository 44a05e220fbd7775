"""Types and tags of transcripts in GTF and GFF3: protein-coding, MANE Select, Ensembl canonical."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from genolm.genome.annotation.annotation_lines import Form, annotation_lines, attributes, gtf_attributes
from genolm.genome.annotation.gff3 import GTF_ENDING
from genolm.genome.formats import uncompressed_suffix

PROTEIN_CODING = "protein_coding"
_GTF_TAG = re.compile(r'\btag\s+"?([^";]+)"?')
_PREFIXES = ("transcript:", "gene:")


@dataclass(frozen=True, slots=True)
class TranscriptType:
    """What an annotation says of a transcript.

    Attributes:
        gene_type: type of its gene, such as ``protein_coding``; empty if the file has none.
        type: type of the transcript; empty if the file has none.
        tags: tags of the transcript, such as ``MANE_Select`` and ``Ensembl_canonical``.
        span: first and last base of the transcript's line, 1-based, as in the file.
    """

    gene_type: str
    type: str
    tags: frozenset[str]
    span: tuple[str, str]


def read_transcript_types(path: str | Path) -> dict[str, TranscriptType]:
    """Return types and tags by transcript id, from the lines of transcripts.

    The attributes are ``gene_type``, ``transcript_type`` and ``tag`` of GENCODE, or ``gene_biotype``,
    ``transcript_biotype`` and ``biotype`` of Ensembl. Transcripts without any are left out.

    Raises:
        InputError: a line does not have nine columns.
    """
    path = Path(path)
    form: Form = "GTF" if uncompressed_suffix(path) == GTF_ENDING else "GFF3"
    types, gene_types = dict[str, TranscriptType](), dict[str, str]()
    for _, columns in annotation_lines(path, form):
        values = gtf_attributes(columns[8]) if form == "GTF" else attributes(columns[8])
        if columns[2].endswith("gene"):
            gene_types[values.get("ID", "")] = _first(values, "gene_type", "gene_biotype", "biotype")
        elif name := _transcript_name(values, columns[2], form):
            gene_type = _first(values, "gene_type", "gene_biotype") or gene_types.get(values.get("Parent", ""), "")
            kind = _first(values, "transcript_type", "transcript_biotype", "biotype")
            tags = _GTF_TAG.findall(columns[8]) if form == "GTF" else values.get("tag", "").split(",")
            if gene_type or kind or any(tags):
                known = frozenset(tag.strip() for tag in tags if tag.strip())
                types[name] = TranscriptType(gene_type, kind, known, (columns[3].strip(), columns[4].strip()))
    return types


def _transcript_name(values: Mapping[str, str], feature: str, form: Form) -> str:
    """Return the id of the transcript that a line defines; empty for lines of other features."""
    if form == "GTF":
        return values.get("transcript_id", "") if feature == "transcript" else ""
    name = values.get("ID", "") if feature.endswith(("transcript", "RNA")) else ""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _first(values: Mapping[str, str], *names: str) -> str:
    return next((values[name] for name in names if values.get(name)), "")
