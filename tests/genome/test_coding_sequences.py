"""Coding sequences of every format, both strands, joined and cut; proteins by the code that the annotation names."""

import gzip
import random

import pytest

from genolm import InputError
from genolm.genome.coding_sequences import read_coding, translate
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
    with pytest.raises(InputError, match=r"g\.gff: coordinates of genes need the genome"):
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
    with pytest.raises(InputError, match=r"no such genetic code; known are 1, 4, 11, 25 \(value 2\)"):
        translate("ATG", 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (genbank().replace("11..40", "11^12"), r"a\.gbk:8: a location that genolm does not read \(value '11\^12'\)"),
        (genbank().replace("11..40", "J001.1:11..40"), r"a\.gbk:8: a location that .* \(value 'J001\.1:11\.\.40'\)"),
        (genbank().replace("11..40", "join(11..20,J001.1:1..9)"), r"a\.gbk:8: a location that genolm does not read"),
        (genbank().replace("11..40", "(11.14)..40"), r"a\.gbk:8: a location that genolm does not read"),
        (
            genbank().replace("300 bp DNA", "300 bp DNA circular").replace("11..40", "291..40"),
            r"a\.gbk:8: a location that genolm does not read \(value '291\.\.40'\)",
        ),
        (genbank().replace("codon_start=3", "codon_start=0"), r"a\.gbk:23: codon_start is 1, 2 or 3 \(value 0\)"),
        (genbank().replace("table=4", "table=x"), r"a\.gbk:13: codon_start and transl_table are numbers \(value 'x'\)"),
        (genbank().replace("11..40", "11..400"), r"a\.gbk:8: a CDS of TOY.1 ends after its 300 bases"),
        (genbank()[:-3], "the last record is cut off: it has no line //"),
        (genbank(bases=""), "record TOY.1 has no sequence"),
        ("", "the file holds no GenBank record"),
        ("//\n", "no GenBank record begins before this line"),
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
