import gzip
import re

import polars as pl
import pysam
import pysam.bcftools
import pytest

from genolm.errors import InputError
from genolm.files.lines import compression
from genolm.genome.variant import Variant
from genolm.genome.vcf.vcf_records import VariantRecord, read_variants

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def row(chrom="chr1", pos="10", name=".", ref="A", alt="C"):
    return f"{chrom}\t{pos}\t{name}\t{ref}\t{alt}\t.\t.\t.\n"


def write(tmp_path, text, name="a.vcf"):
    path = tmp_path / name
    path.write_text(text, newline="")
    return path


def test_records(tmp_path):
    path = write(tmp_path, HEADER + row("22", "7", "rs1", "at", "a,ATT") + "\n" + row())
    first, second = read_variants(path)
    assert first == VariantRecord(0, 3, "22", 7, "rs1", "at", ("a", "ATT"))
    assert first.variants() == (Variant("22", 7, "AT", "A"), Variant("22", 7, "AT", "ATT"))
    assert first.reasons == (None, None)
    assert second == VariantRecord(1, 5, "chr1", 10, ".", "A", ("C",))


@pytest.mark.parametrize(
    ("ref", "alt", "reasons"),
    [
        ("A", ".", ("missing",)),
        ("A", "*", ("star",)),
        ("A", "<DEL>,G", ("symbolic", None)),
        ("A", "<NON_REF>,<*>", ("symbolic", "symbolic")),
        ("A", "A[chr2:5[,]chr2:5]A,[1:2[A,A]<c>:1]", ("breakend",) * 4),
        ("A", ".AT,AT.", ("breakend", "breakend")),
        ("A", "N,R,c", ("non_acgt", "non_acgt", None)),
        ("R", "A", ("non_acgt",)),
        ("A", "a,T", ("same_as_ref", None)),
    ],
)
def test_alternatives_that_cannot_be_scored(tmp_path, ref, alt, reasons):
    (record,) = read_variants(write(tmp_path, HEADER + row(ref=ref, alt=alt)))
    assert record.alts == tuple(alt.split(","))
    assert record.reasons == reasons
    assert [variant is None for variant in record.variants()] == [reason is not None for reason in reasons]


