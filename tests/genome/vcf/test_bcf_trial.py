"""What BCF cannot hold is found by a trial, with file and line, and what it can hold passes."""

import pysam
import pytest

from genolm.errors import InputError
from genolm.genome.vcf import bcf_trial
from genolm.genome.vcf.bcf_trial import check_bcf
from genolm.genome.vcf.vcf_records import write_vcf

META = """##fileformat=VCFv4.2
##INFO=<ID=AC,Number=A,Type=Integer,Description="count">
##INFO=<ID=P,Number=1,Type=Float,Description="p-value">
##INFO=<ID=DB,Number=0,Type=Flag,Description="known">
##FORMAT=<ID=GT,Number=1,Type=String,Description="genotype">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="depth">
"""
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
GOOD = "chr1\t5\t.\tA\tC\t.\tPASS\t."


def write(folder, *records, meta=META, columns=COLUMNS):
    path = folder / "calls.vcf"
    path.write_bytes((meta + "\n".join((columns, *records)) + "\n").encode("latin-1"))
    return path


SAMPLES = f"{COLUMNS}\tFORMAT\tS1\tS2"
HEADERS = [
    (f"{COLUMNS}\tFORMAT", META, r":7: the #CHROM line has a FORMAT column but no samples"),
    (f"{COLUMNS}\tFORMAT\tS1\tS1", META, r":7: duplicate sample name.* \(value 'S1'\)"),
    (f"{COLUMNS}\tFORMAT\tS1\t", META, r":7: empty sample name"),
    (COLUMNS, f"{META}##INFO=<ID=AN,Number=1,Type=Integer,Description=a, b>\n", r":7: htslib cannot parse this header"),
    (COLUMNS, f"{META}##nothing\n", r":7: htslib cannot parse this header line.*'##nothing'"),
]


@pytest.mark.parametrize(("columns", "meta", "message"), HEADERS)
def test_a_header_that_bcf_cannot_hold_is_refused_with_its_line(tmp_path, columns, meta, message):
    with pytest.raises(InputError, match=rf"calls\.vcf{message}.*") as caught:
        check_bcf(write(tmp_path, meta=meta, columns=columns))
    assert ".vcf.gz can" in str(caught.value)


RECORDS = [
    ("ctg,1\t5\t.\tA\tC\t.\tPASS\t.", "'ctg,1' is not a valid contig name in VCF"),
    ("chr1\t3000000000\t.\tA\tC\t.\tPASS\t.", "POS is beyond 2,147,483,647"),
    ("chr1\t5\t.\tA\tC\t.\tPASS\tAC=3000000000", r"INFO AC would become 'AC=\.': .*\(value 'AC=3000000000'\)"),
    ("chr1\t5\t.\tA\tC\t.\tPASS\tAC=many", r"INFO AC would become 'AC=\.'"),
    ("chr1\t5\t.\tA\tC\t.\tPASS\tAC=12x", "INFO AC would become 'AC=12'"),
    ("chr1\t5\t.\tA\tC\t.\tPASS\tP=1e-300", "INFO P would become 'P=0'"),
    ("chr1\t5\t.\tA\tC\thigh\tPASS\t.", "QUAL would become '0'"),
    ("chr1\t5\t.\tA\tC\t\t\t.", "QUAL would become '0'"),
]


@pytest.mark.parametrize(("record", "message"), RECORDS)
def test_a_record_that_bcf_would_change_is_refused_with_its_line(tmp_path, record, message):
    with pytest.raises(InputError, match=rf"calls\.vcf:9: {message}"):
        check_bcf(write(tmp_path, GOOD, record, GOOD))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ("GT:DP\t0/1:3\t0/1:3:4", r"a sample has more values than there are FORMAT keys \(2\)"),
        ("GT:DP\t0/1:3\t0/1:99999999999", r"FORMAT DP would become '\.': .*\(value '99999999999'\)"),
        ("GT:DP\t0/1:3\ta/b:3", "htslib cannot store this record"),
    ],
)
def test_sample_values_that_bcf_would_change_are_refused(tmp_path, samples, message):
    first = f"{GOOD}\tGT\t0/1\t./."
    with pytest.raises(InputError, match=rf"calls\.vcf:9: {message}"):
        check_bcf(write(tmp_path, first, f"{GOOD}\t{samples}", columns=SAMPLES))


UNCHANGED = [
    "chr1\t005\trs1;rs2\ta\tc,<DEL>,*\t29.500000\tq10;s50\tAC=1,.,3;P=0.123456789;DB;NEW=3;FLAG;;EMPTY=\tGT:DP\t0|1\t.",
    "chrUn_x\t0\t.\tN\t<*>\t1e+02\t.\t.\tGT:DP\t./.:.\t0/0:7",
    "chr1\t2147483647\t.\tA\t.\t.\tPASS\tP=1.0E-5;AC=.\tGT\t.\t1",
]


def test_other_spellings_of_the_same_values_pass_and_are_then_written(tmp_path, capfd):
    source = write(tmp_path, *UNCHANGED, columns=SAMPLES)
    check_bcf(source)
    write_vcf(source, tmp_path / "out.bcf", [], [{}, {}, {}])
    with pysam.VariantFile(str(tmp_path / "out.bcf"), index_filename=None) as file:
        assert [record.pos for record in file] == [5, 0, 2147483647]
    assert "trial" not in capfd.readouterr().err


def test_the_line_is_found_across_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(bcf_trial, "_CHUNK", 200)
    records = [f"chr1\t{pos}\t.\tA\tC\t.\tPASS\tAC=1" for pos in range(1, 200)]
    check_bcf(write(tmp_path, *records))
    records[150] = records[150].replace("chr1", "a,b")
    with pytest.raises(
        InputError, match=r"calls\.vcf:158: 'a,b' is not a valid contig name in VCF: BCF cannot hold it, \.vcf\.gz can"
    ):
        check_bcf(write(tmp_path, *records))


def test_text_that_is_not_utf8_passes_through_bcf_as_it_is(tmp_path):
    meta = f'{META}##contact=Jos\xe9\n##INFO=<ID=LAB,Number=1,Type=String,Description="Universit\xe9">\n'
    source = write(
        tmp_path, f"{GOOD[:-1]}LAB=Universit\xe9\tGT\t0/1\t./.", meta=meta, columns=SAMPLES.replace("S2", "\xe9")
    )
    check_bcf(source)
    write_vcf(source, tmp_path / "a.bcf", [], [{}])
    write_vcf(tmp_path / "a.bcf", tmp_path / "b.vcf", [], [{}])
    written = (tmp_path / "b.vcf").read_bytes()
    for line in source.read_bytes().splitlines():
        assert line in written
