"""The documentation site: it opens from files, loads nothing from other hosts, and its navigation has every page."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "genolm"
GUIDES = sorted((DOCS / "guides").glob("*.md"))


class Loader(yaml.SafeLoader):
    """Loader that reads ``!ENV [NAME, default]`` as the default."""


Loader.add_constructor("!ENV", lambda loader, node: loader.construct_sequence(node)[-1])
SITE = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), Loader)


def pages(nav) -> list[str]:
    return [
        page
        for entry in nav
        for value in entry.values()
        for page in (pages(value) if isinstance(value, list) else [value])
    ]


def test_pages_open_without_a_server():
    assert SITE["use_directory_urls"] is False and "offline" in SITE["plugins"]


def test_no_font_script_or_style_comes_from_another_host():
    assert SITE["theme"]["font"] is False
    named = [*SITE["extra"]["polyfills"], *SITE.get("extra_css", []), *SITE.get("extra_javascript", [])]
    assert any("iframe-worker" in name for name in named), "else the plugin loads one from elsewhere"
    assert [name for name in named if not (DOCS / name).is_file()] == []
    own = [*(DOCS / "theme").rglob("*.html"), *(DOCS / "assets").glob("*.css"), *(DOCS / "assets").glob("*.js")]
    assert own and [path.name for path in own if re.search(r"https?://|//\w+\.\w+", path.read_text("utf-8"))] == []


def test_every_page_is_in_the_navigation():
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert there == set(pages(SITE["nav"]))


def test_pages_about_the_project_come_last():
    assert list(SITE["nav"][-1]) == ["Project"]
    last = pages(SITE["nav"][-1:])
    assert set(last) >= {"bad-input.md", "unusual-input.md", "guarantees.md", "architecture.md"}
    assert last[-1] == "changes.md"
    assert all(page in last for page in pages(SITE["nav"]) if page.startswith("studies/"))


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_guide_begins_with_an_example_and_a_figure(page):
    text = page.read_text("utf-8")
    image = re.search(r"!\[[^\]]{20,}\]\((\S+)\)", text)
    assert image and image.start() < 1_500, "near the top, with a description"
    assert "<!-- test -->\n```bash\ngenolm " in text[: image.start()], "a command that the tests run"
    assert (page.parent / image[1]).stat().st_size < 200_000


def test_the_reference_names_every_public_function():
    import genolm
    from genolm.verbs import table

    page = "".join(path.read_text("utf-8") for path in (DOCS / "api").glob("*.md"))
    documented = set(re.findall(r"^::: genolm\.(\w+)$", page, re.M))
    verbs = set(re.findall(r"heading: genolm\.([\w.]+)", page))
    assert not documented & verbs
    assert documented | {name.partition(".")[0] for name in verbs} == set(genolm.__all__) - {"__version__"}
    assert documented | verbs >= {verb.python_name for verb in table().values()}


def test_the_guarantees_name_tests_and_files_that_exist():
    page = (DOCS / "guarantees.md").read_text("utf-8")
    tests = {path.stem: path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    named = [(stem.rpartition("/")[2], test) for stem, test in re.findall(r"`([\w/]*test_\w+)::(test_\w+)`", page)]
    assert len(named) > 80
    assert [f"{stem}::{test}" for stem, test in named if f"def {test}(" not in tests.get(stem, "")] == []
    files = re.findall(r"`([\w/]+(?:\.py|/))`", page)
    roots = (ROOT, ROOT / "tests", SOURCE)
    assert [name for name in files if not any((root / name).exists() for root in roots)] == []
