import gzip
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.noted import noted

from genolm.errors import InputError
from genolm.genome.annotation.genes import Transcript, read_gtf, write_gtf
from genolm.genome.interval import Interval


def transcript(strand: str = "+") -> Transcript:
    exons = tuple(Interval("chr1", start, end, strand) for start, end in ((10, 20), (30, 41), (60, 90)))
    return Transcript("T1", "G1", exons, Interval("chr1", 14, 62, strand))


def features(path: Path, wanted: str) -> list[tuple[int, int, str]]:
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    return [(int(row[3]), int(row[4]), row[7]) for row in rows if row[2] == wanted]


def test_parts_of_a_transcript() -> None:
    plus, minus = transcript(), transcript("-")
    assert str(plus.interval) == "chr1:11-90" and str(minus.interval) == "chr1:11-90:-"
    assert [str(intron) for intron in plus.introns] == ["chr1:21-30", "chr1:42-60"]
    assert (plus.tss, minus.tss) == (10, 89)
    assert [str(part) for part in plus.coding_exons] == ["chr1:15-20", "chr1:31-41", "chr1:61-62"]
    assert Transcript("T", "G", plus.exons).coding_exons == ()


def test_frames_and_stop_codon_cut_by_an_intron(tmp_path: Path) -> None:
    path = write_gtf(tmp_path / "x.gtf", [transcript()])
    # 6 + 11 + 2 coding bases; the last three (two of exon 3, one of exon 2) are the stop codon
    assert features(path, "CDS") == [(15, 20, "0"), (31, 40, "0")]
    assert features(path, "stop_codon") == [(41, 41, "0"), (61, 62, "2")]


def test_frames_on_the_minus_strand(tmp_path: Path) -> None:
    path = write_gtf(tmp_path / "x.gtf", [transcript("-")])
    # read from the right: 2, 11 and 6 bases, the stop codon the last three of the 6
    assert features(path, "CDS") == [(61, 62, "0"), (31, 41, "1"), (18, 20, "2")]
    assert features(path, "stop_codon") == [(15, 17, "0")]
    assert [start for start, _, _ in features(path, "exon")] == [61, 31, 11]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(1, 30), min_size=2, max_size=12).filter(lambda steps: len(steps) % 2 == 0),
    st.sampled_from("+-"),
    st.data(),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], strand: str, data: st.DataObject
) -> None:
    borders = [sum(steps[:number]) for number in range(1, len(steps) + 1)]
    exons = tuple(Interval("c", left, right, strand) for left, right in zip(borders[::2], borders[1::2]))
    exonic = [base for exon in exons for base in range(exon.start, exon.end)]
    coding = None
    if len(exonic) >= 3 and data.draw(st.booleans()):
        first = data.draw(st.integers(0, len(exonic) - 3))
        last = data.draw(st.integers(first + 2, len(exonic) - 1))
        coding = Interval("c", exonic[first], exonic[last] + 1, strand)
    original = Transcript("T", "G", exons, coding)
    path = write_gtf(tmp_path_factory.mktemp("gtf") / "x.gtf", [original])
    assert list(read_gtf(path)) == [original]


def test_gzip_comments_and_crlf(tmp_path: Path) -> None:
    plain = write_gtf(tmp_path / "x.gtf", [transcript()])
    packed = tmp_path / "x.gtf.gz"
    packed.write_bytes(gzip.compress(b"#!note\r\n\r\n" + plain.read_bytes().replace(b"\n", b"\r\n")))
    assert list(read_gtf(packed)) == [transcript()]


def test_coding_features_are_the_exons_of_a_transcript_without_exons(tmp_path: Path) -> None:
    path = tmp_path / "x.gtf"
    lines = [("CDS", 1, 6), ("stop_codon", 7, 9), ("CDS", 21, 30)]
    path.write_text("".join(f'chr1\tx\t{kind}\t{a}\t{b}\t.\t+\t0\ttranscript_id "a";\n' for kind, a, b in lines))
    (one,) = read_gtf(path)
    assert [str(exon) for exon in one.exons] == ["chr1:1-9", "chr1:21-30"]
    assert str(one.coding) == "chr1:1-30"


