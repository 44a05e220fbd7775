"""Genes out of GFF3, GTF, GenBank and EMBL: which are coding, their parts, their contigs."""

import gzip
import re
import subprocess
import sys

import pytest
from tests.noted import noted

from genolm.errors import InputError
from genolm.genome.annotation.gene_map import CodingGene, read_gene_map
from genolm.genome.interval import Interval

GFF3 = """##gff-version 3
c.1\tx\tregion\t1\t900\t.\t+\t.\tID=c
c.1\tx\tgene\t11\t100\t.\t+\t.\tID=gene-a;locus_tag=A_1
c.1\tx\tCDS\t11\t40\t.\t+\t0\tID=cds-a;Parent=gene-a;locus_tag=A_1
c.1\tx\tCDS\t61\t100\t.\t+\t0\tID=cds-a;Parent=gene-a;locus_tag=A_1
c.1\tx\ttRNA\t201\t270\t.\t?\t.\tID=rna
c.1\tx\tCDS\t301\t390\t.\t-\t0\tID=cds-p;locus_tag=P%2F1;pseudo=true
d\tProdigal\tCDS\t5\t10\t9.1\t-\t0\tgene=only
##FASTA
>c.1
ACGT
"""
GTF = """c.1\tx\texon\t1\t40\t.\t+\t.\tgene_id "g"; transcript_id "t1";
c.1\tx\tCDS\t11\t40\t.\t+\t0\tgene_id "g"; transcript_id "t1";
c.1\tx\tCDS\t61\t100\t.\t+\t0\tgene_id "g"; transcript_id "t1";
"""
GENBANK = """LOCUS       c                        120 bp    DNA     circular BCT 01-JAN-2020
DEFINITION  .
ACCESSION   c
VERSION     c.1
FEATURES             Location/Qualifiers
     source          1..120
     gene            11..40
                     /locus_tag="A_1"
     CDS             join(11..20,31..40)
                     /locus_tag="A_1"
     CDS             complement(<51..60)
                     /gene="b"
     CDS             70..75
                     /locus_tag="P"
                     /pseudo
     tRNA            80..90
     CDS             join(112..120,1..3)
                     /locus_tag="O"
     CDS             join(95..99,other.1:3..9)
                     /locus_tag="F"
ORIGIN
        1 acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt
       61 acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt
//
"""
EMBL = """ID   c; SV 1; linear; genomic DNA; STD; PRO; 60 BP.
XX
AC   c;
XX
FH   Key             Location/Qualifiers
FT   CDS             complement(11..40)
FT                   /locus_tag="A_1"
XX
SQ   Sequence 60 BP;
     acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt acgtacgtac gtacgtacgt        60
//
"""


@pytest.fixture
def written(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


def coding(*parts, name, chrom="c.1", strand="+"):
    return CodingGene(name, tuple(Interval(chrom, start, end, strand) for start, end in parts))


@pytest.mark.parametrize("name", ["a.gff3", "a.gff.gz"])
def test_gff3(written, name):
    genes = read_gene_map(written(name, GFF3))
    assert genes.coding == (
        coding((10, 40), (60, 100), name="A_1"),
        coding((4, 10), name="only", chrom="d", strand="-"),
    )
    assert [(one.chrom, one.start, one.end) for one in genes.genic] == [
        ("c.1", 10, 100), ("c.1", 10, 40), ("c.1", 60, 100), ("c.1", 200, 270), ("c.1", 300, 390), ("d", 4, 10)
    ]  # fmt: skip


def test_gtf(written):
    genes = read_gene_map(written("a.gtf", GTF))
    assert genes.coding == (coding((10, 40), (60, 100), name="t1"),)
    assert len(genes.genic) == 3


@pytest.mark.parametrize("name", ["a.gbk", "a.gbff.gz"])
def test_genbank(written, name):
    genes = read_gene_map(written(name, GENBANK))
    assert genes.coding == (
        coding((10, 20), (30, 40), name="A_1"),
        coding((50, 60), name="b", strand="-"),
        coding((0, 3), (111, 120), name="O"),
        coding((94, 99), name="F"),
    )
    assert ("c.1", 79, 90) in [(one.chrom, one.start, one.end) for one in genes.genic]
    assert ("c.1", 69, 75) in [(one.chrom, one.start, one.end) for one in genes.genic]
    assert max(len(one) for one in genes.genic) == 30  # the source is none


def test_embl(written):
    assert read_gene_map(written("a.embl", EMBL)).coding == (coding((10, 40), name="A_1", strand="-"),)


def test_the_contigs_of_the_genome_give_the_names(written):
    genes = read_gene_map(written("a.gff3", GFF3))
    on = genes.on({"c": 900, "d": 100, "e": 5})
    assert [gene.interval.chrom for gene in on.coding] == ["c", "d"]
    assert {one.chrom for one in on.genic} == {"c", "d"}
    assert [gene.id for gene in genes.on({"d": 100}).coding] == ["only"]
    # An own name goes before another version of it; two other versions could both be meant.
    assert genes.on({"c.2": 900, "c.1": 900}).coding[0].interval.chrom == "c.1"
    assert [gene.id for gene in genes.on({"c.2": 900, "c.3": 900, "d": 100}).coding] == ["only"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.bed", "c\t1\t2\n", r"unsupported annotation format; expected \.gff3, \.gff, \.gtf, \.gbk"),
        ("a.gff3", "c\tx\tCDS\t1\n", r"a\.gff3:1: a GFF3 line must have 9 columns, found 4"),
        ("a.gff3", "\nc\tx\tCDS\tone\t9\t.\t+\t0\tID=a\n", r"a\.gff3:2: a GFF3 position must be a whole number"),
        (
            "a.gff3",
            "c\tx\tCDS\t1\t9\t.\t.\t0\tID=a\n",
            r"a\.gff3:1: the only feature cannot be used: a coding feature without a strand \(value 'a'\)",
        ),
        ("a.gbk", "", r"a\.gbk: the file contains no GenBank record"),
        ("a.gbk", ">c\nACGT\n", r"a\.gbk: the file contains no GenBank record"),
        ("a.gbk", GENBANK.partition("                     /pseudo")[0], r"a\.gbk:14: the last record is truncated"),
        ("a.gbk", GENBANK.removesuffix("//\n"), r"a\.gbk:23: the last record is truncated: it has no line //"),
        (
            "a.gbk",
            GENBANK.replace("ORIGIN", "//"),
            r"a\.gbk:21: invalid GenBank record: Premature end of feat",
        ),
        ("a.embl", GFF3, r"a\.embl: the file contains no EMBL record"),
    ],
)
def test_what_cannot_be_read(written, name, text, message):
    with pytest.raises(InputError, match=message):
        read_gene_map(written(name, text))


