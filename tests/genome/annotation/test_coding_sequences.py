"""Coding sequences of every format, both strands, joined and cut; proteins by the code that the annotation names."""

import gzip
import random
import re

import pytest
from tests.noted import noted

from genolm import InputError
from genolm.genome.annotation.coding_sequences import read_coding, translate
from genolm.genome.flat_files import read_flat_file
from genolm.genome.sequence import reverse_complement

SOURCE = random.Random(4)
BASES = "".join(SOURCE.choices("ACGT", k=300))
# 1-based inclusive: forward 11..40; reverse 61..90; reverse of two parts; over the origin of a ring; cut at its start.
FEATURES = """     source          1..300
                     /organism="nobody"
     CDS             11..40
                     /gene="fwd"
                     /locus_tag="T_1"
                     /note="a /slash and ""quotes""
                     over two lines"
     CDS             complement(61..90)
                     /locus_tag="T_2"
                     /transl_table=4
     variation       101^102
                     /note="between two bases"
     CDS             complement(join(101..112,
                     121..129))
                     /locus_tag="T_3"
     CDS             join(complement(281..300),complement(1..10))
                     /protein_id="P_4"
     CDS             <2..40
                     /codon_start=3
                     /locus_tag="T_5"
     CDS             complement(201..230)
                     /locus_tag="T_6"
                     /pseudo
"""
EXPECTED = {
    "T_1": BASES[10:40],
    "T_2": reverse_complement(BASES[60:90]),
    "T_3": reverse_complement(BASES[100:112] + BASES[120:129]),
    "P_4": reverse_complement(BASES[280:300]) + reverse_complement(BASES[0:10]),
    "T_5": BASES[3:40],
    "T_6": reverse_complement(BASES[200:230]),
}


def genbank(features=FEATURES, bases=BASES):
    lines = [bases[start : start + 60].lower() for start in range(0, len(bases), 60)]
    numbered = [
        f"{60 * number + 1:>9} " + " ".join(line[at : at + 10] for at in range(0, 60, 10)).rstrip()
        for number, line in enumerate(lines)
    ]
    head = "LOCUS       TOY  300 bp DNA\nACCESSION   TOY\nVERSION     TOY.1\nCOMMENT     CDS             1..3\n"
    return f"{head}FEATURES             Location/Qualifiers\n{features}ORIGIN\n" + "\n".join(numbered) + "\n//\n"


def embl(features=FEATURES, bases=BASES):
    body = "".join(f"FT   {line[5:]}\n" for line in features.splitlines())
    lines = "".join(f"     {bases[at : at + 60].lower()} {at + 60:>9}\n" for at in range(0, len(bases), 60))
    head = "ID   TOY; SV 1; circular; DNA; STD; PRO; 300 BP.\nXX\nFH   Key\nFH\n"
    return f"{head}{body}XX\nSQ   Sequence 300 BP;\n{lines}//\n"


