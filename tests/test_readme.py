"""Every command of README and docs runs as printed.

A fenced ``bash`` or ``python`` block must be preceded by an HTML comment: ``<!-- test -->`` runs it,
``<!-- no test: why -->`` gives the reason why not. The blocks of a page run in order in one folder with tiny files
under the names that the pages use (``hg38.fa``, ``calls.vcf`` ...); names of downloaded models are replaced
by a tiny one.

An output block must be preceded by ``<!-- output of: command -->``: its lines must occur in the output of the command,
with numbers equal up to rounding.
"""

import os
import random
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genolm.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "docs").rglob("*.md"))]
VERBS = sorted(path.stem for path in (ROOT / "docs" / "verbs").glob("*.md"))

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?^ *```(?P<language>bash|python)\n(?P<text>.*?)^ *```$", re.M | re.S
)
_OUTPUT = re.compile(r"<!-- output of: (.*?) -->\n```text\n(.*?)^```$", re.M | re.S)
_NUMBER = re.compile(r"-?\b\d+\.\d+(?:e[-+]?\d+)?\b")
_DOWNLOADED = re.compile(r"\bgenos-(?:1\.2b|10b(?:-v2)?)\b")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, with the text of its comment."""

    language: str
    text: str
    mark: str

    @property
    def tested(self) -> bool:
        return self.mark == "test"


def blocks(page: Path) -> list[Block]:
    return [Block(m["language"], m["text"], m["mark"] or "") for m in _BLOCK.finditer(page.read_text("utf-8"))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_tested_or_gives_a_reason(page):
    unmarked = [block.text for block in blocks(page) if not (block.tested or block.mark.startswith("no test: "))]
    assert not unmarked


# The Chinese README has the commands of the English one; another test compares them.
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "README.zh.md" and any(b.tested for b in blocks(page))], ids=name_of
)
def test_the_commands_of_a_page_run(page, tmp_path):
    write_inputs(tmp_path)
    for block in blocks(page):
        if block.tested:
            run(block.language, _DOWNLOADED.sub("tiny-random", block.text), tmp_path)


def run(language: str, text: str, folder: Path) -> str:
    """Run a block and return its standard output."""
    command = ["bash", "-euo", "pipefail", "-c", text] if language == "bash" else [sys.executable, "-c", text]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{text}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def outputs(page: Path) -> list[tuple[str, list[str]]]:
    """Return commands and the lines of their output that the page shows."""
    found = _OUTPUT.findall(page.read_text("utf-8"))
    return [(command, [" ".join(line.split()) for line in text.splitlines()]) for command, text in found]


@pytest.mark.parametrize("page", [page for page in PAGES if outputs(page)], ids=name_of)
def test_the_output_on_a_page_is_the_real_output(page, tmp_path):
    write_inputs(tmp_path)
    for command, shown in outputs(page):
        written = [" ".join(line.split()) for line in run("bash", command, tmp_path).splitlines()]
        for line in shown:
            alike = [other for other in written if _NUMBER.sub("#", other) == _NUMBER.sub("#", line)]
            assert any(numbers(other) == pytest.approx(numbers(line), rel=1e-3, abs=1e-3) for other in alike), line


def numbers(line: str) -> list[float]:
    return [float(text) for text in _NUMBER.findall(line)]


def write_inputs(folder: Path) -> None:
    """Write small versions of the files that the pages name: a chromosome, variants, regions, sequences, prompts."""
    bases = "".join(random.Random(22).choices("ACGT", k=6_000))
    lines = "\n".join(bases[start : start + 60] for start in range(0, len(bases), 60))
    (folder / "hg38.fa").write_text(f">chr22\n{lines}\n")
    (folder / "calls.vcf").write_text(vcf(bases))
    (folder / "regions.bed").write_text("chr22\t1000\t1200\tfirst\t0\t+\nchr22\t3000\t3200\tsecond\t0\t-\n")
    (folder / "genes.fa").write_text(f">gene1\n{bases[100:400]}\n>gene2\n{bases[500:700]}\n")
    (folder / "prompts.fa").write_text(f">start\n{bases[:32]}\n")


def vcf(bases: str) -> str:
    head = "##fileformat=VCFv4.2\n##contig=<ID=chr22,length=6000>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    other = str.maketrans("ACGT", "CGTA")
    snvs = [(pos, bases[pos - 1], bases[pos - 1].translate(other)) for pos in (1500, 1510, 3000)]
    deletion = (4000, bases[3999:4002], bases[3999])
    rows = [f"chr22\t{pos}\t.\t{ref}\t{alt}\t.\tPASS\t.\n" for pos, ref, alt in [*snvs, deletion]]
    return head + "".join(rows)


_OPTION = re.compile(r"--[a-z][a-z-]*")


def options_of(verb: str) -> set[str]:
    """Return the options of a verb, or of all sub-verbs of a group."""
    text = CliRunner().invoke(app, [*verb.split(), "--help"]).output
    own = re.findall(r"^  ([a-z]+) ", text.partition("Commands:\n")[2], re.M)
    if own:
        return set().union(*(options_of(f"{verb} {name}") for name in own))
    lines = re.findall(r"^  (-[^\n]*?)(?:  |$)", text, re.M)
    return {option for line in lines for option in _OPTION.findall(line)} - {"--help"}


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_names_exactly_the_options_of_its_verb(verb):
    table = (ROOT / "docs" / "verbs" / f"{verb}.md").read_text("utf-8")
    named = options_in(table)
    if "[common options](../command-line.md#common-options)" in table.replace("common\noptions", "common options"):
        named |= shared_options()
    assert named == options_of(verb)


def options_in(page: str) -> set[str]:
    """Return the options in the first column of the tables of a page."""
    return {option for cell in re.findall(r"^\|([^|]*)\|", page, re.M) for option in _OPTION.findall(cell)}


def shared_options() -> set[str]:
    return options_in((ROOT / "docs" / "command-line.md").read_text("utf-8"))


def test_every_verb_has_a_page():
    listing = CliRunner().invoke(app, ["--help"]).output.partition("Commands:\n")[2]
    assert set(re.findall(r"^  ([a-z]+) ", listing, re.M)) == set(VERBS)


def test_the_two_readmes_show_the_same_commands():
    english, chinese = ([b.text for b in blocks(ROOT / name)] for name in ("README.md", "README.zh.md"))
    assert [_commands(text) for text in english] == [_commands(text) for text in chinese]


def _commands(text: str) -> list[str]:
    """Return the lines of a block without their comments, which are translated."""
    return [re.sub(r"\s*#.*", "", line) for line in text.splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_between_pages_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text("utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing
