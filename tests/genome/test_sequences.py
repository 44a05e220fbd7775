import gzip
import io
import re
import sys
from dataclasses import replace

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.noted import no_notes, noted

from genolm.errors import InputError
from genolm.genome import Genome, Interval, SequenceRecord, Variant, allele_sequences, read_sequences
from genolm.genome.sequence import reverse_complement

BASES = "GATTACAGGCTTCAAGCTTGCATGCCTGCAGGTCGACTCTAGAGGATCCC"


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_text(f">chr1\n{BASES}\n>chrM\nACRT\n")
    with Genome(path) as genome:
        yield genome


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, newline="")
    return path


def test_files_of_sequences(tmp_path, monkeypatch):
    expected = [SequenceRecord("a", "ACGT"), SequenceRecord("b", "NTT")]
    titled = [replace(expected[0], about="x y"), expected[1]]
    assert list(read_sequences(write(tmp_path, "a.fa", ">a x y\nAC\ngt\n>b\nRTT\n"))) == titled
    assert list(read_sequences(str(write(tmp_path, "a.fq", "@a\nacgt\n+\nIIII\n@b\nNTT\n+\nIII\n")))) == expected
    assert list(read_sequences(write(tmp_path, "a.tsv", "id\tlabel\tseq\na\t1\tACGT\nb\t0\tRtt\n"))) == expected
    frame = pl.DataFrame({"name": ["a", "b"], "sequence": ["ACGT", "RTT"]})
    frame.write_parquet(tmp_path / "a.parquet")
    assert list(read_sequences(tmp_path / "a.parquet")) == list(read_sequences(frame)) == expected
    assert list(read_sequences(pd.DataFrame({"id": ["a", "b"], "sequence": ["ACGT", "NTT"]}))) == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b">a\nACGT\n>b\nNTT\n"))))
    assert list(read_sequences("-")) == expected


def test_names_where_there_are_none(tmp_path):
    expected = [("sequence1", "AC"), ("sequence2", "GT")]
    for source in (
        write(tmp_path, "a.csv", "sequence,label\nAC,1\nGT,0\n"),
        write(tmp_path, "a.txt", "AC\nGT\n"),
        ["ac", "gt"],
    ):
        assert [(record.id, record.sequence) for record in read_sequences(source)] == expected


def test_policies(tmp_path):
    path = write(tmp_path, "a.fa", ">a\nACRU\n")
    assert next(read_sequences(path, rna=True, iupac="keep")).sequence == "ACRT"
    sampled = next(read_sequences(path, rna=True, iupac="sample", seed=3)).sequence
    assert (
        sampled in ("ACAT", "ACGT") and sampled == next(read_sequences(path, rna=True, iupac="sample", seed=3)).sequence
    )
    with pytest.raises(InputError, match=r"a\.fa:2: not a base at position 4 .*write T for U"):
        list(read_sequences(path))
    with pytest.raises(InputError, match=r"a\.fa:2: ambiguity code at position 3"):
        list(read_sequences(path, rna=True, iupac="raise"))


def test_intervals_from_bed_tables_and_values(tmp_path, genome):
    first, second = Interval("1", 2, 6), Interval("chr1", 4, 8, "-")
    expected = [SequenceRecord("1:3-6", "TTAC", first), SequenceRecord("x", reverse_complement("ACAG"), second)]
    bed = write(tmp_path, "a.bed", "1\t2\t6\nchr1\t4\t8\tx\t0\t-\n")
    table = write(tmp_path, "a.tsv", "chrom\tstart\tend\tstrand\tname\n1\t2\t6\t.\t\nchr1\t4\t8\t-\tx\n")
    assert list(read_sequences(bed, genome=genome)) == list(read_sequences(table, genome=genome)) == expected
    assert list(read_sequences(bed, genome=genome.path)) == expected
    assert list(read_sequences([first], genome=genome)) == list(read_sequences(first, genome=genome)) == expected[:1]


def test_length_resizes_around_the_centre_and_keeps_the_name(tmp_path, genome):
    bed = write(tmp_path, "a.bed", "chr1\t2\t6\n")
    record = next(read_sequences(bed, genome=genome, length=10))
    assert record == SequenceRecord("chr1:3-6", "NGATTACAGG", Interval("chr1", -1, 9))