def test_before_the_first_base(tmp_path):
    (record,) = read_variants(write(tmp_path, HEADER + row(pos="0")))
    assert record.reasons == ("telomere",) and record.variants() == (None,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.vcf: the file is empty"),
        ("hello\n", r"a\.vcf:1: not VCF: the first line must be ##fileformat=VCFv4… \(value 'hello'\)"),
        (">chr1\nACGT\n", r"a\.vcf:1: not VCF"),
        ("##fileformat=VCFv4.2\n##x=y\n", r"a\.vcf:2: the header has no #CHROM line"),
        ("##fileformat=VCFv4.2\n" + row(), r"a\.vcf:2: a record before the #CHROM line"),
        ("##fileformat=VCFv4.2\n#CHROM POS ID REF ALT QUAL FILTER INFO\n", r"a\.vcf:2: the #CHROM line must name"),
        ("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n", r"a\.vcf:2: the #CHROM line must name"),
        (
            HEADER + row() + "chr1\t10\t.\tA\tC\n",
            r"a\.vcf:4: expected 8 columns separated by tabs as in the header, found 5",
        ),
        (
            HEADER + row().replace("\t", " "),
            r"a\.vcf:3: expected 8 columns separated by tabs as in the header, found 1",
        ),
        (HEADER + row() + row(pos="1e3"), r"a\.vcf:4: POS must be a whole number, 1-based \(value '1e3'\)"),
        (HEADER + row(pos="-1"), r"a\.vcf:3: POS must be a whole number"),
        (HEADER + row(pos=""), r"a\.vcf:3: POS must be a whole number"),
        (HEADER + row(chrom="chr 1"), r"a\.vcf:3: CHROM must be one word"),
        (HEADER + row(chrom=""), r"a\.vcf:3: CHROM must be one word"),
        (HEADER + row(ref="."), r"a\.vcf:3: REF must be bases \(value '\.'\)"),
        (HEADER + row(ref="<DEL>"), r"a\.vcf:3: REF must be bases"),
        (HEADER + row(ref="A,C"), r"a\.vcf:3: REF must be bases"),
        (HEADER + row(alt="-"), r"a\.vcf:3: ALT must be bases, .*\(value '-'\)"),
        (HEADER + row(alt="C,"), r"a\.vcf:3: ALT must be bases"),
        (HEADER + row(alt="C,."), r"a\.vcf:3: ALT must be bases"),
        (HEADER + row(alt="A[chr2"), r"a\.vcf:3: ALT must be bases"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        list(read_variants(write(tmp_path, text)))


def test_a_letter_that_is_no_text(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_bytes((HEADER + row(name="caf\xe9")).encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.vcf:3: not UTF-8 text"):
        list(read_variants(path))


def test_no_records_and_windows_line_ends(tmp_path):
    assert list(read_variants(write(tmp_path, HEADER))) == []
    assert next(read_variants(write(tmp_path, (HEADER + row()).replace("\n", "\r\n")))).alts == ("C",)


def test_truncated_compression(tmp_path):
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(gzip.compress((HEADER + row() * 9999).encode())[:-60])
    with pytest.raises(InputError, match=r"a\.vcf\.gz: the compressed file is truncated"):
        list(read_variants(path))


def test_undeclared_contigs_and_keys_are_no_obstacle(tmp_path, capfd):
    text = HEADER.replace("INFO\n", "INFO\tFORMAT\ts1\n") + "nowhere\t5\t.\tA\tC\t9.50\tq10\tX=1;Y\tGT:ZZ\t0|1:3\n"
    assert next(read_variants(write(tmp_path, text))).chrom == "nowhere"
    assert capfd.readouterr().err == ""


def bgzip(path, data):
    with pysam.BGZFile(str(path), "wb", None) as file:
        file.write(data)
    return path


def bcf(tmp_path, text):
    source, out = write(tmp_path, text, "source.vcf"), tmp_path / "a.bcf"
    pysam.bcftools.view("-O", "b", "-o", str(out), str(source), catch_stdout=False)
    return out


def test_uncompressed_bcf(tmp_path):
    text = HEADER.replace("#CHROM", "##contig=<ID=chr1>\n#CHROM") + row()
    out = bcf(tmp_path, text)
    out.write_bytes(gzip.decompress(out.read_bytes()))
    pairs = zip(read_variants(out), read_variants(tmp_path / "source.vcf"), strict=True)
    assert all((a.chrom, a.pos, a.ref, a.alts) == (b.chrom, b.pos, b.ref, b.alts) for a, b in pairs)
    out.write_bytes(out.read_bytes()[:20])
    with pytest.raises(InputError, match=r"a\.bcf: damaged BCF: the header cannot be read"):
        list(read_variants(out))


def test_bcf(tmp_path, capfd):
    header = HEADER.replace("#CHROM", "##contig=<ID=chr1>\n#CHROM")
    path = bcf(tmp_path, header + row(alt="C,<DEL>") + row(pos="12", name="x", alt="."))
    assert list(read_variants(path)) == [
        VariantRecord(0, 1, "chr1", 10, ".", "A", ("C", "<DEL>")),
        VariantRecord(1, 2, "chr1", 12, "x", "A", (".",)),
    ]
    whole = path.read_bytes()
    path.write_bytes(whole[:-28])
    with pytest.raises(InputError, match=r"a\.bcf: the compressed file is truncated"):
        list(read_variants(path))
    path.write_bytes(gzip.compress(gzip.decompress(whole)[:40]))
    with pytest.raises(InputError, match=r"a\.bcf: "):
        list(read_variants(path))
    assert capfd.readouterr().err == ""


def test_tables_and_values(tmp_path):
    expected = [("1", 7, "x", "A", ("C", "T")), ("2", 1024, ".", "AT", ("A",))]

    def read(source):
        return [(r.chrom, r.pos, r.id, r.ref, r.alts) for r in read_variants(source)]

    assert read(write(tmp_path, "chr\tpos\tref\talt\tid\n1\t7\tA\tC,T\tx\n2\t1024\tAT\tA\t.\n", "a.tsv")) == expected
    frame = pl.DataFrame(
        {"chrom": ["1", "2"], "pos": [7, 1024], "id": ["x", None], "ref": ["A", "AT"], "alt": ["C,T", "A"]}
    )
    frame.write_parquet(tmp_path / "a.parquet")
    assert read(frame) == read(tmp_path / "a.parquet") == expected
    texts = ["1:7:A>C", Variant("2", 1024, "AT", "A")]
    assert read(texts) == [("1", 7, ".", "A", ("C",)), ("2", 1024, ".", "AT", ("A",))]
    assert read(Variant("1", 7, "A", "C")) == read(pl.DataFrame({"variant": ["1-7-A-C"]})) == read(texts[:1])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            pl.DataFrame({"chrom": ["1"]}),
            "table: a table of variants must have the columns chrom, pos, ref and alt, or variant",
        ),
        (
            pl.DataFrame({"variant": ["1:7:A>C", "rs1"]}),
            r"table:2: invalid variant: expected chr22:1024:A>C, 22-1024-A-C or chr22_1024_A_C_b38 \(position",
        ),
        (
            pl.DataFrame({"chrom": ["1"], "pos": [1.5], "ref": ["A"], "alt": ["C"]}),
            "table:1: column pos must hold whole",
        ),
        (pl.DataFrame({"chrom": ["1"], "pos": [5], "ref": [None], "alt": ["C"]}), "table:1: column ref is empty here"),
        (["1:7:A>C", "1:7:A>A"], "variants:2: REF and ALT are equal"),
    ],
)
def test_bad_values(source, message):
    with pytest.raises(InputError, match=message):
        list(read_variants(source))


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "1000G_30x.chr1.10k-66k",
        "clinvar_example.multi.b38",
        "clinvar_example.single.b38",
        "vep_clinvar_testset",
        "vkgl.GRCh38.slices",
    ],
)
def test_real_files_as_pysam_reads_them(data_dir, tmp_path, name):
    path = data_dir / f"variants/{name}.vcf.gz"
    found = list(read_variants(path))
    if compression(path) == "gzip":  # which pysam cannot open
        path = bgzip(tmp_path / "again.vcf.gz", gzip.decompress(path.read_bytes()))
    with pysam.VariantFile(str(path)) as file:
        assert [(r.chrom, r.pos, r.ref, r.alts) for r in found] == [(r.chrom, r.pos, r.ref, r.alts) for r in file]
    for record in found:
        for alt, reason in zip(record.alts, record.reasons, strict=True):
            assert (reason is None) == (re.fullmatch("[ACGT]+ [ACGT]+", f"{record.ref} {alt}".upper()) is not None)
