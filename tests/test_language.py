"""The language of docstrings, messages and documentation: phrases that docs/glossary.md replaces do not occur."""

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
QUOTING = {"docs/glossary.md", "docs/changes.md"}
"""Pages that may quote the phrases: the list of words to avoid, and the change log."""

STABLE = ("What became of the alternative: scored;",)
"""Beginnings of strings that are part of output files and must not change."""

PHRASES = {
    r"what (?:has |had )?became of": "status of, outcome of",
    r"(?:start|begin|make|made|drawn?|written|install|write|lay|laid)s? (?:\w+ )?anew": "restart, start over, again",
    r"(?:was|were|is|are|be) passed over": "skipped",
    r"pass(?:es)? over (?:lines|features|records|fragments|those)": "skip",
    r"there (?:is|are) no (?:shards?|parts|detector|model_type|sequence to)": "invalid ...: expected ...",
    r"(?<!there )is no (?:model|detector|corpus|interval|recipe|shard|FASTA|VCF|token|base|header|JSON)": "is not a",
    r"(?<!there )is no (?:description|checkpoint|number|multiple|type|whole)": "is not a",
    r"that is no (?:letter|variant|vocabulary|folder|file|stretch)": "that is not a",
    r"so many(?: more)?(?= (?:bases|tokens|layers|rows|steps|bytes|vectors|windows|samples)|[.,;)]|$)": "this many",
    r"(?:every|each) so many": "every N-th",
    r"(?:is|are|be) given beside (?:it|them)": "explicit options override",
    r"goes before": "overrides, takes precedence",
    r"(?:is|are|was|were|be) told": "is given, is reported, is known",
    r"tells? (?:nothing|itself|the two apart|what it is doing)": "is uninformative, reports",
    r"of everything that is drawn": "random seed",
    r"of all random numbers": "random seed",
    r"drawn by (?:the |--)?seed": "sampled with the random seed",
    r"the best there is": "the best available",
    r"stands? twice": "duplicate",
    r"slips? of the pen": "typo",
    r"random twins?": "untrained model",
    r"twins? of random weights": "untrained model",
    r"(?:what|as many as) nature wrote": "the native sequence",
    r"what is beside": "what is next to",
    r"the alternative is less likely": "the ALT allele is less likely",
    r"log p\(alternative\)": "log p(ALT)",
    r"(?:call|score)s? alternatives?": "ALT alleles",
    r"surprises?": "surprisal",
    r"what there is to say": "metadata, description",
    r"go(?:es)? on (?:with|from|where|after|as|by)": "resume, continue",
    r"--resume goes on": "--resume resumes it",
    r"how to go on": "how to continue, how to resume",
    r"do the i-th of n shares": "run shard i of n",
    r"where nothing (?:else )?is said": "by default",
    r"where neither this nor": "by default",
    r"what was asked for": "the requested value",
    r"(?:one )?that is asked for": "requested",
    r"in a word": "as a word, briefly",
    r"turned (?:round|about)": "reversed",
    r"all processes must call": "every rank must call",
    r"most bases (?:that (?:go|are)|read together|of one window)": "maximum number of bases",
    r"what (?:the )?card and device prefer": "chosen from the model card and the device",
    r"whatever is wrong with": "errors in",
    r"what a user sees of": "message and exit code",
    r"made when it is not there": "created if it does not exist",
    r"(?:at|from) the same floor": "in the same layer",
    r"the (?:upper|lower|ground|third) floor": "layer",
}
"""Regular expressions of avoided phrases, each with what to write instead."""

_AVOIDED = [(re.compile(rf"(?<![\w-]){phrase}(?![\w-])", re.I), better) for phrase, better in PHRASES.items()]


def files() -> list[Path]:
    """Return the modules of the package, the benchmarks and studies, and the pages of the documentation."""
    modules = [path for top in ("src/genolm", "benchmarks", "studies") for path in sorted((ROOT / top).rglob("*.py"))]
    return [*modules, ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def texts_of_module(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each string of several words: docstrings, help texts and messages."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.lineno, node.value


def texts_of_page(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the text of a page, with empty lines in place of code blocks."""
    text = path.read_text("utf-8")
    yield 1, re.sub(r"^ *```.*?^ *```$", lambda block: "\n" * block[0].count("\n"), text, flags=re.M | re.S)


def offences(texts: Iterator[tuple[int, str]]) -> list[str]:
    """Return ``LINE: phrase`` for each avoided phrase; a phrase may continue on the next line."""
    found = []
    for first, text in texts:
        if text.startswith(STABLE):
            continue
        lines = [line.strip() for line in text.split("\n")]
        starts = [0, *accumulate(len(line) + 1 for line in lines)]
        for pattern, better in _AVOIDED:
            for match in pattern.finditer(" ".join(lines)):
                line = first + bisect_right(starts, match.start()) - 1
                found.append(f"{line}: {match[0]!r}: write {better}")
    return found


def test_no_avoided_phrase_occurs():
    """All at once, so that one run lists everything that is left to reword."""
    found = []
    for path in files():
        if name_of(path) not in QUOTING:
            texts = texts_of_module(path) if path.suffix == ".py" else texts_of_page(path)
            found += [f"{name_of(path)}:{offence}" for offence in offences(texts)]
    assert not found, "\n".join(["", *found, f"{len(found)} phrases to reword; see docs/glossary.md"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The run goes on\n    where it was.", ["7: 'goes on where': write resume, continue"]),
        ("One.\n\n'4/3' is no shard.", ["9: 'is no shard': write is not a"]),
        ("A surprisal; there is no plot, and so many-sided words go on.", []),
        ("What became of the alternative: scored; flipped", []),
    ],
)
def test_a_phrase_is_found_over_line_ends_and_words_stay_whole(text, expected):
    assert offences(iter([(7, text)])) == expected