@pytest.mark.parametrize(("name", "text"), [("a.gbk", genbank()), ("a.embl", embl()), ("a.gb.gz", genbank())])
def test_flat_files(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    found = {one.id: one for one in read_coding(path)}
    assert {name: one.sequence for name, one in found.items()} == EXPECTED
    assert {name: one.code for name, one in found.items()} == {name: 4 if name == "T_2" else 11 for name in EXPECTED}
    assert [name for name, one in found.items() if not one.whole] == ["T_5", "T_6"]
    assert found["T_3"].place == "TOY.1:101-129(-)"


def test_gff3_and_gtf_with_their_genome(tmp_path):
    (tmp_path / "g.fa").write_text(f">c\n{BASES}\n")
    rows = [
        ("11", "40", "+", "0", "ID=cds-1;locus_tag=T_1;transl_table=11"),
        ("61", "90", "-", "0", "ID=cds-2;locus_tag=T_2;transl_table=4"),
        ("101", "112", "-", "0", "ID=cds-3;Parent=gene3;locus_tag=T_3"),
        ("121", "129", "-", "0", "ID=cds-3;Parent=gene3;locus_tag=T_3"),
        ("2", "40", "+", "2", "ID=cds-5;locus_tag=T_5;partial=true"),
        ("201", "230", "-", "0", "ID=cds-6;locus_tag=T_6;pseudo=true"),
    ]
    gff = "".join(f"c\tx\tCDS\t{a}\t{b}\t.\t{strand}\t{phase}\t{told}\n" for a, b, strand, phase, told in rows)
    (tmp_path / "g.gff").write_text("##gff-version 3\nc\tx\tgene\t1\t9\t.\t+\t.\tID=gene1\n" + gff + "##FASTA\n>c\nA\n")
    found = {one.id: one for one in read_coding(tmp_path / "g.gff", tmp_path / "g.fa")}
    assert {name: one.sequence for name, one in found.items()} == {k: v for k, v in EXPECTED.items() if k != "P_4"}
    assert [name for name, one in found.items() if not one.whole] == ["T_5", "T_6"]
    told = 'gene_id "g"; transcript_id "t";'
    lines = [("exon", 101, 112), ("exon", 121, 129), ("CDS", 104, 112), ("CDS", 121, 129), ("stop_codon", 101, 103)]
    gtf = "".join(f"c\tx\t{kind}\t{a}\t{b}\t.\t-\t.\t{told}\n" for kind, a, b in lines)
    (tmp_path / "g.gtf").write_text(gtf)
    (one,) = read_coding(tmp_path / "g.gtf", tmp_path / "g.fa")
    assert one.sequence == EXPECTED["T_3"]
    with pytest.raises(InputError, match=r"g\.gff: gene coordinates require the genome; pass genome=…"):
        list(read_coding(tmp_path / "g.gff"))


def test_a_fasta_of_genes_is_read_as_it_is(tmp_path):
    (tmp_path / "genes.fa").write_text(">one\natgtga\n>two\nATGNAA\n")
    assert [(one.id, one.sequence, one.code) for one in read_coding(tmp_path / "genes.fa", code=4)] == [
        ("one", "ATGTGA", 4),
        ("two", "ATGNAA", 4),
    ]


def test_proteins():
    assert translate("ATGGCNTGATAAGG") == "MX**"
    assert (translate("TGATAA", 4), translate("TGATAA", 25)) == ("W*", "G*")
    with pytest.raises(InputError, match=r"unknown genetic code; expected one of 1, 4, 11, 25 \(value 2\)"):
        translate("ATG", 2)


@pytest.mark.parametrize(
    ("text", "line", "message", "missing"),
    [
        (genbank().replace("11..40", "11^12"), 8, "an unsupported location (value '11^12')", "T_1"),
        (genbank().replace("11..40", "J001.1:11..40"), 8, "an unsupported location (value", "T_1"),
        (genbank().replace("11..40", "join(11..20,J001.1:1..9)"), 8, "an unsupported location", "T_1"),
        (genbank().replace("11..40", "(11.14)..40"), 8, "an unsupported location", "T_1"),
        (
            genbank().replace("300 bp DNA", "300 bp DNA circular").replace("11..40", "291..40"),
            8,
            "an unsupported location (value '291..40')",
            "T_1",
        ),
        (genbank().replace("codon_start=3", "codon_start=0"), 23, "a codon_start other than 1, 2 and 3", "T_5"),
        (genbank().replace("table=4", "table=x"), 13, "a transl_table that is not a number (value 'x')", "T_2"),
        (genbank().replace("11..40", "11..400"), 8, "an end beyond the bases of the record (value '11..400')", "T_1"),
    ],
)
def test_one_odd_feature_does_not_spoil_a_flat_file(tmp_path, text, line, message, missing):
    (tmp_path / "a.gbk").write_text(text)
    with noted(re.escape(f"a.gbk:{line}: skipped 1 feature: {message}")):
        found = {one.id: one.sequence for one in read_coding(tmp_path / "a.gbk")}
    assert found == {name: bases for name, bases in EXPECTED.items() if name != missing}


def test_a_flat_file_without_any_feature_that_can_be_used_is_refused(tmp_path):
    features = "".join(FEATURES.partition("     CDS             complement(61")[:1]).replace("11..40", "11..400")
    (tmp_path / "a.gbk").write_text(genbank(features))
    with pytest.raises(InputError, match=r"a\.gbk:8: the only feature cannot be used: an end beyond the bases"):
        list(read_coding(tmp_path / "a.gbk"))


def lines_of(*rows):
    return "".join(f"{contig}\tx\t{kind}\t{a}\t{b}\t.\t{s}\t{p}\t{told}\n" for contig, kind, a, b, s, p, told in rows)


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(f">chr1\n{BASES}\n>ring\n{BASES[::-1]}\n")
    return path


GOOD = ("chr1", "CDS", 11, 40, "+", "0", "ID=good;transl_table=11")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("chr1", "CDS", 61, 90, ".", "0", "ID=odd")], "a coding sequence without a strand"),
        ([("chr1", "CDS", 61, 90, "?", "0", "ID=odd")], "a coding sequence without a strand"),
        (
            [("chr1", "CDS", 61, 90, "+", "0", "ID=odd"), ("chr1", "CDS", 101, 130, "-", "0", "ID=odd")],
            "a coding sequence on both strands",
        ),
        ([("chr9", "CDS", 61, 90, "+", "0", "ID=odd")], "a contig that the genome does not have"),
        ([("chr1", "CDS", 281, 320, "+", "0", "ID=odd")], "an end beyond its contig"),
        ([("chr1", "CDS", 381, 420, "+", "0", "ID=odd")], "an end beyond its contig"),
        ([("chr1", "CDS", 61, 90, "+", "0", "ID=odd;transl_table=?")], "a transl_table that is not a number"),
    ],
)
def test_one_odd_coding_sequence_does_not_spoil_a_gff3(tmp_path, genome, rows, message):
    path = tmp_path / "a.gff3"
    path.write_text(lines_of(*rows, GOOD))
    with noted(rf"a\.gff3:1: skipped 1 feature: {message} \(value 'odd'\)"):
        assert [one.id for one in read_coding(path, genome)] == ["good"]
    path.write_text(lines_of(*rows))
    with pytest.raises(InputError, match=rf"a\.gff3:1: the only feature cannot be used: {message}"):
        list(read_coding(path, genome))


