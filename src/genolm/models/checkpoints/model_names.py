"""What the name of a model means: an entry of the zoo, a folder, or a repository on the hub."""

from __future__ import annotations

import re
from pathlib import Path

from genolm.errors import ModelError
from genolm.files.names import is_file, is_folder
from genolm.models.zoo import zoo

CACHED = "models--"
"""What the folder of a repository in the hub's cache is called before its id."""
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]*[A-Za-z0-9]")


def locate(name: str | Path) -> zoo.Entry | Path | str:
    """An entry of the zoo, an existing folder, or a hub id, in this order; the hub id of an entry is that entry.

    Raises:
        ModelError: none of the three.
    """
    if isinstance(name, str) and name.lower() in zoo.ZOO:
        return zoo.entry(name)
    if is_folder(name):
        return _snapshot_in(Path(name))
    if is_file(name):
        raise ModelError(f"{name}: a file; give the model's folder{_folder_of(Path(name))}")
    if isinstance(name, str) and _HUB_ID.fullmatch(name):
        return entry_at(name) or name
    if isinstance(name, Path) or "/" in name or "\\" in name:
        raise ModelError(f"{name}: no such folder")
    return zoo.entry(name)


def _folder_of(file: Path) -> str:
    return f", {file.parent}" if (file.parent / "config.json").is_file() else ""


def _snapshot_in(folder: Path) -> Path:
    """The folder itself; of a repository in the hub's cache, the files of its branch ``main`` or of its only commit.

    Raises:
        ModelError: the repository has no files, or those of several commits and no ``main``.
    """
    snapshots = folder / "snapshots"
    if not folder.resolve().name.startswith(CACHED) or not snapshots.is_dir():
        return folder
    reference = folder / "refs" / "main"
    commits = sorted(path.name for path in snapshots.iterdir() if path.is_dir())
    if reference.is_file():
        commits = [reference.read_text(encoding="utf-8").strip()]
    if len(commits) != 1:
        raise ModelError(f"{folder}: holds {len(commits)} snapshots of a model; give the folder of one in {snapshots}")
    rewritten = folder / "genolm" / commits[0]  # a pickle, as safetensors: see genolm.models.checkpoints.download
    return rewritten if rewritten.is_dir() else snapshots / commits[0]


def entry_at(hub_id: str) -> zoo.Entry | None:
    """The entry whose files are those of a repository on the hub; None where it is another's."""
    return next((entry for entry in zoo.ZOO.values() if entry.is_at(hub_id)), None)


def cached_entry(folder: Path) -> zoo.Entry | None:
    """The entry whose files a folder inside the hub's cache (``models--ORGANISATION--NAME``) holds; None for others."""
    names = (
        part.removeprefix(CACHED).replace("--", "/") for part in folder.absolute().parts if part.startswith(CACHED)
    )
    return next((entry for name in names if (entry := entry_at(name)) is not None), None)


def hub_id(name: str) -> str:
    """The hub id of a name of the zoo; a hub id is itself.

    Raises:
        ModelError: the model is not one that is downloaded.
    """
    entry = zoo.ZOO.get(name.lower())
    if entry is not None:
        entry.refuse_unconverted()
    if entry is not None and entry.hub_id is None:
        raise ModelError(f"{name}: there is nothing to download, it comes with genolm")
    found = name if entry is None else entry.hub_id
    if found is None or not _HUB_ID.fullmatch(found):
        raise ModelError(f"{name!r} is neither a downloadable model of `genolm models` nor a hub id ORGANISATION/NAME")
    return found
