"""An output that is a folder of tables and pictures, which appears whole or not at all."""

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
"""What the tables of a folder are written as."""

_DPI = 150


@contextmanager
def whole_folder(out: Path, described: Mapping[str, str]) -> Iterator[Path]:
    """A folder to fill; it takes its name when the block ends well, and says inside where it comes from.

    Raises:
        RunError: the folder cannot be made.
        ResourceError: when the disk is full.
    """
    with atomic_file(out) as folder:
        make_folder(folder, named=out)
        (folder / FOLDER_MARK).write_text(json.dumps(dict(described), indent=1, ensure_ascii=False) + "\n", "utf-8")
        yield folder


def write_rows(frames: Iterable[pl.DataFrame], folder: Path, name: str, form: Form) -> None:
    """Writes a table into the folder, a frame at a time."""
    if form == "tsv":
        write_delimited(iter(frames), folder / f"{name}.tsv", "\t")
        return
    parts = folder / f".{name}"
    spooled = Spool(parts, frames)
    pl.scan_parquet(spooled.paths, glob=False).sink_parquet(folder / f"{name}.parquet", compression="zstd")
    spooled.remove()


def save_picture(figure: Figure, path: Path) -> None:
    """Writes a figure; the bytes hold no date."""
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})


class Spool:
    """Frames written down one by one, so that they can be gone through again without being held.

    Args:
        folder: made for them.
        frames: at least one.

    Attributes:
        paths: the files, in the order of the frames.
    """

    def __init__(self, folder: Path, frames: Iterable[pl.DataFrame]) -> None:
        folder.mkdir()
        self._folder, self.paths = folder, list[Path]()
        for number, frame in enumerate(frames):
            self.paths.append(folder / f"{number:06d}.parquet")
            frame.write_parquet(self.paths[-1], compression="lz4")

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """The frames in their order; can be asked for again."""
        return (pl.read_parquet(path, glob=False) for path in self.paths)

    def remove(self) -> None:
        """Takes the files away."""
        for path in self.paths:
            path.unlink()
        self._folder.rmdir()
