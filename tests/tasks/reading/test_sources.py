"""Sources: repeated reading, and coordinates."""

import json

import polars as pl
import pytest

from genolm import Genome, InputError, Interval, Variant
from genolm.engine.settings import read_settings, write_settings
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.reading.sources import Source, coordinates, open_source


def read(source):
    return [(record.id, record.sequence) for record in source.read()]


@pytest.fixture
def vcf(tmp_path, contigs):
    path = tmp_path / "calls.vcf"
    ref = contigs["chr1"][49]
    header = "##fileformat=VCFv4.2\n##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    path.write_text(f"{header}chr1\t50\t.\t{ref}\t{ref}AC\t.\t.\t.\n")
    return path


def test_kinds_of_files(fasta, bed, vcf, genome_path, tmp_path):
    table = tmp_path / "some.tsv"
    table.write_text("id\tsequence\nx\tACGT\n")
    assert open_source(fasta).kind == "sequences"
    assert open_source(table).kind == "sequences"
    assert open_source(str(bed), genome=genome_path).kind == "intervals"
    assert open_source(vcf, genome=genome_path, length=10).kind == "alleles"


def test_kinds_of_values(genome_path):
    interval = Interval("chr1", 0, 9)
    assert open_source(["ACGT"]).kind == "sequences"
    assert open_source(interval, genome=genome_path).kind == "intervals"
    assert open_source([SequenceRecord("a", "A" * 9, interval), "ACGT"]).kind == "intervals"
    assert open_source([Variant("chr1", 5, "A", "C")]).kind == "alleles"
    assert (
        open_source(pl.DataFrame({"chrom": ["chr1"], "start": [0], "end": [9]}), genome=genome_path).kind == "intervals"
    )
    assert open_source([]).kind == "sequences"


def test_a_name_that_only_looks_like_an_allele_is_none(tmp_path, genome_path):
    path = tmp_path / "regions.bed"
    path.write_text("chr1\t0\t9\tpromoter/alt\n")
    assert open_source(path, genome=genome_path).kind == "intervals"


def test_a_source_can_be_read_twice(fasta):
    for source in (
        open_source(fasta),
        open_source(iter(["ACGT", "GG"])),
        open_source(pl.DataFrame({"sequence": ["ACGT"]})),
    ):
        assert read(source) == read(source) != []


def test_a_source_survives_the_manifest(bed, genome_path):
    with Genome(genome_path) as genome:
        source = open_source(bed, genome=genome, length=12)
    again = read_settings(write_settings(source))
    assert again == source == Source(bed, genome_path, 12, "raise", "intervals")
    assert read(again) == read(source)
    assert source.files() == (bed, genome_path)
    assert open_source(["ACGT"]).files() == ()


def test_ambiguous_letters_of_a_genome_read_n_and_those_of_sequences_are_refused(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">c\nACRTA\n")
    assert read(open_source([Interval("c", 0, 5)], genome=path)) == [("c:1-5", "ACNTA")]
    with pytest.raises(InputError, match=r"genome\.fa:2: ambiguity code .* \(value 'R'\)"):
        read(open_source(path))
    assert read(open_source(path, iupac="N")) == [("c", "ACNTA")]


def test_an_opened_genome_keeps_its_policy_for_ambiguous_letters(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">c\nACRTA\n")
    places = [Interval("c", 0, 5)]
    with pytest.raises(InputError, match=r"invalid letter at c:3 of genome\.fa: not a base, or an ambiguity code"):
        read(open_source(places, genome=Genome(path, iupac="raise")))
    with pytest.raises(InputError, match=r"inputs:1: ambiguity code at position 3"):
        read(open_source(places, genome=Genome(path, iupac="keep")))
    assert read(open_source(places, genome=Genome(path, iupac="keep"), iupac="N")) == [("c:1-5", "ACNTA")]
    kept = open_source(places, genome=Genome(path, iupac="keep"), iupac="N")
    assert read_settings(json.loads(json.dumps(write_settings(kept)))) == kept


def test_another_policy_is_refused_at_once():
    with pytest.raises(InputError, match=r"iupac must be one of raise, N, sample \(value 'typo'\)"):
        open_source(["ACGT"], iupac="typo")


def test_coordinates_are_columns_only_where_there_are_any():
    placed = SequenceRecord("a", "ACG", Interval("c", 2, 5, "-"))
    loose = SequenceRecord("b", "ACG")
    assert coordinates([loose], "sequences") == {"id": ["b"]}
    assert coordinates([placed, loose], "intervals") == {
        "id": ["a", "b"],
        "chrom": ["c", None],
        "start": [2, None],
        "end": [5, None],
        "strand": ["-", None],
    }


def test_what_is_wrong_with_the_first_sequence_shows_at_once(bed, tmp_path):
    with pytest.raises(InputError, match=r"regions\.bed:1: intervals require a genome"):
        open_source(bed)
    with pytest.raises(InputError, match=r"expected a file, a variant .*, or a list of .* \(value 5\)"):
        open_source(5)
    with pytest.raises(InputError, match=r"some\.docx: no such file"):
        open_source(tmp_path / "some.docx")
    (tmp_path / "some.docx").touch()
    with pytest.raises(InputError, match="unknown file format"):
        open_source(tmp_path / "some.docx")
