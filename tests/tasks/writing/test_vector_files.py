"""Embedding files: content, provenance and reproducible bytes."""

import json

import numpy as np
import polars as pl
import pytest

from genolm.errors import GenolmError
from genolm.files import optional
from genolm.tasks.writing.vector_files import ids_path, matrix, require, write_vectors

METADATA = {"model": "m", "layer": "[0, 1]", "strands": "forward"}


def frame(ids, values, **columns):
    values = np.asarray(values, np.float32)
    embedding = pl.Series("embedding", values, dtype=pl.Array(pl.Float32, values.shape[1]))
    return pl.DataFrame({"id": ids, **columns}).with_columns(embedding)


PARTS = [frame(["a", "b"], [[1, 2], [3, 4]], length=[5, 6]), frame(["b"], [[5, 6]], length=[7])]


def written(tmp_path, suffix, parts=PARTS):
    path = tmp_path / f"vectors{suffix}"
    write_vectors(iter(parts), path, METADATA)
    return path


def test_matrix_of_an_empty_table():
    empty = PARTS[0].clear()
    assert matrix(empty).shape == (0, 2)
    assert matrix(PARTS[0]).tolist() == [[1, 2], [3, 4]]


def test_parquet_keeps_rows_and_provenance(tmp_path):
    path = written(tmp_path, ".parquet")
    assert pl.read_parquet(path).equals(pl.concat(PARTS))
    assert pl.read_parquet_metadata(path).items() >= METADATA.items()


def test_npy_has_its_ids_and_provenance_beside_it(tmp_path):
    path = written(tmp_path, ".npy")
    found = np.load(path)
    assert found.dtype == np.float32
    assert found.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert ids_path(path).read_text() == "a\nb\nb\n"
    assert json.loads((tmp_path / "vectors.npy.provenance.json").read_text()) == METADATA


def test_npy_of_many_rows_and_of_none(tmp_path):
    many = [frame([str(n)], [[n, -n]]) for n in range(1200)]
    assert np.load(written(tmp_path, ".npy", many))[:, 1].tolist() == [-n for n in range(1200)]
    assert np.load(written(tmp_path, ".npy", [many[0].clear(), many[1], many[2].clear()])).tolist() == [[1, -1]]
    assert np.load(written(tmp_path, ".npy", [many[0].clear()])).shape == (0, 2)


def test_npy_labels_layers_and_positions(tmp_path):
    path = written(tmp_path, ".npy", [frame(["a", "a"], [[1], [2]], layer=[3, 3], position=[0, 1])])
    assert ids_path(path).read_text() == "a\t3\t0\na\t3\t1\n"


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_anndata_holds_rows_as_observations(tmp_path, suffix):
    anndata = pytest.importorskip("anndata")
    placed = [part.with_columns(chrom=pl.Series([None] * len(part), dtype=pl.String)) for part in PARTS]
    path = written(tmp_path, suffix, placed)
    found = anndata.read_h5ad(path) if suffix == ".h5ad" else anndata.read_zarr(path)
    assert found.X.dtype == np.float32
    assert found.X.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert found.obs_names.tolist() == ["a", "b", "b-2"]
    assert found.obs["id"].tolist() == ["a", "b", "b"]
    assert found.obs["length"].tolist() == [5, 6, 7]
    assert dict(found.uns["genolm"]) == METADATA


def test_anndata_keeps_several_layers_side_by_side(tmp_path):
    anndata = pytest.importorskip("anndata")
    parts = [frame(["a", "a", "b", "b"], [[0], [1], [2], [3]], layer=[0, 1, 0, 1])]
    found = anndata.read_h5ad(written(tmp_path, ".h5ad", parts))
    assert found.X.tolist() == [[1], [3]]
    assert found.obsm["layer_0"].tolist() == [[0], [2]]
    assert found.obsm["layer_1"].tolist() == [[1], [3]]
    assert found.obs_names.tolist() == ["a", "b"]


def test_anndata_names_tokens_by_position(tmp_path):
    anndata = pytest.importorskip("anndata")
    found = anndata.read_h5ad(written(tmp_path, ".h5ad", [frame(["a", "a"], [[1], [2]], position=[0, 1])]))
    assert found.obs_names.tolist() == ["a:0", "a:1"]


def test_nothing_is_left_when_writing_fails(tmp_path):
    def parts():
        yield PARTS[0]
        raise GenolmError("broken part")

    for suffix in (".npy", ".h5ad", ".zarr"):
        with pytest.raises(GenolmError, match="broken part"):
            write_vectors(parts(), tmp_path / f"vectors{suffix}", METADATA)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(optional, "import_module", missing)
    with pytest.raises(
        GenolmError, match=r"\.h5ad requires anndata, which is not installed; pip install 'genolm\[anndata\]'"
    ):
        require(tmp_path / "out.h5ad")
    require(tmp_path / "out.npy")
    require(None)
