"""Unusual tables, GenBank files and scored variants that are good."""

import json
import re
from pathlib import Path

import polars as pl
from tests.cli.unusual_inputs.case import MODEL, Unusual

_GENBANK = """\
LOCUS       A1 8 bp DNA linear BCT 01-JAN-2020
VERSION     A1.1
FEATURES             Location/Qualifiers
     CDS             9000..1
                     /locus_tag="odd"
ORIGIN
        1 acgtacgt
//
"""
_HEAD = """\
##fileformat=VCFv4.2
##INFO=<ID=GENOLM_LLR_SUM,Number=A,Type=Float,Description="score">
##INFO=<ID=GENOLM_STATUS,Number=A,Type=String,Description="status">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""
_GENOME = {"g.fa": ">chr1\nACGTACGTACGTACGTACGT\n"}


def column(name: str, *expected: object):
    """The table ``out.parquet`` has these values in a column."""

    def check(folder: Path) -> None:
        assert pl.read_parquet(folder / "out.parquet")[name].to_list() == list(expected)

    return check


def rows(*expected: tuple[str, float | None, str]):
    """The table of the page has these variants, scores and statuses."""

    def check(folder: Path) -> None:
        found = re.search(r'id="variants-data"[^>]*>(.*?)</script>', (folder / "p.html").read_text(), re.DOTALL)
        assert found is not None
        assert [(row[0], row[5], row[6]) for row in json.loads(found[1])["rows"]] == list(expected)

    return check


CASES = (
    Unusual(
        "GenBank under the name of a text file",
        f"score {MODEL} a.txt out.parquet",
        "recognised by its first line",
        column("length", 8),
        {"a.txt": _GENBANK},
    ),
    Unusual(
        "GenBank with a location that cannot be read, used as sequence",
        f"score {MODEL} a.gbk out.parquet",
        "the sequence is read; features are not looked at",
        column("id", "A1.1"),
        {"a.gbk": _GENBANK},
    ),
    Unusual(
        "a table with a column named like one of genolm's",
        f"score {MODEL} t.csv out.parquet",
        "kept as input_length",
        column("input_length", "short"),
        {"t.csv": "sequence,length\nACGTA,short\n"},
    ),
    Unusual(
        "a table with labels that look like numbers with leading zeros",
        f"score {MODEL} t.csv out.parquet",
        "kept as text",
        column("batch", "007", "10"),
        {"t.csv": "sequence,batch\nACGTA,007\nACGTT,10\n"},
    ),
    Unusual(
        "a table with the nameless index column that pandas writes",
        f"score {MODEL} t.csv out.parquet",
        "kept as column_1",
        column("column_1", 0, 1),
        {"t.csv": ",sequence\n0,ACGTA\n1,ACGTT\n"},
    ),
    Unusual(
        "a scored VCF with several ALT alleles, symbolic and missing ones among them",
        "report s.vcf p.html --genome g.fa",
        "a row for each ALT allele, those without a score last",
        rows(("chr1:5:A>T", -2.0, "scored"), ("chr1:5:A>C", 1.0, "scored"), ("chr1:5:A><DEL>", None, "symbolic")),
        {
            **_GENOME,
            "s.vcf": f"{_HEAD}chr1\t5\t.\tA\tC,T,<DEL>\t.\t.\tGENOLM_LLR_SUM=1,-2,.;"
            "GENOLM_STATUS=scored,scored,symbolic\nchr1\t9\t.\tA\t.\t.\t.\t.\n",
        },
    ),
    Unusual(
        "a scored VCF whose contigs are named without chr",
        "report s.vcf p.html --genome g.fa",
        "matched with the genome's names",
        rows(("1:5:A>C", 1.0, "scored")),
        {**_GENOME, "s.vcf": f"{_HEAD}1\t5\t.\tA\tC\t.\t.\tGENOLM_LLR_SUM=1;GENOLM_STATUS=scored\n"},
    ),
    Unusual(
        "a scored VCF without any record",
        "report s.vcf p.html --genome g.fa",
        "a page that says so",
        lambda folder: None if "s.vcf has no ALT alleles." in (folder / "p.html").read_text() else 1 / 0,
        {**_GENOME, "s.vcf": _HEAD},
    ),
    Unusual(
        "a variant whose REF was turned to fit the genome",
        "report s.vcf p.html --genome g.fa",
        "its REF is not compared with the genome",
        rows(("chr1:5:T>G", 1.0, "flipped")),
        {**_GENOME, "s.vcf": f"{_HEAD}chr1\t5\t.\tT\tG\t.\t.\tGENOLM_LLR_SUM=1;GENOLM_STATUS=flipped\n"},
    ),
)
