"""Sections of a report page as HTML; all text from files is escaped here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from genolm.tasks.reading.allele_status import UNSCORED
from genolm.tasks.report.scored_variants import ScoredAllele, ScoredFile

ROWS = 20_000
"""Default maximum of rows in the table of variants."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page.

    Attributes:
        id: anchor.
        title: heading.
        body: HTML.
    """

    id: str
    title: str
    body: str

    @property
    def html(self) -> str:
        """The section with its heading."""
        heading = f'<h2 id="{self.id}-title">{escape(self.title)}</h2>'
        return f'<section id="{self.id}" aria-labelledby="{self.id}-title">{heading}{self.body}</section>'


@dataclass(frozen=True, slots=True)
class FigurePart:
    """A figure.

    Attributes:
        title: heading.
        svg: drawing.
        caption: description, also for screen readers.
        wide: whether it takes the full width.
    """

    title: str
    svg: str
    caption: str
    wide: bool = False

    @property
    def html(self) -> str:
        """The figure with heading and caption."""
        drawing = self.svg.replace("<svg", f'<svg role="img" aria-label="{escape(self.title)}"', 1)
        style = ' class="wide"' if self.wide else ""
        caption = f"<figcaption>{escape(self.caption)}</figcaption>"
        return f"<figure{style}><h3>{escape(self.title)}</h3>{drawing}{caption}</figure>"


def tiles(facts: Iterable[tuple[str, str, str]]) -> str:
    """Return tiles of key numbers: name, value, note."""
    parts = (
        f'<div class="tile"><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>'
        for name, value, note in facts
    )
    return f'<dl class="tiles">{"".join(parts)}</dl>'


def browser_section(text: str) -> Section:
    """Return the section of the genome browser."""
    container = '<div id="browser" role="region" aria-label="Genome browser"></div>'
    message = (
        '<p id="browser-message" role="status">Drag to move, scroll buttons to zoom; type a gene or chr1:1-1000.</p>'
    )
    return Section("browser-section", "Genome", f"<p>{escape(text)}</p>{container}{message}")


def figure_section(id: str, title: str, text: str, figures: Sequence[FigurePart]) -> Section:
    """Return a section of a paragraph and figures."""
    drawings = "".join(figure.html for figure in figures)
    return Section(id, title, f'<p>{escape(text)}</p><div class="figures">{drawings}</div>')


def unscored_section(alleles: Sequence[ScoredAllele]) -> list[Section]:
    """Return the section with the number of ALT alleles without a score, by reason; empty if all have one."""
    reasons = Counter(one.status or "no status" for one in alleles if one.score is None)
    if not reasons:
        return []
    rows = "".join(
        f'<tr><th scope="row">{escape(reason)}</th><td class="number">{count:,}</td>'
        f"<td>{escape(_meaning(reason))}</td></tr>"
        for reason, count in reasons.most_common()
    )
    total = reasons.total()
    share = f"{total:,} of {len(alleles):,} ALT alleles ({total / len(alleles):.2%}) have no score."
    headings = '<th scope="col">Status</th><th scope="col" class="number">ALT alleles</th><th scope="col">Meaning</th>'
    table = f"<table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table>"
    return [Section("unscored", "Without a score", f'<p>{share}</p><div class="scroll reasons">{table}</div>')]


def variants_section(scored: ScoredFile, shown: Callable[[ScoredAllele], bool], most: int) -> Section:
    """Return the table of ALT alleles, lowest scores first, missing scores last; it is filled by the page's script.

    Args:
        scored: the alleles.
        shown: whether the genome browser shows an allele.
        most: maximum number of rows; those with the lowest scores.
    """
    ordered = sorted(scored.alleles, key=lambda one: (one.score is None, one.score or 0.0))[:most]
    names = (
        "Variant",
        "Type",
        "Gene",
        "Effect",
        scored.label.field if scored.label else "Label",
        scored.field,
        "Status",
    )
    data = {"columns": names, "rows": [_row(one, shown(one)) for one in ordered]}
    kinds = "" if scored.label is None else json.dumps({name: scored.label.kind(name) for name in _labels(ordered)})
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    body = (
        f"<p>{_which(len(ordered), len(scored.alleles))}</p>"
        '<div class="controls"><label>Filter '
        '<input id="variants-filter" type="search" placeholder="gene, effect, chr1:…"></label>'
        '<span id="variants-selects"></span>'
        '<span><label>Score from <input id="variants-low" type="number" step="any"></label> '
        '<label>to <input id="variants-high" type="number" step="any"></label></span></div>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of variants"><table id="variants-table">'
        f"<thead><tr></tr></thead><tbody></tbody></table></div>"
        '<div class="pages"><button type="button" id="variants-before">Previous</button>'
        '<span id="variants-count" role="status"></span>'
        '<button type="button" id="variants-after">Next</button></div>'
        "<noscript><p>The table requires JavaScript.</p></noscript>"
        f'<script id="variants-data" type="application/json" data-kinds="{escape(kinds)}">{text}</script>'
    )
    return Section("variants", "Variants", body)


def _meaning(status: str) -> str:
    """Return the meaning of a status, with advice in words: a page names no arguments of an interface."""
    notice = UNSCORED.get(status)
    return "" if notice is None else "; ".join((notice.text, *(one for one in notice.remedy if isinstance(one, str))))


def _which(rows: int, alleles: int) -> str:
    if rows == alleles:
        return f"All {alleles:,} ALT alleles, lowest scores first, those without a score last."
    return (
        f"The {rows:,} ALT alleles with the lowest scores, of {alleles:,}; the others are in the scored file only "
        "(more rows show more)."
    )


def _labels(alleles: Iterable[ScoredAllele]) -> list[str]:
    return sorted({one.truth for one in alleles if one.truth})


def _row(one: ScoredAllele, shown: bool) -> list[object]:
    """Return the cells in column order, then the locus of the browser; null if it does not show the allele."""
    locus = f"{one.chrom}:{max(1, one.pos - 60)}-{one.pos + len(one.ref) + 60}" if shown else None
    score = None if one.score is None else round(one.score, 4)
    name = f"{one.chrom}:{one.pos}:{_short(one.ref)}>{_short(one.alt)}"
    return [name, one.kind, one.gene, one.effect, one.truth, score, one.status, locus]


def notes_list(notes: Sequence[str]) -> str:
    """Return the notes on the page; empty without notes."""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<ul class="notes" aria-label="Notes">{items}</ul>' if items else ""


def facts_section(
    commands: Sequence[str],
    run: Mapping[str, object],
    files: Mapping[str, str],
    card: Mapping[str, object],
    versions: Mapping[str, str],
) -> Section:
    """Return the provenance of the page: commands, settings of the scoring, files, model card, versions."""
    parts = [f"<h3>Commands</h3><pre><code>{escape(chr(10).join(commands))}</code></pre>"] if commands else []
    tables = (("Scoring", run), ("Model card", card), ("Files", files), ("Versions", versions))
    shown = "".join(f"<div><h3>{name}</h3>{_facts(facts)}</div>" for name, facts in tables if facts)
    return Section("made", "How this was made", f'{"".join(parts)}<div class="facts">{shown}</div>')


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else f"{text[: most - 8]}… ({len(text):,})"


def _facts(facts: Mapping[str, object]) -> str:
    shown = {name: _formatted(value) for name, value in facts.items()}
    rows = (
        f'<tr><th scope="row">{escape(str(name).replace("_", " "))}</th><td>{text}</td></tr>'
        for name, text in shown.items()
        if text
    )
    return f"<table>{''.join(rows)}</table>"


def _formatted(value: object) -> str:
    """Return a value as HTML, one line per entry of lists and mappings; empty for None."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
        case Mapping():
            entries = ((str(name).replace("_", " "), _formatted(one)) for name, one in value.items())
            return "<br>".join(f"{escape(name)}: {text}" for name, text in entries if text)
        case list() | tuple():
            return "<br>".join(filter(None, map(_formatted, value)))
    return escape(str(value))
