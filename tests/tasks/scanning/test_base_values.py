"""Tracks stored on disk."""

import errno

import numpy as np
import polars as pl
import pytest

from genolm.tasks.scanning import base_values as module
from genolm.tasks.scanning.base_values import Tracks


class Full:
    """A file on a full disk."""

    def __init__(self, **_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def write(self, _):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_values_on_the_disk_are_those_in_memory_and_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 7)
    frame = pl.DataFrame({"chrom": ["b"], "reverse": [False], "start": [3], "model": [[1.0, 2.0]]})
    frame = frame.with_columns(pl.col("model").cast(pl.List(pl.Float32)))
    for folder in (None, tmp_path):
        tracks = Tracks({"a": 10, "b": 20}, (False,), ["model"], folder)
        tracks.fill([frame])
        assert np.isnan(tracks.strand("a", False)).all() and len(tracks.strand("a", False)) == 10
        assert np.flatnonzero(~np.isnan(tracks.strand("b", False))).tolist() == [3, 4]
        assert tracks.strand("b", False)[3:5].tolist() == [1, 2]
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    with pytest.raises(OSError, match="No space left"):
        Tracks({"a": 10}, (False, True), ["model"], tmp_path)
    assert not list(tmp_path.iterdir())
