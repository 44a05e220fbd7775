"""Commands models, info, download and convert."""

import json
import re
from pathlib import Path

from typer.testing import CliRunner

from genolm.cli.main import app

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
