from pathlib import Path

import pytest

from genolm.errors import InputError
from genolm.tasks.report.label_columns import Label
from genolm.tasks.report.scored_variants import read_scored

HEADER = """\
##fileformat=VCFv4.2
##contig=<ID=c,length=100>
##INFO=<ID=GENOLM_LLR_SITE,Number=A,Type=Float,Description="at the site, nats">
##INFO=<ID=GENOLM_LLR_SUM,Number=A,Type=Float,Description="summed, nats">
##INFO=<ID=GENOLM_STATUS,Number=A,Type=String,Description="status">
##INFO=<ID=CLS,Number=1,Type=String,Description="truth">
##INFO=<ID=EFFECT,Number=A,Type=String,Description="effect">
##INFO=<ID=GENE,Number=1,Type=String,Description="gene">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""


def vcf(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "x.vcf"
    path.write_text(header + "".join(f"{line}\n" for line in lines))
    return path


def test_values_per_alternative_and_per_record(tmp_path: Path) -> None:
    path = vcf(
        tmp_path,
        "c\t5\t.\tA\tC,T\t.\t.\tGENOLM_LLR_SUM=-1.5,2;CLS=LP;EFFECT=one,two;GENE=G;GENOLM_STATUS=scored,flipped",
        "c\t9\t.\tAC\t*,<DEL>\t.\t.\tGENOLM_LLR_SUM=.,.",
        "c\t12\t.\tA\t.\t.\t.\t.",
    )
    scored = read_scored(path)
    assert scored.field == "GENOLM_LLR_SUM" and scored.description == "summed, nats"
    first, second, star, symbolic = scored.alleles
    assert (first.name, first.score, first.truth, first.effect, first.gene) == ("c:5:A>C", -1.5, "LP", "one", "G")
    assert (second.alt, second.score, second.truth, second.effect, second.status) == ("T", 2.0, "LP", "two", "flipped")
    assert (star.score, symbolic.score, star.truth, star.effect) == (None, None, "", "")
    assert [(one.line, one.start, one.end, one.kind) for one in scored.alleles] == [
        (10, 4, 5, "SNV"), (10, 4, 5, "SNV"), (11, 8, 10, "other"), (11, 8, 10, "other"),
    ]  # fmt: skip


def test_chosen_fields(tmp_path: Path) -> None:
    path = vcf(tmp_path, "c\t5\t.\tA\tC\t.\t.\tGENOLM_LLR_SUM=1;GENOLM_LLR_SITE=2;EFFECT=LP")
    scored = read_scored(path, field="GENOLM_LLR_SITE", label=Label("EFFECT"))
    assert (scored.alleles[0].score, scored.alleles[0].truth) == (2.0, "LP")


def test_no_score(tmp_path: Path) -> None:
    header = "\n".join(line for line in HEADER.splitlines() if "LLR" not in line) + "\n"
    path = vcf(tmp_path, "c\t5\t.\tA\tC\t.\t.\tCLS=LP", header=header)
    message = (
        r"x.vcf: no INFO field GENOLM_LLR_SUM or GENOLM_LLR_SITE or GENOLM_LLR_MASKED_SUM \(present: CLS, EFFECT, GENE,"
    )
    with pytest.raises(InputError, match=message):
        read_scored(path)
    with pytest.raises(InputError, match="no INFO field MINE"):
        read_scored(path, field="MINE")


@pytest.mark.parametrize("content", [b"", b"no VCF\n", b"\x1f\x8b\x08\x04broken"])
def test_not_a_vcf(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.vcf"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x.vcf"):
        read_scored(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.vcf: no such file"):
        read_scored(tmp_path / "none.vcf")


def test_a_position_with_more_digits_than_python_converts_is_refused(tmp_path: Path) -> None:
    path = vcf(tmp_path, f"c\t{'9' * 5000}\t.\tA\tC\t.\t.\tGENOLM_LLR_SUM=-1")
    with pytest.raises(InputError, match=r"x\.vcf:10: POS must be a whole number"):
        read_scored(path)
