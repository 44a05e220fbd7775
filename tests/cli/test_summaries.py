"""What verbs print when they end, with --quiet, and with --dry-run; standard output stays clean."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genolm.cli.main import app

MODEL = "tiny-random-dense"
SEQUENCE = "ACGTTGCAAC" * 20


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("genome.fa").write_text(f">chr1\n{SEQUENCE}\n")
    Path("in.fa").write_text(f">a\n{SEQUENCE}\n>b\n{SEQUENCE[:50]}\n")
    Path("in.bed").write_text("chr1\t10\t40\n")
    header = "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=200>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    records = [("chr1", 11, "A", "C"), ("chr1", 21, "A", "<DEL>"), ("chrX", 5, "A", "C")]
    Path("in.vcf").write_text(header + "".join(f"{c}\t{p}\t.\t{r}\t{a}\t.\t.\t.\n" for c, p, r, a in records))
    return tmp_path


def run(command: str):
    done = CliRunner().invoke(app, command.split())
    assert done.exit_code == 0, done.output
    return done


VARIANTS = f"variants {MODEL} in.vcf out.vcf --genome genome.fa --context 20 --horizon 8 --on-mismatch skip"
WARNING = (
    "warning: 2 of 3 ALT alleles (67%) have no score, most often symbolic (1): a symbolic allele such as "
    "<DEL>; genolm scores ALT alleles that are spelled out in A, C, G and T\n"
)


def test_a_verb_ends_with_its_counts_and_its_output_on_standard_error(folder):
    done = run(VARIANTS)
    assert done.stdout == ""
    assert done.stderr == f"{WARNING}3 ALT alleles: 1 scored, 1 symbolic, 1 unknown_contig\nwrote out.vcf\n"
    counts = json.loads(Path("out.vcf.provenance.json").read_text())["counts"]
    assert counts == {"ALT alleles": 3, "scored": 1, "symbolic": 1, "unknown_contig": 1}


def test_quiet_silences_counts_and_warnings_but_no_error(folder):
    done = run(f"{VARIANTS} --quiet")
    assert done.output == "" and "counts" in Path("out.vcf.provenance.json").read_text()
    again = CliRunner().invoke(app, f"{VARIANTS} --quiet".split())
    assert again.exit_code == 5 and again.stderr == "error: out.vcf exists; pass --overwrite to replace it\n"


def test_notes_are_printed_unless_quiet(folder):
    Path("in.vcf").write_text("".join(Path("in.vcf").read_text().splitlines(keepends=True)[:-1]))
    command = f"embed {MODEL} in.vcf out.parquet --genome genome.fa --length 20"
    assert run(f"{command} --quiet").output == ""
    assert (
        "warning: in.vcf: skipped ALT alleles without a sequence: 1 symbolic\n" in run(f"{command} --overwrite").stderr
    )


def test_merged_shards_end_as_one_run_does(folder):
    whole = run(VARIANTS).stderr
    for shard in ("1/2", "2/2"):
        said = run(f"{VARIANTS.replace('out.vcf', 'shared.vcf')} --shard {shard}").stderr
        assert said == f"shard {shard} finished; when all shards are, run: genolm merge shared.vcf\n"
    assert run("merge shared.vcf").stderr == whole.replace("out.vcf", "shared.vcf")
    assert Path("out.vcf").read_bytes() == Path("shared.vcf").read_bytes()
    assert Path("out.vcf.provenance.json").read_bytes() == Path("shared.vcf.provenance.json").read_bytes()


def test_a_quiet_merge_says_nothing(folder):
    run(f"{VARIANTS} --shard 1/1 --quiet")
    assert run("merge out.vcf --quiet").output == ""


def test_a_header_of_another_build_is_warned_about_unless_quiet(folder):
    Path("in.vcf").write_text(Path("in.vcf").read_text().replace("length=200", "length=248956422"))
    said = (
        "warning: in.vcf: its header gives chr1 248,956,422 bases, and genome.fa has 200: is it another genome build,"
        " or a part of one?\n"
    )
    assert run(VARIANTS).stderr.startswith(said)
    assert run(f"{VARIANTS} --overwrite --quiet").output == ""


DRY = [
    f"embed {MODEL} in.fa out.parquet",
    f"embed {MODEL} in.bed out.npy --genome genome.fa",
    f"score {MODEL} in.fa out.tsv",
    f"score {MODEL} in.fa out.bw",
    VARIANTS,
    f"mutate {MODEL} chr1:5-20 out.tsv --genome genome.fa --plot out.png",
    f"generate {MODEL} in.fa out.fa --length 8",
    f"generate {MODEL} ACGT out.fa --length 8 --check genome.fa",
    f"scan {MODEL} in.fa out --genes genes.gtf",
    f"explain lens {MODEL} in.fa out",
    f"complete {MODEL} gene.fa out.tsv --shortest 30",
    f"cluster {MODEL} one.fa two.fa three.fa out --length 30 --reduce pca --no-twin",
    f"detect apply det in.fa out.tsv --model {MODEL}",
]
PACKAGES = {
    "complete": "edlib",
    "cluster": "sklearn",
    "detect": "sklearn",
    "generate": "pyrodigal",
    "mutate": "logomaker",
}


@pytest.fixture
def more(folder):
    """Further inputs of the verbs that are run dry."""
    Path("gene.fa").write_text(f">a\nATG{'GCA' * 40}TAA\n")
    Path("genes.gtf").write_text('a\tx\tCDS\t10\t60\t.\t+\t0\tgene_id "g"; transcript_id "t";\n')
    for number, name in enumerate(("one", "two", "three")):
        Path(f"{name}.fa").write_text(f">{name}\n{'ACGTTGCAACGGTACCATTG'[number:] * 40}\n")
    return folder


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """A detector of a model's embeddings."""
    import random

    pytest.importorskip("sklearn")
    work = tmp_path_factory.mktemp("detector")
    for number in range(4):
        bases = random.Random(number).choices("ACGT", (number + 1, 2, 3, 4), k=4000)
        (work / f"n{number}.fa").write_text(f">n{number}\n{''.join(bases)}\n")
    made = (random.Random(100 + number).choices("ACGT", k=120) for number in range(40))
    (work / "made.fa").write_text("".join(f">g{n} model=even\n{''.join(bases)}\n" for n, bases in enumerate(made)))
    natural = " ".join(f"--natural {work / f'n{number}.fa'}" for number in range(4))
    command = f"detect train {work / 'det'} {natural} --generated {work / 'made.fa'} --rate 0.1 --folds 4"
    done = run(f"{command} --model {MODEL} --features embedding")
    assert "\n80 sequences: 40 generated, 40 natural\nwrote " in f"\n{done.stderr}"
    return work / "det"