def test_contigs_have_the_names_that_a_genome_resolves(written):
    text = "".join(f"{chrom}\tx\tCDS\t1\t9\t.\t+\t0\tID={chrom}\n" for chrom in ("1", "MT", "chr2"))
    genes = read_gene_map(written("a.gff3", text))
    assert [str(gene.interval) for gene in genes.on({"chr1": 9, "chrM": 9, "2": 9}).coding] == [
        "chr1:1-9",
        "chrM:1-9",
        "2:1-9",
    ]
    with pytest.raises(InputError, match=r"a\.gff3: ambiguous contig name: it matches chrM and M \(value 'MT'\)"):
        genes.on({"chrM": 9, "M": 9})


def test_one_gene_of_unknown_strand_does_not_spoil_a_file(written):
    path = written("a.gff3", GFF3.replace("5\t10\t9.1\t-", "5\t10\t9.1\t?"))
    with noted(r"a\.gff3:8: skipped 1 feature: a coding feature without a strand .*'only'"):
        genes = read_gene_map(path)
    assert [gene.id for gene in genes.coding] == ["A_1"]
    assert ("d", 4, 10) in [(one.chrom, one.start, one.end) for one in genes.genic]


def test_a_gene_over_the_origin_of_a_ring_and_one_listed_twice(written):
    text = (
        GFF3.replace("ID=c\n", "ID=c;Is_circular=true\n").replace("61\t100", "891\t910").replace("11\t40", "891\t910")
    )
    on = read_gene_map(written("a.gff3", text)).on({"c.1": 900, "d": 99})
    assert on.coding[0] == coding((0, 10), (890, 900), name="A_1")
    assert max(one.end for one in on.genic) == 900


def test_semicolons_in_quotes_end_no_attribute(written):
    text = GTF.replace('gene_id "g"', 'note "one; transcript_id \'x\'; gene_id"; gene_id "g"')
    assert read_gene_map(written("a.gtf", text)).coding == (coding((10, 40), (60, 100), name="t1"),)


@pytest.mark.parametrize("location", ["70..?", "somewhere", "70^71"])
def test_a_feature_at_a_location_that_is_not_read_is_left_out(written, location):
    path = written("a.gbk", GENBANK.replace("11..20,31..40", "12..20,31..40").replace("complement(<51..60)", location))
    with noted(rf"a\.gbk:11: skipped 1 feature: an unsupported location .*{re.escape(repr(location))}"):
        genes = read_gene_map(path)
    assert [gene.id for gene in genes.coding] == ["A_1", "O", "F"]


def test_genes_of_another_genome(written):
    genes = read_gene_map(written("a.gff3", GFF3))
    with pytest.raises(InputError, match=r"a\.gff3: no coding gene is on a contig of the genome"):
        genes.on({"x": 100})
    with pytest.raises(
        InputError,
        match=r"a\.gff3:4: the gene starts beyond the end of its contig \(8 bases\): the annotation belongs to",
    ):
        genes.on({"c.1": 8})
    assert genes.on({"c.1": 50}).coding  # one over the end may be of a circle


def test_genbank_without_biopython(written):
    path = written("a.gbk", GENBANK)
    statements = "import sys; sys.modules['Bio'] = None; from genolm.genome.annotation.gene_map import read_gene_map"
    program = f"{statements}; read_gene_map(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60)
    assert "reading GenBank and EMBL files requires biopython, which is not installed; pip install" in done.stderr


@pytest.mark.data
def test_annotations_of_gene_clusters(data_dir):
    """Every CDS that is none of a pseudogene, on the record that it stands in."""
    files = sorted((data_dir / "bacteria" / "bgc").glob("*.gbk.gz"))
    assert files
    for path in files:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        keys = [line[5:21].strip() for line in lines if line.startswith("     ") and line[5:6].strip()]
        assert len(read_gene_map(path).coding) == keys.count("CDS") - len(pseudo_cds(lines))


def pseudo_cds(lines):
    """The CDS features of a flat file that are marked as pseudogenes."""
    found, inside = set(), None
    for number, line in enumerate(lines):
        if line.startswith("     ") and line[5:6].strip():
            inside = number if line[5:21].strip() == "CDS" else None
        if inside is not None and line.strip().startswith("/pseudo"):
            found.add(inside)
    return found
