"""Output folders of tables and figures, written atomically."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import polars as pl

from genolm.engine.summary import FOLDER_MARK
from genolm.files.atomic import atomic_file, make_folder
from genolm.tasks.writing.table_files import write_delimited

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Form = Literal["tsv", "parquet"]
"""Format of the tables in a folder."""

_DPI = 150


@contextmanager
def output_folder(out: Path, described: Mapping[str, str]) -> Iterator[Path]:
    """Yield a temporary folder that becomes the output, with its provenance, at the end of the block.

    Raises:
        RunError: if the folder cannot be created.
        ResourceError: if the disk is full.
    """
    with atomic_file(out) as folder:
        make_folder(folder, named=out)
        (folder / FOLDER_MARK).write_text(json.dumps(dict(described), indent=1, ensure_ascii=False) + "\n", "utf-8")
        yield folder


def write_rows(frames: Iterable[pl.DataFrame], folder: Path, name: str, form: Form) -> None:
    """Write a table into the folder, one frame at a time."""
    if form == "tsv":
        write_delimited(iter(frames), folder / f"{name}.tsv", "\t")
        return
    parts = folder / f".{name}"
    spooled = Spool(parts, frames)
    pl.scan_parquet(spooled.paths, glob=False).sink_parquet(folder / f"{name}.parquet", compression="zstd")
    spooled.remove()


def save_picture(figure: Figure, path: Path) -> None:
    """Save a figure without a date, so that its bytes are reproducible."""
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})


class Spool:
    """Frames on disk, which can be iterated repeatedly without being in memory.

    Args:
        folder: folder to create for the frames.
        frames: at least one frame.

    Attributes:
        paths: files of the frames, in order.
    """

    def __init__(self, folder: Path, frames: Iterable[pl.DataFrame]) -> None:
        folder.mkdir()
        self._folder, self.paths = folder, list[Path]()
        for number, frame in enumerate(frames):
            self.paths.append(folder / f"{number:06d}.parquet")
            frame.write_parquet(self.paths[-1], compression="lz4")

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Iterate over the frames in order."""
        return (pl.read_parquet(path, glob=False) for path in self.paths)

    def remove(self) -> None:
        """Delete the files."""
        for path in self.paths:
            path.unlink()
        self._folder.rmdir()
