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

from genolm.engine import stored_types
from genolm.engine.settings import read_settings, write_settings
from genolm.engine.stored_types import TYPES, StoredType
from genolm.errors import RunError

TABLE = pl.DataFrame({"a": [1, 2]})


@dataclass(frozen=True, slots=True)
class Held:
    value: Any


@pytest.fixture(autouse=True)
def held_has_a_stable_name(monkeypatch):
    monkeypatch.setitem(TYPES, "held", StoredType(f"{Held.__module__}:Held"))


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
    ("kind", "version", "message"),
    [
        ("os:system", 1, "os:system is not a class of genolm; pass task=…"),
        ("genolm.engine.windows:tile", 1, "is not a class of genolm"),
        ("telepathy", 1, "unknown task or setting 'telepathy': merge with the genolm version that computed"),
        ("embed", 99, "'embed' has version 99, but this genolm reads version 1: merge with the genolm version"),
    ],
)
def test_only_named_classes_of_this_version_are_made(kind, version, message):
    with pytest.raises(RunError, match=message):
        read_settings({"type": kind, "version": version, "fields": {}})


def test_a_class_of_genolm_without_a_stable_name_is_refused(monkeypatch):
    monkeypatch.delitem(TYPES, "held")
    monkeypatch.setattr(stored_types, "PACKAGE", Held.__module__.split(".")[0])
    with pytest.raises(RunError, match=r"Held cannot be written to a manifest: it is not listed"):
        write_settings(Held(1))
