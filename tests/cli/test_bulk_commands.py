"""Bulk commands: options become the keyword arguments of the function."""

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import ANY

import polars as pl
import pytest
from tests.cli.all_commands import COMMANDS
from typer.testing import CliRunner

from genolm.cli.main import app
from genolm.errors import RunError
from genolm.verbs import table

SETTINGS = {"progress": ANY}
"""Arguments of every bulk verb; the function knows the defaults of options that are not given."""


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_embed_passes_its_defaults(record):
    calls = record("genolm.tasks.embed", "embed")
    done = run("embed", "m", "in.fa", "out.parquet")
    assert done.exit_code == 0, done.output
    assert calls == [(("m", "in.fa", Path("out.parquet")), SETTINGS)]


def test_shared_flags_arrive_under_the_names_of_the_engine(record):
    calls = record("genolm.tasks.embed", "embed")
    text = "--device cpu --dtype bfloat16 --batch-tokens 4096 --resume --overwrite --shard 2/3 --quiet"
    run("embed", "m", "in.fa", "out.parquet", *text.split())
    passed = calls[0][1]
    assert (passed["device"], passed["dtype"], passed["batch_tokens"]) == ("cpu", "bfloat16", 4096)
    assert (passed["resume"], passed["overwrite"], passed["shard"]) == (True, True, "2/3")


@pytest.mark.parametrize(("text", "layer"), [("3", 3), ("-1", -1), ("all", "all")])
def test_layer_is_a_number_or_all(record, text, layer):
    calls = record("genolm.tasks.embed", "embed")
    assert run("embed", "m", "i", "o", "--layer", text).exit_code == 0
    assert calls[0][1]["layer"] == layer


def test_another_layer_is_a_usage_error(record):
    calls = record("genolm.tasks.embed", "embed")
    done = run("embed", "m", "i", "o", "--layer", "last")
    assert done.exit_code == 2 and "must be an integer or all, not last" in done.output
    assert not calls


def test_score_passes_its_flags(record):
    calls = record("genolm.tasks.score", "score")
    text = "--rc --per-base --normalise vocabulary --passes 5 --genome g.fa --length 100 --context 512 --iupac N"
    run("score", "m", "in.bed", "out.bw", *text.split())
    own = {"rc": True, "per_base": True, "normalise": "vocabulary", "passes": 5, "genome": "g.fa"}
    assert calls == [(("m", "in.bed", Path("out.bw")), own | {"length": 100, "context": 512, "iupac": "N"} | SETTINGS)]


def test_embed_and_score_take_a_shorter_context(tmp_path):
    (tmp_path / "s.fa").write_text(f">s\n{'ACGGT' * 20}\n")
    for verb in ("embed", "score"):
        done = run(verb, "tiny-random", str(tmp_path / "s.fa"), str(tmp_path / f"{verb}.parquet"), "--context", "32")
        assert done.exit_code == 0, done.output
        metadata = pl.read_parquet_metadata(tmp_path / f"{verb}.parquet")
        assert metadata["context_bases"] == "32"


def test_variants_passes_its_flags(record):
    calls = record("genolm.tasks.variants.variants", "variants")
    text = "--genome g.fa --method conditional --context 4096 --horizon 64 --rc --on-mismatch flip"
    assert run("variants", "m", "in.vcf", "out.vcf.gz", *text.split()).exit_code == 0
    own = {"genome": "g.fa", "method": "conditional", "context": 4096, "horizon": 64, "rc": True}
    own |= {"on_mismatch": "flip"}
    assert calls == [(("m", "in.vcf", Path("out.vcf.gz")), own | SETTINGS)]


@pytest.mark.parametrize("verb", ["variants", "mutate"])
def test_a_genome_is_required_where_coordinates_are(verb):
    done = run(verb, "m", "i", "o")
    assert done.exit_code == 2 and "--genome" in done.output


def test_mutate_passes_its_flags(record):
    calls = record("genolm.tasks.variants.mutate", "mutate")
    run("mutate", "m", "chr1:1-9", "o.tsv", "--genome", "g.fa", "--plot", "o.svg", "--no-rc", "--method", "full")
    own = {"genome": "g.fa", "method": "full", "rc": False, "plot": Path("o.svg")}
    assert calls == [(("m", "chr1:1-9", Path("o.tsv")), own | SETTINGS)]


