"""The models that genolm knows by name, and the resolution of a name, folder or hub id to a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from genolm.errors import ModelError
from genolm.files.names import is_file, is_folder
from genolm.models.card import Card
from genolm.models.model_files import CONFIG
from genolm.models.zoo.gena_entries import GENA
from genolm.models.zoo.genomeocean_entries import OCEAN
from genolm.models.zoo.genos_entries import GENOS
from genolm.models.zoo.tiny_entries import TINY
from genolm.models.zoo.zoo_entry import Entry as Entry

WEIGHTS = Path(__file__).parent / "weights"
CACHED = "models--"
"""Prefix of the folder of a repository in the hub's cache."""

_NANO = Card(
    name="genolm-nano", family="genolm", licence="Apache-2.0", source="shipped with genolm, trained by its own recipe"
)
_ENTRIES = (Entry(_NANO, folder=WEIGHTS / "genolm-nano"), *GENOS, *GENA, *OCEAN, *TINY)
ZOO: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]*[A-Za-z0-9]")
_REVISION = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Location of a model's files.

    Attributes:
        entry: zoo entry of the model; None for other models.
        folder: folder that the user gave; None for a name or a hub id.
        hub_id: repository to download; None for a folder and for weights that come with genolm.
        revision: branch, tag or commit of the repository; None for its main branch.
    """

    entry: Entry | None = None
    folder: Path | None = None
    hub_id: str | None = None
    revision: str | None = None

    def local_folder(self) -> Path | None:
        """Return the folder with the files; None if they must be downloaded.

        Raises:
            ModelError: the model is published in a form that cannot be loaded, or is not part of this installation.
        """
        if self.folder is not None or self.entry is None:
            return self.folder
        self.entry.refuse_unconverted()
        return None if self.entry.folder is None else self.entry.installed_folder()


def find_model(name: str | Path, revision: str | None = None) -> ModelSource:
    """Resolve a model name of the zoo, an existing folder or a hub id, in this order.

    Args:
        name: the name; a hub id and the name of a model on the hub may end in ``@REVISION``.
        revision: branch, tag or commit of the repository; None for that of the name, else its main branch.

    Raises:
        ModelError: the name is none of the three, or the model has no revisions or is given two of them.
    """
    if not isinstance(name, str | Path):
        raise ModelError(f"expected a model, or the name, folder or hub id of one (value {name!r})")
    if isinstance(name, str) and not (is_folder(name) or is_file(name)):
        name, revision = split_revision(name, revision)
    source = _found(name)
    if revision is not None and (source.hub_id is None or source.folder is not None):
        raise ModelError(f"{name}: only models on the Hugging Face hub have revisions (revision {revision!r})")
    return replace(source, revision=revision)


def split_revision(name: str, revision: str | None = None) -> tuple[str, str | None]:
    """Split ``NAME@REVISION``; the revision is None if neither the name nor the argument gives one.

    A text whose part before ``@`` is not a model remains whole.

    Raises:
        ModelError: there are two revisions, or the revision is not the name of a branch, tag or commit.
    """
    plain, at, own = name.partition("@")
    if at and not (plain.lower() in ZOO or _HUB_ID.fullmatch(plain) or is_folder(plain)):
        plain, at = name, ""
    if at and revision not in (None, own):
        raise ModelError(f"{name}: two revisions are given, {own!r} and {revision!r}")
    wanted = own if at else revision
    if wanted is not None and not _REVISION.fullmatch(wanted):
        raise ModelError(f"{plain}: invalid revision {wanted!r}: expected a branch, tag or commit of its repository")
    return plain, wanted


def _found(name: str | Path) -> ModelSource:
    if isinstance(name, str) and name.lower() in ZOO:
        return _named(entry(name))
    if is_folder(name):
        folder = _snapshot_in(Path(name))
        return ModelSource(_cached_entry(folder), folder)
    if is_file(name):
        file = Path(name)
        hint = f", {file.parent}" if (file.parent / CONFIG).is_file() else ""
        raise ModelError(f"{name}: a file; give the model's folder{hint}")
    if isinstance(name, str) and _HUB_ID.fullmatch(name):
        known = _entry_at(name)
        return ModelSource(hub_id=name) if known is None else _named(known)
    if isinstance(name, Path) or "/" in name or "\\" in name:
        raise ModelError(f"{name}: no such folder", code="model-not-found")
    return _named(entry(name))


def _named(known: Entry) -> ModelSource:
    return ModelSource(known, hub_id=known.hub_id)


def entry(name: str) -> Entry:
    """Return the zoo entry called ``name``, in upper or lower case.

    Raises:
        ModelError: the name is unknown; the message suggests a similar one.
    """
    known = ZOO.get(name.lower())
    if known is None:
        close = get_close_matches(name.lower(), ZOO, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        advice = "genolm models lists the names; a folder or a hub id ORGANISATION/NAME is also accepted"
        raise ModelError(f"unknown model {name!r}: {meant}{advice}", code="unknown-model")
    return known


def _snapshot_in(folder: Path) -> Path:
    """Return the folder itself; for a repository in the hub's cache, the files of ``main`` or of its only commit.

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
    rewritten = folder / "genolm" / commits[0]  # safetensors made of a pickle: see genolm.models.checkpoints.download
    return rewritten if rewritten.is_dir() else snapshots / commits[0]


def _entry_at(hub_id: str) -> Entry | None:
    """Return the entry whose files are those of a repository on the hub; None for other repositories."""
    return next((entry for entry in ZOO.values() if hub_id.lower() in entry.repositories), None)


def _cached_entry(folder: Path) -> Entry | None:
    """Return the entry of a folder inside the hub's cache (``models--ORGANISATION--NAME``); None for other folders."""
    names = (
        part.removeprefix(CACHED).replace("--", "/") for part in folder.absolute().parts if part.startswith(CACHED)
    )
    return next((entry for name in names if (entry := _entry_at(name)) is not None), None)


def find_download(name: str) -> ModelSource:
    """Resolve the name or hub id of a model to download, optionally with ``@REVISION``.

    Raises:
        ModelError: the model cannot be downloaded.
    """
    name, revision = split_revision(name)
    known = ZOO.get(name.lower())
    if known is not None:
        known.refuse_unconverted()
        if known.hub_id is None:
            raise ModelError(f"{name}: nothing to download, it comes with genolm")
        return replace(_named(known), revision=revision)
    if not _HUB_ID.fullmatch(name):
        raise ModelError(f"{name!r} is neither a downloadable model of `genolm models` nor a hub id ORGANISATION/NAME")
    return ModelSource(_entry_at(name), hub_id=name, revision=revision)
