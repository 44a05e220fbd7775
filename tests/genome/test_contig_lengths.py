"""Files that say other lengths of contigs than the genome they are read with."""

from pathlib import Path

import numpy as np
import pytest
from tests.noted import no_notes, noted

from genolm.genome.bigwig import write_bedgraph, write_bigwig
from genolm.genome.contig_lengths import contradiction, warn_of_lengths
from genolm.genome.fasta import Genome

BUILD = "is it another genome build, or a part of one?"


@pytest.fixture
def genome(tmp_path):
    (tmp_path / "g.fa").write_text(f">chr1\n{'ACGT' * 25}\n>chr2\n{'ACGT' * 10}\n>chrM\n{'ACGT' * 5}\n")
    return Genome(tmp_path / "g.fa")


def vcf(tmp_path, *lines):
    path = tmp_path / "in.vcf"
    path.write_text("\n".join(["##fileformat=VCFv4.2", *lines, "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]) + "\n")
    return path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("##contig=<ID=chr1,length=101>", "its header gives chr1 101 bases, and g.fa has 100"),
        ("##contig=<ID=1,assembly=b37,length=99>", "its header gives 1 99 bases, and g.fa has 100"),
        ('##contig=<length=7,ID=MT,note="a, b">', "its header gives MT 7 bases, and g.fa has 20"),
        ('##contig=<note="of ""b37,length=5,",ID=chr2,length=41>', "its header gives chr2 41 bases, and g.fa has 40"),
        ("##contig=<ID=chr1,length=100>", None),
        ("##contig=<ID=chr9,length=5>", None),
        ("##contig=<ID=chr1>", None),
        ("##contig=<ID=chr1,length=many>", None),
        ("##reference=<ID=chr1,length=1>", None),
    ],
)
def test_a_header_that_gives_another_length(genome, tmp_path, line, said):
    found = contradiction(vcf(tmp_path, line), genome)
    assert found == (None if said is None else f"{said}: {BUILD}")


def test_several_contigs_are_counted(genome, tmp_path):
    path = vcf(tmp_path, "##contig=<ID=chr1,length=100>", "##contig=<ID=2,length=1>", "##contig=<ID=MT,length=2>")
    assert contradiction(path, genome) == f"its header gives 2 1 bases, and g.fa has 40 (2 contigs differ): {BUILD}"


def test_a_bcf_is_looked_at_too(genome, tmp_path):
    import pysam

    plain = vcf(tmp_path, "##contig=<ID=chr1,length=900>")
    with pysam.VariantFile(str(plain)) as read, pysam.VariantFile(str(tmp_path / "in.bcf"), "wb", header=read.header):
        pass
    assert "chr1 900 bases, and g.fa has 100" in contradiction(tmp_path / "in.bcf", genome)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chr1\t90\t101\nchr2\t0\t40\n", "1 of 2 intervals end after the last base of their contig in g.fa"),
        ("1\t90\t150\nMT\t19\t21\n", "2 of 2 intervals end after the last base of their contig in g.fa"),
        ("chr1\t0\t100\n", None),
        ("chr7\t0\t100000\n", None),
        ("chr1\t200\t300\n", None),
        ("", None),
    ],
)
def test_a_bed_that_reaches_past_a_contig(genome, tmp_path, text, said):
    (tmp_path / "in.bed").write_text(text)
    assert contradiction(tmp_path / "in.bed", genome) == (None if said is None else f"{said}: {BUILD}")


def test_a_bigwig_of_another_build(genome, tmp_path):
    values = np.ones(10, np.float32)
    write_bigwig(tmp_path / "t.bw", {"chr1": 90}, [("chr1", 0, values)])
    assert contradiction(tmp_path / "t.bw", genome) == f"it gives chr1 90 bases, and g.fa has 100: {BUILD}"
    write_bigwig(tmp_path / "t.bw", {"chr1": 100}, [("chr1", 0, values)])
    assert contradiction(tmp_path / "t.bw", genome) is None


def test_files_without_lengths_say_nothing(genome, tmp_path):
    write_bedgraph(tmp_path / "t.bedgraph", {"chr1": 90}, [("chr1", 0, np.ones(10, np.float32))])
    assert contradiction(tmp_path / "t.bedgraph", genome) is None


def test_the_warning_names_the_file(genome, tmp_path):
    path = vcf(tmp_path, "##contig=<ID=chr2,length=41>")
    with noted(f"^{path}: its header gives chr2 41 bases, and g.fa has 40"):
        warn_of_lengths(path, genome.path)
    with no_notes():
        for nothing in (["ACGT"], None, "in.vcf"):
            warn_of_lengths(nothing, genome)
        warn_of_lengths(Path("absent.vcf"), None)
