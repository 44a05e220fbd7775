"""The documentation site: opens from files, asks no other host, has every page in its navigation."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


class Loader(yaml.SafeLoader):
    """Reads ``!ENV [NAME, default]`` as the default."""


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


def test_what_interests_few_stands_last():
    assert list(SITE["nav"][-1]) == ["For the curious"]
    curious = set(pages(SITE["nav"][-1:]))
    assert curious >= {"bad-input.md", "unusual-input.md", "promises.md"}
    assert all(page in curious for page in pages(SITE["nav"]) if page.startswith("studies/"))


@pytest.mark.parametrize("name", ["mutate", "cluster", "check", "scan", "embed", "explain"])
def test_a_page_begins_with_a_picture_that_is_not_large(name):
    text = (DOCS / "verbs" / f"{name}.md").read_text("utf-8")
    image = re.search(r"!\[[^\]]{20,}\]\((\S+)\)", text)
    assert image and image.start() < 2_500, "near the top, and described for those who cannot see it"
    assert (DOCS / "verbs" / image[1]).stat().st_size < 200_000


def test_the_reference_names_every_public_function():
    import genolm

    page = (DOCS / "api.md").read_text("utf-8")
    documented = set(re.findall(r"^::: genolm\.(\w+)", page, re.M))
    aliases = set(re.findall(r"^\| `genolm\.(\w+)", page, re.M))
    assert not documented & aliases
    assert documented | aliases == set(genolm.__all__) - {"__version__"}
