"""Annotation without a feature that can be used, names of contigs that could mean several, indexes that do not fit, and
files that are something else than their names promise."""
# ruff: noqa: E501  messages and commands stand as they are printed and typed

import os
from pathlib import Path

from tests.cli.bad_inputs.case import MODEL, Case
from tests.cli.bad_inputs.corpora import BUILD, CORPUS

EXPERTS = "explain experts tiny-random chr1:1-450 out --genome genome.fa"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
RING = f">chrM\n{'ACGTTGCA' * 20}\n>MT\n{'TTGCAACG' * 20}\n"


def _exon(contig: str, start: int, end: int, strand: str, told: str) -> str:
    return f"{contig}\tx\texon\t{start}\t{end}\t.\t{strand}\t.\t{told}\n"


def _cds(contig: str, start: int, end: int, strand: str, told: str) -> str:
    return f"{contig}\tx\tCDS\t{start}\t{end}\t.\t{strand}\t0\t{told}\n"


def _cut(folder: Path) -> None:
    """A genome that was cut off after it was indexed, by a copy that keeps times."""
    path = folder / "genome.fa"
    times = path.stat()
    os.truncate(path, times.st_size - 400)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


CASES = (
    Case(
        "genes: no transcript with a known strand",
        f"{EXPERTS} --genes odd.gff3",
        "odd.gff3:2: none of the 2 features can be used: a transcript without a strand (2); this is the first (value 't1')",
        3,
        {
            "odd.gff3": "##gff-version 3\n"
            + _exon("chr1", 1, 9, "?", "Parent=t1")
            + _exon("chr1", 21, 29, ".", "Parent=t2")
        },
    ),
    Case(
        "genes: a GTF without any transcript_id",
        "corpus build corpus.yaml built",
        'odd.gtf:1: the only feature cannot be used: an exon without transcript_id (value \'gene_id "a"; transcript_id "";\')',
        3,
        {
            "corpus.yaml": CORPUS + "genes: [odd.gtf]\ngene_distance: 100\n",
            "odd.gtf": _exon("chr1", 1, 9, "+", 'gene_id "a"; transcript_id "";'),
        },
    ),
    Case(
        "genes: a contig that could be two of the genome",
        f"scan {MODEL} ring.fa out --genes genes.gff3",
        "genes.gff3: ambiguous contig name: it matches chrM and MT (value 'M')",
        3,
        {"ring.fa": RING, "genes.gff3": _cds("M", 1, 30, "+", "ID=a")},
    ),
    Case(
        "genes: all of another genome build",
        f"complete {MODEL} genes.gff3 out.tsv --genome genome.fa",
        "genes.gff3:1: none of the 2 features can be used: an end beyond its contig (1), a contig that the genome does not have (1); this is the first (value 'a')",
        3,
        {"genes.gff3": _cds("chr2", 1_001, 1_090, "+", "ID=a") + _cds("chr3", 1, 90, "+", "ID=b")},
    ),
    Case(
        "genes: a strand that no format knows",
        f"{EXPERTS} --genes odd.gtf",
        "odd.gtf:1: a GTF strand must be +, -, . or ? (value '*')",
        3,
        {"odd.gtf": _exon("chr1", 1, 9, "*", 'gene_id "a"; transcript_id "t";')},
    ),
    Case(
        "genome: cut off after it was indexed",
        f"score {MODEL} regions.bed out.parquet --genome genome.fa --length 50",
        "genome.fa: the file ends before the last base of chr2: the file is truncated, or its index genome.fa.fai belongs to another file; download the file again, or delete the index",
        3,
        make=_cut,
    ),
    Case(
        "genome: a byte order mark in a bgzip file",
        f"score {MODEL} a.bed out.parquet --genome marked.fa.gz",
        "marked.fa.gz: a byte order mark is not supported in an indexed bgzip file; remove it: bgzip -dc marked.fa.gz | sed '1s/^\\xEF\\xBB\\xBF//' | bgzip > NEW_FILE",
        3,
        {"a.bed": "a\t0\t4\n"},
        make=lambda folder: _bgzip(folder / "marked.fa.gz", b"\xef\xbb\xbf>a\nACGT\n"),
    ),
    Case(
        "GTF: a Git LFS pointer",
        f"{EXPERTS} --genes genes.gtf",
        "genes.gtf: the file is a Git LFS pointer, not the data; run git lfs pull, or download the file again",
        3,
        {"genes.gtf": POINTER},
    ),
    Case(
        "recipe: a Git LFS pointer",
        BUILD,
        "corpus.yaml: the file is a Git LFS pointer, not the data; run git lfs pull, or download the file again",
        3,
        {"corpus.yaml": POINTER},
    ),
    Case(
        "FASTA: a web page",
        f"score {MODEL} page.fa out.parquet",
        "page.fa: the file is a web page (HTML or XML), not data: the download failed or the link leads to a page",
        3,
        {"page.fa": "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>\n"},
    ),
    Case(
        "FASTA: compressed with zstd",
        f"score {MODEL} reads.fa out.parquet",
        "reads.fa: zstd compression is not supported (plain, gzip and bgzip are); decompress it with zstd -d",
        3,
        {"reads.fa": b"\x28\xb5\x2f\xfd\x04\x00\x59\x00\x00"},
    ),
    Case(
        "BED: UTF-16",
        f"score {MODEL} bad.bed out.parquet --genome genome.fa",
        "bad.bed: the text is UTF-16; convert it to UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW_FILE",
        3,
        {"bad.bed": "chr1\t0\t50\n".encode("utf-16")},
    ),
    Case(
        "VCF: line ends of old Macs",
        f"variants {MODEL} calls.vcf out.vcf --genome genome.fa",
        "calls.vcf: lines end in carriage returns only (old Mac); convert the file: tr '\\r' '\\n' < FILE > NEW_FILE",
        3,
        {"calls.vcf": b"##fileformat=VCFv4.2\r#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\r"},
    ),
)


def _bgzip(path: Path, text: bytes) -> None:
    import pysam

    with pysam.BGZFile(str(path), "wb", None) as file:
        file.write(text)
