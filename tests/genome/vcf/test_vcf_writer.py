import gzip
import os
from itertools import repeat

import pysam
import pytest
from tests.noted import noted

from genolm.errors import InputError
from genolm.files.lines import byte_lines
from genolm.genome.vcf.vcf_info import edited_info
from genolm.genome.vcf.vcf_records import InfoField, read_variants, write_vcf

SUM = InfoField("GENOLM_SUM", "A", "Float", 'Log-likelihood of "ALT" minus REF, nats')
STATUS = InfoField("GENOLM_STATUS", "A", "String", "Why not")
TEXT = """##fileformat=VCFv4.1
##INFO=<ID=DP,Number=1,Type=Integer,Description="depth, declared">
##source=hand
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1\ts2
chr1\t10\trs1\tA\tc,<DEL>\t29.50\tPASS\tDP=3;AF=0.100000;Z\tGT:XX\t0|1:a\t./.
chr1\t20\t.\tAT\tA\t.\tq10;s50\t.\tGT\t0/0\t1/1
22\t5\t.\tG\t*\t1e+02\t.\tDP=0\tGT\t.\t.
"""
ANNOTATIONS = [
    {"GENOLM_SUM": (-1.5, None), "GENOLM_STATUS": ("ok", "symbolic")},
    {"GENOLM_SUM": (float("nan"),)},
    {},
]


def write(tmp_path, text=TEXT, name="a.vcf"):
    path = tmp_path / name
    path.write_text(text, newline="")
    return path


def lines(path):
    return [line.decode() for _, line in byte_lines(path)]


def test_everything_else_stays_as_it_was(tmp_path):
    out = tmp_path / "out.vcf"
    write_vcf(write(tmp_path), out, [SUM, STATUS], ANNOTATIONS, ["##genolm=1"])
    before, after = TEXT.splitlines(), lines(out)
    assert after[:2] == before[:2] and after[6] == before[3]
    assert after[2:4] == [SUM.header_line, STATUS.header_line] and after[4:6] == ["##source=hand", "##genolm=1"]
    assert [line.split("\t")[7] for line in after[7:]] == [
        "DP=3;AF=0.100000;Z;GENOLM_SUM=-1.5,.;GENOLM_STATUS=ok,symbolic", "GENOLM_SUM=.", "DP=0",
    ]  # fmt: skip
    for old, new in zip(before[4:], after[7:], strict=True):
        assert [*old.split("\t")[:7], *old.split("\t")[8:]] == [*new.split("\t")[:7], *new.split("\t")[8:]]
    assert sorted(os.listdir(tmp_path)) == ["a.vcf", "out.vcf"]


def test_running_again_replaces_and_gives_the_same_bytes(tmp_path):
    once, twice = tmp_path / "once.vcf", tmp_path / "twice.vcf"
    write_vcf(write(tmp_path), once, [SUM, STATUS], ANNOTATIONS)
    write_vcf(once, twice, [SUM, STATUS], ANNOTATIONS)
    assert twice.read_bytes() == once.read_bytes()
    changed = InfoField("GENOLM_SUM", "A", "Float", "another text")
    write_vcf(once, once, [changed], [{"GENOLM_SUM": (1, 2)}, {}, {"GENOLM_SUM": 3}])
    infos = [line.split("\t")[7] for line in lines(once) if not line.startswith("#")]
    assert infos == ["DP=3;AF=0.100000;Z;GENOLM_STATUS=ok,symbolic;GENOLM_SUM=1,2", ".", "DP=0;GENOLM_SUM=3"]
    assert sum("ID=GENOLM_SUM," in line for line in lines(once)) == 1


def test_header_lines_are_not_repeated(tmp_path):
    out = tmp_path / "out.vcf"
    write_vcf(write(tmp_path), out, [], [{}, {}, {}], ["##source=hand", "##k=v"])
    assert lines(out) == [*TEXT.splitlines()[:3], "##k=v", *TEXT.splitlines()[3:]]
    with pytest.raises(ValueError, match="invalid header line 'k=v'"):
        write_vcf(write(tmp_path), out, [], [{}, {}, {}], ["k=v"])


