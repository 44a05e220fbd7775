"""Variant files and tables that are unusual and good."""

from pathlib import Path

import polars as pl
import pysam
from tests.cli.bad_inputs.variants import COLUMNS, FORMAT, HEADER, TOY, record
from tests.cli.unusual_inputs.case import MODEL, Unusual

VARIANTS = f"variants {MODEL}"
END = '##INFO=<ID=END,Number=1,Type=Integer,Description="end">\n'


def statuses(*expected: str):
    """The table ``out.tsv`` has these statuses."""

    def check(folder: Path) -> None:
        assert pl.read_csv(folder / "out.tsv", separator="\t")["status"].to_list() == list(expected)

    return check


def files(*expected: str):
    """The output and its index are there, and the record of the run."""

    def check(folder: Path) -> None:
        assert sorted(path.name for path in folder.glob("out.*")) == sorted(
            (*expected, f"{expected[0]}.provenance.json")
        )

    return check


def same_bytes(folder: Path) -> None:
    """The odd bytes of ``calls.vcf`` are in ``again.vcf``, which came through BCF."""
    written = (folder / "again.vcf").read_bytes()
    assert b"##contact=Jos\xe9\n" in written and b"LAB=Universit\xe9" in written


def ids(*expected: str):
    """The table ``out.tsv`` has these ids."""

    def check(folder: Path) -> None:
        assert pl.read_csv(folder / "out.tsv", separator="\t")["id"].to_list() == list(expected)

    return check


def missing_qualities(folder: Path) -> None:
    """The three records of the BCF are as they were."""
    with pysam.VariantFile(str(folder / "out.bcf")) as file:
        assert [(one.pos, one.qual, one.alts) for one in file] == [
            (6, None, ("T",)),
            (6, 30.5, ("<*>",)),
            (7, None, None),
        ]


def calls(kind: str, content: str | bytes, outcome: str, check, out: str = "out.tsv", name: str = "calls.vcf", **more):
    """Variants on a genome of 20 bases."""
    genome = more.pop("genome", TOY)
    command = f"{VARIANTS} {name} {out} --genome toy.fa{more.pop('options', '')}"
    return Unusual(kind, command, outcome, check, {name: content, "toy.fa": genome}, **more)


LATIN = f"{FORMAT}##contact=Jos\xe9\n{COLUMNS}\n{record()}".replace("PASS\t.", "PASS\tLAB=Universit\xe9").encode(
    "latin-1"
)

CASES = (
    calls(
        "VCF: an END beyond 2^29, to .vcf.gz",
        f"{FORMAT}{END}{COLUMNS}\n" + record(6, "C", "<DEL>").replace("PASS\t.", "PASS\tEND=600000000"),
        "indexed as .csi, because a .tbi cannot hold it",
        files("out.vcf.gz", "out.vcf.gz.csi"),
        "out.vcf.gz",
    ),
    calls(
        "VCF: a contig longer than 2^29, to .vcf.gz",
        f"{FORMAT}##contig=<ID=chr1,length=700000000>\n{COLUMNS}\n{record()}",
        "indexed as .csi",
        files("out.vcf.gz", "out.vcf.gz.csi"),
        "out.vcf.gz",
    ),
    calls(
        "VCF: a record beyond the length that the header gives its contig, to BCF",
        f"{FORMAT}##contig=<ID=chr1,length=20>\n{COLUMNS}\n{record(9_000_000)}",
        "written without an index, with a warning",
        files("out.bcf"),
        "out.bcf",
        options=" --on-mismatch skip",
        warning="warning: out.bcf: written without an index: a record is beyond the length of its contig",
    ),
    Unusual(
        "VCF: bytes that are not UTF-8, through BCF and back",
        f"{VARIANTS} a.bcf again.vcf --genome toy.fa",
        "kept byte for byte",
        same_bytes,
        {"calls.vcf": LATIN, "toy.fa": TOY},
        before=(f"{VARIANTS} calls.vcf a.bcf --genome toy.fa",),
    ),
    calls(
        "VCF: missing QUAL, zeros after the point, <*> and no ALT, to BCF",
        HEADER + record() + record(6, "C", "<*>").replace("\t.\tPASS", "\t30.500\tPASS") + record(7, "G", "."),
        "the same values in BCF",
        missing_qualities,
        "out.bcf",
    ),
    calls(
        "VCF: REF is the first base of an ambiguous letter of the genome",
        HEADER + record(6, "A", "C"),
        "scored, as VCF 4.3 has REF",
        statuses("scored"),
        genome=TOY.replace("ACGTACGT", "ACGTARGT", 1),
    ),
    calls(
        "VCF: REF is N where the genome has an ambiguous letter",
        HEADER + record(6, "N", "C"),
        "not scored, not a mismatch",
        statuses("non_acgt"),
        genome=TOY.replace("ACGTACGT", "ACGTARGT", 1),
    ),
    calls(
        "table as R writes it: quotes, and row names without a header",
        '"chrom"\t"pos"\t"ref"\t"alt"\n"1"\t"chr1"\t6\t"C"\t"T"\n"2"\t"chr1"\t7\t"G"\tNA\n',
        "read without the row names; NA is missing",
        statuses("scored", "missing"),
        name="calls.tsv",
    ),
    calls(
        "table: a line break within quotes",
        'note,chrom,pos,ref,alt\n"first\n\nsecond",chr1,6,C,T\n"say ""no""",chr1,7,G,A\n',
        "one row, as spreadsheets mean it",
        statuses("scored", "scored"),
        name="calls.csv",
    ),
    calls(
        "table: missing ids in five spellings",
        "id\tchrom\tpos\tref\talt\n"
        + "".join(f"{name}\tchr1\t6\tC\tT\n" for name in ("rs1", "", "NA", "nan", ".", "NULL")),
        "all are missing",
        ids("rs1", ".", ".", ".", ".", "."),
        name="calls.tsv",
    ),
    calls(
        "table: an id with a quote in it, written and read again",
        'id\tchrom\tpos\tref\talt\n"x""y"\tchr1\t6\tC\tT\n',
        "the same id",
        ids('x"y'),
        name="calls.tsv",
    ),
)
