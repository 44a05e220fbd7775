"""Which genes of an annotation are read, and which of their transcripts is the principal one."""

from collections import Counter
from pathlib import Path

import pytest

from genolm.genome.annotation.transcript_types import TranscriptType, read_transcript_types
from genolm.genome.fasta import Genome
from genolm.training.datasets.coding_genes import read_coding_genes
from genolm.training.datasets.gene_splits import Regions, divided

EXONS = ((101, 160), (201, 260))


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    (tmp_path / "genome.fa").write_text(f">chr1\n{'ACGTTGCA' * 100}\n>chr2\n{'ACGTTGCA' * 100}\n")
    return Genome(tmp_path / "genome.fa")


def gtf(name: str, tags: str = "", *, gene: str = "g", kind: str = "protein_coding", exons: tuple = EXONS) -> str:
    """The lines of a transcript of the bases 101 to 260, whose last 30 bases are in no coding exon."""
    told = f'gene_id "{gene}"; transcript_id "{name}"; gene_type "{kind}"; {tags}'
    lines = [("transcript", 101, 260)]
    for start, end in exons:
        lines += [("exon", start, end), ("CDS", start, min(end, 230))]
    return "".join(f"chr1\tx\t{feature}\t{start}\t{end}\t.\t+\t0\t{told}\n" for feature, start, end in lines)


def genes(tmp_path: Path, text: str, genome: Genome, *, every: bool = False) -> tuple[list, Counter]:
    (tmp_path / "genes.gtf").write_text(text)
    counts = Counter[str]()
    return read_coding_genes(tmp_path / "genes.gtf", genome, every=every, counts=counts), counts


def test_mane_select_comes_before_canonical_and_canonical_before_the_longest(tmp_path: Path, genome: Genome) -> None:
    longest = gtf("long", exons=((101, 260),))
    canonical = gtf("canonical", 'tag "basic"; tag "Ensembl_canonical";')
    mane = gtf("mane", 'tag "MANE_Select";', exons=((101, 130), (201, 260)))
    for text, chosen in ((longest + canonical + mane, "mane"), (canonical + longest, "canonical"), (longest, "long")):
        (gene,), _ = genes(tmp_path, text + gtf("plain"), genome)
        assert [one.id for one in gene.transcripts] == [chosen]
    (gene,), _ = genes(tmp_path, longest + canonical + mane, genome, every=True)
    assert [one.id for one in gene.transcripts] == ["mane", "canonical", "long"] and gene.chosen_by == "MANE_Select"


def test_genes_of_other_types_are_not_read(tmp_path: Path, genome: Genome) -> None:
    decay = gtf("d", gene="decay", kind="processed_transcript")
    found, _ = genes(tmp_path, gtf("a") + decay, genome)
    assert [gene.id for gene in found] == ["g"]


def test_a_gene_that_lacks_exons_is_left_out_and_counted(tmp_path: Path, genome: Genome) -> None:
    found, counts = genes(tmp_path, gtf("a") + gtf("b", gene="cut", exons=EXONS[:1]), genome)
    assert [gene.id for gene in found] == ["g"] and counts["genes that lack exons"] == 1


@pytest.mark.parametrize(("margin", "split"), [(40, "test"), (41, None)])
def test_a_gene_needs_its_margin_in_its_split(margin: int, split: str | None, tmp_path: Path, genome: Genome) -> None:
    found, _ = genes(tmp_path, gtf("a"), genome)
    regions, counts = Regions(genome, [], ["chr2"], ["chr1:61-300"], []), Counter[str]()
    splits = divided(found, regions, margin, counts)
    assert [name for name, inside in splits.items() if inside] == ([split] if split else [])
    assert counts["genes across borders"] == (split is None)


GENCODE = "gene_type=protein_coding;transcript_type=protein_coding;tag=basic,MANE_Select"
ENSEMBL = "biotype=protein_coding;tag=Ensembl_canonical"


@pytest.mark.parametrize(
    ("gene", "transcript", "expected"),
    [
        ("ID=g1;gene_type=protein_coding", f"ID=t1;Parent=g1;{GENCODE}", {"basic", "MANE_Select"}),
        ("ID=gene:g1;biotype=protein_coding", f"ID=transcript:t1;Parent=gene:g1;{ENSEMBL}", {"Ensembl_canonical"}),
    ],
)
def test_types_and_tags_of_gencode_and_ensembl(tmp_path: Path, gene: str, transcript: str, expected: set) -> None:
    lines = [("gene", gene), ("mRNA", transcript), ("exon", "Parent=t1")]
    text = "".join(f"chr1\tx\t{feature}\t11\t40\t.\t-\t.\t{told}\n" for feature, told in lines)
    (tmp_path / "genes.gff3").write_text("##gff-version 3\n" + text)
    wanted = TranscriptType("protein_coding", "protein_coding", frozenset(expected), ("11", "40"))
    assert read_transcript_types(tmp_path / "genes.gff3") == {"t1": wanted}
