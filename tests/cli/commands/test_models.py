"""Commands models, info, download and convert."""

import json
import re
from pathlib import Path

from typer.testing import CliRunner

import genolm
from genolm.cli.main import app
from genolm.models.heads.head_config import LabelHeadConfig, TrackHeadConfig
from genolm.models.heads.headed_network import build_head

ROWS = [{"name": "a", "parameters": 1_246_094_336}, {"name": "long-name", "parameters": None}]


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_models_are_an_aligned_table(record):
    record("genolm.models.checkpoints.info", "models_table", ROWS)
    assert run("models").output == "name       parameters\na          1,246,094,336\nlong-name  -\n"


def test_models_as_json_keep_their_numbers(record):
    record("genolm.models.checkpoints.info", "models_table", ROWS)
    assert json.loads(run("models", "--json").output) == ROWS


def test_info_counts_parameters_without_a_download():
    lines = dict(
        re.split(r"  +", line, maxsplit=1) for line in run("info", "genos-1.2b").output.splitlines() if "  " in line
    )
    assert lines["parameters"] == "1,246,094,336"
    assert lines["backbone parameters"] == "1,245,963,264"
    assert lines["weights"] == "4.98 GB in float32, 2.49 GB in bfloat16"


def test_info_names_heads_and_their_outputs(tmp_path):
    model = genolm.load("tiny-random", device="cpu")
    tracks = TrackHeadConfig(("liver", "heart"), units=("reads", "reads"))
    labels = LabelHeadConfig(("exon", "intron"), of="token")
    heads = {"coverage": build_head(tracks, model.config), "genes": build_head(labels, model.config)}
    folder = genolm.save(genolm.Model(model.network, model.tokenizer, model.card, heads=heads), tmp_path / "model")
    line = next(line for line in run("info", str(folder)).output.splitlines() if line.startswith("output heads"))
    assert line.partition("  ")[2].strip() == (
        "language (128 per token), coverage (tracks, liver (reads), heart (reads) per token),"
        " genes (labels, exon, intron per token)"
    )


def test_info_shows_memory_for_each_context():
    table = (
        run("info", "tiny-random-dense").output.partition("Memory in float32, including the weights:\n")[2].splitlines()
    )
    assert table[0].split("  ")[0] == "tokens" and "with cache" in table[0]
    assert [line.split()[0] for line in table[1:]] == ["8,192", "16,384", "32,768"]


def test_info_as_json_has_plain_numbers():
    facts = json.loads(run("info", "genos-10b", "--json").output)
    assert facts["parameters"] == 10_270_248_960 and facts["memory"][0]["tokens"] == 8192


def test_info_of_an_unknown_model_fails_by_name():
    done = run("info", "genos-9b")
    assert done.exit_code == 4 and "genos-9b" in done.stderr


def test_download_prints_where_it_put_the_model(record):
    calls = record("genolm.models.checkpoints.download", "download", Path("/models/a"))
    assert run("download", "a").stdout == "/models/a\n"
    run("download", "a", "there")
    assert calls == [(("a",), {"progress": None}), (("a", Path("there")), {"progress": None})]


def test_convert_passes_the_layout(record):
    calls = record("genolm.models.checkpoints.convert", "convert")
    record("genolm.models.weight_shards", "stored", (12, 300_000_000))
    assert run("convert", "a", "out", "--to", "genolm", "--dtype", "bfloat16", "--overwrite").exit_code == 0
    assert run("convert", "a", "out", "--from", "megatron", "--like", "b", "--to", "megatron").exit_code == 0
    first = {"to": "genolm", "dtype": "bfloat16", "overwrite": True}
    second = {"to": "megatron", "from_": "megatron", "like": "b"}
    assert calls == [(("a", Path("out")), first), (("a", Path("out")), second)]


def test_an_unknown_layout_is_a_usage_error(record):
    record("genolm.models.checkpoints.convert", "convert")
    assert run("convert", "a", "out", "--to", "pickle").exit_code == 2
