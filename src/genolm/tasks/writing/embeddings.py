"""Embeddings in memory or in a file, as a table, an array or AnnData. N rows, D dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from genolm.arrays import Float32
from genolm.engine.result import Result
from genolm.files.optional import require
from genolm.tasks.writing.provenance import Provenance
from genolm.tasks.writing.results import TableResults
from genolm.tasks.writing.table_files import read_metadata
from genolm.tasks.writing.vector_files import as_anndata, ids_path, matrix

if TYPE_CHECKING:
    from anndata import AnnData

_ANNDATA = (".h5ad", ".zarr")


class Embeddings(TableResults):
    """Embeddings of sequences, as :func:`genolm.embed` returns them.

    Columns of `table`: ``id``, coordinates (0-based, half-open) if known, ``length`` in bases, further columns of an
    input table, ``layer`` if there are several, ``position`` (of token or base, 0-based) without pooling, and
    ``embedding``. An ``.npy`` output has ``id``, ``layer``, ``position`` and ``embedding`` only.

    Args:
        run: outcome of the run.
        layers: layers that were read.
        pooling: name of the pooling.
        provenance: model of the embeddings.
        settings: settings of the run, for AnnData.
    """

    def __init__(
        self, run: Result, layers: tuple[int, ...], pooling: str, provenance: Provenance, settings: Mapping[str, object]
    ) -> None:
        shown = f"layer {layers[0]}" if len(layers) == 1 else f"layers {layers[0]} to {layers[-1]}"
        super().__init__(run, shown, pooling, provenance.model, schema={})
        self._layers, self._pooling, self._provenance, self._settings = layers, pooling, provenance, settings

    @property
    def layer(self) -> int | tuple[int, ...]:
        """Layer of the embeddings (0: embedding layer); several as a tuple."""
        return self._layers[0] if len(self._layers) == 1 else self._layers

    @property
    def pooling(self) -> str:
        """Pooling over the tokens of a sequence; ``none`` and ``bases`` keep a vector per token or base."""
        return self._pooling

    @property
    def vectors(self) -> Float32:
        """The embeddings as a read-only array (N, D), in the order of the table; several layers are N rows in all."""
        values = matrix(self.table).view()
        values.flags.writeable = False
        return values

    def to_numpy(self) -> Float32:
        """Return a copy of the embeddings as an array (N, D)."""
        return self.vectors.copy()

    def to_anndata(self) -> AnnData:
        """Return the embeddings as AnnData, as in an ``.h5ad`` file (extra ``anndata``).

        `X` has the vectors (N, D), `obs` the other columns, ``uns["genolm"]`` the provenance. If the model of results
        in memory no longer exists, the provenance lacks its fingerprint.

        Raises:
            GenolmError: anndata is not installed.
        """
        if self.path is not None and self.path.suffix.lower() in _ANNDATA:
            return _read_anndata(self.path)
        made: AnnData = as_anndata(self.table, self._metadata())
        return made

    def _metadata(self) -> Mapping[str, str]:
        if self.path is None:
            return self._provenance.entries(**self._settings)
        return {name: text for name, text in read_metadata(self.path).items() if name != "counts"}

    def _read(self, path: Path) -> pl.DataFrame:
        match path.suffix.lower():
            case ".npy":
                return _from_npy(path, several=len(self._layers) > 1)
            case ".h5ad" | ".zarr":
                return _from_anndata(_read_anndata(path), self._layers)
        return super()._read(path)

    @property
    def _extent(self) -> str:
        return " x ".join(f"{size:,}" for size in self.vectors.shape)


def _from_npy(path: Path, *, several: bool) -> pl.DataFrame:
    values = np.load(path)
    rows = [line.split("\t") for line in ids_path(path).read_text("utf-8").splitlines()]
    columns: dict[str, Any] = {"id": pl.Series([row[0] for row in rows], dtype=pl.String)}
    if several:
        columns["layer"] = pl.Series([int(row[1]) for row in rows], dtype=pl.Int32)
    if rows and len(rows[0]) > len(columns):
        columns["position"] = pl.Series([int(row[-1]) for row in rows], dtype=pl.Int64)
    return pl.DataFrame({**columns, "embedding": _vectors(values)})


def _read_anndata(path: Path) -> AnnData:
    anndata = require("anndata", extra="anndata", purpose=path.suffix)
    read = anndata.read_zarr if path.suffix.lower() == ".zarr" else anndata.read_h5ad
    table: AnnData = read(path)
    return table


def _from_anndata(table: AnnData, layers: tuple[int, ...]) -> pl.DataFrame:
    """Return the rows in the order of :func:`genolm.embed`: by sequence, then layer, then token."""
    about = pl.DataFrame({name: _values(table.obs[name]) for name in table.obs.columns})
    if len(layers) == 1:
        return about.with_columns(embedding=_vectors(table.X))
    sequence = (about["position"] == 0).cum_sum() if "position" in about.columns else pl.Series(range(about.height))
    blocks = [
        about.with_columns(
            layer=pl.lit(layer, pl.Int32), embedding=_vectors(table.obsm[f"layer_{layer}"]), sequence=sequence
        )
        for layer in layers
    ]
    last = [name for name in ("layer", "position", "embedding") if name in blocks[0].columns]
    return pl.concat(blocks).sort("sequence", "layer", maintain_order=True).select(pl.exclude("sequence", *last), *last)


def _values(column: Any) -> pl.Series:
    """Return a column of pandas; its missing values are null."""
    missing = column.isna()
    return pl.Series([None if lacks else value for value, lacks in zip(column.tolist(), missing.tolist())])


def _vectors(values: Any) -> pl.Series:
    array = np.ascontiguousarray(values, np.float32)
    return pl.Series(array, dtype=pl.Array(pl.Float32, array.shape[1]))
