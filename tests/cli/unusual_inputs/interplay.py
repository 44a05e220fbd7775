"""Input that is unusual for two parts of genolm at once."""

from pathlib import Path

import polars as pl
from tests.cli.unusual_inputs.case import MODEL, Unusual

_GENOME = {"natural.fa": f">chr1\n{'ACGTTGCAACGGTATC' * 40}\n"}
_FAR = 'chr1\tx\texon\t11\t{}\t.\t+\t.\tgene_id "g"; transcript_id "t";\n'
_SCORED = (
    '##fileformat=VCFv4.2\n##INFO=<ID=GENOLM_LLR_SUM,Number=A,Type=Float,Description="score">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t17\t.\tA\tC\t.\t.\tGENOLM_LLR_SUM=-1\n"
)


def pictures(*names: str):
    """The folder ``seen`` has these pictures."""

    def check(folder: Path) -> None:
        assert sorted(path.name for path in (folder / "seen").glob("*.png")) == list(names)

    return check


def in_gene(folder: Path) -> None:
    assert '"chr1:17:A>C","SNV","g"' in (folder / "page.html").read_text()


def kept(folder: Path) -> None:
    table = pl.read_parquet(folder / "out.parquet")
    assert table["dose"].to_list() == [1.5, None, None, 2.0]


def estimated(folder: Path) -> None:
    assert not list(folder.glob("s.*"))


CASES = (
    Unusual(
        "explain experts: a region of nothing but N",
        "explain experts tiny-random in.fa seen",
        "tables and the picture of letters; no picture of CpG, of which the input has none",
        pictures("experts.base.png"),
        {"in.fa": f">a\n{'N' * 60}\n"},
    ),
    Unusual(
        "explain experts: a sequence without C and G",
        "explain experts tiny-random in.fa seen",
        "tables and the picture of letters; no picture of CpG, of which the input has none",
        pictures("experts.base.png"),
        {"in.fa": f">a\n{'ATTAATTTAA' * 6}\n"},
    ),
    Unusual(
        "report: an exon that ends 10^17 bases behind its contig",
        "report scored.vcf page.html --genome natural.fa --genes genes.gtf",
        "the gene counts up to the end of the contig",
        in_gene,
        {**_GENOME, "scored.vcf": _SCORED, "genes.gtf": _FAR.format("1" + "0" * 17)},
    ),
    Unusual(
        "table: five spellings of a missing value in a further column",
        f"embed {MODEL} in.tsv out.parquet",
        "all are missing, and the column holds numbers",
        kept,
        {"in.tsv": "id\tsequence\tdose\na\tACGT\t1.5\nb\tACGT\t.\nc\tACGT\tN/A\nd\tACGT\t2\n"},
    ),
    Unusual(
        "dry run of a scan with a figure",
        f"scan {MODEL} natural.fa s --plot s.png --dry-run",
        "an estimate; neither track nor figure is written",
        estimated,
        _GENOME,
    ),
)
