import gzip

import pytest

from genolm.errors import InputError
from genolm.genome.bed import BedRecord, read_bed
from genolm.genome.interval import Interval


def bed(tmp_path, text):
    path = tmp_path / "a.bed"
    path.write_text(text, newline="")
    return path


def test_three_to_twelve_columns(tmp_path):
    text = (
        "browser position chr1:1-10\n# comment\ntrack name=x\n\nchr1\t0\t10\r\n"
        "chr1 5 9 spaced\nchr2\t5\t9\tminus\t0\t-\nchr2\t5\t9\t.\t0\t.\n"
        "chrX\t100\t200\tblocks\t0\t+\t100\t200\t0\t2\t10,20\t0,80\n"
    )
    assert list(read_bed(bed(tmp_path, text))) == [
        BedRecord(Interval("chr1", 0, 10), None, 5),
        BedRecord(Interval("chr1", 5, 9), "spaced", 6),
        BedRecord(Interval("chr2", 5, 9, "-"), "minus", 7),
        BedRecord(Interval("chr2", 5, 9), None, 8),
        BedRecord(Interval("chrX", 100, 200), "blocks", 9),
    ]


def test_a_contig_may_be_called_tracker(tmp_path):
    assert next(read_bed(bed(tmp_path, "tracker\t1\t2\n"))).interval.chrom == "tracker"


def test_compressed_and_empty(tmp_path):
    path = tmp_path / "a.bed.gz"
    path.write_bytes(gzip.compress(b"chr1\t1\t2\n"))
    assert len(list(read_bed(path))) == 1
    assert list(read_bed(bed(tmp_path, ""))) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t5", r"at least three columns: contig, start, end \(value"),
        ("chrom\tstart\tend", r"start and end of a BED line must be whole numbers from 0 \(value 'start'\)"),
        ("chr1\t-1\t5", r"start and end of a BED line must be whole numbers from 0 \(value '-1'\)"),
        ("chr1\t1\t1e3", r"start and end of a BED line must be whole numbers from 0 \(value '1e3'\)"),
        ("chr1\t5\t5", r"empty interval: end must be greater than start \(0-based, half-open\)"),
        ("chr1\t9\t5", r"end must be greater than start .*\(value 'chr1 9 5'\)"),
        ("chr1\t1\t5\tx\t0\t*", r"'\+' or '-' \(value '\*'\)"),
        ("\t1\t5", "one word"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, message):
    with pytest.raises(InputError, match=rf"a\.bed:2: .*{message}"):
        list(read_bed(bed(tmp_path, f"chr1\t0\t1\n{line}\n")))


@pytest.mark.data
def test_real_promoters(data_dir):
    path = data_dir / "gena/samples/clinvar_analysis/human_epdnew_fH7d2.bed"
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    assert list(read_bed(path)) == [
        BedRecord(Interval(chrom, int(start), int(end), strand), name, number)
        for number, (chrom, start, end, name, _, strand, *_) in enumerate(lines, 1)
    ]