def test_generate_takes_a_file_of_prompts(record):
    calls = record("genolm.tasks.generation.generate", "generate")
    assert run("generate", "m", "p.fa", "o.fa", "-n", "2", "--top-k", "4", "--seed", "7").exit_code == 0
    (arguments, settings), *_ = calls
    assert arguments == ("m", "p.fa", Path("o.fa"))
    assert (settings["n"], settings["top_k"], settings["seed"]) == (2, 4, 7) and "top_p" not in settings


def test_generate_takes_prompts_as_text(record):
    calls = record("genolm.tasks.generation.generate", "generate")
    assert run("generate", "m", "ACGT", "TT", "o.fa").exit_code == 0
    assert calls[0][0] == ("m", ["ACGT", "TT"], Path("o.fa"))


def test_generate_requires_prompts(record):
    calls = record("genolm.tasks.generation.generate", "generate")
    done = run("generate", "m", "o.fa")
    assert done.exit_code == 2 and "Missing argument" in done.output
    assert not calls


def test_the_closing_line_names_the_output(record):
    record("genolm.tasks.embed", "embed")
    assert run("embed", "m", "i", "out.npy").stderr == "wrote out.npy\n"


def test_quiet_says_nothing(record):
    record("genolm.tasks.embed", "embed")
    assert run("embed", "m", "i", "out.npy", "-q").output == ""


def test_a_shard_says_how_to_join(record):
    record("genolm.tasks.embed", "embed")
    assert "genolm merge out.npy" in run("embed", "m", "i", "out.npy", "--shard", "1/2").stderr


def test_a_failing_verb_claims_no_output(record):
    record("genolm.tasks.embed", "embed", RunError("out.npy exists"))
    done = run("embed", "m", "i", "out.npy")
    assert done.exit_code == 5 and done.stderr == "error: out.npy exists\n"


def test_an_interrupted_bulk_verb_can_be_resumed(record):
    record("genolm.tasks.embed", "embed", KeyboardInterrupt())
    done = run("embed", "m", "i", "out.npy")
    assert done.exit_code == 130 and "--resume" in done.stderr


def test_merge_passes_folders(record):
    calls = record("genolm.engine.merge", "merge", SimpleNamespace(out=Path("o.vcf"), summary="9 sequences"))
    assert run("merge", "o.vcf", "--parts", "a", "--parts", "b", "--overwrite").exit_code == 0
    assert calls == [((Path("o.vcf"),), {"parts": [Path("a"), Path("b")], "overwrite": True})]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_shards_of_a_scan_are_merged_by_its_prefix(tmp_path, monkeypatch, elsewhere):
    monkeypatch.chdir(tmp_path)
    Path("a.fa").write_text(f">a\n{'ACGTTGCAAC' * 6}\n")
    assert run("scan", "tiny-random-dense", "a.fa", "s", "--shard", "1/1").exit_code == 0
    if elsewhere:
        Path("there").mkdir()
        Path("s.json.parts").rename("there/s.json.parts")
    done = run("merge", "s", *(["--parts", "there/s.json.parts"] if elsewhere else []))
    counts = "60 bases: 60 scored; 1 contig, 2 windows, 0 intervals called"
    assert (done.exit_code, done.stderr) == (0, f"{counts}\nwrote s.json\n")
    assert {path.name for path in tmp_path.glob("s*")} == {"s.json", "s.bw", "s.bed"}
    assert run("merge", "none").stderr == "error: none.parts holds no parts of a run; run the shards first\n"


def test_parts_of_the_output_itself_take_precedence_over_those_of_a_scan(tmp_path):
    for name in ("s.parts", "s.json.parts"):
        (tmp_path / name).mkdir()
    assert f"error: {tmp_path / 's.parts'} holds no parts" in run("merge", str(tmp_path / "s")).stderr


@pytest.mark.parametrize("name", [name for name, verb in table().items() if verb.takes_run_options])
def test_every_bulk_verb_has_the_shared_options_after_its_own(name):
    names = [one.name for one in COMMANDS[name].params if one.name != "help"]
    shared = [one.name for one in table()[name].parameters if one.shared]
    assert {"device", "batch_tokens", "resume", "shard", "executor", "dry_run"} <= set(shared)
    assert names[-len(shared) - 1 :] == [*shared, "quiet"]
