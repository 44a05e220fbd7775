"""Files that are something else than their names promise are recognised by every reader."""

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from genolm.errors import InputError
from genolm.genome.annotation.gff3 import read_genes
from genolm.genome.bed import read_bed
from genolm.genome.bigwig import read_bedgraph, read_bigwig
from genolm.genome.fasta import Genome
from genolm.genome.flat_files import read_flat_file
from genolm.genome.interval import Interval
from genolm.genome.records import read_fasta, read_fastq
from genolm.genome.sequence import upper_dna
from genolm.genome.tabular import read_table
from genolm.genome.vcf.vcf_records import read_variants
from genolm.training.recipe_file import read_mapping

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
KINDS = {
    "pointer": (POINTER, r"the file is a Git LFS pointer, not the data; run git lfs pull, or download the file again"),
    "page": (b"<!DOCTYPE html>\n<html><body>404</body></html>\n", r"the file is a web page \(HTML or XML\), not data"),
    "listing": (
        b"\n  <HTML>\n",
        r"the file is a web page \(HTML or XML\), not data: the download failed or the link leads to a page",
    ),
    "xml": (
        b"\xef\xbb\xbf<?xml version='1.0'?><Error/>",
        r"the file is a web page \(HTML or XML\), not data: the download failed or the link leads to a page",
    ),
    "zip": (
        b"PK\x03\x04" + bytes(30),
        r"zip compression is not supported \(plain, gzip and bgzip are\); decompress it with unzip",
    ),
    "zstd": (
        b"\x28\xb5\x2f\xfd" + bytes(30),
        r"zstd compression is not supported \(plain, gzip and bgzip are\); decompress it with zstd -d",
    ),
    "bzip2": (
        bz2.compress(b">a\nACGT\n"),
        r"bzip2 compression is not supported \(plain, gzip and bgzip are\); decompress it with bunzip2",
    ),
    "xz": (
        lzma.compress(b">a\nACGT\n"),
        r"xz compression is not supported \(plain, gzip and bgzip are\); decompress it with unxz",
    ),
    "UTF-16": (">a\nACGT\n".encode("utf-16"), "the text is UTF-16; convert it to UTF-8: iconv -f UTF-16 -t UTF-8"),
    "UTF-16BE": (
        b"\xfe\xff" + ">a\nACGT\n".encode("utf-16-be"),
        "the text is UTF-16; convert it to UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW_FILE",
    ),
    "UTF-32": (
        ">a\nACGT\n".encode("utf-32"),
        "the text is UTF-32; convert it to UTF-8: iconv -f UTF-32 -t UTF-8 FILE > NEW_FILE",
    ),
    "old Mac": (b">a\rACGT\r", r"lines end in carriage returns only \(old Mac\); convert the file: tr"),
    "2bit": (b"\x43\x27\x41\x1a" + bytes(30), "the file is in 2bit format; convert it to FASTA with twoBitToFa"),
    "PDF": (b"%PDF-1.7\n", "the file is a PDF document, not data"),
}
READERS = {
    "a.fa": lambda path: list(read_fasta(path, upper_dna)),
    "genome.fa": Genome,
    "a.fq": lambda path: list(read_fastq(path, upper_dna)),
    "a.bed": lambda path: list(read_bed(path)),
    "a.vcf": lambda path: list(read_variants(path)),
    "a.gtf": lambda path: list(read_genes(path)),
    "a.gff3": lambda path: list(read_genes(path)),
    "a.gbk": lambda path: list(read_flat_file(path)),
    "a.tsv": read_table,
    "a.bedgraph": lambda path: list(read_bedgraph(path)),
    "a.yaml": read_mapping,
}


@pytest.mark.parametrize(("content", "message"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("name", READERS)
def test_every_reader_says_what_the_file_is(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: {message}"):
        READERS[name](path)


@pytest.mark.parametrize("kind", ["pointer", "page", "UTF-16", "old Mac"])
def test_what_is_inside_gzip_is_recognised_too(tmp_path: Path, kind: str) -> None:
    content, message = KINDS[kind]
    path = tmp_path / "a.gtf.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(InputError, match=message):
        list(read_genes(path))


@pytest.mark.parametrize(
    ("name", "kind"), [("a.bw", "pointer"), ("a.bw", "page"), ("a.parquet", "pointer"), ("a.bcf", "zip")]
)
def test_so_do_readers_of_binary_files(tmp_path: Path, name: str, kind: str) -> None:
    content, message = KINDS[kind]
    path = tmp_path / name
    path.write_bytes(content)
    readers = {
        "a.bw": lambda path: read_bigwig(path, Interval("c", 0, 1)),
        "a.parquet": read_table,
        "a.bcf": read_variants,
    }
    with pytest.raises(InputError, match=message):
        list(readers[name](path))


def test_carriage_returns_that_are_no_line_ends_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.fa"
    path.write_bytes(b">a\r")
    with pytest.raises(InputError, match="has no sequence"):
        list(read_fasta(path, upper_dna))
    path.write_bytes(b">a\r\r\nACGT\r\n")
    assert [one.sequence for one in read_fasta(path, upper_dna)] == ["ACGT"]


def test_concatenated_gzip_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.fa.gz"
    path.write_bytes(gzip.compress(b">a\nACGT\n") + gzip.compress(b">b\nGG\n"))
    assert [one.id for one in read_fasta(path, upper_dna)] == ["a", "b"]
