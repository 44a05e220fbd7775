"""Bad input in which two oddities meet: in packing, encoding and what is inside."""

import gzip

from tests.cli.bad_inputs.case import MODEL, Case
from tests.cli.bad_inputs.variants import HEADER, TOY, record

_UNPACK = "compression is not supported (plain, gzip and bgzip are); decompress it with"
_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
_VARIANTS = f"variants {MODEL}"

CASES = (
    Case(
        "FASTA: the ending of xz",
        f"score {MODEL} reads.fa.xz out.tsv",
        f"reads.fa.xz: xz {_UNPACK} unxz",
        3,
        {"reads.fa.xz": b"\xfd7zXZ\x00"},
    ),
    Case(
        "VCF: the ending of zstd",
        f"{_VARIANTS} calls.vcf.zst out.vcf --genome genome.fa",
        f"calls.vcf.zst: zstd {_UNPACK} zstd -d",
        3,
        {"calls.vcf.zst": b"\x28\xb5\x2f\xfd"},
    ),
    Case(
        "genes: the ending of bzip2",
        f"scan {MODEL} genome.fa out --genes genes.GTF.BZ2",
        f"genes.GTF.BZ2: bzip2 {_UNPACK} bunzip2",
        3,
        {"genes.GTF.BZ2": b"BZh9"},
    ),
    Case(
        "an archive of tar instead of a file",
        f"embed {MODEL} reads.tar.gz out.npy",
        "reads.tar.gz: the file is a tar archive; extract it with tar -xf and pass the file inside",
        3,
        {"reads.tar.gz": gzip.compress(bytes(1024), mtime=0)},
    ),
    Case(
        "table: UTF-16 with Windows line ends",
        f"score {MODEL} reads.tsv out.tsv",
        "reads.tsv: the text is UTF-16; convert it to UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW_FILE",
        3,
        {"reads.tsv": "id\tsequence\r\na\tACGT\r\n".encode("utf-16")},
    ),
    Case(
        "FASTA: old Mac line ends inside gzip",
        f"score {MODEL} reads.fa.gz out.tsv",
        "reads.fa.gz: lines end in carriage returns only (old Mac); convert the file: tr '\\r' '\\n' < FILE > NEW_FILE",
        3,
        {"reads.fa.gz": gzip.compress(b">a\rACGT\rAC\r", mtime=0)},
    ),
    Case(
        "genome: a Git LFS pointer beside the index of the real file",
        f"{_VARIANTS} calls.vcf out.vcf --genome toy.fa",
        "toy.fa: the file is a Git LFS pointer, not the data; run git lfs pull, or download the file again",
        3,
        {"calls.vcf": HEADER + record(6, "C", "T"), "toy.fa": _POINTER, "toy.fa.fai": "chr1\t20\t6\t20\t21\n"},
    ),
    Case(
        "table of R: a byte order mark, row names and a missing sequence",
        f"score {MODEL} reads.tsv out.tsv",
        "reads.tsv:3: the sequence is empty (value 'b')",
        3,
        {"reads.tsv": '\ufeff"id"\t"sequence"\r\n"1"\t"a"\t"ACGT"\r\n"2"\t"b"\tNA'},
    ),
    Case(
        "BED: a contig that could be two, under a third name",
        f"score {MODEL} one.bed out.tsv --genome two.fa",
        "one.bed:1: ambiguous contig name: it matches 1 and chr1 (value 'Chr1')",
        3,
        {"one.bed": "Chr1\t2\t8\n", "two.fa": ">1\nACGTACGTAC\n>chr1\nACGTACGTAC\n"},
    ),
    Case(
        "VCF: two files joined with both headers",
        f"{_VARIANTS} calls.vcf out.vcf --genome toy.fa",
        "calls.vcf:4: expected 8 columns separated by tabs as in the header, found 1 (value '##fileformat=VCFv4.2')",
        3,
        {"calls.vcf": (HEADER + record(6, "C", "T")) * 2, "toy.fa": TOY},
    ),
)
