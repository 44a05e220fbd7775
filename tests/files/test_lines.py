import gzip
import io
import os
import sys
from pathlib import Path

import pysam
import pytest

from genolm.errors import InputError
from genolm.files.lines import byte_lines, check_whole, compression, locate_errors, text_lines
from genolm.genome.formats import file_format, uncompressed_suffix

TEXT = b"one\r\ntwo\n\nfour"
EXPECTED = [(1, "one"), (2, "two"), (3, ""), (4, "four")]


def bgzip(path: Path, data: bytes) -> Path:
    with pysam.BGZFile(str(path), "wb", None) as file:
        file.write(data)
    return path


def test_plain_gzip_and_bgzip_read_alike(tmp_path):
    plain, packed = tmp_path / "a.txt", tmp_path / "b.txt"
    plain.write_bytes(TEXT)
    packed.write_bytes(gzip.compress(TEXT[:5]) + gzip.compress(TEXT[5:]))
    blocks = bgzip(tmp_path / "c.txt", TEXT)
    assert [compression(path) for path in (plain, packed, blocks)] == ["plain", "gzip", "bgzip"]
    assert list(text_lines(plain)) == list(text_lines(packed)) == list(text_lines(blocks)) == EXPECTED


def test_standard_input(monkeypatch):
    for data in (TEXT, gzip.compress(TEXT)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))
        assert list(text_lines(Path("-"))) == EXPECTED


def test_byte_order_mark(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\ntwo\n")
    assert list(text_lines(path)) == [(1, "one"), (2, "two")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"good\nb\xe9d\n", r"a\.txt:2: not UTF-8 text \(value b'\\xe9d'\)"),
        (b"good\nb\0d\n", r"a\.txt:2: not a text file: the line contains a zero byte"),
        (gzip.compress(b"line\n" * 1000)[:-20], r"a\.txt: the compressed file is truncated"),
        (gzip.compress(b"line\n" * 9)[:-8] + b"\0" * 8, r"a\.txt: the compressed file is damaged: CRC"),
        (b"\x1f\x8b\x07nonsense" + b"\0" * 20, r"a\.txt: the compressed file is damaged"),
    ],
    ids=["latin", "zero", "cut", "checksum", "nonsense"],
)
def test_damaged_files(tmp_path, data, message):
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        list(text_lines(path))


def test_a_cut_tells_how_many_lines_were_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(gzip.compress(os.urandom(400_000).hex("\n", 40).encode())[:-20])
    with pytest.raises(InputError, match=r"a\.txt:\d{4}: the compressed file is truncated; download it again"):
        list(text_lines(path))


def test_bgzip_cut_between_blocks(tmp_path):
    path = bgzip(tmp_path / "a.txt", TEXT)
    check_whole(path)
    path.write_bytes(path.read_bytes()[:-28])
    with pytest.raises(InputError, match="the final bgzip block is missing"):
        list(byte_lines(path))


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match=r"a\.txt: no such file"):
        list(byte_lines(tmp_path / "a.txt"))
    with pytest.raises(InputError, match="test_files_that_are_not_there0: expected a file, found a folder"):
        list(byte_lines(tmp_path))


def test_a_permission_is_missing(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="permission denied"):
        compression(tmp_path / "a.txt")


def test_placed_keeps_message_and_value():
    with pytest.raises(InputError, match=r"^table\.tsv:7: wrong \(value 'x'\)$"), locate_errors("table.tsv", 7):
        raise InputError("wrong", file="genome.fa", value="x")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.FA", "fasta"), ("a.fna.gz", "fasta"), ("-", "fasta"), ("a.fq.gz", "fastq"), ("a.b.bed", "bed"),
        ("a.vcf.bgz", "vcf"), ("a.bcf", "vcf"), ("a.v1.tsv.gz", "table"), ("a.csv", "table"), ("a.parquet", "parquet"),
    ],
)  # fmt: skip
def test_formats(name, expected):
    assert file_format(Path(name)) == expected


@pytest.mark.parametrize("name", ["a", "a.gz", "a.docx", "a.gtf.gz"])
def test_unknown_formats(name):
    with pytest.raises(InputError, match=r"unknown file format; expected \.fa,"):
        file_format(Path(name))


def test_suffix_below_compression():
    assert uncompressed_suffix(Path("x.y.VCF.GZ")) == ".vcf" and uncompressed_suffix(Path("x.gz")) == ""
