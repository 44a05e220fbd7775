"""README as the project page of a package index."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SITE = PROJECT["project"]["urls"]["Documentation"]
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def page() -> str:
    """Return README after the substitutions of the build."""
    settings = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = "".join((ROOT / part["path"]).read_text("utf-8") for part in settings["fragments"])
    for one in settings["substitutions"]:
        text = re.sub(one["pattern"], one["replacement"], text)
    return text


def test_every_link_and_image_is_absolute(page):
    links = LINK.findall(page)
    assert len(links) == len(LINK.findall((ROOT / "README.md").read_text("utf-8"))) > 5
    assert [link for link in links if not link.startswith("https://")] == []


def test_every_link_to_the_site_leads_to_a_page_of_it(page):
    links = [link.removeprefix(SITE).partition("#")[0] for link in LINK.findall(page) if link.startswith(SITE)]
    sources = [ROOT / "docs" / re.sub(r"\.html$", ".md", link) for link in links]
    assert sources and [source for source in sources if not source.is_file()] == []


def test_the_build_reads_the_readme_from_the_hook():
    assert "readme" in PROJECT["project"]["dynamic"]
    assert any(one.startswith("hatch-fancy-pypi-readme") for one in PROJECT["build-system"]["requires"])


def test_every_supported_python_has_a_classifier():
    lowest = int(PROJECT["project"]["requires-python"].removeprefix(">=3."))
    classified = [int(one.rpartition(".")[2]) for one in PROJECT["project"]["classifiers"] if ":: Python :: 3." in one]
    assert classified == list(range(lowest, max(classified) + 1)) and max(classified) >= 13


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_readme_says_how_to_install_everything(name):
    assert 'pip install "genolm[all]"' in (ROOT / name).read_text("utf-8")
