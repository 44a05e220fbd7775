"""Where genes are, under the names that a FASTA has for its contigs."""

import pytest
from tests.noted import noted

from genolm.errors import InputError
from genolm.training.corpus.near_genes import NearGenes


def exons(*lines):
    return "".join(
        f'{chrom}\tx\texon\t{start}\t{start + 9}\t.\t{strand}\t.\tgene_id "g"; transcript_id "{name}";\n'
        for chrom, start, strand, name in lines
    )


def test_each_file_may_name_contigs_in_its_own_way(tmp_path):
    (tmp_path / "a.gtf").write_text(exons(("1", 101, "+", "a"), ("MT", 11, "-", "m")))
    (tmp_path / "b.gtf").write_text(exons(("chr1", 301, "+", "b"), ("NC_7.2", 51, "+", "c")))
    genes = NearGenes([tmp_path / "a.gtf", tmp_path / "b.gtf"], 20)
    assert genes.spans("chr1").tolist() == [[80, 130], [280, 330]]
    assert genes.spans("chrM").tolist() == [[0, 40]]
    assert genes.spans("NC_7").tolist() == [[30, 80]]
    assert genes.spans("chr2").tolist() == []


def test_a_contig_that_could_be_two_of_a_file_is_refused(tmp_path):
    (tmp_path / "a.gtf").write_text(exons(("1", 101, "+", "a"), ("chr1", 11, "-", "m")))
    genes = NearGenes([tmp_path / "a.gtf"], 20)
    assert genes.spans("1").tolist() == [[80, 130]]
    with pytest.raises(InputError, match=r"a\.gtf: ambiguous contig name: it matches 1 and chr1 \(value 'CHR1'\)"):
        genes.spans("CHR1")


def test_odd_transcripts_do_not_spoil_a_file(tmp_path):
    (tmp_path / "a.gtf").write_text(exons(("1", 11, ".", "a"), ("1", 101, "+", "b"), ("2", 101, "+", "b")))
    with noted(r"a\.gtf:1: skipped 1 feature: a transcript without a strand"):
        genes = NearGenes([tmp_path / "a.gtf"], 0)
    assert [genes.spans(name).tolist() for name in "12"] == [[[100, 110]], [[100, 110]]]