def test_windows_line_ends_and_no_samples(tmp_path):
    text = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nc\t1\t.\tA\tC\t.\t.\t.\n"
    out = tmp_path / "out.vcf"
    write_vcf(write(tmp_path, text.replace("\n", "\r\n")), out, [SUM], [{"GENOLM_SUM": 1}])
    expected = text.replace("#CHROM", f"{SUM.header_line}\n#CHROM").replace(".\t.\t.\n", ".\t.\tGENOLM_SUM=1\n")
    assert out.read_text() == expected


def test_compressed_and_indexed(tmp_path):
    text = TEXT.replace("22\t5", "chr2\t5")
    outs = [tmp_path / "one.vcf.gz", tmp_path / "two.vcf.gz"]
    for out in outs:
        write_vcf(write(tmp_path, text), out, [SUM], ANNOTATIONS_SUM)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert (tmp_path / "one.vcf.gz.tbi").read_bytes() == (tmp_path / "two.vcf.gz.tbi").read_bytes()
    with pysam.TabixFile(str(outs[0])) as tabix:
        assert [row.split("\t")[1] for row in tabix.fetch("chr1", 15, 25)] == ["20"]


ANNOTATIONS_SUM = [{"GENOLM_SUM": (-1.5, None)}, {"GENOLM_SUM": 2}, {"GENOLM_SUM": None}]


def test_unsorted_records_have_no_index_and_an_old_one_goes(tmp_path):
    out = tmp_path / "out.vcf.gz"
    write_vcf(write(tmp_path), out, [SUM], ANNOTATIONS_SUM)
    assert (tmp_path / "out.vcf.gz.tbi").exists()
    for text in (TEXT.replace("\t20\t", "\t5\t"), TEXT.replace("chr1\t20", "x\t20").replace("22\t5", "chr1\t50")):
        write_vcf(write(tmp_path, text), out, [SUM], ANNOTATIONS_SUM)
        assert not (tmp_path / "out.vcf.gz.tbi").exists()
        assert [record.index for record in read_variants(out)] == [0, 1, 2]


def test_long_contigs_have_another_index(tmp_path):
    out = tmp_path / "out.vcf.gz"
    write_vcf(write(tmp_path, TEXT.replace("22\t5", "22\t900000000")), out, [SUM], ANNOTATIONS_SUM)
    assert {"out.vcf.gz.csi"} == {name for name in os.listdir(tmp_path) if name.endswith("i")}


def test_no_records(tmp_path):
    header = "".join(line + "\n" for line in TEXT.splitlines()[:4])
    for name in ("out.vcf", "out.vcf.gz", "out.bcf"):
        write_vcf(write(tmp_path, header), tmp_path / name, [SUM], [])
        assert list(read_variants(tmp_path / name)) == []


def test_bcf_from_text_with_undeclared_keys(tmp_path, capfd):
    out, again = tmp_path / "out.bcf", tmp_path / "again.bcf"
    for path in (out, again):
        write_vcf(write(tmp_path), path, [SUM, STATUS], ANNOTATIONS)
    assert out.read_bytes() == again.read_bytes() and (tmp_path / "out.bcf.csi").exists()
    with pysam.VariantFile(str(out)) as file:
        first, second, third = file
    assert first.info["GENOLM_SUM"] == (-1.5, None) and first.info["GENOLM_STATUS"] == ("ok", "symbolic")
    assert first.info["Z"] is True and first.samples["s1"]["XX"] == ("a",) and list(second.filter) == ["q10", "s50"]
    assert third.chrom == "22" and "GENOLM_SUM" not in third.info
    assert capfd.readouterr().err == ""


def test_bcf_to_bcf_and_back_to_text(tmp_path):
    first, second, text = tmp_path / "1.bcf", tmp_path / "2.bcf", tmp_path / "3.vcf"
    write_vcf(write(tmp_path), first, [SUM], ANNOTATIONS_SUM)
    flag = InfoField("GENOLM_SEEN", "0", "Flag", "seen")
    name = InfoField("GENOLM_NAME", "1", "String", "name")
    notes = [{"GENOLM_SEEN": True, "GENOLM_NAME": "x"}, {"GENOLM_SEEN": False}, {"GENOLM_SUM": (float("nan"),)}]
    write_vcf(first, second, [SUM, flag, name], notes, ["##k=v"])
    write_vcf(second, text, [], repeat({}, 3))
    assert "##k=v" in lines(text) and (tmp_path / "2.bcf.csi").exists()
    infos = [line.split("\t")[7] for line in lines(text) if not line.startswith("#")]
    assert infos == ["DP=3;AF=0.100000;Z;GENOLM_SEEN;GENOLM_NAME=x", ".", "DP=0;GENOLM_SUM=."]


