"""Consistency of variants, genes, tracks and genome, and notes for the reader about what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genolm.errors import InputError
from genolm.genome.fasta import Genome
from genolm.tasks.report.browser_view import Track
from genolm.tasks.report.nearby_genes import Genes
from genolm.tasks.report.report_regions import Regions, resolved
from genolm.tasks.report.scored_variants import ScoredAllele, ScoredFile

_MAX_NAMED = 5


def check_genome(genome: Genome, scored: ScoredFile) -> None:
    """Check that every scored allele lies on the genome and that its REF matches.

    Alleles without a score may lie elsewhere, and alleles scored with swapped REF and ALT (``flipped``) have another
    REF.

    Raises:
        InputError: a scored allele does not match, so that another genome was used; has file and line.
    """
    for one in scored.alleles:
        if one.score is not None and (problem := _mismatch(genome, one)):
            raise InputError(
                f"{problem}: the variants were scored with a genome other than {genome.path.name}",
                file=scored.path, line=one.line, value=one.name,
            )  # fmt: skip


def _mismatch(genome: Genome, allele: ScoredAllele) -> str:
    chrom = resolved(genome, allele.chrom)
    if chrom is None:
        return f"the genome has no contig {allele.chrom}"
    if allele.end > genome.lengths[chrom]:
        return f"the allele ends after the {genome.lengths[chrom]:,} bases of {chrom}"
    expected = genome.fetch(chrom, allele.start, allele.end)
    if allele.status == "flipped" or expected == allele.ref.upper():
        return ""
    return f"REF is {allele.ref[:20]}, the genome has {expected[:20]}"


def notes_of(
    genome: Genome,
    regions: Regions,
    scored: ScoredFile | None,
    genes: Genes | None,
    tracks: Sequence[Track],
    view: Mapping[str, Any],
) -> list[str]:
    """Return notes on what is missing from the page, and why."""
    notes = list[str]()
    if scored is not None:
        notes += _notes_of_variants(genome, regions, scored)
    if genes is not None:
        notes += _notes_of_genes(genes, view)
    shown = {track["name"] for track in view["tracks"]}
    notes += [
        f"{track.path.name} is not shown: it has no values on the regions in this page."
        for track in tracks
        if track.name not in shown
    ]
    return notes


def _notes_of_variants(genome: Genome, regions: Regions, scored: ScoredFile) -> Iterator[str]:
    if not scored.alleles:
        yield f"{scored.path.name} has no ALT alleles."
        return
    if all(one.score is None for one in scored.alleles):
        yield f"No ALT allele of {scored.path.name} has a score; the reasons are in the table below."
    unknown = Counter(one.chrom for one in scored.alleles if resolved(genome, one.chrom) is None)
    if unknown:
        names = ", ".join(list(unknown)[:_MAX_NAMED]) + (", …" if len(unknown) > _MAX_NAMED else "")
        yield f"{unknown.total():,} ALT alleles are on contigs that the genome does not have: {names}."
    hidden = sum(not regions.shows(genome, one) for one in scored.alleles) - unknown.total()
    if hidden > 0:
        yield (
            f"The genome browser shows {len(scored.alleles) - unknown.total() - hidden:,} of "
            f"{len(scored.alleles):,} ALT alleles, those with the lowest scores; the others are only in the table."
        )


def _notes_of_genes(genes: Genes, view: Mapping[str, Any]) -> Iterator[str]:
    if not genes.transcripts:
        yield "No gene of the annotation lies on a contig of the genome; contig names may differ."
    elif not any(track["name"] == "Genes" for track in view["tracks"]):
        yield "No gene lies on the regions in this page."
