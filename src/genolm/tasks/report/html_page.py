"""One HTML page of a run: genome browser, scored variants, embeddings, likelihoods; it works without a network."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from html import escape
from importlib import metadata, resources
from pathlib import Path
from string import Template
from typing import Any

import genolm
from genolm.engine.atomic import write_text
from genolm.errors import RunError
from genolm.genome.contig_lengths import warn_of_lengths
from genolm.genome.fasta import Genome
from genolm.genome.genes import read_gtf
from genolm.genome.interval import Interval
from genolm.tasks.report import plots
from genolm.tasks.report.browser_view import (
    browser_view,
    choose_regions,
    first_locus,
    igv_script,
    igv_version,
    named_tracks,
)
from genolm.tasks.report.figures import compare, effects_section, embeddings_section, headline, signals_section
from genolm.tasks.report.scored_variants import read_scored
from genolm.tasks.report.sections import Section, browser_section, facts_section, variants_section

_BROWSER = (
    "Reference, genes, scored variants and tracks; choose a variant in the table below to come here. Variants of the "
    "positive class are orange, of the negative class blue, with a row for each sample; click anything for its details."
)


def report(
    out: str | Path,
    *,
    genome: str | Path,
    variants: str | Path | None = None,
    genes: str | Path | None = None,
    scores: str | Path | None = None,
    tracks: Mapping[str, str | Path] | None = None,
    embeddings: str | Path | None = None,
    title: str = "genolm report",
    lead: str = "",
    commands: Sequence[str] = (),
    card: Mapping[str, object] | None = None,
    score_field: str | None = None,
    truth_field: str = "CLS",
    positive: Sequence[str] = ("LP", "P"),
    negative: Sequence[str] = ("LB", "B"),
    locus: Interval | None = None,
    most_bases: int = 2_000_000,
    most_rows: int = 2_000,
    overwrite: bool = False,
) -> Path:
    """Write one self-contained HTML page; whatever is not given is left out.

    Args:
        out: the page.
        genome: FASTA; up to `most_bases` of it go into the page (all of it, or what lies around the variants).
        variants: VCF or BCF with INFO/GENOLM_LLR_SUM or GENOLM_LLR_SITE, as `variants` writes it.
        genes: GTF.
        scores: bigWig of log-likelihoods per base (nats), as `score` writes it.
        tracks: more bigWigs under their names, such as RNA coverage.
        embeddings: parquet with the columns `id` and `embedding`, as `embed` writes it; the part of an id before its
            first colon is what it is coloured by.
        title: heading of the page.
        lead: a sentence below it.
        commands: the command lines that made the inputs.
        card: the model's card.
        score_field: INFO field of the score instead of the two above.
        truth_field: INFO field of the truth.
        positive: its values for variants that should score low.
        negative: its values for variants that should not.
        locus: where the browser opens; by default a gene with many variants.
        most_bases: of the genome, in the page.
        most_rows: of the table of variants.
        overwrite: replace `out`.

    Returns:
        The path of the page.

    Raises:
        GenolmError: matplotlib or igv-notebook is not installed.
        RunError: `out` exists.
        InputError: a file cannot be read or lacks what is asked of it.
    """
    out = Path(out)
    if out.exists() and not overwrite:
        raise RunError(f"{out} exists; choose another name or allow to overwrite")
    plots.check_matplotlib()
    script = igv_script()
    classes = dict.fromkeys(positive, "positive") | dict.fromkeys(negative, "negative")
    transcripts = [] if genes is None else list(read_gtf(genes))
    scored = None if variants is None else read_scored(variants, field=score_field, truth=truth_field)
    with Genome(genome) as opened:
        for track in (scores, *(tracks or {}).values()):
            warn_of_lengths(None if track is None else Path(track), opened)
        regions = choose_regions(opened, scored, most_bases)
        start = locus or first_locus(opened, regions, transcripts, scored)
        shown = named_tracks(tracks or {}, scores)
        view = browser_view(opened, regions, genes=genes, scored=scored, tracks=shown, locus=str(start))
        compared = compare(opened, scored, regions, classes) if scored else []
        numbers = headline(opened, transcripts, scored, compared)
    sections = [browser_section(_BROWSER)]
    sections += effects_section(scored, compared, classes) if scored else []
    sections += signals_section(Path(scores), transcripts) if scores is not None else []
    sections += [embeddings_section(Path(embeddings))] if embeddings is not None else []
    sections += (
        [variants_section(scored.alleles, scored.field, scored.description, classes, most_rows)] if scored else []
    )
    files = {"genome": genome, "variants": variants, "genes": genes, "embeddings": embeddings}
    files |= {track.name: track.path for track in shown}
    names = {name: Path(path).name for name, path in files.items() if path is not None}
    sections.append(facts_section(commands, names, card or {}, _versions()))
    write_text(out, _page(title, lead, numbers, sections, script, view))
    return out


def _versions() -> dict[str, str]:
    found = {"genolm": genolm.__version__, "python": platform.python_version()}
    for name in ("torch", "numpy", "polars", "pysam", "pybigtools", "matplotlib", "igv-notebook"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


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
        version=escape(genolm.__version__),
        igv=escape(igv_version()),
        igv_script=script.replace("</script", "<\\/script"),
        browser_view=json.dumps(view, separators=(",", ":")).replace("<", "\\u003c"),
        script=_resource("page.js"),
    )


def _resource(name: str) -> str:
    return (resources.files("genolm.tasks.report") / "page" / name).read_text(encoding="utf-8")