def vcf(tmp_path, *records):
    rows = "".join("\t".join((*record, ".", ".", ".")) + "\n" for record in records)
    return write(tmp_path, "a.vcf", "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + rows)


def test_variants_give_both_alleles(tmp_path, genome):
    path = vcf(tmp_path, ("chr1", "5", ".", "a", "g,AT"), ("1", "5", ".", "ACA", "A"))
    records = list(read_sequences(path, genome=genome, length=8))
    assert [(record.id, record.sequence) for record in records] == [
        ("chr1:5:A>G/ref", "GATTACAG"), ("chr1:5:A>G/alt", "GATTGCAG"),
        ("chr1:5:A>AT/ref", "GATTACAG"), ("chr1:5:A>AT/alt", "GATTATCA"),
        ("1:5:ACA>A/ref", "GATTACAG"), ("1:5:ACA>A/alt", "GATTAGGC"),
    ]  # fmt: skip
    assert {record.interval for record in records} == {Interval("chr1", 0, 8), Interval("1", 0, 8)}
    table = write(tmp_path, "a.tsv", "chrom\tpos\tref\talt\nchr1\t5\ta\tg,AT\n1\t5\tACA\tA\n")
    assert list(read_sequences(table, genome=genome, length=8)) == records
    frame = pl.DataFrame({"chrom": ["chr1", "1"], "pos": [5, 5], "ref": ["A", "ACA"], "alt": ["G,AT", "A"]})
    assert list(read_sequences(frame, genome=genome, length=8)) == records
    values = [Variant("chr1", 5, "A", "G"), Variant("chr1", 5, "A", "AT"), Variant("1", 5, "ACA", "A")]
    assert list(read_sequences(values, genome=genome, length=8)) == records


def test_alternatives_without_a_sequence_are_told(tmp_path, genome):
    path = vcf(tmp_path, ("chr1", "5", ".", "A", "G,*,<DEL>"), ("chr1", "6", ".", "C", "."))
    with noted(r"a\.vcf: skipped ALT alleles .*: 1 missing, 1 star, 1 symbolic"):
        assert len(list(read_sequences(path, genome=genome, length=8))) == 2


@given(st.data())
def test_allele_sequences_are_the_two_haplotypes(genome, data):
    start = data.draw(st.integers(0, len(BASES) - 1))
    ref = BASES[start : start + data.draw(st.integers(1, 12))]
    alt = data.draw(st.text("ACGT", min_size=1, max_size=12).filter(lambda alt: alt != ref))
    length = data.draw(st.integers(1, 30))
    padded = "N" * 100 + BASES + "N" * 100
    place, first = start + 100, start + 100 - length // 2
    haplotype = padded[:place] + alt + padded[place + len(ref) :]
    found = allele_sequences(Variant("chr1", start + 1, ref, alt), genome, length)
    assert found == (padded[first : first + length], haplotype[first : first + length])


@pytest.mark.parametrize(
    ("name", "text", "arguments", "message"),
    [
        ("a.bed", "chr1\t1\t5\n", {}, r"a\.bed:1: intervals require a genome; pass genome=…"),
        ("a.bed", "chr1\t1\t5\nchr9\t1\t5\n", {"genome": True}, r"a\.bed:2: no such contig; .*\(value 'chr9'\)"),
        (
            "a.bed",
            "chr1\t90\t95\n",
            {"genome": True},
            r"a\.bed:1: .* lies beyond the ends of chr1 \(1-50\): is it",
        ),
        ("a.tsv", "chrom\tstart\tend\nchr1\t1\tx\n", {"genome": True}, r"a\.tsv:2: column end must hold whole"),
        ("a.tsv", "chrom\tstart\tend\nchr1\t5\t2\n", {"genome": True}, r"a\.tsv:2: .*end must be greater"),
        (
            "a.tsv",
            "chrom\tpos\tref\talt\nchr1\t5\tA\tG\n",
            {"length": 8},
            r"a\.tsv:2: variants require a genome; pass genome=…",
        ),
        (
            "a.tsv",
            "chrom\tpos\tref\talt\nchr1\t5\tA\tG\n",
            {"genome": True},
            r"a\.tsv:2: variants require a length, in bases per sequence .*; pass length=…",
        ),
        (
            "a.tsv",
            "chrom\tpos\tref\talt\nchr1\t5\tT\tG\n",
            {"genome": True, "length": 8},
            r"a\.tsv:2: REF does not match the reference, which has A; is it another genome build\?",
        ),
        ("a.tsv", "one\ttwo\n1\t2\n", {}, r"a\.tsv: a table of sequences must have the column sequence, or"),
        ("a.tsv", "id\tsequence\na\tACGT\nb\t\n", {}, r"a\.tsv:3: the sequence is empty \(value 'b'\)"),
        ("a.tsv", "id\tsequence\na\tAC GT\n", {}, r"a\.tsv:2: not a base at position 3 .*\(value ' '\)"),
        ("a.fa", ">a\nAC\n", {"length": 8}, r"a\.fa: a length applies to intervals and variants, not to sequences"),
        ("a.xyz", "", {}, r"a\.xyz: unknown file format"),
    ],
)
def test_bad_files(tmp_path, genome, name, text, arguments, message):
    arguments = {key: genome if key == "genome" else value for key, value in arguments.items()}
    with pytest.raises(InputError, match=message):
        list(read_sequences(write(tmp_path, name, text), **arguments))


@pytest.mark.parametrize(
    ("values", "arguments", "message"),
    [
        (["AC", "AXC"], {}, r"inputs:2: not a base at position 2 .*\(value 'X'\)"),
        (["AC", ""], {}, r"inputs:2: the sequence is empty"),
        (["AC"], {"length": 4}, "inputs:1: a length applies to intervals and variants, not to sequences"),
        ([Interval("c", 0, 1)], {}, r"inputs:1: intervals require a genome; pass genome=…"),
        ([5], {}, r"inputs:1: expected DNA, an Interval, a Variant or a SequenceRecord \(value 5\)"),
        ([SequenceRecord("a", "A!")], {}, "inputs:1: not a base"),
    ],
)
def test_bad_values(values, arguments, message):
    with pytest.raises(InputError, match=message):
        list(read_sequences(values, **arguments))


def test_a_record_needs_a_name():
    with pytest.raises(InputError, match="a sequence must have a name"):
        SequenceRecord("", "ACGT")


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "record"),
    [
        ("human/other_slices.fa.gz", rb"(?m)^>"),
        ("human/LPA_14_haplotypes.fa.gz", rb"(?m)^>"),
        ("benchmarks/genomic_benchmarks_in_slices.tsv.gz", rb"\n."),
        ("benchmarks/gue/tf.0.dev.csv.gz", rb"\n."),
        ("genomeocean/dna_sequences.txt", rb"(?m)^."),
    ],
)
def test_real_files(data_dir, file, record):
    """One sequence for each record that the text has."""
    content = (data_dir / file).read_bytes()
    count = len(re.findall(record, gzip.decompress(content) if file.endswith(".gz") else content))
    records = list(read_sequences(data_dir / file))
    assert len(records) == count > 0 and all(set(record.sequence) <= set("ACGTN") for record in records)


