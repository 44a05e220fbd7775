"""Transcripts out of GFF3, and the choice between it and GTF."""

import gzip
import re
from pathlib import Path

import pytest
from tests.noted import noted

from genolm.errors import InputError
from genolm.genome.annotation.genes import Transcript, write_gtf
from genolm.genome.annotation.gff3 import read_genes, read_gff3
from genolm.genome.interval import Interval

HEAD = "##gff-version 3\n"
GENE = (
    "7\t.\tgene\t101\t400\t.\t-\t.\tID=gene:G1;Name=ABC%3B7\n"
    "7\t.\tmRNA\t101\t400\t.\t-\t.\tID=transcript:T1;Parent=gene:G1;Name=ABC-001\n"
    "7\t.\tCDS\t150\t200\t.\t-\t0\tID=CDS:P;Parent=transcript:T1\n"
    "7\t.\texon\t301\t400\t.\t-\t.\tParent=transcript:T1\n"
    "7\t.\texon\t101\t200\t.\t-\t.\tParent=transcript:T1,transcript:T2\n"
)


def test_exons_find_their_transcript_and_gene(tmp_path: Path) -> None:
    path = tmp_path / "a.gff3"
    path.write_text(HEAD + GENE)
    one, two = read_gff3(path)
    assert (one.id, one.gene, one.symbol) == ("T1", "G1", "ABC;7")
    assert one.exons == (Interval("7", 100, 200, "-"), Interval("7", 300, 400, "-"))
    assert one.coding == Interval("7", 149, 200, "-")
    assert (two.id, two.gene, two.symbol, len(two.exons)) == ("T2", "T2", "", 1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("7\t.\texon\t1\t5\t.\t+\n", r"a\.gff3:2: a GFF3 line must have 9 columns, found 7"),
        ("7\t.\texon\tx\t5\t.\t+\t.\tParent=t\n", r"a\.gff3:2: a GFF3 position must be a whole number"),
        ("7\t.\texon\t9\t5\t.\t+\t.\tParent=t\n", r"a\.gff3:2: a GFF3 feature must have 1 <= start <= end"),
        (
            "7\t.\texon\t1\t5\t.\t+\t.\tID=e\n",
            r"a\.gff3:2: the only feature cannot be used: an exon without Parent \(value 'ID=e",
        ),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.gff3"
    path.write_text(HEAD + line)
    with pytest.raises(InputError, match=message):
        list(read_gff3(path))


def test_the_ending_says_which_format(tmp_path: Path) -> None:
    transcript = Transcript("T1", "G1", (Interval("7", 100, 200, "-"),))
    assert list(read_genes(write_gtf(tmp_path / "a.gtf", [transcript]))) == [transcript]
    (tmp_path / "b.gff").write_text(HEAD + GENE)
    assert [one.id for one in read_genes(tmp_path / "b.gff")] == ["T1", "T2"]
    with pytest.raises(
        InputError,
        match=r"c\.bed: unsupported annotation format; expected \.gtf, \.gff3 or \.gff, optionally with \.gz",
    ):
        read_genes(tmp_path / "c.bed")


@pytest.mark.data
def test_a_real_file(data_dir: Path) -> None:
    transcripts = list(read_genes(data_dir / "human/genes/ensembl86_chr7.gff3.gz"))
    text = gzip.decompress((data_dir / "human/genes/ensembl86_chr7.gff3.gz").read_bytes()).decode()
    symbols = dict(re.findall(r"ID=gene:([^;\n]+);Name=([^;\n]+)", text))
    assert all(symbols.get(one.gene, one.symbol) == one.symbol for one in transcripts)
    coding = {one.id for one in transcripts if one.coding}
    assert coding == set(re.findall(r"\tCDS\t.*Parent=transcript:([^;\n]+)", text))


def written(path: Path, *rows: tuple[str, ...]) -> Path:
    path.write_text(
        HEAD + "".join("\t".join((row[0], ".", *row[1:4], ".", row[4], ".", row[5])) + "\n" for row in rows)
    )
    return path


def test_a_cds_without_parent_is_a_transcript_of_its_own(tmp_path: Path) -> None:
    rows = [("c", "CDS", "11", "40", "-", "ID=1_1;Name=dnaA"), ("c", "CDS", "51", "60", "-", "ID=1_1")]
    path = written(tmp_path / "a.gff3", *rows, ("c", "CDS", "71", "90", "+", "note=nameless"))
    one, two = read_gff3(path)
    assert (one.id, one.symbol, [str(exon) for exon in one.exons]) == ("1_1", "dnaA", ["c:11-40:-", "c:51-60:-"])
    assert (two.id, two.coding) == ("line 4", two.exons[0])


def test_a_transcript_over_the_origin_of_a_ring_is_two(tmp_path: Path) -> None:
    ring = ("c", "region", "1", "100", "+", "ID=c:1..100;Is_circular=true")
    rows = [("c", "exon", "71", "80", "+", "Parent=t"), ("c", "exon", "91", "105", "+", "Parent=t")]
    rows += [("c", "exon", "111", "120", "+", "Parent=t"), ("c", "CDS", "96", "112", "+", "Parent=t")]
    before, behind = read_gff3(written(tmp_path / "a.gff3", ring, *rows))
    assert [str(exon) for exon in before.exons] == ["c:71-80", "c:91-100"] and str(before.coding) == "c:96-100"
    assert [str(exon) for exon in behind.exons] == ["c:1-5", "c:11-20"] and str(behind.coding) == "c:1-12"


def test_escaped_names_and_sequence_without_its_directive(tmp_path: Path) -> None:
    rows = [
        ("a%7Cb", "mRNA", "1", "9", "+", "ID=t%2C1;Parent=g%3B1"),
        ("a%7Cb", "exon", "1", "9", "+", "Parent=t%2C1,u"),
    ]
    path = written(tmp_path / "a.gff3", *rows)
    path.write_text(path.read_text() + ">a|b\nACGTACGT\n")
    assert [(one.id, one.gene, one.interval.chrom) for one in read_gff3(path)] == [
        ("t,1", "g;1", "a|b"),
        ("u", "u", "a|b"),
    ]


def test_one_odd_transcript_does_not_spoil_a_gff3(tmp_path: Path) -> None:
    rows = [("c", "exon", "11", "50", "?", "Parent=t1"), ("c", "exon", "61", "70", "+", "Parent=t2")]
    path = written(tmp_path / "a.gff3", *rows, ("c", "exon", "81", "90", "+", "ID=lonely"))
    with noted(r"a\.gff3:4: skipped 2 features: an exon without Parent \(1\), "):
        assert [one.id for one in read_gff3(path)] == ["t2"]
