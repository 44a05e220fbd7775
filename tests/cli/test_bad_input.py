"""Bad input of every kind: the exact message, the exit code, nothing on stdout and nothing left behind."""

import http.server
import io
import sys
import threading
from collections import Counter
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import SimpleNamespace

import polars as pl
import pysam
import pytest
import torch
from tests.cli import bad_inputs
from tests.cli.bad_inputs import CASES
from tests.cli.bad_inputs.case import MODEL
from tests.cli.bad_inputs.kitchen import hide, lay_out, listing, plain, run, stock, take, without_rights
from tests.cli.bad_inputs.page import PAGE, with_table
from tests.cli.bad_inputs.variants import COLUMNS, FORMAT, HEADER, TOY, record


class _Absent(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(404)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def hub():
    """A hub that has nothing."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Absent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def pantry(tmp_path_factory):
    return stock(tmp_path_factory.mktemp("pantry"))


@pytest.fixture
def folder(tmp_path, monkeypatch, hub):
    """An empty folder to stand in, on a machine without accelerators, with small parts and no real network."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    for name, value in (("HF_ENDPOINT", hub), ("GENOLM_CACHE", "models"), ("XDG_CACHE_HOME", "cache")):
        monkeypatch.setenv(name, value if value == hub else str(tmp_path / value))
    for name in ("HF_HUB_OFFLINE", "GENOLM_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("genolm.models.checkpoints.http_files._pause", lambda attempt: None)
    monkeypatch.setattr("genolm.engine.plan.PART_ITEMS", 1)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO())))
    return work


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_input(case, pantry, folder, monkeypatch, capfd, hub):
    lay_out(case, pantry, folder)
    for command in case.before:
        assert run(command) == 0
    if case.make:
        case.make(folder)
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    hide(case.hidden, monkeypatch)
    before = listing(folder)
    capfd.readouterr()

    with without_rights(folder) if case.unprivileged else nullcontext():
        code = run(case.command)

    out, err = capfd.readouterr()
    after = listing(folder)
    assert plain(err, hub) == case.stderr
    assert code == case.code
    assert out == ""
    assert {name: after[name] for name in before} == before
    # The index of a genome that was opened may stay beside it, as promised.
    indexes = {f"{name}.fai" for name in before if name.endswith(".fa")}
    assert set(after) - set(before) - indexes == set()


def test_the_kinds_are_many_and_different():
    assert len(CASES) >= 64
    assert [name for name, count in Counter(case.kind for case in CASES).items() if count > 1] == []
    assert {case.code for case in CASES} == {1, 2, 3, 4, 5, 7}
    # A message may serve several kinds (an output that exists), but most kinds have words of their own.
    assert len({case.message for case in CASES}) > 0.9 * len(CASES)


def test_every_module_of_cases_is_in_the_table():
    names = [found.name for found in iter_modules(bad_inputs.__path__) if found.name not in ("case", "kitchen", "page")]
    named = [case for name in names for case in import_module(f"{bad_inputs.__name__}.{name}").CASES]
    assert sorted(case.kind for case in named) == sorted(case.kind for case in CASES)


def test_the_page_of_the_documentation_is_up_to_date():
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "run: python -m tests.cli.bad_inputs.page"


GOOD = {
    "Windows line ends in FASTA": ("reads.fa", b">a\r\nACGT\r\nAC\r\n", ""),
    "lower case in FASTA": ("reads.fa", b">a\nacgtAC\n", ""),
    "no line end after the last line": ("reads.fa", b">a\nACGTAC", ""),
    "a FASTQ": ("reads.fq", b"@a\nACGTAC\n+\nIIIIII\n", ""),
    "an ambiguous letter with --iupac N": ("reads.fa", b">a\nACRTAC\n", "--iupac N"),
    "a text file of DNA": ("reads.txt", b"ACGTAC\n", ""),
}


@pytest.mark.parametrize(("name", "content", "options"), GOOD.values(), ids=GOOD)
def test_input_that_is_not_bad(folder, name, content, options):
    (folder / name).write_bytes(content)
    assert run(f"score {MODEL} {name} out.parquet {options}") == 0
    assert pl.read_parquet("out.parquet")["length"].to_list() == [6]


@pytest.mark.parametrize(
    ("name", "content"),
    [("none.bed", ""), ("none.vcf", HEADER), ("none.tsv", "chrom\tstart\tend\n"), ("no_dna.tsv", "id\tsequence\n")],
)
def test_no_records_give_an_empty_table(pantry, folder, name, content):
    """As of a filter that nothing passed: pipelines run on."""
    take(pantry, folder, "genome.fa")
    (folder / name).write_text(content)
    length = "" if name == "no_dna.tsv" else "--length 50"
    assert run(f"score {MODEL} {name} out.parquet --genome genome.fa {length}") == 0
    table = pl.read_parquet("out.parquet")
    assert table.height == 0 and "log_likelihood_sum_nats" in table.columns


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_vcf_without_records_stays_one(folder, end):
    (folder / "toy.fa").write_text(TOY)
    (folder / "calls.vcf").write_bytes(HEADER.replace("\n", end).encode())
    assert run(f"variants {MODEL} calls.vcf out.vcf --genome toy.fa") == 0
    with pysam.VariantFile("out.vcf") as file:
        assert list(file) == [] and "GENOLM_LLR_SUM" in file.header.info


def test_records_that_cannot_be_scored_pass_through(folder):
    (folder / "toy.fa").write_text(TOY)
    lines = record(0, "N", "A") + record(6, "C", "<DEL>") + record(6, "C", "*") + record(7, "R", "A")
    contig = "##contig=<ID=chr1,length=20>\n##ALT=<ID=DEL,Description=gone>\n"
    (folder / "calls.vcf").write_text(f"{FORMAT}{contig}{COLUMNS}\n{lines}".replace("\n", "\r\n"))
    assert run(f"variants {MODEL} calls.vcf out.vcf --genome toy.fa") == 0
    with pysam.VariantFile("out.vcf") as file:
        assert [one.info["GENOLM_STATUS"] for one in file] == [("non_acgt",), ("symbolic",), ("star",), ("non_acgt",)]


def test_top_p_of_0_takes_the_likeliest_base(folder):
    for name, options in (("nucleus", "--top-p 0"), ("greedy", "--temperature 0")):
        assert run(f"generate {MODEL} ACGT {name}.fa --length 30 {options}") == 0
    texts = [Path(f"{name}.fa").read_text().splitlines()[1:] for name in ("nucleus", "greedy")]
    assert texts[0] == texts[1]