def test_a_broken_record_is_no_bcf(tmp_path):
    text = TEXT.replace("DP=3;AF", "DP=3;;=5;AF").replace("0|1:a", "0|x:a:b:c")
    with pytest.raises(InputError, match=r"a\.vcf: cannot be written as BCF"):
        write_vcf(write(tmp_path, text), tmp_path / "out.bcf", [SUM], ANNOTATIONS_SUM)
    assert os.listdir(tmp_path) == ["a.vcf"]


@pytest.mark.parametrize(
    ("out", "annotations", "error", "message"),
    [
        (
            "out.txt",
            [{}, {}, {}],
            InputError,
            r"out\.txt: the output of variants must end in \.vcf, \.vcf\.gz or \.bcf",
        ),
        ("out.bcf.gz", [{}, {}, {}], InputError, "must end in"),
        ("no/out.vcf", [{}, {}, {}], InputError, "the output folder does not exist"),
        ("out.vcf", [{}, {}], InputError, r"a\.vcf:7: fewer annotations than records"),
        ("out.bcf", [{}, {}], InputError, r"a\.vcf:7: fewer annotations than records"),
        ("out.vcf.gz", [{}] * 4, InputError, r"a\.vcf: more annotations than records"),
        ("out.vcf", [{"X": 1}, {}, {}], ValueError, "undeclared INFO fields: X"),
        ("out.vcf", [{"GENOLM_SUM": (1,)}, {}, {}], ValueError, "GENOLM_SUM: expected 2 values, got 1"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(tmp_path, out, annotations, error, message):
    template = write(tmp_path)
    with pytest.raises(error, match=message):
        write_vcf(template, tmp_path / out, [SUM], annotations)
    assert os.listdir(tmp_path) == ["a.vcf"]


def test_an_existing_output_survives_a_failure(tmp_path):
    out = write(tmp_path, "precious", "out.vcf")
    with pytest.raises(
        InputError, match=r"bad\.vcf:5: expected 11 columns separated by tabs as in the header, found 3"
    ):
        write_vcf(write(tmp_path, "\n".join(TEXT.splitlines()[:4]) + "\na\tb\tc\n", "bad.vcf"), out, [SUM], repeat({}))
    assert out.read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("A B", "1", "Float", ""), "invalid INFO key 'A B'"),
        (("1A", "1", "Float", ""), "invalid INFO key '1A'"),
        (("A", "x", "Float", ""), "invalid Number 'x' for type Float"),
        (("A", "1", "Flag", ""), "invalid Number '1' for type Flag"),
        (("A", "1", "Double", ""), "invalid INFO type 'Double'"),
    ],
)
def test_declarations_are_validated(arguments, message):
    with pytest.raises(ValueError, match=message):
        InfoField(*arguments)


def test_header_line_is_quoted():
    field = InfoField("A", "1", "Float", 'say "x\\y"\nand  more')
    assert field.header_line == r'##INFO=<ID=A,Number=1,Type=Float,Description="say \"x\\y\" and more">'


