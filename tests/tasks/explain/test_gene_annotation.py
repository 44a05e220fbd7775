"""What genes say about bases, and where they are drawn."""

import gzip
import os
import re
from pathlib import Path

import numpy as np
import pytest

from genolm.errors import InputError
from genolm.genome.annotation.genes import Transcript, write_gtf
from genolm.genome.interval import Interval
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.explain.gene_annotation import REGION_TYPES, Annotation, read_annotation
from genolm.tasks.explain.region_drawing import Region, gene_rows
from genolm.tasks.explain.region_task import settle_regions


def transcript(name: str, exons: tuple[tuple[int, int], ...], coding: tuple[int, int] | None, strand: str = "+"):
    parts = tuple(Interval("chr1", start, end, strand) for start, end in exons)
    return Transcript(name, name, parts, None if coding is None else Interval("chr1", *coding, strand))


CODING = transcript("C", ((10, 20), (30, 40)), (15, 35))
NONCODING = transcript("N", ((18, 24),), None, "-")
ANNOTATION = Annotation({"chr1": [CODING, NONCODING]})


def types_of(strand: str) -> list[str]:
    record = SequenceRecord("r", "A" * 45, Interval("chr1", 0, 45, strand))
    return [REGION_TYPES[kind] for kind in ANNOTATION.region_types(record)]


def test_every_base_has_its_strongest_type() -> None:
    expected = ["intergenic"] * 10 + ["UTR"] * 5 + ["coding exon"] * 5 + ["exon"] * 4 + ["intron"] * 6
    expected += ["coding exon"] * 5 + ["UTR"] * 5 + ["intergenic"] * 5
    assert types_of("+") == expected
    assert types_of("-") == expected[::-1]


def test_contigs_are_named_as_the_genome_names_them(tmp_path: Path) -> None:
    fasta = tmp_path / "g.fa"
    fasta.write_text(f">1\n{'ACGT' * 20}\n")
    genes = write_gtf(tmp_path / "g.gtf", [CODING])
    found = read_annotation(genes, settle_regions("1:1-40", genome=fasta))
    assert list(found.transcripts) == ["1"]
    assert [gene.name for gene in found.genes("1", 0, 12)] == ["C"]
    assert found.genes("1", 40, 60) == []
    with pytest.raises(InputError, match=r"x\.bed: unsupported annotation format; expected .gtf"):
        read_annotation(tmp_path / "x.bed", settle_regions("1:1-40", genome=fasta))


def test_an_annotation_that_changed_is_read_again(tmp_path: Path) -> None:
    """Same size and same modification time: a copy that keeps times must not bring the old genes back."""
    fasta, genes = tmp_path / "g.fa", tmp_path / "g.gtf"
    fasta.write_text(f">chr1\n{'ACGT' * 20}\n")
    for start in (10, 20):
        write_gtf(genes, [transcript("C", ((start, start + 5),), None)])
        os.utime(genes, (1_000, 1_000))
        (found,) = read_annotation(genes, settle_regions("chr1:1-40", genome=fasta)).transcripts["chr1"]
        assert found.interval.start == start


def test_a_contig_that_could_be_two_of_the_genome_is_refused(tmp_path: Path) -> None:
    fasta = tmp_path / "g.fa"
    fasta.write_text(">1\nACGT\n>CHR1\nACGT\n")
    genes = write_gtf(tmp_path / "g.gtf", [CODING])
    with pytest.raises(InputError, match=r"g\.gtf: ambiguous contig name: it matches 1 and CHR1 \(value 'chr1'\)"):
        read_annotation(genes, settle_regions("1:1-4", genome=fasta))


def test_genes_share_a_row_where_they_do_not_meet() -> None:
    far = transcript("F", ((900, 950),), None)
    genes = Annotation({"chr1": [CODING, NONCODING, far]}).genes("chr1", 0, 1000)
    rows = gene_rows(genes, Region("chr1", 0, 1000), 10.0)
    assert [[gene.name for gene in row] for row in rows] == [["C", "F"], ["N"]]
    mirrored = gene_rows(genes, Region("chr1", 0, 1000), 10.0, mirrored=True)
    assert mirrored[0][0].name == "F"


@pytest.mark.data
def test_a_real_file_without_coding_lines(data_dir: Path) -> None:
    gtf = data_dir / "human/genes/gencode.v38.basic_chr22.gtf.gz"
    lines = [line.split("\t") for line in gzip.decompress(gtf.read_bytes()).decode().splitlines() if line[0] != "#"]
    assert not any(line[2] == "CDS" for line in lines)
    chrom, middle = lines[len(lines) // 2][0], int(lines[len(lines) // 2][3])
    start, end = middle - 5_000, middle + 5_000
    inside = [line for line in lines if line[0] == chrom and int(line[3]) <= end and int(line[4]) > start]
    source = settle_regions(f"{chrom}:{start + 1}-{end}", genome=data_dir / "human/GRCh38.slices.fa.gz")
    found = read_annotation(gtf, source)
    names = {re.search('gene_name "([^"]+)"', line[8]).group(1) for line in inside if line[2] == "transcript"}
    assert {gene.name for gene in found.genes(chrom, start, end)} == names
    exonic = np.zeros(end - start, bool)
    for line in inside:
        if line[2] == "exon":
            exonic[max(0, int(line[3]) - 1 - start) : int(line[4]) - start] = True
    kinds = found.region_types(next(source.read()))
    assert np.array_equal(kinds == REGION_TYPES.index("exon"), exonic)
