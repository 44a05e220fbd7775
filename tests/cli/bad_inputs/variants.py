"""VCF files, tables of variants and records that do not fit their genome."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

import gzip
import io
from pathlib import Path

import polars as pl
import pysam
from tests.cli.bad_inputs.case import MODEL, Case

VARIANTS = f"variants {MODEL}"
PLACED = "--genome genome.fa"
FORMAT = "##fileformat=VCFv4.2\n"
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
HEADER = f"{FORMAT}{COLUMNS}\n"
TOY = ">chr1\nACGTACGTACGTACGTACGT\n"


def record(pos: object = 6, ref: str = "C", alt: str = "T", chrom: str = "chr1") -> str:
    """A line of a VCF on the toy genome, where bases 5-8 are ACGT."""
    return f"{chrom}\t{pos}\t.\t{ref}\t{alt}\t.\tPASS\t.\n"


def calls(kind: str, content: str | bytes, message: str, name: str = "calls.vcf", options: str = "") -> Case:
    """A VCF scored against a genome of 20 bases."""
    command = f"{VARIANTS} {name} out.vcf --genome toy.fa{options}"
    return Case(kind, command, message, 3, {name: content, "toy.fa": TOY})


def table(kind: str, content: str | bytes, message: str, name: str = "calls.tsv") -> Case:
    """A table of variants."""
    return Case(kind, f"{VARIANTS} {name} out.tsv --genome toy.fa", message, 3, {name: content, "toy.fa": TOY})


def parquet(**columns: list) -> bytes:
    """A parquet file's bytes."""
    file = io.BytesIO()
    pl.DataFrame(columns).write_parquet(file)
    return file.getvalue()