def test_a_coding_sequence_over_the_origin_of_a_ring(tmp_path, genome):
    """Both ways to write it: an end beyond the contig, and the two ends as lines of their own."""
    ring = BASES[::-1]
    region = ("ring", "region", 1, 300, "+", ".", "ID=r;Is_circular=true")
    for rows in (
        [("ring", "CDS", 281, 310, "+", "0", "ID=over")],
        [("ring", "CDS", 1, 10, "+", "2", "ID=over"), ("ring", "CDS", 281, 300, "+", "0", "ID=over")],
        [("ring", "CDS", 281, 300, "+", "0", "ID=over"), ("ring", "CDS", 301, 310, "+", "2", "ID=over")],
    ):
        (tmp_path / "a.gff3").write_text(lines_of(region, *rows))
        (one,) = read_coding(tmp_path / "a.gff3", genome)
        assert one.sequence == ring[280:] + ring[:10]
        (tmp_path / "a.gff3").write_text(
            lines_of(region, *rows).replace("\t+\t0", "\t-\t.").replace("\t+\t2", "\t-\t.")
        )
        (one,) = read_coding(tmp_path / "a.gff3", genome)
        assert one.sequence == reverse_complement(ring[280:] + ring[:10])


def test_a_gtf_is_read_from_its_first_whole_codon(tmp_path, genome):
    told = 'gene_id "g"; transcript_id "t"; note "a; transcript_id b";'
    rows = [("chr1", "exon", 1, 60, "+", ".", told), ("chr1", "CDS", 11, 40, "+", "2", told)]
    (tmp_path / "a.gtf").write_text(lines_of(*rows).replace("\n", " # a comment\n"))
    (one,) = read_coding(tmp_path / "a.gtf", genome)
    assert (one.id, one.sequence, one.whole) == ("t", BASES[12:40], True)
    (tmp_path / "a.gtf").write_text(lines_of(*rows).replace("note", 'tag "cds_start_NF"; note'))
    (one,) = read_coding(tmp_path / "a.gtf", genome)
    assert not one.whole


def test_a_stop_codon_that_the_cds_holds_is_read_once(tmp_path, genome):
    told = 'gene_id "g"; transcript_id "t";'
    rows = [("chr1", "CDS", 11, 40, "+", "0", told)] * 2 + [("chr1", "stop_codon", 38, 40, "+", "0", told)]
    (tmp_path / "a.gtf").write_text(lines_of(*rows))
    (one,) = read_coding(tmp_path / "a.gtf", genome)
    assert one.sequence == BASES[10:40]


def test_a_transcript_of_two_contigs_is_one_of_each(tmp_path, genome):
    told = 'gene_id "par"; transcript_id "NM_1";'
    (tmp_path / "a.gtf").write_text(lines_of(*((chrom, "CDS", 11, 40, "+", "0", told) for chrom in ("1", "ring"))))
    assert [(one.id, one.place) for one in read_coding(tmp_path / "a.gtf", genome)] == [
        ("NM_1", "1:11-40(+)"),
        ("NM_1", "ring:11-40(+)"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (genbank()[:-3], "the last record is truncated: it has no line //"),
        (genbank(bases=""), "record TOY.1 has no sequence"),
        ("", r"a\.gbk: the file contains no GenBank record"),
        ("//\n", r"a\.gbk:1: no GenBank record starts before this line"),
        (genbank(bases=BASES[:60] + "J" + BASES[61:]), "not a base at position 61"),
    ],
)
def test_broken_flat_files(tmp_path, text, message):
    (tmp_path / "a.gbk").write_text(text)
    with pytest.raises(InputError, match=message):
        list(read_coding(tmp_path / "a.gbk"))


@pytest.mark.data
def test_proteins_of_real_clusters_are_those_of_their_annotation(data_dir):
    """Both strands; the first amino acid may be another start codon's."""
    compared = minus = 0
    for path in sorted((data_dir / "bacteria" / "bgc").glob("*.gbk.gz")):
        coding = iter(list(read_coding(path)))
        for record in read_flat_file(path):
            for feature in (feature for feature in record.features if feature.kind == "CDS"):
                one = next(coding)
                wanted = feature.qualifiers.get("translation", "").replace(" ", "")
                if one.whole and wanted:
                    compared, minus = compared + 1, minus + (feature.parts[0].strand == "-")
                    assert translate(one.sequence, one.code).rstrip("*")[1:] == wanted[1:], one.id
    assert compared > minus > 0
