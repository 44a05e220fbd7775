import gzip
from functools import partial
from pathlib import Path

import pytest

from genolm.errors import InputError
from genolm.genome.records import FlatRecord, read_fasta, read_fastq
from genolm.genome.sequence import upper_dna

CLEAN = partial(upper_dna, iupac="N")


def read(tmp_path: Path, reader, text: str, name="a.fa"):
    path = tmp_path / name
    path.write_text(text, newline="")
    return list(reader(path, CLEAN))


def test_fasta(tmp_path):
    text = "\n>one first sequence\r\nACgt\r\nRY\r\n\r\nA\r\n>two\r\nTT\r\n"
    assert read(tmp_path, read_fasta, text) == [
        FlatRecord("one", "ACGTNNA", 2, "first sequence"),
        FlatRecord("two", "TT", 7),
    ]


def test_compressed_fasta(tmp_path):
    path = tmp_path / "a.fa.gz"
    path.write_bytes(gzip.compress(b">a\nAC\n"))
    assert list(read_fasta(path, CLEAN)) == [FlatRecord("a", "AC", 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.fa: the FASTA file is empty"),
        ("ACGT\n>a\nAC\n", "a.fa:1: not FASTA: a record must start with '>'"),
        (">\nAC\n", "a.fa:1: the record has no name"),
        (">", "a.fa:1: the record has no name"),
        (">a\nAC\n>b\n\n>c\nAC\n", r"a.fa:3: the record has no sequence \(value 'b'\)"),
        (">a\nAC\n>b\nAC\n>a\nAC\n", r"a.fa:5: duplicate record name \(first in line 1\) \(value 'a'\)"),
        (">a\nACGT\n\nACG\nAC-T\n", r"a.fa:5: not a base at position 10 of the sequence \(value '-'\)"),
        (">p\nMKV\nLEE\n", r"a.fa:3: not a base at position 4 .*\(value 'L'\)"),
        (">a\nAUG\n", "a.fa:2: .*write T for U"),
    ],
)
def test_bad_fasta(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, read_fasta, text)


def test_fastq(tmp_path):
    text = "@r1 x\nACGT\n+\n@III\n@r1\r\nNNa\r\n+r1\r\n>>>\r\n\r\n"
    assert read(tmp_path, read_fastq, text, "a.fq") == [FlatRecord("r1", "ACGT", 1), FlatRecord("r1", "NNA", 5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.fq: the FASTQ file is empty"),
        (">a\nAC\n", "a.fq:1: not FASTQ: a record must start with '@'"),
        ("@r\nACGT\n+\n", "a.fq:1: the last record is truncated"),
        ("@r\nACGT\nACGT\nIIII\n", r"a.fq:3: the third line of a record must start with '\+' \(value 'ACGT'\)"),
        ("@r\nACGT\n+\nIII\n", "a.fq:4: 3 qualities for 4 bases"),
        ("@\nACGT\n+\nIIII\n", "a.fq:1: the record has no name"),
        ("@r\n\n+\n\n", "a.fq:1: the record has no sequence"),
        ("@q\nA\n+\nI\n@r\nAC.T\n+\nIIII\n", r"a.fq:6: not a base at position 3 .*\(value '.'\)"),
    ],
)
def test_bad_fastq(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, read_fastq, text, "a.fq")
