"""Settings as JSON and back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolm.engine import settings
from genolm.engine.settings import read_settings, write_settings
from genolm.errors import RunError

TABLE = pl.DataFrame({"a": [1, 2]})


@dataclass(frozen=True, slots=True)
class Held:
    value: Any


@pytest.fixture(autouse=True)
def this_file_is_genolm(monkeypatch):
    monkeypatch.setattr(settings, "PACKAGE", Held.__module__.split(".")[0])


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
values = st.recursive(
    plain | st.builds(Path, st.text("ab/", min_size=1, max_size=5)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(plain, inner, max_size=3)
        | st.builds(Held, inner)
    ),
    max_leaves=8,
)


@given(values)
def test_what_is_written_is_read_back_equal(value):
    again = read_settings(json.loads(json.dumps(write_settings(Held(value)))))
    assert again == Held(value)
    assert type(again.value) is type(value)


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (
            pl.DataFrame({"a": [1, 2]}),
            pl.concat([pl.DataFrame({"a": [n]}) for n in (1, 2)]),
            pl.DataFrame({"a": [2, 1]}),
        ),
        (np.arange(4), np.arange(4), np.arange(4).reshape(2, 2)),
        (np.arange(4), np.arange(8)[:4], np.arange(4, dtype=np.float32)),
        (pl.Series("a", [1]), pl.Series("a", [1]), pl.Series("b", [1])),
        ("A" * 70_000, "A" * 70_000, "A" * 70_001),
    ],
)
def test_data_are_told_apart_by_content(one, same, other):
    assert write_settings(Held(one)) == write_settings(Held(same)) != write_settings(Held(other))


def test_data_that_were_not_kept_cannot_be_read():
    held = read_settings(write_settings(Held(np.arange(3))))
    with pytest.raises(RunError, match=r"values in memory, which its parts do not hold; use a file"):
        list(held.value)


def test_what_cannot_be_written_is_named():
    with pytest.raises(RunError, match=r"Held.value: a set cannot be written to a manifest"):
        write_settings(Held({1, 2}))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("os:system", "os:system is not a class of genolm"),
        ("genolm.engine.nowhere:Held", "this version of genolm has no genolm.engine.nowhere:Held"),
        ("genolm.engine.windows:Nothing", "has no genolm.engine.windows:Nothing"),
        (
            "genolm.engine.windows:tile",
            "windows:tile is not a class of settings; the manifest is damaged",
        ),
    ],
)
def test_only_genolm_classes_of_settings_are_made(monkeypatch, kind, message):
    monkeypatch.setattr(settings, "PACKAGE", "genolm")
    with pytest.raises(RunError, match=message):
        read_settings({"type": kind, "fields": {}})