@pytest.mark.data
def test_published_sequences_are_those_of_the_genome(data_dir):
    table = pl.read_csv(data_dir / "benchmarks/genomic_benchmarks_in_slices.tsv.gz", separator="\t")
    with Genome(data_dir / "human/GRCh38.slices.fa.gz") as genome:
        inside = [name in genome and end <= genome.lengths[name] for name, end in zip(table["region"], table["end"])]
        table = table.filter(pl.Series(inside))  # the others lie in slices of another assembly
        found = [record.sequence for record in read_sequences(table.drop("seq"), genome=genome)]
    assert found and found == [sequence.upper() for sequence in table["seq"]]


def test_another_policy_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(InputError, match=r"iupac must be one of raise, N, sample, keep \(value 'typo'\)"):
        read_sequences(tmp_path / "nothing.fa", iupac="typo")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["chr1\t40\t61"],
            r"a\.bed:1: 1 interval lies mostly beyond the ends of its contig .*; here chr1 has 50",
        ),
        (
            ["chr1\t0\t9", "chr1\t45\t56", "1\t49\t99"],
            r"a\.bed:2: 2 intervals lie .* build\? \(value 'chr1:46-56'",
        ),
    ],
)
def test_intervals_mostly_off_their_contig_are_reported_once(tmp_path, lines, message):
    (tmp_path / "g.fa").write_text(f">chr1\n{'ACGTA' * 10}\n")
    (tmp_path / "a.bed").write_text("\n".join(lines))
    with noted() as caught:
        found = list(read_sequences(tmp_path / "a.bed", genome=tmp_path / "g.fa"))
    assert len(found) == len(lines) and len(caught) == 1
    assert re.search(message, str(caught[0]))


def test_intervals_at_the_end_of_their_contig_need_no_word(tmp_path):
    (tmp_path / "g.fa").write_text(f">chr1\n{'ACGTA' * 10}\n")
    (tmp_path / "a.bed").write_text("chr1\t40\t60\nchr1\t49\t50\n")
    with no_notes():
        records = list(read_sequences(tmp_path / "a.bed", genome=tmp_path / "g.fa", length=40))
    assert [len(one.sequence) for one in records] == [40, 40]