@pytest.mark.parametrize(
    ("number", "kind", "value", "text"),
    [
        ("1", "Float", -0.0, "X=0"), ("1", "Float", 1 / 3, "X=0.333333"), ("1", "Float", -1.25e-9, "X=-1.25e-09"),
        ("A", "Float", (1.0, None, float("nan")), "X=1,.,."), ("R", "Integer", (1, 2, 3, 4), "X=1,2,3,4"),
        (".", "String", ("a b", "c;d=e,f%"), "X=a%20b,c%3Bd%3De%2Cf%25"),
        ("0", "Flag", True, "X"), ("0", "Flag", False, ""),
    ],
)  # fmt: skip
def test_values_as_text(number, kind, value, text):
    assert InfoField("X", number, kind, "x").text(value, 3) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [(b".", b"X=1"), (b"", b"X=1"), (b"A=1;B", b"A=1;B;X=1"), (b"X=5;A=1;X=6;XY=2;", b"A=1;XY=2;X=1"), (b"X", b"X=1")],
)
def test_edited_info(before, after):
    assert edited_info(before, [InfoField("X", "1", "Integer", "")], {"X": 1}, 1) == after


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["1000G_30x.chr1.10k-66k", "clinvar_example.multi.b38", "vep_clinvar_testset", "vkgl.GRCh38.slices"]
)
def test_real_files_field_by_field(data_dir, tmp_path, name):
    template, out = data_dir / f"variants/{name}.vcf.gz", tmp_path / "out.vcf.gz"
    scores = [{"GENOLM_SUM": tuple(-0.25 * i for i, _ in enumerate(r.alts))} for r in read_variants(template)]
    write_vcf(template, out, [SUM], scores)
    with gzip.open(template) as file:
        before = file.read().splitlines()
    after = [line for _, line in byte_lines(out)]
    assert [line for line in after if line.startswith(b"#") and line != SUM.header_line.encode()] == [
        line for line in before if line.startswith(b"#")
    ]
    records = [line.split(b"\t") for line in after if not line.startswith(b"#")]
    for old, new in zip((line.split(b"\t") for line in before if not line.startswith(b"#")), records, strict=True):
        assert new[:7] == old[:7] and new[8:] == old[8:]
        assert new[7].removesuffix(b";" + new[7].rpartition(b";")[2]) == old[7]
    with pysam.VariantFile(str(out)) as file:
        assert [record.info["GENOLM_SUM"] for record in file] == [score["GENOLM_SUM"] for score in scores]


@pytest.mark.data
def test_real_bcf_round_trip(data_dir, tmp_path):
    template = data_dir / "variants/1000G_30x.chr1.10k-66k.vcf.gz"
    count = sum(1 for _ in read_variants(template))
    write_vcf(template, tmp_path / "a.bcf", [], repeat({}, count))
    write_vcf(tmp_path / "a.bcf", tmp_path / "b.bcf", [SUM], repeat({"GENOLM_SUM": 1.0}, count))
    with pysam.VariantFile(str(template)) as before, pysam.VariantFile(str(tmp_path / "b.bcf")) as after:
        for old, new in zip(before, after, strict=True):
            assert new.info.pop("GENOLM_SUM") == (1.0,)
            assert str(old) == str(new)


SV_HEADER = """##fileformat=VCFv4.2
##contig=<ID=chr1>
##contig=<ID=big,assembly=x,length=600000000>
##INFO=<ID=END,Number=1,Type=Integer,Description="end">
##INFO=<ID=SVLEN,Number=A,Type=Integer,Description="length">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""


@pytest.mark.parametrize(
    ("record", "index"),
    [
        ("chr1\t100\t.\tA\tC\t.\t.\t.", "tbi"),
        ("chr1\t100\t.\tA\t<DEL>\t.\t.\tEND=5000", "tbi"),
        ("chr1\t100\t.\tA\t<DEL>\t.\t.\tEND=536880000", "csi"),
        ("chr1\t100\t.\tA\t<DEL>\t.\t.\tSVLEN=-600000000", "csi"),
        ("chr1\t536870913\t.\tA\tC\t.\t.\t.", "csi"),
        ("chr1\t536870900\t.\t" + "A" * 30 + "\tA\t.\t.\t.", "csi"),
        ("big\t100\t.\tA\tC\t.\t.\t.", "csi"),
    ],
)
def test_the_index_can_hold_end_svlen_ref_and_contig(tmp_path, record, index):
    source, out = write(tmp_path, f"{SV_HEADER}{record}\n"), tmp_path / "out.vcf.gz"
    write_vcf(source, out, [], [{}])
    assert {path.suffix for path in tmp_path.glob("out.vcf.gz.*")} == {f".{index}"}
    contig, pos = record.split("\t")[:2]
    with pysam.TabixFile(str(out), index=f"{out}.{index}") as file:
        assert len(list(file.fetch(contig, int(pos) - 1, int(pos)))) == 1


def test_bcf_beyond_the_declared_length_of_its_contig_has_no_index_and_says_so(tmp_path):
    header = SV_HEADER.replace("length=600000000", "length=1000").replace("ID=chr1", "ID=chr1,length=1000")
    source, out = write(tmp_path, f"{header}chr1\t9000000\t.\tA\tC\t.\t.\t.\n"), tmp_path / "out.bcf"
    with noted(r"out\.bcf: written without an index: a record is beyond the length"):
        write_vcf(source, out, [], [{}])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.vcf", "out.bcf"]