def cut_bgzip(folder: Path) -> None:
    """The first half of a bgzip file."""
    with pysam.BGZFile(str(folder / "whole.gz"), "wb") as file:
        file.write((HEADER + record() * 500).encode())
    data = (folder / "whole.gz").read_bytes()
    (folder / "calls.vcf.gz").write_bytes(data[: len(data) // 2])
    (folder / "whole.gz").unlink()


CASES = (
    Case("VCF: no such file", f"{VARIANTS} calls.vcf out.vcf {PLACED}", "calls.vcf: no such file", 3),
    calls("VCF: empty file", "", "calls.vcf: the file is empty"),
    calls(
        "VCF: no header",
        record(),
        "calls.vcf:1: not VCF: the first line must be ##fileformat=VCFv4… (value 'chr1\\t6\\t.\\tC\\tT\\t.\\tPASS\\t.')",
    ),
    calls(
        "VCF: no #CHROM line",
        FORMAT + record(),
        "calls.vcf:2: a record before the #CHROM line (value 'chr1\\t6\\t.\\tC\\tT\\t.\\tPASS\\t.')",
    ),
    calls("VCF: nothing after ##fileformat", FORMAT, "calls.vcf:1: the header has no #CHROM line"),
    calls(
        "VCF: #CHROM line with other columns",
        f"{FORMAT}#CHROM\tPOS\tREF\tALT\n",
        "calls.vcf:2: the #CHROM line must name CHROM POS ID REF ALT QUAL FILTER INFO, separated by tabs (value '#CHROM\\tPOS\\tREF\\tALT')",
    ),
    calls(
        "VCF: too few columns",
        f"{HEADER}chr1\t6\t.\tC\tT\n",
        "calls.vcf:3: expected 8 columns separated by tabs as in the header, found 5 (value 'chr1\\t6\\t.\\tC\\tT')",
    ),
    calls(
        "VCF: columns separated by spaces",
        HEADER + record().replace("\t", " "),
        "calls.vcf:3: expected 8 columns separated by tabs as in the header, found 1 (value 'chr1 6 . C T . PASS .')",
    ),
    calls(
        "VCF: a sample without its column",
        f"{FORMAT}{COLUMNS}\tFORMAT\tA\tB\nchr1\t6\t.\tC\tT\t.\t.\t.\tGT\t0/1\n",
        "calls.vcf:3: expected 11 columns separated by tabs as in the header, found 10 (value 'chr1\\t6\\t.\\tC\\tT\\t.\\t.\\t.\\tGT\\t0/1')",
    ),
    calls(
        "VCF: POS is not a number",
        HEADER + record() + record("12x"),
        "calls.vcf:4: POS must be a whole number, 1-based (value '12x')",
    ),
    calls(
        "VCF: POS is negative", HEADER + record("-1"), "calls.vcf:3: POS must be a whole number, 1-based (value '-1')"
    ),
    calls(
        "VCF: POS past the end of the contig",
        HEADER + record(21),
        "calls.vcf:3: chr1:21 is beyond the end of the contig (20 bases) (value 'chr1:21'); check the genome build, or pass --on-mismatch skip to leave such records unscored",
    ),
    calls(
        "VCF: REF reaches past the end of the contig",
        HEADER + record(20, "TA", "T"),
        "calls.vcf:3: REF of chr1:20 extends beyond the end of the contig (20 bases) (value 'chr1:20'); check the genome build, or pass --on-mismatch skip to leave such records unscored",
    ),
    calls(
        "VCF: REF is not what the genome has",
        HEADER + record(6, "G", "T"),
        "calls.vcf:3: REF is G, but the genome has C (value 'chr1:6:G>T'); check the genome build, or pass --on-mismatch skip to leave such records unscored",
    ),
    Case(
        "VCF: REF where the genome has N",
        f"{VARIANTS} calls.vcf out.vcf {PLACED}",
        "calls.vcf:3: REF is A, but the genome has N (value 'chr1:100:A>G'); check the genome build, or pass --on-mismatch skip to leave such records unscored",
        3,
        {"calls.vcf": HEADER + record(100, "A", "G")},
    ),
    calls("VCF: REF is not a base", HEADER + record(6, "<X>", "T"), "calls.vcf:3: REF must be bases (value '<X>')"),
    calls("VCF: REF is missing", HEADER + record(6, ".", "T"), "calls.vcf:3: REF must be bases (value '.')"),
    calls(
        "VCF: ALT is no allele",
        HEADER + record(6, "C", "T,?"),
        "calls.vcf:3: ALT must be bases, *, <…>, a breakend or, alone, '.' (value 'T,?')",
    ),
    calls(
        "VCF: an unknown contig",
        HEADER + record(chrom="chrX"),
        "calls.vcf:3: no such contig; the genome has chr1 (value 'chrX'); check the genome build, or pass --on-mismatch skip to leave such records unscored",
    ),
    calls(
        "VCF: a contig name with a space",
        HEADER + record(chrom="chr 1"),
        "calls.vcf:3: CHROM must be one word (value 'chr 1')",
    ),
    calls(
        "VCF: not text",
        FORMAT.encode() + COLUMNS.encode() + b"\nchr1\t6\t\xff\xfe\tC\tT\t.\t.\t.\n",
        "calls.vcf:3: not UTF-8 text (value b'\\xff\\xfe\\tC')",
    ),
    Case(
        "VCF: bgzip that is cut off",
        f"{VARIANTS} calls.vcf.gz out.vcf {PLACED}",
        "calls.vcf.gz: the compressed file is truncated (the final bgzip block is missing); download it again",
        3,
        make=cut_bgzip,
    ),
    calls(
        "VCF: gzip that is cut off",
        gzip.compress((HEADER + record() * 500).encode(), mtime=0)[:60],
        "calls.vcf.gz: the compressed file is truncated; download it again",
        "calls.vcf.gz",
    ),
    calls(
        "BCF: damaged", b"BCF\x02\x02" + b"\0" * 40, "calls.bcf: damaged BCF: the header cannot be read", "calls.bcf"
    ),
    table("table: empty", "", "calls.tsv: the table is empty"),
    table(
        "table: columns are missing",
        "chrom\tpos\tref\nchr1\t6\tC\n",
        "calls.tsv: a table of variants must have the columns chrom, pos, ref and alt, or variant (value 'chrom\\tpos\\tref')",
    ),
    table(
        "table: a column twice",
        "chrom\tchr\tpos\tref\talt\nchr1\tchr1\t6\tC\tT\n",
        "calls.tsv: two columns mean 'chrom' (value 'chr')",
    ),
    table(
        "table: separated by commas, named .tsv",
        "chrom,pos,ref,alt\nchr1,6,C,T\n",
        "calls.tsv: a table of variants must have the columns chrom, pos, ref and alt, or variant (value 'chrom,pos,ref,alt')",
    ),
    table(
        "table: a row with too few fields",
        "chrom\tpos\tref\talt\nchr1\t6\tC\n",
        "calls.tsv:2: expected 4 fields as in the header, found 3 (value 'chr1\\t6\\tC')",
    ),
    table(
        "table: a position that is not a number",
        "chrom\tpos\tref\talt\nchr1\tsix\tC\tT\n",
        "calls.tsv:2: column pos must hold whole numbers (value 'six')",
    ),
    table(
        "table: a variant of no known spelling",
        "variant\nchr1:6:C>T\nrs12345\n",
        "calls.tsv:3: invalid variant: expected chr22:1024:A>C, 22-1024-A-C or chr22_1024_A_C_b38 (position 1-based) (value 'rs12345')",
    ),
    table(
        "table: quotes that do not close",
        'chrom,pos,ref,alt\nchr1,6,C,"T\n',
        "calls.csv:2: invalid quotes: unexpected end of data (value 'chr1,6,C,\"T')",
        "calls.csv",
    ),
    table("parquet: not parquet", "chrom\tpos\n", "calls.parquet: not a parquet file", "calls.parquet"),
    table(
        "parquet: cut off",
        parquet(chrom=["chr1"], pos=[6], ref=["C"], alt=["T"])[:-20],
        "calls.parquet: the parquet file is truncated; download it again",
        "calls.parquet",
    ),
    table(
        "parquet: a position that is not a number",
        parquet(chrom=["chr1"], pos=["x"], ref=["C"], alt=["T"]),
        "calls.parquet:1: column pos must hold whole numbers (value 'x')",
        "calls.parquet",
    ),
    table(
        "parquet: a position that is not a whole number",
        parquet(chrom=["chr1"], pos=[6.5], ref=["C"], alt=["T"]),
        "calls.parquet:1: column pos must hold whole numbers (value '6.5')",
        "calls.parquet",
    ),
    table(
        "parquet: a missing position",
        parquet(chrom=["chr1", "chr1"], pos=[6, None], ref=["C", "C"], alt=["T", "T"]),
        "calls.parquet:2: column pos is empty here",
        "calls.parquet",
    ),
    Case(
        "table of neither sequences nor coordinates",
        f"score {MODEL} who.csv out.tsv",
        "who.csv: a table of sequences must have the column sequence, or chrom, start, end, or chrom, pos, ref, alt (value 'who,what')",
        3,
        {"who.csv": "who,what\nme,this\n"},
    ),
    Case(
        "table of intervals: an end before the start",
        f"score {MODEL} where.csv out.tsv {PLACED}",
        "where.csv:2: empty interval: end must be greater than start (0-based, half-open) (value 'chr1 700 600')",
        3,
        {"where.csv": "chrom,start,end\nchr1,700,600\n"},
    ),
    Case(
        "table of sequences: an empty one",
        f"score {MODEL} dna.tsv out.tsv",
        "dna.tsv:3: the sequence is empty (value 'b')",
        3,
        {"dna.tsv": "id\tsequence\na\tACGT\nb\t\n"},
    ),
    Case(
        "VCF output of a table",
        f"{VARIANTS} calls.tsv out.vcf --genome toy.fa",
        "out.vcf: VCF output needs VCF or BCF input; write .parquet, .tsv or .csv (value 'calls.tsv')",
        3,
        {"calls.tsv": "variant\nchr1:6:C>T\n", "toy.fa": TOY},
    ),
    Case(
        "variants out of a BED file",
        f"{VARIANTS} regions.bed out.tsv {PLACED}",
        "regions.bed: not a variant file; expected VCF, BCF, TSV, CSV, text or parquet",
        3,
    ),
    Case("genome forgotten", f"{VARIANTS} variants.vcf.gz out.vcf", "Missing option '--genome'.", 2),
)
