"""Report of a run as one HTML page: genome browser, scored variants, embeddings, likelihoods; works offline."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from importlib import metadata, resources
from pathlib import Path
from string import Template
from typing import Annotated, Any

from genolm.engine.result import Result
from genolm.engine.target import check_target
from genolm.errors import InputError
from genolm.files.atomic import write_text
from genolm.files.output_paths import refuse_replacing
from genolm.files.version import __version__
from genolm.genome.annotation.genes import Transcript
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.parameters import Count, Fasta, PythonOnly, Shown
from genolm.tasks.report.browser_view import Track, browser_view, first_locus, igv_script, igv_version, named_tracks
from genolm.tasks.report.label_columns import Label
from genolm.tasks.report.nearby_genes import Genes, read_nearby_genes
from genolm.tasks.report.page_sections import (
    ROWS,
    Section,
    browser_section,
    facts_section,
    notes_list,
    unscored_section,
    variants_section,
)
from genolm.tasks.report.report_checks import check_genome, notes_of
from genolm.tasks.report.report_figures import (
    Compared,
    compare,
    effects_section,
    embeddings_section,
    headline,
    signals_section,
)
from genolm.tasks.report.report_page import Report
from genolm.tasks.report.report_regions import Regions, choose_regions
from genolm.tasks.report.scored_variants import ScoredFile, read_scored
from genolm.tasks.writing.figure_sheet import require_matplotlib
from genolm.tasks.writing.table_files import check_suffix
from genolm.verbs import verb

_BROWSER = (
    "Reference, one transcript per gene, variants and their scores. Select a variant in the table below to show it "
    "here; click on any item for details. Unless the genome is small, the page has the regions around the variants "
    "only."
)
ENDINGS = (".html", ".htm")


@verb(example="genolm report calls.scored.vcf.gz report.html --genome hg38.fa --genes genes.gff3")
def report(
    variants: Annotated[str | Path | None, Shown("SCORED")],
    out: Annotated[str | Path, Shown("OUT.html")],
    *,
    genome: Fasta,
    genes: str | Path | None = None,
    tracks: Annotated[Mapping[str, str | Path] | Sequence[str | Path] | str | Path | None, Shown("BIGWIG")] = None,
    label: Annotated[Label | str | None, Shown("FIELD[=POSITIVE:NEGATIVE]")] = None,
    field: Annotated[str | None, Shown("NAME")] = None,
    rows: Count = ROWS,
    title: str | None = None,
    lead: Annotated[str, PythonOnly()] = "",
    scores: Annotated[str | Path | None, PythonOnly()] = None,
    embeddings: Annotated[str | Path | None, PythonOnly()] = None,
    commands: Annotated[Sequence[str], PythonOnly()] = (),
    card: Annotated[Mapping[str, object] | None, PythonOnly()] = None,
    locus: Annotated[Interval | None, PythonOnly()] = None,
    most_bases: Annotated[int, PythonOnly()] = 2_000_000,
    overwrite: bool = False,
) -> Report:
    """Show scored variants on an interactive HTML page.

    The page is self-contained: it can be opened offline and sent by mail.

    The page has the distribution of the scores (SNVs, indels and MNVs separately), a genome browser, a table that can
    be filtered and sorted, and the numbers of ALT alleles without a score, by reason. Genotypes, samples and other INFO
    fields are not included. It loads nothing from a network. Tracks can have names: a mapping of names to files.

    Args:
        variants: Output of variants: VCF, BCF, Parquet, TSV or CSV.
        out: HTML page to write.
        genome: Reference genome (FASTA, plain or bgzipped) with which the variants were scored.
        genes: Gene annotation: GTF, GFF3, GenBank or EMBL; may be gzipped. Default: INFO/GENE of the variants.
        tracks: bigWig track to show in the browser.
        label: INFO field or column that labels the variants; with two classes (CLS=LP:LB), the AUROC is computed too.
            Default: a field with few distinct values, if there is one.
        field: INFO field or column with the score. Default: the score written by genolm.
        rows: Maximum rows in the table, lowest scores first.
        title: Title of the page. Default: the name of the input file.
        lead: sentence below the heading.
        scores: bigWig file of log-likelihoods per base (nats), as written by :func:`genolm.score`.
        embeddings: parquet file with the columns `id` and `embedding`, as written by :func:`genolm.embed`; points are
            coloured by the part of the id before its first colon.
        commands: command lines that made the inputs.
        card: the model card.
        locus: initial locus of the browser; None for a gene with many variants, else the lowest score.
        most_bases: maximum number of bases of the genome in the page: all of it, or the regions around the variants.
        overwrite: Overwrite existing output.

    Returns:
        The written page, whose `notes` say what is missing from it.

    Raises:
        GenolmError: matplotlib or igv-notebook is not installed (extra ``report``).
        RunError: `out` exists or is one of the inputs, or its folder does not exist.
        InputError: a file cannot be read or lacks a requested field, has no scores, or the variants were scored with
            another genome.
    """
    path = check_suffix(out, ENDINGS)
    assert path is not None
    check_target(path, overwrite=overwrite)
    named = _named(tracks)
    refuse_replacing((variants, genome, genes, scores, embeddings, *named.values()), path)
    require_matplotlib("report")
    script = igv_script()
    requested = Label.parse(label) if isinstance(label, str) else label
    scored = None if variants is None else read_scored(variants, field=field, label=requested)
    with Genome(genome) as opened:
        shown = named_tracks(named, scores)
        for track in shown:
            warn_of_lengths(Path(track.path), opened)
        content = _Content.read(opened, scored, genes, shown, most_bases)
        start = locus or first_locus(opened, content.regions, content.transcripts, content.scored)
        view = content.view(str(start))
        compared = [] if content.scored is None else compare(opened, content.scored, content.regions)
        numbers = headline(opened, content.transcripts, content.scored, compared)
        sections = content.sections(compared, scores, embeddings, rows)
        notes = notes_of(opened, content.regions, content.scored, content.genes, content.tracks, view)
    files = {"genome": genome, "variants": variants, "genes": genes, "embeddings": embeddings}
    files |= {track.name: track.path for track in content.tracks}
    names = {name: Path(file).name for name, file in files.items() if file is not None}
    run = {} if scored is None else {**scored.run, "score": scored.field}
    sections.append(facts_section(commands, run, names, card or {}, _versions()))
    heading = title or ("genolm report" if variants is None else f"Scores of {Path(variants).name}")
    write_text(path, _page(heading, lead, notes_list(notes) + numbers, sections, script, view))
    items = 0 if scored is None else len(scored.alleles)
    return Report(Result(path, None, items, 1, 1, notes=tuple(notes)))


@dataclass(frozen=True, slots=True)
class _Content:
    """Content of a page.

    Attributes:
        genome: the opened genome.
        regions: regions of the genome in the page.
        scored: the variants, with their genes; None without.
        genes: the annotation; None without.
        tracks: the bigWig files.
    """

    genome: Genome
    regions: Regions
    scored: ScoredFile | None
    genes: Genes | None
    tracks: Sequence[Track]

    @classmethod
    def read(
        cls, genome: Genome, scored: ScoredFile | None, genes: str | Path | None, tracks: Sequence[Track], most: int
    ) -> _Content:
        """Read the annotation and choose the regions.

        Raises:
            InputError: the variants were scored with another genome, or the annotation cannot be read.
        """
        if scored is not None:
            check_genome(genome, scored)
        annotation = None if genes is None else read_nearby_genes(genes, genome)
        if scored is not None and annotation is not None:
            scored = scored.with_genes(annotation.names_at(genome, scored.alleles))
        return cls(genome, choose_regions(genome, scored, most), scored, annotation, tracks)

    @property
    def transcripts(self) -> Sequence[Transcript]:
        """Transcripts of the annotation."""
        return () if self.genes is None else self.genes.transcripts

    def view(self, locus: str) -> dict[str, Any]:
        """Return the configuration of the genome browser."""
        return browser_view(
            self.genome, self.regions, genes=self.genes, scored=self.scored, tracks=self.tracks, locus=locus
        )

    def sections(
        self, compared: Sequence[Compared], scores: str | Path | None, embeddings: str | Path | None, rows: int
    ) -> list[Section]:
        """Return the sections of the page, except the provenance."""
        scored = self.scored
        sections = [] if scored is None else effects_section(scored, compared)
        sections.append(browser_section(_BROWSER))
        if scored is not None:
            sections.append(variants_section(scored, partial(self.regions.shows, self.genome), rows))
            sections += unscored_section(scored.alleles)
        sections += signals_section(Path(scores), self.transcripts) if scores is not None else []
        sections += [embeddings_section(Path(embeddings))] if embeddings is not None else []
        return sections


def _named(tracks: Mapping[str, str | Path] | Sequence[str | Path] | str | Path | None) -> dict[str, str | Path]:
    """Return tracks by name; tracks without a name are named after their file.

    Raises:
        InputError: two tracks have the same name.
    """
    if tracks is None or isinstance(tracks, Mapping):
        return dict(tracks or {})
    named: dict[str, str | Path] = {}
    for path in [tracks] if isinstance(tracks, str | Path) else tracks:
        name = Path(path).stem
        if name in named:
            raise InputError(
                "duplicate track name: tracks are named after their files; rename one, or pass names from Python",
                value=name,
                code="duplicate-name",
            )
        named[name] = path
    return named


def _versions() -> dict[str, str]:
    versions = {"genolm": __version__, "python": platform.python_version()}
    for name in ("torch", "numpy", "polars", "pysam", "pybigtools", "matplotlib", "igv-notebook"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _page(
    title: str, lead: str, numbers: str, sections: Sequence[Section], script: str, view: Mapping[str, Any]
) -> str:
    links = "".join(f'<a href="#{section.id}">{escape(section.title)}</a>' for section in sections)
    return Template(_resource("page.html")).substitute(
        title=escape(title),
        lead=escape(lead),
        style=_resource("page.css"),
        navigation=links,
        sections=numbers + "".join(section.html for section in sections),
        version=escape(__version__),
        igv=escape(igv_version()),
        igv_script=script.replace("</script", "<\\/script"),
        browser_view=json.dumps(view, separators=(",", ":")).replace("<", "\\u003c"),
        script=_resource("page.js"),
    )


def _resource(name: str) -> str:
    return (resources.files("genolm.tasks.report") / "page" / name).read_text(encoding="utf-8")
