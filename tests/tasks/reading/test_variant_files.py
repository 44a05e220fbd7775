"""Variants from and to pipes: standard input and output, named pipes, process substitution."""

import gzip
import io
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pysam
import pysam.bcftools
import pytest
from tests.noted import noted

from genolm.errors import InputError, RunError
from genolm.genome.annotation.gff3 import read_genes
from genolm.tasks.embed import embed
from genolm.tasks.score import score
from genolm.tasks.variants.variants import variants

SMALL = {"context": 20, "horizon": 8}


@pytest.fixture
def vcf(contigs, tmp_path):
    """A sorted VCF of three records, one of them not scorable."""
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=chr1>", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    for pos in (30, 40, 50):
        ref = contigs["chr1"][pos - 1]
        alt = "<DEL>" if pos == 40 else "ACGT".replace(ref, "")[0]
        lines.append(f"chr1\t{pos}\t.\t{ref}\t{alt}\t.\tPASS\t.")
    path = tmp_path / "calls.vcf"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def feed(monkeypatch):
    """Feed bytes to standard input."""

    def give(content):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(content))))

    return give


@pytest.fixture
def pipe(tmp_path):
    """Create a named pipe that delivers bytes once."""
    threads = []

    def make(name, content):
        path = tmp_path / name
        os.mkfifo(path)
        threads.append(threading.Thread(target=path.write_bytes, args=(content,), daemon=True))
        threads[-1].start()
        return path

    yield make
    for thread in threads:
        thread.join(timeout=5)


def scored(tiny, vcf, genome_path, name):
    """Return the output bytes of a run from file to file."""
    out = vcf.with_name(name)
    variants(tiny, vcf, out, genome=genome_path, **SMALL)
    return out.read_bytes()


@pytest.mark.parametrize("output_format", [None, "vcf", "vcf.gz", "bcf", "tsv", "csv", "parquet"])
def test_standard_output_gets_what_a_file_gets_and_nothing_else(
    tiny, vcf, genome_path, feed, capfdbinary, output_format
):
    expected = scored(tiny, vcf, genome_path, f"out.{output_format or 'vcf'}")
    feed(vcf.read_bytes())
    capfdbinary.readouterr()
    found = variants(tiny, "-", "-", genome=genome_path, format=output_format, **SMALL)
    assert capfdbinary.readouterr().out == expected
    assert found.path is None and repr(found).startswith("VariantScores: standard output, full, ")
    with pytest.raises(RunError, match="no results to return: they were written to standard output"):
        found.table  # noqa: B018


def as_bcf(vcf):
    pysam.bcftools.view("-Ob", "-o", f"{vcf}.bcf", str(vcf), catch_stdout=False)
    return Path(f"{vcf}.bcf").read_bytes()


@pytest.mark.parametrize("form", [Path.read_bytes, lambda vcf: gzip.compress(vcf.read_bytes()), as_bcf])
def test_what_comes_through_standard_input_is_told_by_its_content(tiny, vcf, genome_path, feed, form):
    expected = variants(tiny, vcf, genome=genome_path, **SMALL).table
    feed(form(vcf))
    assert variants(tiny, "-", genome=genome_path, **SMALL).table.equals(expected)


@pytest.mark.parametrize("write", [pl.DataFrame.write_parquet, pl.DataFrame.write_csv])
def test_tables_through_standard_input_give_a_table(tiny, vcf, genome_path, feed, capfdbinary, write):
    table = variants(tiny, vcf, genome=genome_path, **SMALL).table
    content = io.BytesIO()
    write(table.select("chrom", "pos", "id", "ref", "alt"), content)
    feed(content.getvalue())
    variants(tiny, "-", "-", genome=genome_path, **SMALL)
    assert pl.read_csv(capfdbinary.readouterr().out, separator="\t").height == 3


def test_named_pipes_are_read_whatever_their_name(tiny, vcf, genome_path, pipe):
    expected = variants(tiny, vcf, genome=genome_path, **SMALL).table
    for name in ("p.vcf", "63"):
        assert variants(tiny, pipe(name, vcf.read_bytes()), genome=genome_path, **SMALL).table.equals(expected)
    out = vcf.with_name("out.vcf.gz")
    variants(tiny, pipe("q", vcf.read_bytes()), out, genome=genome_path, **SMALL)
    assert sorted(path.name for path in vcf.parent.glob("*out*")) == [
        "out.vcf.gz",
        "out.vcf.gz.provenance.json",
        "out.vcf.gz.tbi",
    ]


def test_a_failed_run_through_a_pipe_leaves_nothing_and_names_the_pipe(tiny, vcf, genome_path, pipe, feed):
    bad = vcf.read_bytes() + b"chr1\t300000\t.\tA\tC\t.\t.\t.\n"
    before = set(vcf.parent.iterdir())
    feed(bad)
    with pytest.raises(InputError, match=r"^standard input:7: chr1:300,000 is beyond the end"):
        variants(tiny, "-", vcf.with_name("out.vcf"), genome=genome_path)
    source = pipe("63", bad)
    with pytest.raises(InputError, match=rf"^{source}:7: chr1:300,000 is beyond the end"):
        variants(tiny, source, vcf.with_name("out.vcf"), genome=genome_path)
    assert set(vcf.parent.iterdir()) - before == {source}


@pytest.mark.parametrize("settings", [{"resume": True}, {"shard": "1/2"}])
def test_a_run_through_a_pipe_is_neither_resumed_nor_sharded(tiny, vcf, genome_path, tmp_path, settings):
    with pytest.raises(RunError, match="resume and shard need an output file"):
        variants(tiny, vcf, "-", genome=genome_path, **settings)
    with pytest.raises(RunError, match="resume and shard need an input file"):
        variants(tiny, "-", tmp_path / "out.vcf", genome=genome_path, **settings)


