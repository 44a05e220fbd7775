"""Input of which much has no score, or that seems to belong to another genome: it works, and the user is told."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
from tests.cli.unusual_inputs.case import MODEL, Unusual

HEAD = "##fileformat=VCFv4.2\n{}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
GENOME = {"one.fa": f">c1\n{'ACGTTGCAAC' * 10}\n"}
VARIANTS = f"variants {MODEL} in.vcf out.tsv --genome one.fa --method conditional"


def vcf(*records: str, head: str = "") -> dict[str, str | bytes | None]:
    """The genome and a VCF of records of position, REF and ALT."""
    lines = (f"c1\t{pos}\t.\t{ref}\t{alt}\t.\t.\t.\n" for pos, ref, alt in map(str.split, records))
    return {**GENOME, "in.vcf": HEAD.format(head) + "".join(lines)}


def counted(**counts: int) -> Callable[[Path], None]:
    """The provenance of ``out.tsv`` has these counts, and no others but zeros."""

    def check(folder: Path) -> None:
        found = json.loads((folder / "out.tsv.provenance.json").read_text())["counts"]
        assert {name.replace(" ", "_"): count for name, count in found.items() if count} == counts

    return check


def scored(folder: Path) -> None:
    assert pl.read_csv(folder / "out.tsv", separator="\t")["scored_bases"].to_list() == [19, 9]


def nothing_written(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".fai") == ["in.vcf", "one.fa"]


CASES = (
    Unusual(
        "VCF in which no alternative can be scored",
        VARIANTS,
        "a status for each, exit code 0, and a warning",
        counted(ALT_alleles=3, symbolic=2, star=1),
        vcf("11 A <DEL>", "21 A <INS>", "31 A *"),
        warning="warning: 3 of 3 ALT alleles (100%) have no score, most often symbolic (2): ",
    ),
    Unusual(
        "VCF without a record",
        VARIANTS,
        "a table without rows; 0 ALT alleles, and no warning",
        counted(),
        vcf(),
        warning="0 ALT alleles\nwrote out.tsv",
    ),
    Unusual(
        "VCF with exactly 5 % of alternatives that cannot be scored",
        VARIANTS,
        "counted, without a warning",
        counted(ALT_alleles=20, scored=19, star=1),
        vcf(*(f"{pos} A C" for pos in range(11, 92, 10)), *(f"{pos} C T" for pos in range(2, 93, 10)), "51 A *"),
        warning="20 ALT alleles: 19 scored, 1 star\n",
    ),
    Unusual(
        "VCF header with the contig length of another build",
        VARIANTS,
        "scored, since every REF fits; a warning names the contig and both lengths",
        counted(ALT_alleles=1, scored=1),
        vcf("11 A C", head="##contig=<ID=c1,length=250>\n"),
        warning="warning: in.vcf: its header gives c1 250 bases, and one.fa has 100: is it another genome build",
    ),
    Unusual(
        "VCF header with a contig named in another way, with text in quotes",
        VARIANTS,
        "scored; the contig is recognised and its length compared",
        counted(ALT_alleles=1, scored=1),
        vcf("11 A C", head='##contig=<ID=chrC1,note="ID=x,length=100, of \'c1\'",length=99>\n'),
        warning="its header gives chrC1 99 bases, and one.fa has 100",
    ),
    Unusual(
        "BED interval that ends after the last base of its contig",
        f"score {MODEL} in.bed out.tsv --genome one.fa",
        "N where the contig has ended; a warning",
        scored,
        {**GENOME, "in.bed": "c1\t0\t20\nc1\t90\t105\n"},
        warning="warning: in.bed: 1 of 2 intervals end after the last base of their contig in one.fa: ",
    ),
    Unusual(
        "sequences of nothing but N among others",
        f"score {MODEL} in.fa out.tsv",
        "no score for them, counted; a warning",
        counted(sequences=3, scored=1, without_a_score=2, bases=12, bases_scored=3),
        {"in.fa": ">a\nNNNN\n>b\nACGT\n>c\nnnnn\n"},
        warning="warning: 2 of 3 sequences (67%) have no score: ",
    ),
    Unusual(
        "variants of another genome, with --on-mismatch flip",
        f"{VARIANTS} --on-mismatch flip",
        "those that fit when they are reverse-complemented are scored; the others are counted by reason",
        counted(ALT_alleles=3, flipped=1, scored=1, ref_mismatch=1),
        vcf("11 A C", "21 T G", "31 G C"),
        warning="3 ALT alleles: 1 flipped, 1 scored, 1 ref_mismatch\n",
    ),
    Unusual(
        "dry run of variants of which none can be scored",
        f"{VARIANTS} --dry-run",
        "says that no item passes through the model, and writes nothing",
        nothing_written,
        vcf("11 A <DEL>"),
    ),
    Unusual(
        "--quiet where most alternatives cannot be scored",
        f"{VARIANTS} --quiet",
        "neither a summary nor a warning; the counts are in the provenance",
        counted(ALT_alleles=2, symbolic=2),
        vcf("11 A <DEL>", "21 A <DEL>"),
    ),
)  # fmt: skip