GOOD = 'chr1\tx\texon\t5\t9\t.\t+\t.\tgene_id "g"; transcript_id "t";\n'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\tx\texon\t5\t9\n", r"x.gtf:2: a GTF line must have 9 columns, found 5"),
        (
            GOOD.replace("\t5\t", "\tfive\t"),
            r"x.gtf:2: a GTF position must be a whole number \(value \['five'",
        ),
        (GOOD.replace("\t5\t", "\t0\t"), r"x.gtf:2: a GTF feature must have 1 <= start <= end"),
        (GOOD.replace("\t5\t", "\t10\t"), r"x.gtf:2: a GTF feature must have 1 <= start <= end"),
        (GOOD.replace("\t+\t", "\t*\t"), r"x.gtf:2: a GTF strand must be \+, -, \. or \? \(value '\*'\)"),
        (GOOD.replace("chr1", "chr 1"), r"x\.gtf:2: a contig name must be one word without white space"),
    ],
)
def test_bad_lines(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "x.gtf"
    path.write_text(GOOD + line)
    with pytest.raises(InputError, match=message):
        list(read_gtf(path))


OTHER = GOOD.replace('"t"', '"o"').replace("\t5\t9", "\t15\t19")


@pytest.mark.parametrize(
    ("lines", "reason", "value"),
    [
        (GOOD.replace("\t+\t", "\t.\t"), "a transcript without a strand", "'t'"),
        (GOOD.replace("\t+\t", "\t?\t"), "a transcript without a strand", "'t'"),
        (GOOD + GOOD.replace("\t5\t9\t.\t+", "\t15\t19\t.\t-"), "a transcript with exons on both strands", "'t'"),
        (GOOD + GOOD.replace("\t5\t9", "\t8\t19"), "a transcript with exons that overlap", "'t'"),
        (GOOD + GOOD.replace("exon\t5", "CDS\t4"), "a transcript with a coding part outside its exons", "'t'"),
        (GOOD.replace('"t"', '""'), "an exon without transcript_id", "'gene_id"),
        (GOOD.replace("transcript_id", "other"), "an exon without transcript_id", "'gene_id"),
    ],
)
def test_one_odd_transcript_does_not_spoil_a_gtf(tmp_path: Path, lines: str, reason: str, value: str) -> None:
    path = tmp_path / "x.gtf"
    path.write_text("# a comment\n" + lines + OTHER)
    with noted(rf"x\.gtf:2: skipped 1 feature: {reason} \(value {value}"):
        assert [one.id for one in read_gtf(path)] == ["o"]
    path.write_text(lines.replace(GOOD, "") if reason == "an exon without transcript_id" else lines)
    with pytest.raises(InputError, match=rf"x\.gtf:1: the only feature cannot be used: {reason}"):
        list(read_gtf(path))


def test_what_is_left_out_is_counted_by_reason_in_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "x.gtf"
    unstranded = "".join(OTHER.replace("\t+\t", "\t.\t").replace('"o"', f'"{name}"') for name in "abc")
    path.write_text(GOOD + unstranded + GOOD.replace('"t"', '""'))
    with noted() as caught:
        assert len(list(read_gtf(path))) == 1
    assert [str(one).partition("x.gtf:")[2] for one in caught] == [
        "5: skipped 4 features: an exon without transcript_id (1), a transcript without a strand (3); "
        'this is the first (value \'gene_id "g"; transcript_id "";\')'
    ]


def test_an_exon_listed_twice_is_one(tmp_path: Path) -> None:
    path = tmp_path / "x.gtf"
    path.write_text(GOOD + GOOD + GOOD.replace("\t5\t9", "\t15\t19"))
    assert [len(one.exons) for one in read_gtf(path)] == [2]


def test_a_transcript_of_two_contigs_is_one_on_each(tmp_path: Path) -> None:
    path = tmp_path / "x.gtf"
    path.write_text(GOOD.replace("chr1", "chrX") + GOOD.replace("chr1", "chrY"))
    assert [(one.id, one.interval.chrom) for one in read_gtf(path)] == [("t", "chrX"), ("t", "chrY")]


@pytest.mark.parametrize(
    "told",
    [
        'gene_id "g"; transcript_id "t"; note "a; transcript_id \'x\'; b";',
        'gene_id "g"; transcript_id "t"; # transcript_id "x";',
        'gene_id  "g";transcript_id\t"t";',
        "gene_id g; transcript_id t;\t# a tenth column",
    ],
)
def test_unusual_attributes_of_gtf(tmp_path: Path, told: str) -> None:
    path = tmp_path / "x.gtf"
    path.write_text(GOOD.rpartition("\t")[0] + "\t" + told.replace("transcript_id\t", "transcript_id ") + "\n")
    assert [(one.id, one.gene) for one in read_gtf(path)] == [("t", "g")]


def test_two_processes_that_write_one_file_use_different_partial_files(tmp_path: Path) -> None:
    names = set()

    def watched():
        names.update(path.name for path in tmp_path.iterdir())
        yield transcript()

    for _ in range(2):
        write_gtf(tmp_path / "x.gtf", watched())
    assert len(names - {"x.gtf"}) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["x.gtf"]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.gtf: no such file"):
        list(read_gtf(tmp_path / "none.gtf"))


@pytest.mark.parametrize(
    ("exons", "coding", "message"),
    [
        ((), None, "at least one exon"),
        ((Interval("a", 0, 5), Interval("b", 9, 12)), None, "one contig and strand"),
        ((Interval("a", 0, 5), Interval("a", 9, 12, "-")), None, "one contig and strand"),
        (
            (Interval("a", 9, 12), Interval("a", 0, 5)),
            None,
            r"the exons of a transcript must be sorted and must not overlap \(value 'T'\)",
        ),
        (
            (Interval("a", 0, 5), Interval("a", 4, 12)),
            None,
            r"the exons of a transcript must be sorted and must not overlap \(value 'T'\)",
        ),
        ((Interval("a", 0, 5),), Interval("a", 3, 6), "inside the transcript"),
    ],
)
def test_impossible_transcripts(exons: tuple[Interval, ...], coding: Interval | None, message: str) -> None:
    with pytest.raises(InputError, match=rf"{message} \(value 'T'\)|{message}"):
        Transcript("T", "G", exons, coding)


@pytest.mark.data
def test_gencode(data_dir: Path) -> None:
    path = next((data_dir / "human" / "genes").glob("*v38*gtf*"))
    found = list(read_gtf(path))
    text = gzip.decompress(path.read_bytes()).decode()
    written = set(re.findall(r'\texon\t.*gene_id "([^"]+)"', text))
    assert {one.gene for one in found} == written
    assert all(one.exons == tuple(sorted(one.exons)) for one in found)


@pytest.mark.data
def test_ensembl_reading_frames(data_dir: Path) -> None:
    path = next((data_dir / "human" / "genes").glob("ensembl91*.gtf*"))
    coding = [one for one in read_gtf(path) if one.coding]
    whole = [one for one in coding if sum(map(len, one.coding_exons)) % 3 == 0]
    assert len(whole) > 0.5 * len(coding) > 0