def test_an_existing_output_is_found_before_the_pipe_is_read(tiny, genome_path, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    (tmp_path / "out.vcf").write_text("mine")
    with pytest.raises(RunError, match="overwrite=True"):
        variants(tiny, "-", tmp_path / "out.vcf", genome=genome_path)


@pytest.mark.parametrize("read", [embed, score])
def test_further_columns_of_a_table_come_through_pipes(tiny, pipe, tmp_path, read):
    content = "sequence\tlabel\nACGTACGT\tx\nTTGACCA\t\nGGGTACC\tz\n"
    (tmp_path / "t.tsv").write_text(content)
    expected = read(tiny, tmp_path / "t.tsv").table
    assert expected["label"].to_list() == ["x", None, "z"]
    assert read(tiny, pipe("p.tsv", content.encode())).table.equals(expected)


def test_a_symbolic_link_is_written_through_by_a_run_through_a_pipe(tiny, vcf, genome_path, pipe, tmp_path):
    (tmp_path / "place").mkdir()
    out = tmp_path / "out.vcf.gz"
    out.symlink_to(tmp_path / "place" / "real.vcf.gz")
    variants(tiny, pipe("p.vcf", vcf.read_bytes()), out, genome=genome_path, **SMALL)
    assert out.is_symlink()
    assert sorted(path.name for path in (tmp_path / "place").iterdir()) == ["real.vcf.gz", "real.vcf.gz.tbi"]


def test_warnings_name_the_pipe_and_not_its_copy(tiny, vcf, genome_path, feed):
    feed(vcf.read_text().replace("<ID=chr1>", "<ID=chr1,length=7>").encode())
    with noted(r"^standard input: its header gives chr1 7 bases"):
        variants(tiny, "-", genome=genome_path, **SMALL)


def test_intervals_of_another_build_are_warned_about_through_a_pipe_too(tiny, genome_path, pipe, contigs):
    bed = pipe("p.bed", f"chr1\t5\t{len(contigs['chr1']) + 2}\n".encode())
    with noted(rf"^{bed}: 1 of 1 intervals end after the last base of their contig"):
        embed(tiny, bed, genome=genome_path)


def test_sequences_and_intervals_come_through_pipes(tiny, genome_path, pipe, vcf):
    rows = score(tiny, pipe("reads", b">a\nACGTTG\n>b\nACG\n")).table
    assert rows["id"].to_list() == ["a", "b"]
    rows = score(tiny, pipe("regions", b"chr1\t10\t60\tx\n"), genome=genome_path).table
    assert rows.select("id", "chrom", "start", "end").rows() == [("x", "chr1", 10, 60)]
    rows = embed(tiny, pipe("calls", vcf.read_bytes()), genome=genome_path, length=20).table
    assert rows["id"].to_list() == embed(tiny, vcf, genome=genome_path, length=20).table["id"].to_list()


@pytest.mark.parametrize("read", ["genome", "genes"])
def test_what_is_read_more_than_once_is_refused_from_a_pipe_at_once(tiny, tmp_path, read):
    path = tmp_path / f"pipe.{'fa' if read == 'genome' else 'gff3'}"
    os.mkfifo(path)  # nobody writes: reading would wait for ever
    with pytest.raises(InputError, match=r"a pipe can be read only once; save the data to a file first"):
        if read == "genome":
            variants(tiny, ["chr1:5:A>C"], genome=path)
        else:
            list(read_genes(path))


def test_standard_input_is_read_by_one_argument_only(tiny, genome_path, feed):
    feed(b">a\nACGTTG\n")
    assert score(tiny, "-").table.height == 1
    with pytest.raises(InputError, match="standard input: can be read only once"):
        score(tiny, "-")


BCFTOOLS = "import sys, pysam.bcftools; pysam.bcftools.view(*sys.argv[1:], catch_stdout=False)"


def test_bcftools_on_both_sides(vcf, genome_path, tmp_path):
    """``bcftools view -Ob calls.vcf | genolm variants MODEL - - | bcftools view -H``, in a shell."""
    command = (
        f'"{sys.executable}" -c "$BCFTOOLS" -Ob "{vcf}" | '
        f'"{sys.executable}" -m genolm variants tiny-random-dense - - --genome "{genome_path}" --horizon 8 | '
        f'"{sys.executable}" -c "$BCFTOOLS" -H -'
    )
    script = f"set -o pipefail; {command}"
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "BCFTOOLS": BCFTOOLS}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    statuses = [line.rpartition("GENOLM_STATUS=")[2] for line in done.stdout.splitlines()]
    assert statuses == ["scored", "symbolic", "scored"]
    assert done.stderr.splitlines()[-1] == "3 ALT alleles: 2 scored, 1 symbolic"


def test_nobody_reading_standard_output_ends_quietly(vcf, genome_path):
    header, *records = vcf.read_text().splitlines(keepends=True)[2:]
    content = "".join([*vcf.read_text().splitlines(keepends=True)[:2], header, *(records[1:2] * 20_000)])
    vcf.write_text(content)
    command = [sys.executable, "-m", "genolm", "variants", "tiny-random-dense", vcf, "-", "--genome", genome_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout.readline().startswith(b"##fileformat")
        run.stdout.close()
        assert b"Error" not in run.stderr.read()
    assert run.returncode == 141
