"""The bcftools commands of the how-to on filtering do what the page says, with the bcftools of pysam."""

import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pysam.bcftools
import pytest

import genolm

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "filter-vcf.md"
COMMANDS = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("bcftools ")]
HEAD = "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=3000>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a scored VCF, with a multi-allelic and an unscored record, and a VCF of its variants."""
    path = tmp_path_factory.mktemp("scores")
    bases = "".join(random.Random(5).choices("ACGT", k=1_600)) + "A" * 1_400
    (path / "hg38.fa").write_text(f">chr1\n{bases}\n")
    other = {base: [one for one in "ACGT" if one != base] for base in "ACGT"}
    alts = {1501: ",".join(other[bases[1500]][:2]), 1550: "<DEL>", 1590: other[bases[1589]][0], 1800: "C"}
    rows = [f"chr1\t{pos}\t.\t{bases[pos - 1]}\t{alt}" for pos, alt in alts.items()]
    (path / "calls.vcf").write_text(HEAD + "".join(f"{row}\t.\tPASS\t.\n" for row in rows))
    genolm.variants("genolm-nano", path / "calls.vcf", path / "calls.scored.vcf.gz", genome=path / "hg38.fa")
    pysam.bcftools.view(str(path / "calls.vcf"), "-Oz", "-o", str(path / "other.vcf.gz"), catch_stdout=False)
    pysam.bcftools.index("-t", str(path / "other.vcf.gz"))
    return path


def run(command: str, folder: Path) -> str:
    """Run a line with the bcftools of pysam and return its output; the shell runs what follows the first ``|``."""
    first, _, rest = command.partition(" | ")
    verb, *words = shlex.split(first)[1:]
    silent = ", catch_stdout=False" if "-o" in words else ""
    code = f"import pysam.bcftools as b; print(b.{verb}(*{words!r}{silent}) or '', end='')"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    if not rest:
        return done.stdout
    return subprocess.run(["bash", "-c", rest], input=done.stdout, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def outputs(folder):
    return [run(command, folder) for command in COMMANDS]


def records(path: Path) -> list[tuple[int, float | None, str]]:
    with pysam.VariantFile(str(path)) as file:
        return [
            (
                one.pos,
                *(value[0] if value else None for value in map(one.info.get, ("GENOLM_LLR_SUM", "GENOLM_STATUS"))),
            )
            for one in file
        ]


def test_the_statuses_are_counted(outputs):
    counted = dict(reversed(line.split()) for line in outputs[0].splitlines())
    assert counted == {"scored": "2", "scored,scored": "1", "symbolic": "1"}


def test_the_filter_keeps_scored_alleles_below_the_threshold_and_nothing_else(outputs, folder):
    threshold = float(re.search(r"GENOLM_LLR_SUM<(-[\d.]+)", "".join(COMMANDS))[1])
    split = records(folder / "split.vcf.gz")
    assert len(split) == 5
    unlikely = [one for one in split if one[2] == "scored" and one[1] < threshold]
    assert records(folder / "unlikely.vcf.gz") == unlikely
    assert 0 < len(unlikely) < 4, "the example should keep some and drop some"


def test_what_was_not_scored_can_be_set_aside(outputs, folder):
    assert [(pos, status) for pos, _, status in records(folder / "unscored.vcf.gz")] == [(1550, "symbolic")]


def test_the_ranking_begins_with_the_least_likely(outputs, folder):
    ranked = [line for text in outputs for line in text.splitlines() if line.count("\t") == 4]
    scores = [float(line.split("\t")[0]) for line in ranked]
    assert len(scores) == 4 and scores == sorted(scores)


def test_scores_are_copied_into_another_vcf(outputs, folder):
    assert records(folder / "other.scored.vcf.gz") == records(folder / "calls.scored.vcf.gz")
