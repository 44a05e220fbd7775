"""Shells of models, info, download and convert."""

import json
from pathlib import Path

from typer.testing import CliRunner

from genolm.cli.main import app

ROWS = [{"name": "a", "parameters": 1_246_094_336}, {"name": "long-name", "parameters": None}]


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_models_are_an_aligned_table(record):
    record("genolm.models", "models_table", ROWS)
    assert run("models").output == "name       parameters\na          1,246,094,336\nlong-name  -\n"


def test_models_as_json_keep_their_numbers(record):
    record("genolm.models", "models_table", ROWS)
    assert json.loads(run("models", "--json").output) == ROWS


def test_info_names_each_field(record):
    calls = record("genolm.models", "describe", {"name": "a", "active_parameters": 3})
    assert run("info", "a").output == "name               a\nactive parameters  3\n"
    assert calls == [(("a",), {})]


def test_download_prints_where_it_put_the_model(record):
    calls = record("genolm.models", "download", Path("/models/a"))
    assert run("download", "a").stdout == "/models/a\n"
    run("download", "a", "there")
    assert [arguments for arguments, _ in calls] == [("a", None), ("a", Path("there"))]


def test_convert_passes_the_layout(record):
    calls = record("genolm.models", "convert")
    assert run("convert", "a", "out", "--to", "genolm", "--overwrite").exit_code == 0
    assert calls == [(("a", Path("out")), {"layout": "genolm", "overwrite": True})]


def test_an_unknown_layout_is_a_usage_error(record):
    record("genolm.models", "convert")
    assert run("convert", "a", "out", "--to", "pickle").exit_code == 2
