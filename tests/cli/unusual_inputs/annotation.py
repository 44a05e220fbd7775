"""Annotation with odd features beside good ones, other names of contigs, indexes that do not fit, and odd text."""

import gzip
import os
from pathlib import Path

import polars as pl
from tests.cli.unusual_inputs.case import MODEL, Unusual

EXPERTS = "explain experts tiny-random chr1:1-450 out --genome toy.fa"
ORF = "ATG" + "GCAGAAAAC" * 12 + "TAA"
TOY = {"toy.fa": f">chr1\n{'GGATCACAGTCTACACTGCTCACTC' * 20}\n"}
RING = ORF[60:] + "ACGTACGTTC" * 20 + ORF[:60]


def _line(contig: str, kind: str, start: int, end: int, strand: str, told: str) -> str:
    return f"{contig}\tx\t{kind}\t{start}\t{end}\t.\t{strand}\t.\t{told}\n"


def _exon(start: int, end: int, strand: str, name: str, contig: str = "chr1") -> str:
    return _line(contig, "exon", start, end, strand, f'gene_id "g{name}"; transcript_id "{name}";')


GOOD = _exon(301, 340, "+", "ok") + _exon(361, 400, "+", "ok")


def regions(*expected: str):
    """The experts were counted over bases of these types."""

    def check(folder: Path) -> None:
        table = pl.read_csv(folder / "out" / "shares.tsv", separator="\t").filter(pl.col("grouping") == "region")
        assert set(table["class"]) == {"intergenic", *expected}

    return check


def first_gene(name: str, place: str):
    """The table of genes begins with this one."""

    def check(folder: Path) -> None:
        table = pl.read_csv(folder / "out.genes.tsv", separator="\t")
        assert (table["id"][0], f"{table['chrom'][0]}:{table['start'][0]}-{table['end'][0]}") == (name, place)

    return check


def lengths(*expected: int):
    """The table ``out.parquet`` has one row for each of these sequence lengths."""

    def check(folder: Path) -> None:
        assert pl.read_parquet(folder / "out.parquet")["length"].to_list() == list(expected)

    return check


def _completed(folder: Path) -> None:
    table = pl.read_csv(folder / "out.tsv", separator="\t")
    assert set(table["id"]) == {"over"} and set(table["prompt_bases"] + table["truth_bases"]) == {len(ORF)}


def _edited(folder: Path) -> None:
    """The genome gets a base more, by a tool that keeps times."""
    path = folder / "genome.fa"
    times = path.stat()
    text = path.read_bytes()
    path.write_bytes(text.replace(b"\n>chr2", b"A\n>chr2") if b"\n>chr2" in text else text)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


CASES = (
    Unusual(
        "GTF with a trans-spliced transcript",
        f"{EXPERTS} --genes genes.gtf",
        "skipped with a warning; all others are used",
        regions("exon", "intron"),
        {**TOY, "genes.gtf": _exon(11, 50, "-", "m1") + _exon(71, 90, "+", "m1") + GOOD},
        warning="genes.gtf:1: skipped 1 feature: a transcript with exons on both strands (value 'm1')\n",
    ),
    Unusual(
        "GTF with three kinds of invalid transcripts",
        f"{EXPERTS} --genes genes.gtf",
        "all skipped, counted by kind in one warning",
        regions("exon", "intron"),
        {
            **TOY,
            "genes.gtf": _exon(1, 9, "+", "")
            + _exon(11, 50, ".", "u")
            + _exon(1, 9, "+", "o")
            + _exon(5, 20, "+", "o")
            + GOOD,
        },
        warning="genes.gtf:1: skipped 3 features: an exon without transcript_id (1), a transcript without a "
        "strand (1), a transcript with exons that overlap (1); this is the first",
    ),
    Unusual(
        "GFF3 of Prodigal: coding features without parents",
        f"{EXPERTS} --genes genes.gff3",
        "each is read as a separate transcript",
        regions("coding exon"),
        {**TOY, "genes.gff3": "##gff-version 3\n" + _line("chr1", "CDS", 11, 190, "+", "ID=1_1;partial=00")},
    ),
    Unusual(
        "GFF3 with contig 1 for chr1",
        f"scan {MODEL} genome.fa out --genes genes.gff3 --shuffles 1",
        "its genes lie on the genome's chr1",
        first_gene("a", "chr1:10-190"),
        {"genes.gff3": _line("1", "CDS", 11, 190, "+", "ID=a")},
    ),
    Unusual(
        "GFF3 with a gene over the origin of a circular contig",
        f"complete {MODEL} genes.gff3 out.tsv --genome ring.fa --shortest 30 -n 1",
        "read through the origin, as one coding sequence",
        _completed,
        {
            "ring.fa": f">ring\n{RING}\n",
            "genes.gff3": _line("ring", "region", 1, len(RING), "+", "ID=r;Is_circular=true")
            + _line("ring", "CDS", len(RING) - 59, len(RING) - 60 + len(ORF), "+", "ID=over"),
        },
    ),
    Unusual(
        "genome whose index belongs to other content",
        f"score {MODEL} last.bed out.parquet --genome genome.fa",
        "the index is not used: a new one is stored in the cache, with a warning",
        lengths(9),
        {"last.bed": "chr2\t0\t9\n"},
        make=_edited,
        warning="warning: genome.fa: its index genome.fa.fai does not match (",
    ),
    Unusual(
        "genome that begins with a byte order mark",
        f"score {MODEL} a.bed out.parquet --genome marked.fa",
        "read without it",
        lengths(4),
        {"marked.fa": b"\xef\xbb\xbf>chr1\nACGTAC\nGT\n", "a.bed": b"\xef\xbb\xbf1\t3\t7\r\n"},
    ),
    Unusual(
        "BED with an interval mostly beyond the end of its contig",
        f"score {MODEL} a.bed out.parquet --genome short.fa",
        "the missing bases read N, with a warning that asks for the genome build",
        lengths(20),
        {"short.fa": f">chr1\n{'ACGTTGCAAC' * 5}\n", "a.bed": "chr1\t45\t65\n"},
        warning="a.bed:1: 1 interval lies mostly beyond the ends of its contig and reads N there; here chr1 has 50 "
        "bases: is it of another genome build? (value 'chr1:46-65')",
    ),
    Unusual(
        "FASTA of several concatenated gzip files",
        f"score {MODEL} reads.fa.gz out.parquet",
        "read to the end of the last",
        lengths(4, 6),
        {"reads.fa.gz": gzip.compress(b">a\nACGT\n", mtime=0) + gzip.compress(b">b\nACGTAC\n", mtime=0)},
    ),
)
