"""Every reader finds the contigs of a genome under the names that other files use."""

import numpy as np
import pytest

from genolm.errors import InputError
from genolm.genome.annotation.coding_sequences import read_coding
from genolm.genome.annotation.gene_map import read_gene_map
from genolm.genome.bigwig import BigWig, read_bigwig, write_bigwig
from genolm.genome.fasta import Genome
from genolm.genome.interval import Interval
from genolm.genome.sequences import read_sequences
from genolm.genome.vcf.vcf_records import read_variants
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus.corpus_recipe import CorpusRecipe
from genolm.training.corpus.loading import load_corpus

CONTIGS = {"chr1": "ATGACGTAAC" * 3, "chrM": "ATGTTTTAAG" * 3, "chr1_KI270706v1_random": "ATGGGGTAAT" * 3}
ALIASES = (
    "# ucsc\tassembly\tgenbank\trefseq\n"
    "chr1\t1\tCM000663.2\tNC_000001.11\n"
    "chrM\tMT\tJ01415.2\tNC_012920.1\n"
    "chr1_KI270706v1_random\tHSCHR1_CTG1_UNLOCALIZED\tKI270706.1\tNT_187361.1\n"
)
NAMES = [("1", "chr1"), ("MT", "chrM"), ("KI270706.1", "chr1_KI270706v1_random"), ("NC_000001.11", "chr1")]


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "hg.fa"
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in CONTIGS.items()))
    (tmp_path / "hg.chromAlias.txt").write_text(ALIASES)
    return path


named = pytest.mark.parametrize(("other", "own"), NAMES)


@named
def test_fasta(fasta, other, own):
    genome = Genome(fasta)
    assert genome.resolve(other) == own and genome[Interval(other, 0, 10)] == CONTIGS[own][:10]


@named
def test_bed(fasta, tmp_path, other, own):
    (tmp_path / "a.bed").write_text(f"{other}\t0\t10\n")
    assert next(read_sequences(tmp_path / "a.bed", genome=fasta)).sequence == CONTIGS[own][:10]


@named
def test_vcf(fasta, tmp_path, other, own):
    path = tmp_path / "a.vcf"
    path.write_text(
        f"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n{other}\t2\t.\tT\tC\t.\t.\t.\n"
    )
    (record,) = read_variants(path)
    record.variants()[0].check(Genome(fasta))
    assert next(read_sequences(path, genome=fasta, length=6)).sequence == "NN" + CONTIGS[own][:4]


@named
def test_bigwig(fasta, tmp_path, other, own):
    """The names of the track are those of another source; those of the query are the genome's."""
    path = write_bigwig(tmp_path / "x.bw", {other: 30}, [(other, 0, np.arange(30, dtype=np.float32))])
    with BigWig(path, Genome(fasta).synonyms) as track:
        assert track.values(Interval(own, 2, 4)).tolist() == [2, 3]
    (tmp_path / "x.chromAlias.txt").write_text(ALIASES)
    assert read_bigwig(path, Interval(own, 2, 4)).tolist() == [2, 3]


@named
@pytest.mark.parametrize("form", ["gtf", "gff3"])
def test_annotation(fasta, tmp_path, other, own, form):
    attributes = 'gene_id "g"; transcript_id "t";' if form == "gtf" else "ID=t"
    path = tmp_path / f"a.{form}"
    path.write_text(f"{other}\tx\tCDS\t1\t9\t.\t+\t0\t{attributes}\n")
    assert next(read_coding(path, fasta)).sequence == CONTIGS[own][:9]
    genome = Genome(fasta)
    (gene,) = read_gene_map(path).on(genome.lengths, genome.synonyms).coding
    assert gene.interval == Interval(own, 0, 9)


@named
def test_corpus(fasta, other, own):
    corpus = load_corpus(CorpusRecipe((str(fasta),), {"test": (other,)}, min_run=1), NucleotideTokenizer(iupac="N"))
    assert {run.interval.chrom for run in corpus.splits["test"]} == {own}
    assert {run.interval.chrom for run in corpus.splits["train"]} == set(CONTIGS) - {own}


def test_a_name_of_two_contigs(tmp_path):
    (tmp_path / "two.fa").write_text(">1\nACGT\n>chr1\nACGTT\n>2\nACGTA\n")
    (tmp_path / "chromAlias.txt").write_text("# ucsc\tassembly\trefseq\nchr1\t1\tNC_000001.11\n")
    genome = Genome(tmp_path / "two.fa")
    assert genome.resolve("1") == "1" and genome.resolve("chr1") == "chr1"
    for name in ("CHR1", "NC_000001.11"):
        with pytest.raises(InputError, match=rf"two\.fa: ambiguous contig name: .*1 and .*1 \(value '{name}'\)"):
            genome.resolve(name)
    recipe = CorpusRecipe((str(tmp_path / "two.fa"),), {"test": ("CHR1",)}, min_run=1)
    with pytest.raises(InputError, match=r"it matches 1 and chr1 \(value 'CHR1'\)"):
        load_corpus(recipe, NucleotideTokenizer(iupac="N"))


def test_a_malformed_alias_file_is_refused(fasta):
    fasta.with_name("hg.chromAlias.txt").write_text("chr1 1\n")
    with pytest.raises(InputError, match=r"hg\.chromAlias\.txt:1: expected three columns"):
        Genome(fasta)
