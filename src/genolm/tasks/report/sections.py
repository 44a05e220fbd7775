"""The sections of a report page as HTML; every text that comes from a file is escaped here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from genolm.tasks.report.scored_variants import ScoredAllele


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page.

    Attributes:
        id: its anchor.
        title: its heading.
        body: its HTML.
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
    """One figure.

    Attributes:
        title: its heading.
        svg: the drawing.
        caption: what it shows, also read aloud in place of the drawing.
        wide: whether it takes the whole width.
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
    """Large numbers: name, value, small print."""
    parts = (
        f'<div class="tile"><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>'
        for name, value, note in facts
    )
    return f'<dl class="tiles">{"".join(parts)}</dl>'


def browser_section(text: str) -> Section:
    """The place for the genome browser."""
    place = '<div id="browser" role="region" aria-label="Genome browser"></div>'
    message = (
        '<p id="browser-message" role="status">Drag to move, scroll buttons to zoom; type a gene or chr1:1-1000.</p>'
    )
    return Section("browser-section", "Genome", f"<p>{escape(text)}</p>{place}{message}")


def figure_section(id: str, title: str, text: str, figures: Sequence[FigurePart]) -> Section:
    """Some figures under a paragraph."""
    drawings = "".join(figure.html for figure in figures)
    return Section(id, title, f'<p>{escape(text)}</p><div class="figures">{drawings}</div>')


def variants_section(
    alleles: Sequence[ScoredAllele], field: str, description: str, classes: Mapping[str, str], most: int
) -> Section:
    """The sortable table, lowest scores first; unscored alternatives last."""
    ordered = sorted(alleles, key=lambda one: (one.score is None, one.score or 0.0))[:most]
    columns = [column for column in _columns(field, classes) if any(column.text(one) for one in ordered)]
    headings = "".join(column.heading for column in columns)
    rows = "".join(f"<tr>{''.join(column.cell(one) for column in columns)}</tr>" for one in ordered)
    count = f"{len(ordered)} of {len(alleles)} alternatives, lowest scores first"
    body = (
        f"<p>{escape(description)}</p>"
        '<div class="controls"><label>Filter '
        '<input id="variants-filter" type="search" placeholder="gene, effect, chr1:…"></label>'
        f'<span id="variants-count" role="status">{count}</span></div>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of variants"><table id="variants-table">'
        f"<thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    return Section("variants", "Variants", body)


def facts_section(
    commands: Sequence[str], files: Mapping[str, str], card: Mapping[str, object], versions: Mapping[str, str]
) -> Section:
    """How the page was made: commands, files, model card, versions."""
    parts = [f"<h3>Commands</h3><pre><code>{escape(chr(10).join(commands))}</code></pre>"] if commands else []
    tables = (("Model card", card), ("Files", files), ("Versions", versions))
    shown = "".join(f"<div><h3>{name}</h3>{_facts(facts)}</div>" for name, facts in tables if facts)
    return Section("made", "How this was made", f'{"".join(parts)}<div class="facts">{shown}</div>')


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table: its name, its text (escaped HTML) and how it is sorted."""

    name: str
    text: Callable[[ScoredAllele], str]
    number: bool = False
    key: Callable[[ScoredAllele], str] | None = None

    @property
    def heading(self) -> str:
        order = ' class="number" aria-sort="ascending"' if self.number else ""
        return f'<th scope="col"{order}><button type="button">{escape(self.name)}</button></th>'

    def cell(self, allele: ScoredAllele) -> str:
        style = ' class="number"' if self.number else ""
        key = f' data-value="{escape(self.key(allele))}"' if self.key else ""
        return f"<td{style}{key}>{self.text(allele)}</td>"


def _columns(field: str, classes: Mapping[str, str]) -> list[_Column]:
    return [
        _Column("Variant", _jump, key=lambda one: f"{one.chrom}:{one.pos}"),
        _Column("Gene", lambda one: escape(one.gene)),
        _Column("Effect", lambda one: escape(one.effect)),
        _Column("Truth", lambda one: _truth(one, classes)),
        _Column(field, lambda one: "" if one.score is None else f"{one.score:.4f}", number=True),
        _Column("Status", lambda one: escape(one.status)),
    ]


def _jump(allele: ScoredAllele) -> str:
    """A button that brings the browser to the alternative."""
    start, end = max(1, allele.pos - 60), allele.pos + len(allele.ref) + 60
    locus = escape(f"{allele.chrom}:{start}-{end}")
    return f'<button type="button" data-locus="{locus}">{escape(_short(allele.name))}</button>'


def _truth(allele: ScoredAllele, classes: Mapping[str, str]) -> str:
    kind = classes.get(allele.truth, "")
    return f'<span class="class {kind}">{escape(allele.truth)}</span>' if allele.truth else ""


def _short(text: str, most: int = 44) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _facts(facts: Mapping[str, object]) -> str:
    rows = (
        f'<tr><th scope="row">{escape(str(name))}</th><td>{escape(str(value))}</td></tr>'
        for name, value in facts.items()
    )
    return f"<table>{''.join(rows)}</table>"
