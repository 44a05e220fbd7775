"""How values are printed."""

import json
from pathlib import Path

import pytest

from genolm.cli.text import gigabytes, print_json, print_table, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (-1234567, "-1,234,567"),
        (0.123456, "0.1235"),
        (["a", 1], "a, 1"),
        (Path("x"), "x"),
    ],
)
def test_values_as_people_read_them(value, text):
    assert shown(value) == text


def test_json_takes_paths_and_keeps_letters(capsys):
    print_json({"path": Path("x"), "word": "基因"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"path": "x", "word": "基因"} and "基因" in text


def test_no_rows_print_nothing(capsys):
    print_table([])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("size", "text"), [(2_492_188_672, "2.49 GB"), (99_000_000, "99.0 MB"), (262_608, "0.3 MB")])
def test_bytes_are_read_as_gigabytes(size, text):
    assert gigabytes(size) == text
