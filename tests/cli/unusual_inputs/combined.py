"""Input in which two oddities meet, and which is good."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pysam
from tests.cli.bad_inputs.variants import COLUMNS, FORMAT, HEADER, TOY, record
from tests.cli.unusual_inputs.case import MODEL, Unusual
from tests.cli.unusual_inputs.variant_files import statuses

_VARIANTS = f"variants {MODEL}"
_GENOTYPES = '##FORMAT=<ID=GT,Number=1,Type=String,Description="genotype">\n'
_SAMPLES = f"{FORMAT}##contig=<ID=chr1,length=20>\n{_GENOTYPES}{COLUMNS}\tFORMAT\tJos\u00e9\n".encode("latin-1")
_GENE = "ATG" + "GCATTAGAC" * 10 + "TAA"


def _rows(expected: list[dict[str, object]]):
    """The columns of ``out.tsv`` that are named here."""

    def check(folder: Path) -> None:
        table = pl.read_csv(folder / "out.tsv", separator="\t")
        assert table.select(list(expected[0])).to_dicts() == expected

    return check


def _sample_bytes(folder: Path) -> None:
    """The sample's name is as it was, byte by byte, and so is the genotype."""
    lines = (folder / "out.vcf").read_bytes().splitlines()
    assert lines[-2].endswith(b"\tFORMAT\tJos\xe9") and lines[-1].endswith(b"\tGT\t0/1")
    assert b"GENOLM_STATUS=scored" in lines[-1]


def _both_records(folder: Path) -> None:
    with pysam.VariantFile(str(folder / "out.vcf.gz")) as file:
        assert [one.info["GENOLM_STATUS"] for one in file.fetch("chr1", 0, 20)] == [("scored",), ("scored",)]


def _locked(folder: Path) -> None:
    (folder / "data").chmod(0o555)


def _as_with_its_own_index(folder: Path) -> None:
    """Bases are those of the genome, not those that the foreign index points to, and the index is left alone."""
    (folder / "data").chmod(0o755)
    assert (folder / "data" / "toy.fa.fai").read_text() == "chr1\t20\t9\t10\t11\n"
    statuses("scored")(folder)


def _finite_vector(folder: Path) -> None:
    vectors = np.load(folder / "out.npy")
    assert len(vectors) == 1 and np.isfinite(vectors).all()


def _completed_gene(folder: Path) -> None:
    places = pl.read_csv(folder / "out.tsv", separator="\t")["place"].unique().to_list()
    assert places == [f"2:11-{10 + len(_GENE)}(+)"]


CASES = (
    Unusual(
        "BCF whose sample names are Latin-1",
        f"{_VARIANTS} calls.bcf out.vcf --genome toy.fa",
        "scored; the names stay as they were, byte by byte",
        _sample_bytes,
        {"calls.vcf": _SAMPLES + (record(6, "C", "T")[:-1] + "\tGT\t0/1\n").encode(), "toy.fa": TOY},
        before=(f"{_VARIANTS} calls.vcf calls.bcf --genome toy.fa",),
    ),
    Unusual(
        "gzip VCF with Windows line ends and none after the last line",
        f"{_VARIANTS} calls.vcf.gz out.vcf.gz --genome toy.fa",
        "scored, written with bgzip and indexed",
        _both_records,
        {
            "calls.vcf.gz": gzip.compress(
                (HEADER + record(6, "C", "T") + record(7, "G", "A"))[:-1].replace("\n", "\r\n").encode(), mtime=0
            ),
            "toy.fa": TOY,
        },
    ),
    Unusual(
        "table of R with a byte order mark, row names and a missing ALT",
        f"{_VARIANTS} calls.tsv out.tsv --genome toy.fa",
        "row names are skipped; NA is a missing ALT",
        _rows([{"chrom": "chr1", "alt": "T", "status": "scored"}, {"chrom": "chr1", "alt": ".", "status": "missing"}]),
        {
            "calls.tsv": '\ufeff"chrom"\t"pos"\t"ref"\t"alt"\n"1"\t"chr1"\t6\t"C"\t"T"\n"2"\t"chr1"\t7\t"G"\tNA',
            "toy.fa": TOY,
        },
        warning="1 of 2 ALT alleles (50%) have no score, most often missing (1)",
    ),
    Unusual(
        "genome in a read-only folder next to the index of another file",
        f"{_VARIANTS} calls.vcf out.tsv --genome data/toy.fa",
        "a warning; a new index is kept in the cache",
        _as_with_its_own_index,
        {
            "calls.vcf": HEADER + record(6, "C", "T"),
            "data": None,
            "data/toy.fa": TOY,
            "data/toy.fa.fai": "chr1\t20\t9\t10\t11\n",
        },
        make=_locked,
        warning="its index toy.fa.fai does not match",
        unprivileged=True,
    ),
    Unusual(
        "BED with a byte order mark, Windows line ends, a track line and a contig without chr",
        f"score {MODEL} one.bed out.tsv --genome toy.fa",
        "read as without them",
        _rows([{"id": "a", "strand": "-", "length": 6}, {"id": "b", "strand": "+", "length": 8}]),
        {
            "one.bed": "\ufefftrack name=x\r\nchr1\t2\t8\ta\t0\t-\r\n1\t4\t12\tb\t.\t.",
            "toy.fa": TOY,
        },
    ),
    Unusual(
        "FASTA with a byte order mark, empty lines and no line end after the last line",
        f"score {MODEL} reads.fa out.tsv",
        "read as without them",
        _rows([{"id": "a", "length": 4}, {"id": "b", "length": 2}]),
        {"reads.fa": "\ufeff>a\r\nACGT\r\n\r\n>b\r\n\r\nAC"},
    ),
    Unusual(
        "a sequence of N alone in float16",
        "embed tiny-random-ocean n.fa out.npy --dtype float16",
        "a finite vector",
        _finite_vector,
        {"n.fa": ">n\nNNNNNNNNNN\n"},
    ),
    Unusual(
        "VCF under the name of a BCF",
        f"{_VARIANTS} calls.bcf out.tsv --genome toy.fa",
        "recognised by its content",
        statuses("scored"),
        {"calls.bcf": HEADER + record(6, "C", "T"), "toy.fa": TOY},
    ),
    Unusual(
        "VCF with lower-case alleles and fields of an earlier run that hold no number",
        f"{_VARIANTS} calls.vcf out.tsv --genome toy.fa",
        "scored again",
        statuses("scored"),
        {"calls.vcf": HEADER + "1\t6\t.\tc\tt\t.\t.\tGENOLM_LLR_SUM=nan;GENOLM_STATUS\n", "toy.fa": TOY},
    ),
    Unusual(
        "GTF whose first contig is not in the genome and whose second has another name there",
        f"complete {MODEL} genes.gtf out.tsv --genome g.fa --shortest 30 -n 1",
        "the first gene is left out with a warning, the second is completed",
        _completed_gene,
        {
            "genes.gtf": 'chrZ\tx\tCDS\t1\t90\t.\t+\t0\tgene_id "z"; transcript_id "z";\n'
            f'2\tx\tCDS\t11\t{10 + len(_GENE)}\t.\t+\t0\tgene_id "g"; transcript_id "t";\n',
            "g.fa": f">chr1\n{'ACGT' * 30}\n>chr2\n{'ACGTTGCATG' + _GENE + 'ACGT' * 9}\n",
        },
        warning="genes.gtf:1: skipped 1 feature: a contig that the genome does not have (value 'z')",
    ),
)