@pytest.mark.parametrize("command", DRY, ids=lambda command: " ".join(command.split()[:1]))
def test_a_dry_run_prints_an_estimate_and_writes_nothing(more, request, command):
    if package := PACKAGES.get(command.split()[0]):
        pytest.importorskip(package)
    if "detect" in command:
        command = command.replace(" det ", f" {request.getfixturevalue('detector')} ")
    before = {path.name: path.stat().st_mtime_ns for path in more.rglob("*")}
    done = run(f"{command} --dry-run")
    lines = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert list(lines) == ["input", "to compute", "batches", "memory", "time", "written"]
    assert "estimated from" in lines["time"] and lines["written"].endswith("nothing (dry run)")
    assert "wrote" not in done.stderr
    after = {path.name: path.stat().st_mtime_ns for path in more.rglob("*") if not path.name.endswith(".fai")}
    assert after == {name: time for name, time in before.items() if not name.endswith(".fai")}


def test_a_dry_run_tells_what_a_stopped_run_has_left(folder, monkeypatch):
    monkeypatch.setattr("genolm.tasks.reading.embedding.EmbedTask.part_tokens", 60)
    run(f"embed {MODEL} in.fa out.parquet --shard 2/2")
    done = run(f"embed {MODEL} in.fa out.parquet --resume --dry-run")
    assert "2 sequences in 2 parts; left: 1 sequence in 1 part" in done.stdout


RECIPE = """name: small
model: {vocab_size: 32, hidden_size: 16, num_layers: 1, num_heads: 2, num_kv_heads: 1, head_dim: 8, ffn_size: 16}
corpus:
  fasta: [world/genome.fa]
  held_out: {test: [chr2]}
context: 32
batch_rows: 2
steps: 2
"""
LABELS = """name: small-labels
start: tiny-random-dense
objective: labels
heads: {richness: {kind: labels, labels: [weak, strong]}}
data: {train: labels.csv, held_out: {test: labels.csv}}
context: 32
batch_rows: 2
steps: 2
"""
ENDS = {
    "simulate again --length 20900 --contigs 2": r"2 contigs, 20,900 bases; \d+ genes?, \d+ variants\nwrote again\n",
    "corpus build small.yaml built": r"20,900 bases, 2 contigs: [\d,]+ train, 900 test, \d+ left out; \d+ documents",
    "pretrain small.yaml run": r"\n2 steps, 128 tokens; held-out bits per base: test \d\.\d{4}\nwrote run/model\n$",
    "finetune labels.yaml tuned": r"\n2 steps; held-out loss: test \d\.\d{4}; .*\nwrote tuned/model\n$",
    "tokenizer train world/genome.fa tok --vocab-size 64 --bases 5000": r"^[\d,]+ bases; 64 tokens\nwrote tok\n$",
    f"convert {MODEL} copy": r"^\d+ tensors, 0\.\d MB\nwrote copy\n$",
    "explain attribution tiny-random chr1:5001-5020 why --genome world/genome.fa": r"^1 sequence, 20 bases\nwrote",
    "explain lens tiny-random-dense chr1:5001-5040 what --genome world/genome.fa": r"^1 sequence\nwrote what\n$",
    "explain tables tiny-random-gengram tables": r"^4 tables: codons, nearest, neighbours, symmetry\nwrote tables\n$",
    "check made.fa checked --reference world/genome.fa": r"^3 sequences: 2 passed, 1 duplicates\nwrote check",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worlds")
    run(f"simulate {folder / 'world'} --length 20900 --contigs 2")
    return folder / "world"


@pytest.mark.parametrize("command", ENDS, ids=lambda command: " ".join(command.split()[:2]))
def test_every_other_verb_that_writes_ends_with_its_counts_too(world, tmp_path, monkeypatch, command):
    for package in {"check": ("pyrodigal", "edlib"), "explain": ("logomaker",)}.get(command.split()[0], ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    Path("world").symlink_to(world)
    Path("small.yaml").write_text(RECIPE)
    Path("labels.yaml").write_text(LABELS)
    Path("labels.csv").write_text("sequence,label\nATTATAATTA,weak\nGCCGGCGCCG,strong\n")
    Path("made.fa").write_text("".join(f">m{n}\n{('ACGTTGCAAC', 'GGTACCATTG')[n % 2] * 12}\n" for n in range(3)))
    done = run(command)
    assert re.search(ENDS[command], done.stderr), done.stderr
