"""GenBank and EMBL input of all verbs that read FASTA."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import genolm
from genolm.cli.main import app
from genolm.errors import InputError
from genolm.genome.formats import file_format
from genolm.genome.labelled.fragments import named_files, read_genome
from genolm.genome.sequence_files import read_sequence_file
from genolm.genome.sequences import read_sequences
from genolm.training.vocabulary.vocabulary_corpus import find_blocks

MODEL = "tiny-random-dense"
BASES = "ACGTTGCAAGCTTACGGATC" * 8


def genbank(name: str, bases: str, *, features: str = "") -> str:
    """Return a GenBank record with lower-case letters, as in the archive."""
    rows = range(0, len(bases), 60)
    lines = [
        f"{n + 1:>9} " + " ".join(bases[n : n + 60][k : k + 10].lower() for k in range(0, 60, 10)).rstrip()
        for n in rows
    ]
    head = f"LOCUS       {name:<16} {len(bases)} bp    DNA     linear   BCT 01-JAN-2020\n"
    about = f"DEFINITION  test.\nACCESSION   {name}\nVERSION     {name}.1\nFEATURES             Location/Qualifiers\n"
    origin = "ORIGIN\n" + "\n".join(lines) + "\n" if bases else ""
    return head + about + features + origin + "//\n"


def embl(name: str, bases: str) -> str:
    rows = "\n".join(
        f"     {bases[n : n + 60].lower():<66}{min(n + 60, len(bases)):>9}" for n in range(0, len(bases), 60)
    )
    head = f"ID   {name}; SV 1; linear; genomic DNA; STD; PRO; {len(bases)} BP.\nXX\nAC   {name};\nXX\n"
    return f"{head}SQ   Sequence {len(bases)} BP;\n{rows}\n//\n"


CDS = '     CDS             1..60\n                     /locus_tag="G1"\n'


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "a.fa").write_text(f">A1.1\n{BASES}\n>A2.1\n{BASES[::-1]}\n")
    text = genbank("A1", BASES, features=CDS) + genbank("A2", BASES[::-1])
    for ending in ("gb", "gbk", "gbff", "genbank", "txt", "dat"):
        (tmp_path / f"a.{ending}").write_text(text)
    (tmp_path / "a.gbk.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "a.embl").write_text(embl("A1", BASES) + embl("A2", BASES[::-1]))
    return tmp_path


@pytest.mark.parametrize("name", ["a.gb", "a.gbk", "a.gbff", "a.genbank", "a.embl", "a.gbk.gz", "a.txt", "a.dat"])
def test_the_sequences_are_those_of_the_fasta(files: Path, name: str) -> None:
    expected = [(one.id, one.sequence) for one in read_sequences(files / "a.fa")]
    assert [(one.id, one.sequence) for one in read_sequences(files / name)] == expected


def test_score_embed_scan_and_prompts_take_them(files: Path) -> None:
    model = genolm.load(MODEL)
    assert genolm.score(model, files / "a.gbk").table.equals(genolm.score(model, files / "a.fa").table)
    assert genolm.embed(model, files / "a.embl").table.equals(genolm.embed(model, files / "a.fa").table)
    assert genolm.generate(model, files / "a.gbk", length=5).table.equals(
        genolm.generate(model, files / "a.fa", length=5).table
    )
    scans = [genolm.scan(model, files / name, call="none") for name in ("a.gbk", "a.fa")]
    assert scans[0].record == scans[1].record


def test_a_scan_reads_the_genes_of_the_same_file(files: Path) -> None:
    found = genolm.scan(MODEL, files / "a.gbk", call="none", genes=files / "a.gbk", gene_window=20)
    assert found.genes is not None and found.genes["id"].to_list() == ["G1"]


def test_genomes_of_cluster_check_detect_and_tokenizers_take_them(files: Path) -> None:
    assert [one.sequence for one in read_genome(files / "a.gbk.gz")] == [BASES, BASES[::-1]]
    assert list(named_files([files / "a.gbk.gz"])) == ["a"]
    assert find_blocks([files / "a.gbk"]).bases == find_blocks([files / "a.fa"]).bases == 2 * len(BASES)


def test_check_compares_them(files: Path) -> None:
    (files / "made.fa").write_text(f">m prompt_bases=0\n{BASES}\n")
    done = CliRunner().invoke(
        app, ["check", str(files / "made.fa"), str(files / "c"), "--reference", str(files / "a.gbk")]
    )
    assert done.exit_code == 0, done.stderr


def test_lower_case_of_genbank_is_not_soft_masking(files: Path) -> None:
    assert next(read_sequence_file(files / "a.gbk", str)).sequence == BASES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            genbank("A1", BASES).partition("ORIGIN")[0] + "//\n",
            r"x.gbk:1: the record has annotation but no sequence.*'A1.1'\)",
        ),
        (genbank("A1", BASES) + genbank("A1", BASES), r"x.gbk:11: duplicate record name \(first in line 1\)"),
        (genbank("A1", BASES.replace("GGATC", "GGAXC")), r"x.gbk:7: not a base at position 19 .*\(value 'X'\)"),
        (genbank("A1", BASES)[:-3], r"x.gbk:9: the last record is truncated"),
        (">A1\nACGT\n", r"x.gbk: the file contains no GenBank record"),
    ],
)
def test_broken_records_are_named_by_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.gbk").write_text(text)
    with pytest.raises(InputError, match=message):
        genolm.score(MODEL, tmp_path / "x.gbk")


def test_a_reference_genome_must_be_fasta_and_that_is_said(files: Path) -> None:
    (files / "i.bed").write_text("A1.1\t0\t20\n")
    with pytest.raises(InputError, match=r"a.gbk: a reference genome must be FASTA .*, not GenBank or EMBL"):
        genolm.score(MODEL, files / "i.bed", genome=files / "a.gbk")


@pytest.mark.parametrize(
    ("command", "known"),
    [
        ("score {m} x.docx o.tsv", ".fa, .fasta, .fna, .ffn, .gb, .gbk, .gbff, .genbank, .embl, .fq"),
        ("variants {m} x.docx o.tsv --genome a.fa", ".vcf, .bcf, .tsv, .csv, .txt, .parquet, or one of these"),
        ("scan {m} x.docx o", ".fa, .fasta, .fna, .ffn, .gb, .gbk, .gbff, .genbank, .embl, or one of these"),
    ],
)
def test_an_unknown_kind_of_file_lists_what_this_verb_takes(
    files: Path, monkeypatch: pytest.MonkeyPatch, command: str, known: str
) -> None:
    monkeypatch.chdir(files)
    Path("x.docx").write_text("no")
    done = CliRunner().invoke(app, command.format(m=MODEL).split())
    assert done.exit_code == 3 and f"unknown file format; expected {known}" in done.stderr


def test_a_known_ending_that_a_caller_does_not_read_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"a.vcf: this file format is not supported here; expected .bed, or one of these"
    ):
        file_format(Path("a.vcf"), ("bed",))


def test_a_table_named_like_text_stays_a_table(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("sequence,LOCUS\nACGTA,x\n")
    assert genolm.score(MODEL, tmp_path / "t.txt").table["LOCUS"].to_list() == ["x"]
    assert isinstance(genolm.score(MODEL, tmp_path / "t.txt").table, pl.DataFrame)
