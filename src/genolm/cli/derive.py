"""Derived files: the table of verbs, and the option tables of the documentation.

``python -m genolm.cli.derive`` writes them into a checkout of the project.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from genolm.cli.commands import PRESENTED
from genolm.cli.help import with_option_names
from genolm.parameters import Parameter, Verb
from genolm.verbs import TABLE, VERBS, definition_of, function_of

ROOT = Path(__file__).parents[3]
_BEGIN = "<!-- options of {}: written by python -m genolm.cli.derive -->"
_END = "<!-- end of options -->"
_BLOCK = re.compile(rf"({_BEGIN.format('(.+?)')}\n).*?({_END})", re.S)
RUN = "all runs"
"""Name of the block with the options of all runs."""


def definitions() -> dict[str, Verb]:
    """Import all verbs and return their definitions by name."""
    return {name: definition_of(function_of(name)) for name in VERBS}


def table_text(verbs: Iterable[Verb]) -> str:
    """Return the content of the table of verbs."""
    return json.dumps([verb.as_json() for verb in verbs], indent=1, ensure_ascii=False) + "\n"


def page_text(text: str, verbs: Mapping[str, Verb]) -> str:
    """Return a page of the documentation with its option tables derived again."""
    return _BLOCK.sub(lambda block: f"{block[1]}{_options(verbs, block[2].split(', '))}{block[3]}", text)


def _options(verbs: Mapping[str, Verb], names: list[str]) -> str:
    if names == [RUN]:
        verb = verbs["embed"]
        rows = [_row(one, verb) for one in verb.parameters if one.shared] + _presentation_rows("embed")
    else:
        rows = _rows_of_page([verbs[name] for name in names])
    return "\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n"


def _rows_of_page(verbs: Sequence[Verb]) -> list[str]:
    """Return the rows of one verb, or of several; then each begins with the names of the verbs that have the option."""
    names: dict[str, list[str]] = {}
    for verb in verbs:
        for row in _rows(verb):
            names.setdefault(row, []).append(f"`{verb.name.rpartition(' ')[2]}`")
    return list(names) if len(verbs) == 1 else [f"| {', '.join(of)}: {row[2:]}" for row, of in names.items()]


def _rows(verb: Verb) -> list[str]:
    own = [_row(one, verb) for one in verb.parameters if not one.positional and not one.shared]
    return own + ([] if verb.takes_run_options else _presentation_rows(verb.name))


def _row(parameter: Parameter, verb: Verb) -> str:
    names = [parameter.option, *([f"--no-{parameter.option[2:]}"] if parameter.switchable else [])]
    shown = f" {parameter.shown}" if parameter.shown else ""
    left = ", ".join([*([f"`{parameter.short}`"] if parameter.short else []), *(f"`{name}{shown}`" for name in names)])
    return f"| {left} | {_meaning(parameter, verb)} |"


def _meaning(parameter: Parameter, verb: Verb) -> str:
    text = with_option_names(parameter.help, verb, quote="`")
    facts = [", ".join(f"`{choice}`" for choice in parameter.choices)] if parameter.choices else []
    if parameter.required:
        facts.append("required")
    if parameter.several:
        facts.append("repeatable")
    if parameter.default is not None and parameter.default is not False:
        facts.append(f"default: {_default(parameter)}")
    return (text + (f" ({'; '.join(facts)})" if facts else "")).replace("|", "\\|")


def _default(parameter: Parameter) -> str:
    if parameter.kind == "flag":
        return f"`{parameter.option}`"
    value = parameter.default
    return f"`{value}`" if isinstance(value, str) else f"{value:,}"


def _presentation_rows(name: str) -> list[str]:
    return [f"| {_forms(one.forms)} | {one.help} |" for one in PRESENTED[name].options]


def _forms(forms: Iterable[str]) -> str:
    return ", ".join(f"`{form}`" for form in forms)


def pages() -> list[Path]:
    """Return the pages of the documentation that have option tables."""
    return [path for path in sorted((ROOT / "docs").rglob("*.md")) if _BLOCK.search(path.read_text("utf-8"))]


def main() -> None:
    """Write the table of verbs and the option tables."""
    verbs = definitions()
    (ROOT / "src" / "genolm" / TABLE).write_text(table_text(verbs.values()), "utf-8")
    for page in pages():
        page.write_text(page_text(page.read_text("utf-8"), verbs), "utf-8")


if __name__ == "__main__":
    main()
