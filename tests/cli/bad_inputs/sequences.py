"""FASTA, FASTQ and BED files that cannot be used."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

import gzip

from tests.cli.bad_inputs.case import MODEL, Case

SCORE = f"score {MODEL}"
PLACED = "--genome genome.fa"
DNA = "ACGTTGCAAC" * 6
GENOME = f">chr1\n{DNA}\n"


def reads(kind: str, content: str | bytes | None, message: str, name: str = "reads.fa", **more) -> Case:
    """A file of sequences that is scored."""
    files = {} if content is None else {name: content}
    return Case(kind, f"{SCORE} {name} out.parquet", message, 3, files, **more)


def reference(kind: str, content: str | bytes, message: str, name: str = "ref.fa") -> Case:
    """A reference genome with a good BED file of its contig."""
    files = {name: content, "one.bed": "chr1\t10\t20\n"}
    return Case(kind, f"{SCORE} one.bed out.parquet --genome {name}", message, 3, files)


def regions(kind: str, content: str, message: str) -> Case:
    """A BED file on the simulated genome."""
    return Case(kind, f"{SCORE} bad.bed out.parquet {PLACED}", message, 3, {"bad.bed": content})


CASES = (
    reads("FASTA: no such file", None, "reads.fa: no such file"),
    Case(
        "FASTA: a folder instead of a file",
        f"{SCORE} reads.fa out.parquet",
        "reads.fa: expected a file, found a folder",
        3,
        {"reads.fa": None},
    ),
    reads(
        "FASTA: may not be read",
        GENOME,
        "reads.fa: cannot be read: permission denied",
        unprivileged=True,
        make=lambda folder: (folder / "reads.fa").chmod(0),
    ),
    reads("FASTA: empty file", "", "reads.fa: the FASTA file is empty"),
    reads(
        "FASTA: text before the first >",
        "hello\n>a\nACGT\n",
        "reads.fa:1: not FASTA: a record must start with '>' (value 'hello')",
    ),
    reads(
        "FASTA: two records of one name",
        ">a\nACGT\n>b\nACGT\n>a\nGGGG\n",
        "reads.fa:5: duplicate record name (first in line 1) (value 'a')",
    ),
    reads(
        "FASTA: a record without a sequence",
        ">a\nACGT\n>b\n>c\nACGT\n",
        "reads.fa:3: the record has no sequence (value 'b')",
    ),
    reads("FASTA: a record without a name", ">a\nACGT\n>\nACGT\n", "reads.fa:3: the record has no name"),
    reads(
        "FASTA: an invalid letter",
        ">a\nACGT\nAC-T\n",
        "reads.fa:3: not a base at position 7 of the sequence (value '-')",
    ),
    reads("FASTA: protein", ">a\nMKLVEF\n", "reads.fa:2: not a base at position 3 of the sequence (value 'L')"),
    reads(
        "FASTA: RNA",
        ">a\nACGU\n",
        "reads.fa:2: not a base at position 4 of the sequence; write T for U (value 'U')",
    ),
    reads(
        "FASTA: an ambiguous letter",
        ">a\nACGT\n>b\nACRT\n",
        "reads.fa:4: ambiguity code at position 3 of the sequence (value 'R'); pass --iupac N to read it as N",
    ),
    reads(
        "FASTA: a letter outside ASCII",
        ">a\nACGé\n",
        "reads.fa:2: not a base at position 4 of the sequence (value 'é')",
    ),
    reads("FASTA: binary junk", b">a\nAC\x00\xff\x8f\n", "reads.fa:2: not UTF-8 text (value b'\\xff\\x8f')"),
    reads(
        "FASTA: zero bytes in the text", b">a\nAC\x00GT\n", "reads.fa:2: not a text file: the line contains a zero byte"
    ),
    reads(
        "FASTA: gzip that is cut off",
        gzip.compress(f">a\n{DNA * 50}\n".encode(), mtime=0)[:40],
        "reads.fa.gz: the compressed file is truncated; download it again",
        "reads.fa.gz",
    ),
    reads(
        "FASTA: gzip that is damaged",
        gzip.compress(b">a\nACGT\n", mtime=0)[:-6] + b"\0" * 6,
        "reads.fa.gz: the compressed file is damaged: CRC check failed 0x9630 != 0xdeda9630",
        "reads.fa.gz",
    ),
    reads(
        "unknown kind of input",
        "ACGT\n",
        "reads.docx: unknown file format; expected .fa, .fasta, .fna, .ffn, .gb, .gbk, .gbff, .genbank, .embl, .fq, .fastq, .bed, .vcf, .bcf, .tsv, .csv, .txt, .parquet, or one of these with .gz",
        "reads.docx",
    ),
    reads("FASTA on standard input: empty", None, "standard input: the FASTA file is empty", "-"),
    reference(
        "genome: compressed with gzip instead of bgzip",
        gzip.compress(GENOME.encode(), mtime=0),
        "ref.fa.gz: gzip does not support random access; use bgzip: gunzip -c ref.fa.gz | bgzip > ref.fa.bgz",
        "ref.fa.gz",
    ),
    reference("genome: empty file", "", "ref.fa: the FASTA file is empty"),
    reference(
        "genome: not FASTA", "chr1 ACGT\n", "ref.fa:1: not FASTA: a record must start with '>' (value 'chr1 ACGT')"
    ),
    reference(
        "genome: two contigs of one name",
        GENOME + GENOME,
        "ref.fa:3: duplicate record name (first in line 1) (value 'chr1')",
    ),
    reference(
        "genome: a contig without a sequence", f">chr0\n{GENOME}", "ref.fa:1: the record has no sequence (value 'chr0')"
    ),
    reference(
        "genome: lines of different lengths",
        ">chr1\nACGTACGT\nACGTACGTACGT\nACGT\n",
        "ref.fa:3: line of 12 letters in a record with lines of 8; rewrap the file (value 'chr1')",
    ),
    reference(
        "genome: an invalid letter",
        ">chr1\nACGTACGTACGTXCGTACGTACGT\n",
        "one.bed:1: invalid letter at chr1:13 of ref.fa: not a base, or an ambiguity code (value 'X')",
    ),
    Case("genome: no such file", f"{SCORE} regions.bed out.parquet --genome hg38.fa", "hg38.fa: no such file", 3),
    Case(
        "genome: missing for a BED file",
        f"{SCORE} regions.bed out.parquet",
        "regions.bed:1: intervals require a genome; pass --genome",
        3,
    ),
    reads("FASTQ: empty file", "", "reads.fq: the FASTQ file is empty", "reads.fq"),
    reads(
        "FASTQ: not FASTQ", ">a\nACGT\n", "reads.fq:1: not FASTQ: a record must start with '@' (value '>a')", "reads.fq"
    ),
    reads(
        "FASTQ: the last record is truncated",
        "@a\nACGT\n+\nIIII\n@b\nACGT\n",
        "reads.fq:5: the last record is truncated: a FASTQ record has four lines",
        "reads.fq",
    ),
    reads("FASTQ: fewer qualities than bases", "@a\nACGT\n+\nIII\n", "reads.fq:4: 3 qualities for 4 bases", "reads.fq"),
    reads(
        "FASTQ: the third line has no +",
        "@a\nACGT\nIIII\n@b\n",
        "reads.fq:3: the third line of a record must start with '+' (value 'IIII')",
        "reads.fq",
    ),
    regions(
        "BED: two columns",
        "chr1\t600\t700\nchr1\t600\n",
        "bad.bed:2: a BED line must have at least three columns: contig, start, end (value 'chr1\\t600')",
    ),
    regions(
        "BED: start after end",
        "chr1\t700\t600\n",
        "bad.bed:1: empty interval: end must be greater than start (0-based, half-open) (value 'chr1 700 600')",
    ),
    regions(
        "BED: a negative start",
        "chr1\t-5\t600\n",
        "bad.bed:1: start and end of a BED line must be whole numbers from 0 (value '-5')",
    ),
    regions(
        "BED: an end that is not a number",
        "chr1\t600\t7e2\n",
        "bad.bed:1: start and end of a BED line must be whole numbers from 0 (value '7e2')",
    ),
    regions(
        "BED: an unknown strand",
        "chr1\t600\t700\tx\t0\tplus\n",
        "bad.bed:1: the strand of an interval must be '+' or '-' (value 'plus')",
    ),
    regions(
        "BED: an unknown contig",
        "# mine\nchr7\t600\t700\n",
        "bad.bed:2: no such contig; the genome has chr1, chr2 (value 'chr7')",
    ),
    regions(
        "BED: wholly off its contig",
        "chr2\t900\t950\n",
        "bad.bed:1: the interval lies beyond the ends of chr2 (1-900): is it of another genome build? (value 'chr2:901-950')",
    ),
    Case(
        "--length for sequences",
        f"{SCORE} genome.fa out.parquet --length 100",
        "genome.fa: a length applies to intervals and variants, not to sequences",
        3,
    ),
    Case(
        "bigWig of regions that overlap",
        f"{SCORE} two.bed out.bw {PLACED}",
        "two.bed: a track has one value per base, but intervals overlap: chr1:601-700 and chr1:651-750",
        3,
        {"two.bed": "chr1\t600\t700\nchr1\t650\t750\n"},
    ),
    Case(
        "bigWig of variants",
        f"{SCORE} variants.vcf.gz out.bw {PLACED} --length 50",
        "variants.vcf.gz: a track has one value per base and variants have two alleles: write a table",
        3,
    ),
    Case(
        "VCF without --length",
        f"embed {MODEL} variants.vcf.gz out.parquet {PLACED}",
        "variants.vcf.gz:15: variants require a length, in bases per sequence (value 'chr1:599:C>CAGCAAT'); pass --length",
        3,
    ),
)
