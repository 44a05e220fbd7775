"""Records of GenBank and EMBL: features with their lines, in reading order; what Biopython passes over."""

import gzip
import subprocess
import sys

import pytest
from tests.noted import noted

from genolm import InputError
from genolm.genome.flat_files import flat_format, read_flat_file
from genolm.genome.interval import Interval

GENBANK = """LOCUS       TOY                       40 bp    DNA     circular BCT 01-JAN-2020
ACCESSION   TOY
VERSION     TOY.1
COMMENT     CDS             1..3
FEATURES             Location/Qualifiers
     source          1..40
                     /organism="nobody"
     CDS             11..20
                     /note="a /slash and ""quotes""
                     over two lines"
                     /gene="first"
                     /gene="second"
     variation       11^12
                     /note="between two bases"
     CDS             complement(join(1..4,
                     <21..>30))
                     /pseudo
                     /translation="MA
                     G"
     tRNA            join(38..40,1..2,other.1:3..9)
ORIGIN
        1 acgtnacgty acgtacgtac gtacgtacgt acguacgtac
//
"""
EMBL = """ID   TOY; SV 1; circular; DNA; STD; PRO; 40 BP.
XX
AC   TOY;
XX
FH   Key             Location/Qualifiers
FH
FT   source          1..40
FT                   /organism="nobody"
FT   CDS             complement(join(1..4,
FT                   <21..>30))
FT                   /pseudo
XX
SQ   Sequence 40 BP;
     acgtnacgty acgtacgtac gtacgtacgt acguacgtac                        40
//
"""
BASES = "ACGTNACGTNACGTACGTACGTACGTACGTACGTACGTAC"


