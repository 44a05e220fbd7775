"""Writers of embeddings: parquet, npy, AnnData as h5ad or zarr. N rows, D dimensions."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from genolm.arrays import Float32
from genolm.files.atomic import atomic_file
from genolm.files.optional import require as require_module
from genolm.tasks.writing.pandas_frames import numbers
from genolm.tasks.writing.provenance import provenance_files
from genolm.tasks.writing.table_files import write_provenance, write_table

SUFFIXES = (".parquet", ".npy", ".h5ad", ".zarr")

_PACKAGES = MappingProxyType({".h5ad": ("anndata", "pandas"), ".zarr": ("zarr", "anndata", "pandas")})


def beside_vectors(out: Path) -> tuple[Path, ...]:
    """Return the side files of :func:`write_vectors` that may belong to another output."""
    ids = (ids_path(out),) if out.suffix.lower() == ".npy" else ()
    return (*ids, *provenance_files(out))


def require(out: Path | None) -> None:
    """Check that the packages for an output format are installed.

    Raises:
        GenolmError: if one is not; the message says how to install it.
    """
    suffix = "" if out is None else out.suffix.lower()
    for name in _PACKAGES.get(suffix, ()):
        _imported(name, suffix)


def write_vectors(frames: Iterator[pl.DataFrame], out: Path, metadata: Mapping[str, str]) -> None:
    """Write rows with a column ``embedding`` in the format given by the ending.

    Parquet and npy are written with one part in memory at a time; AnnData is built in memory.

    Args:
        frames: rows in order.
        out: ``.parquet``: provenance as key-value metadata. ``.npy``: array (N, D), with ids (and, tab-separated, layer
            and token position, if any) one per line in ``OUT.ids.txt`` and provenance in ``OUT.provenance.json``.
            ``.h5ad``, ``.zarr``: ``X`` (N, D), other columns in ``obs``, provenance in ``uns["genolm"]``; for several
            layers ``X`` is the last, and ``obsm["layer_0"]`` and so on hold all of them.
        metadata: provenance.
    """
    match out.suffix.lower():
        case ".npy":
            _write_npy(frames, out)
            write_provenance(out, metadata)
        case ".h5ad" | ".zarr":
            _write_anndata(pl.concat(list(frames)), out, metadata)
        case _:
            write_table(frames, out, metadata)


def ids_path(out: Path) -> Path:
    """Return the path of the ids of an npy file: ``vectors.ids.txt`` for ``vectors.npy``."""
    return out.with_suffix(".ids.txt")


def matrix(frame: pl.DataFrame) -> Float32:
    """Return the column ``embedding`` as an array (N, D)."""
    column = frame["embedding"]
    width = column.dtype.shape[0]  # type: ignore[attr-defined]
    return (
        column.explode(empty_as_null=False).to_numpy().reshape(-1, width)
        if len(frame)
        else np.empty((0, width), np.float32)
    )


def _write_npy(frames: Iterator[pl.DataFrame], out: Path) -> None:
    with (
        atomic_file(ids_path(out)) as ids,
        atomic_file(out) as partial,
        partial.open("wb") as file,
        ids.open("w", encoding="utf-8") as names,
    ):
        rows = width = 0
        for frame in frames:
            values = np.ascontiguousarray(matrix(frame), np.dtype("<f4"))
            if not rows:
                _write_header(file, 0, values.shape[1])
            file.write(values.data)
            rows, width = rows + values.shape[0], values.shape[1]
            names.writelines(_labels(frame))
        _write_header(file, rows, width)


def _write_header(file: BinaryIO, rows: int, width: int) -> None:
    """Write the header at the start; numpy pads it, so that the first dimension can grow."""
    file.seek(0)
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    np.lib.format.write_array_header_1_0(file, header)


def _labels(frame: pl.DataFrame) -> Iterator[str]:
    columns = [name for name in ("id", "layer", "position") if name in frame.columns]
    return ("\t".join(map(str, row)) + "\n" for row in frame.select(columns).iter_rows())


def _write_anndata(frame: pl.DataFrame, out: Path, metadata: Mapping[str, str]) -> None:
    table = as_anndata(frame, metadata)
    zarr = out.suffix.lower() == ".zarr"
    with atomic_file(out) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if zarr:
            table.write_zarr(partial)
        else:
            table.write_h5ad(partial)


def as_anndata(frame: pl.DataFrame, metadata: Mapping[str, str]) -> Any:
    """Return rows with a column ``embedding`` as AnnData; see :func:`write_vectors`."""
    anndata = _imported("anndata", ".h5ad")
    layers = frame["layer"].unique().sort().to_list() if "layer" in frame.columns else []
    blocks = {layer: frame.filter(pl.col("layer") == layer) for layer in layers}
    top = blocks[layers[-1]].drop("layer") if layers else frame
    pandas = _imported("pandas", ".h5ad")
    names = [name for name in top.columns if name != "embedding"]
    obs = pandas.DataFrame({name.replace("/", "_"): _plain(top[name], pandas) for name in names})  # "/" separates keys
    obs.index = pandas.Index(_unique(top), dtype=object)
    return anndata.AnnData(
        X=np.require(matrix(top), requirements="W"),
        obs=obs,
        obsm={f"layer_{layer}": matrix(block) for layer, block in blocks.items()},
        uns={"genolm": dict(metadata)},
    )


def _plain(column: pl.Series, pandas: ModuleType) -> Any:
    """Return a column with a pandas type that needs no other package; missing values stay missing."""
    values = column.to_list()
    if column.dtype == pl.String:
        return values if column.name == "id" else pandas.Categorical(values)
    return numbers(column, pandas)


def _unique(frame: pl.DataFrame) -> list[str]:
    """Return unique row names: the id, with the position of a token, and a number if the name repeats."""
    names = frame["id"].to_list()
    if "position" in frame.columns:
        names = [f"{name}:{position}" for name, position in zip(names, frame["position"])]
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        count = seen[name] = seen.get(name, 0) + 1
        unique.append(name if count == 1 else f"{name}-{count}")
    return unique


def _imported(name: str, suffix: str) -> ModuleType:
    module: ModuleType = require_module(name, extra="anndata", purpose=suffix)
    return module