@pytest.fixture
def written(tmp_path):
    def write(text, name="a.gbk"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


def stretches(feature):
    return [(part.start, part.end, part.strand) for part in feature.parts]


@pytest.mark.parametrize("name", ["a.gbk", "a.gb.gz", "A.GBFF"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_genbank(written, name, end):
    (record,) = read_flat_file(written(GENBANK.replace("\n", end), name))
    assert (record.id, record.sequence, record.line) == ("TOY.1", BASES, 23)
    first, second = record.features
    assert (first.kind, first.line, first.location) == ("CDS", 8, "11..20")
    assert first.parts == (Interval("TOY.1", 10, 20),)
    assert first.qualifiers == {"note": 'a /slash and "quotes" over two lines', "gene": "first"}
    assert (first.cut, first.pseudo, first.exact) == (False, False, True)
    assert (second.line, second.location) == (15, "complement(join(1..4,<21..>30))")
    assert stretches(second) == [(20, 30, "-"), (0, 4, "-")]
    assert second.qualifiers == {"pseudo": "", "translation": "MAG"}
    assert (second.cut, second.pseudo, second.exact) == (True, True, True)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_embl(written, end):
    (record,) = read_flat_file(written(EMBL.replace("\n", end), "a.embl"))
    assert (record.id, record.sequence, record.line) == ("TOY.1", BASES, 15)
    (feature,) = record.features
    assert (feature.line, feature.location) == (9, "complement(join(1..4,<21..>30))")
    assert stretches(feature) == [(20, 30, "-"), (0, 4, "-")]
    assert feature.pseudo


def test_embl_of_before_2006(written):
    text = EMBL.replace("TOY; SV 1; circular; DNA; STD; PRO; 40 BP.", "TOY   standard; circular DNA; PRO; 40 BP.")
    (record,) = read_flat_file(written(text.replace("XX\nFH", "SV   TOY.3\nXX\nFH"), "a.embl"))
    assert (record.id, record.sequence) == ("TOY.3", BASES)


def test_the_kinds_that_are_asked_for(written):
    path = written(GENBANK)
    (record,) = read_flat_file(path, kinds=("source", "RNA"))
    assert [feature.kind for feature in record.features] == ["source", "tRNA"]
    assert record.features[0].qualifiers == {"organism": "nobody"}
    assert stretches(record.features[1]) == [(37, 40, "+"), (0, 2, "+")], "the third part lies on another record"
    (record,) = read_flat_file(path, kinds=())
    assert (record.features, record.sequence) == ((), BASES)


def test_several_records_have_their_own_lines(written):
    other = GENBANK.replace("TOY", "OTHER").replace("11..20", "12..20")
    found = list(read_flat_file(written("Genetic Sequence Data Bank\n\n" + GENBANK + "\n" + other + "\n")))
    assert [record.id for record in found] == ["TOY.1", "OTHER.1"]
    assert [record.features[0].line for record in found] == [10, 34]
    assert [record.line for record in found] == [25, 49]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("ACCESSION   TOY\nVERSION     TOY.1\n", "TOY.1"),
        ("ACCESSION   ABC\n", "ABC"),
        ("ACCESSION   \nVERSION     \n", "TOY"),
        ("ACCESSION   unknown\n", "TOY"),
        ("", "TOY"),
    ],
)
def test_the_name_of_a_record(written, header, name):
    (record,) = read_flat_file(written(GENBANK.replace("ACCESSION   TOY\nVERSION     TOY.1\n", header)))
    assert record.id == name
    assert record.features[0].parts[0].chrom == name


@pytest.mark.parametrize(
    ("location", "parts", "exact"),
    [
        ("7", [(6, 7, "+")], True),
        ("<1..>9", [(0, 9, "+")], True),
        ("order(1..3,7..9)", [(0, 3, "+"), (6, 9, "+")], True),
        ("join(1..3, 7..9)", [(0, 3, "+"), (6, 9, "+")], True),
        ("join(complement(7..9),complement(1..3))", [(6, 9, "-"), (0, 3, "-")], True),
        ("join(1..3,complement(7..9))", [(0, 3, "+"), (6, 9, "-")], True),
        ("(3.5)..9", [(2, 9, "+")], False),
        ("one-of(3,5)..9", [(2, 9, "+")], False),
        ("other.1:1..9", [], False),
        ("38..2", [(37, 40, "+"), (0, 2, "+")], False),
        ("complement(complement(1..9))", [(0, 9, "-")], False),
    ],
)
def test_locations(written, location, parts, exact):
    (record,) = read_flat_file(written(GENBANK.replace("11..20", location)))
    assert (stretches(record.features[0]), record.features[0].exact) == (parts, exact)


@pytest.mark.parametrize(
    "location",
    ["11^12", "somewhere", "11..?", "?..20", "0..20", "1..9x", "1..9,11..20", "complement(1..9", "join(1..3,x)",
     "join(1..3,complement(join(5..7,9..11)))"],
)  # fmt: skip
def test_locations_that_are_not_read(written, location):
    with noted() as caught:
        (record,) = read_flat_file(written(GENBANK.replace("11..20", location)))
    told = f"a.gbk:8: skipped 1 feature: an unsupported location (value {location!r})"
    assert [str(one).rpartition("/")[2] for one in caught] == [told]
    assert [feature.line for feature in record.features] == [15], "the other CDS of the record stays"


def test_only_a_file_without_any_location_that_is_read_is_refused(written):
    text = GENBANK.replace("11..20", "11^12").replace("21..>30", "21..?")
    with pytest.raises(
        InputError,
        match=r"a\.gbk:8: none of the 2 features can be used: an unsupported location \(2\); this is the first",
    ):
        list(read_flat_file(written(text)))
    (record,) = read_flat_file(written(text), kinds=("tRNA",))
    assert len(record.features) == 1


def test_a_place_that_runs_backwards_needs_a_circle(written):
    linear = GENBANK.replace("circular", "linear  ").replace("11..20", "38..2")
    with noted(r"a\.gbk:8: skipped 1 feature: an unsupported location .*\(value '38\.\.2'\)"):
        list(read_flat_file(written(linear)))


def test_other_kinds_may_lie_where_they_like(written):
    (record,) = read_flat_file(written(GENBANK.replace("11^12", "somewhere")))
    assert len(record.features) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.gbk: the file contains no GenBank record"),
        (">c\nACGT\n", r"a\.gbk: the file contains no GenBank record"),
        ("//\n", r"a\.gbk:1: no GenBank record starts before this line"),
        (EMBL, r"a\.gbk:15: no GenBank record starts before this line"),
        (GENBANK[:-3], r"a\.gbk:22: the last record is truncated: it has no line //"),
        (GENBANK.partition("gtacgt")[0], r"a\.gbk:22: the last record is truncated"),
        (GENBANK.partition("                     /pseudo")[0], r"a\.gbk:16: the last record is truncated"),
        (GENBANK[:-3] + GENBANK, r"a\.gbk:23: the record before this line is truncated"),
        (GENBANK + GENBANK[:-3], r"a\.gbk:45: the last record is truncated"),
        (GENBANK.replace("ORIGIN\n", ""), r"a\.gbk:21: an unsupported location \(value 'acgtn"),
        (GENBANK.partition("ORIGIN")[0] + "//\n", r"a\.gbk:21: invalid GenBank record: Premature end of feat"),
        (GENBANK.replace("40 bp    DNA", "bp"), r"a\.gbk:23: invalid GenBank record: .*LOCUS line"),
        (GENBANK.replace("CDS             11", "CDS   11"), r"a\.gbk:8: invalid GenBank feature line: keys must"),
        (GENBANK.replace("CDS             complement", "CDS   complement"), r"a\.gbk:15: invalid GenBank feature"),
        (GENBANK.replace("FEATURES    ", "FEATURES"), r"a\.gbk:6: invalid GenBank feature line: keys must start in"),
    ],
)  # fmt: skip
def test_files_that_are_not_read(written, text, message):
    with pytest.raises(InputError, match=message):
        list(read_flat_file(written(text)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (EMBL[:-3], r"a\.embl:14: the last record is truncated"),
        (GENBANK, r"a\.embl:23: no EMBL record starts before this line"),
        (
            EMBL.partition("FH")[0] + EMBL.partition("FH\n")[2],
            r"a\.embl:5: invalid EMBL feature line: keys must start in column 6, locations in column 22",
        ),
        (EMBL.replace("SQ   Sequence 40 BP;\n", ""), r"a\.embl:14: invalid EMBL record: Footer format unexpected"),
    ],
)
def test_embl_files_that_are_not_read(written, text, message):
    with pytest.raises(InputError, match=message):
        list(read_flat_file(written(text, "a.embl")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GENBANK.partition("        1 ")[0] + "//\n", r"a\.gbk:22: record TOY\.1 has no sequence"),
        (GENBANK.replace("acgtn", "acgtj"), r"a\.gbk:23: not a base at position 5 of the sequence.* \(value 'J'\)"),
    ],
)
def test_sequences_that_are_none(written, text, message):
    (record,) = read_flat_file(written(text))
    with pytest.raises(InputError, match=message):
        _ = record.sequence


def test_the_ending_says_which_format_it_is(written):
    names = {"a.gb": "GenBank", "b.GBFF.gz": "GenBank", "c.genbank.bgz": "GenBank", "d.embl": "EMBL", "e.fa": None}
    assert {name: flat_format(written("", name)) for name in names} == names
    with pytest.raises(
        InputError,
        match=r"a\.txt: expected a GenBank or EMBL file: \.gbk, \.gb, \.gbff, \.genbank, \.embl, or one of these",
    ):
        list(read_flat_file(written(GENBANK, "a.txt")))


def test_a_compressed_file_that_is_cut_off(written):
    path = written(GENBANK, "a.gbk.gz")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"a\.gbk\.gz.*: the compressed file is truncated"):
        list(read_flat_file(path))


def test_without_biopython(written):
    program = (
        "import sys; sys.modules['Bio'] = None; from genolm.genome.flat_files import *; [*read_flat_file(sys.argv[1])]"
    )
    command = [sys.executable, "-c", program, str(written(GENBANK))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "reading GenBank and EMBL files requires biopython, which is not installed; pip install" in done.stderr
