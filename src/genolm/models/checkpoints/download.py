"""Downloads from the Hugging Face hub: the files that a model needs, resumed, verified, and cached.

huggingface_hub restarts a file after an interrupted process and does not compare checksums, so the transfer
is our own; the cache has its layout, and models downloaded by transformers are found in it.

A model that is published only as a pickle is rewritten once, as safetensors with the same names and bits, by a reader
of plain data: in the cache under ``genolm/COMMIT`` of the repository, next to ``snapshots``, which only the hub's
tools write; in a folder of the user next to the pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from genolm.errors import GenolmError, ModelError, NetworkError, ResourceError, RunError
from genolm.files.caches import expanded, user_cache
from genolm.files.disk import is_disk_full
from genolm.models.checkpoints.http_files import Progress, RefusedError, Source, fetch_file, fetch_json
from genolm.models.model_files import (
    ADAPTER_CONFIG,
    CARD,
    CONFIG,
    HEADS,
    INDEX,
    PICKLE,
    SETTINGS,
    SINGLE,
    TOKENIZER,
    read_json,
)
from genolm.models.zoo.zoo import CACHED, ModelSource, find_download
from genolm.models.zoo.zoo_entry import Entry
from genolm.parameters import Completed, PythonOnly
from genolm.verbs import verb

MAIN = "main"
"""Branch of a repository that is used if no revision is given."""

_HEAD = re.compile(rf"{HEADS}/[\w-]+\.safetensors")
_SMALL_FILES = (CONFIG, TOKENIZER, SETTINGS, CARD, "README.md", "LICENSE")


@dataclass(frozen=True, slots=True)
class Remote:
    """A file of a repository.

    Attributes:
        name: path in the repository.
        size: size in bytes.
        digest: SHA-256 of a large file, or git's SHA-1 of the blob of a small one, in hex.
    """

    name: str
    size: int
    digest: str

    def verify(self, path: Path) -> bool:
        """Return whether the file at ``path`` has this content."""
        if path.stat().st_size != self.size:
            return False
        digest = hashlib.sha256() if len(self.digest) == 64 else hashlib.sha1(f"blob {self.size}\0".encode())
        with path.open("rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
        return digest.hexdigest() == self.digest


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository at one commit."""

    id: str
    commit: str
    files: dict[str, Remote]

    def source(self, name: str) -> Source:
        """Return the source of a file."""
        remote = self.files[name]
        return Source(
            f"{endpoint()}/{self.id}/resolve/{self.commit}/{quote(name)}", remote.size, remote.verify, _token()
        )


def endpoint() -> str:
    """Return the address of the hub: HF_ENDPOINT, else https://huggingface.co."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def cache_folder() -> Path:
    """Return the folder of downloaded models: GENOLM_CACHE, HF_HUB_CACHE, HF_HOME/hub, or ~/.cache/huggingface/hub."""
    for variable in ("GENOLM_CACHE", "HF_HUB_CACHE"):
        if os.environ.get(variable):
            return expanded(os.environ[variable])
    home = os.environ.get("HF_HOME")
    return (expanded(home) if home else user_cache() / "huggingface") / "hub"


@verb(example="genolm download genos-1.2b")
def download(
    model: Annotated[str, Completed("model")],
    folder: Path | str | None = None,
    *,
    progress: Annotated[Progress | None, PythonOnly()] = None,
) -> Path:
    """Download a model.

    An interrupted download is resumed; checksums are verified. The result is the path of the model.

    With a zoo model, a folder also gets its card, and the tokenizer settings that its files lack, so that loading the
    folder gives the same model as loading the name.

    Args:
        model: Model: a name from `genolm models`, or a Hugging Face Hub id, which may end in @REVISION (branch, tag
            or commit).
        folder: Output folder. Default: the Hugging Face cache.
        progress: called for each block that is received.

    Raises:
        ModelError: there is nothing to download, the repository has no weights, or they are a pickle with anything
            but plain data.
        NetworkError: no network, the hub refused, or a checksum is wrong.
        ResourceError: the disk is full.
    """
    source = find_download(model)
    path = fetch_model(source, folder=None if folder is None else Path(folder), progress=progress)
    if folder is not None and source.entry is not None:
        _add_card(path, source.entry)
    return path


def _add_card(folder: Path, entry: Entry) -> None:
    """Write the card and the tokenizer settings that the published files of a zoo model lack."""
    from genolm.models.adapters.tokenizer_files import add_settings
    from genolm.tokens.bpe import BpeTokenizer

    if (folder / TOKENIZER).is_file() and (entry.runs_of_n or entry.bases_per_token):
        add_settings(folder, entry.with_settings(BpeTokenizer.read(folder)))
    if not (folder / CARD).is_file():
        entry.card.write(folder)


def fetch_model(
    source: ModelSource,
    *,
    offline: bool | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the folder of a model, downloading what is missing.

    Args:
        source: the model.
        offline: as for :func:`snapshot`.
        folder: as for :func:`snapshot`.
        progress: as for :func:`snapshot`.

    Raises:
        ModelError: the model is published in a form that cannot be loaded; or as :func:`snapshot`.
        NetworkError: as :func:`snapshot`.
        RunError: as :func:`snapshot`.
        ResourceError: as :func:`snapshot`.
    """
    local, revision = source.local_folder(), source.revision or MAIN
    repository = str(source.hub_id)
    return local or snapshot(repository, revision=revision, offline=offline, folder=folder, progress=progress)


def snapshot(
    repo_id: str,
    *,
    revision: str = MAIN,
    offline: bool | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Download the files of a repository that genolm needs: config, weights, tokenizer, card; return their folder.

    Without a network a complete copy in the cache is used.

    Args:
        repo_id: ``ORGANISATION/NAME``.
        revision: branch, tag or commit.
        offline: True: use the cache only; False: ask the hub; None: True if HF_HUB_OFFLINE is set.
        folder: folder for plain files instead of the cache.
        progress: called for each block that is received.

    Raises:
        ModelError: the repository has no config or no weights, or they are a pickle with anything but plain data.
        NetworkError: as for :func:`download`.
        RunError: the folder, or the cache, cannot be written.
        ResourceError: the disk is full.
    """
    try:
        repository = look_up(repo_id, revision, offline=offline)
    except RefusedError:
        raise
    except NetworkError:
        cached = _cached(repo_id, revision)
        if cached is None or folder is not None:
            raise
        return cached
    try:
        return _stored(repository, revision, folder, progress)
    except OSError as error:
        cached = None if folder else _cached(repo_id, revision)
        if cached is not None:
            return cached
        raise _unwritable(folder, error) from error


def _stored(repository: Repository, revision: str, folder: Path | None, progress: Progress | None) -> Path:
    store = _plain_store(folder) if folder else _cache_store(repository, revision)
    rewritten = _rewritten_folder(repository.id, repository.commit)
    if folder is None and _complete(rewritten):
        return rewritten
    if ADAPTER_CONFIG in repository.files:
        raise ModelError(
            f"{repository.id}: holds a PEFT adapter, which genolm reads from a folder only: get it with"
            f" `hf download {repository.id} --local-dir FOLDER` and use FOLDER"
        )
    _require(repository, CONFIG)
    weights = _weights(repository, store)
    heads = [name for name in repository.files if _HEAD.fullmatch(name)]
    names = [*(name for name in _SMALL_FILES if name in repository.files), *heads]
    paths = [store(repository, name, progress) for name in (*names, *weights)]
    if weights != [PICKLE]:
        return paths[0].parent
    from genolm.models.adapters.pickles import rewrite

    return rewrite(paths[0].parent, folder or rewritten, _SMALL_FILES)


def _unwritable(folder: Path | None, error: OSError) -> GenolmError:
    if is_disk_full(error):
        return ResourceError(
            f"{folder or cache_folder()}: the disk is full; free space and try again", code="disk-full"
        )
    message = f"{folder or cache_folder()}: cannot be written: {error.strerror or error}"
    return RunError(
        message if folder else f"{message}; set GENOLM_CACHE to a writable folder", code="unwritable-output"
    )


def look_up(repo_id: str, revision: str = MAIN, *, offline: bool | None = None) -> Repository:
    """Ask the hub for the commit and the files of a repository.

    Args:
        repo_id: ``ORGANISATION/NAME``.
        revision: branch, tag or commit.
        offline: as for :func:`snapshot`.

    Raises:
        NetworkError: no network, downloads disabled, or the hub refused.
    """
    _check_online(repo_id, revision, offline)
    url = f"{endpoint()}/api/models/{repo_id}/revision/{quote(revision, safe='')}?blobs=true"
    try:
        answer = fetch_json(url, token=_token())
    except RefusedError as error:
        if error.status != HTTPStatus.NOT_FOUND or revision == MAIN:
            raise
        message = f"{repo_id}: the hub has no such repository, or no branch, tag or commit {revision!r} in it"
        raise RefusedError(f"{message} (HTTP {error.status}, {url})", error.status) from error
    try:
        files = [_remote(item) for item in answer["siblings"]]
        return Repository(repo_id, answer["sha"], {file.name: file for file in files})
    except (KeyError, TypeError) as error:
        raise NetworkError(f"{url}: the answer lacks {error}; is HF_ENDPOINT a Hugging Face hub?") from error


def _check_online(repo_id: str, revision: str, offline: bool | None) -> None:
    """Raise `NetworkError` if the hub must not be asked."""
    disabled = os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
    if not (disabled if offline is None else offline):
        return
    which = repo_id if revision == MAIN else f"revision {revision} of {repo_id}"
    state = "incomplete" if _snapshot_folder(repo_id, revision).is_dir() else "not"
    cause, remedy = ("offline=True", "omit it") if offline else ("HF_HUB_OFFLINE", "unset it")
    problem = f"{which} is {state} in the cache and {cause} forbids downloading it"
    raise NetworkError(problem, code="offline", remedy=(remedy, "give a folder with the model"))


def _remote(item: dict[str, object]) -> Remote:
    large = item.get("lfs")
    if isinstance(large, dict):
        return Remote(str(item["rfilename"]), int(large["size"]), str(large["sha256"]))
    return Remote(str(item["rfilename"]), int(str(item["size"])), str(item["blobId"]))


def config_values(repo_id: str, revision: str = MAIN) -> dict[str, object]:
    """Return ``config.json`` of a revision of a repository, without downloading other files.

    Raises:
        ModelError: the repository has no ``config.json``.
        NetworkError: as for :func:`download`.
    """
    cached = _cached(repo_id, revision)
    if cached is not None:
        return read_json(cached / CONFIG)
    repository = look_up(repo_id, revision)
    _require(repository, CONFIG)
    return read_json(_cache_store(repository, revision)(repository, CONFIG, None))


Store = Callable[[Repository, str, Progress | None], Path]
"""Stores a file of a repository unless it is present, and returns its path."""


def _weights(repository: Repository, store: Store) -> list[str]:
    if INDEX in repository.files:
        weight_map = read_json(store(repository, INDEX, None)).get("weight_map", {})
        shards = sorted(set(weight_map.values()))
        for name in shards:
            _require(repository, name)
        return shards
    if SINGLE in repository.files:
        return [SINGLE]
    if PICKLE in repository.files:
        return [PICKLE]
    raise ModelError(f"{repository.id}: has neither safetensors nor {PICKLE}")


def _rewritten_folder(repo_id: str, commit: str) -> Path:
    return _repository_folder(repo_id) / "genolm" / commit


def _require(repository: Repository, name: str) -> None:
    if name not in repository.files or "/" in name:
        raise ModelError(f"{repository.id}: has no {name} at commit {repository.commit[:12]}")


def _plain_store(folder: Path) -> Store:
    def store(repository: Repository, name: str, progress: Progress | None) -> Path:
        target = folder / name
        if not (target.is_file() and repository.files[name].verify(target)):
            fetch_file(repository.source(name), target, progress)
        return target

    return store


def _cache_store(repository: Repository, revision: str) -> Store:
    root = _repository_folder(repository.id)
    if revision != repository.commit:
        reference = root / "refs" / revision
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(repository.commit, encoding="utf-8")

    def store(repository: Repository, name: str, progress: Progress | None) -> Path:
        remote, pointer = repository.files[name], root / "snapshots" / repository.commit / name
        if pointer.is_file() and pointer.stat().st_size == remote.size:
            return pointer
        blob = root / "blobs" / remote.digest
        if not (blob.is_file() and blob.stat().st_size == remote.size):
            fetch_file(repository.source(name), blob, _named(progress, name))
        _point(pointer, blob)
        return pointer

    return store


def _named(progress: Progress | None, name: str) -> Progress | None:
    """Report the name of a file instead of its blob's, which is a digest."""
    return None if progress is None else lambda _, done, total: progress(name, done, total)


def _point(pointer: Path, blob: Path) -> None:
    """Link ``pointer`` to ``blob``; processes that do so at the same time leave the same link."""
    pointer.parent.mkdir(parents=True, exist_ok=True)
    link = pointer.with_name(f".{pointer.name}.{os.getpid()}")
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(os.path.relpath(blob, pointer.parent))
    except OSError:  # a file system without symbolic links
        blob.replace(pointer)
        return
    link.replace(pointer)


def _repository_folder(repo_id: str) -> Path:
    return cache_folder() / f"{CACHED}{repo_id.replace('/', '--')}"


def _snapshot_folder(repo_id: str, revision: str) -> Path:
    """Return the folder of the cached files of a branch, tag or commit."""
    root = _repository_folder(repo_id)
    reference = root / "refs" / revision
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
    return root / "snapshots" / commit


def _cached(repo_id: str, revision: str) -> Path | None:
    """Return the cached snapshot of a revision if it is complete."""
    folder = _snapshot_folder(repo_id, revision)
    folders = (folder, _rewritten_folder(repo_id, folder.name))
    return next((folder for folder in folders if _complete(folder)), None)


def _complete(folder: Path) -> bool:
    if not (folder / CONFIG).is_file():
        return False
    return all((folder / name).is_file() for name in _expected(folder))


def _expected(folder: Path) -> Iterable[str]:
    if not (folder / INDEX).is_file():
        return (SINGLE,)
    values = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    return set(values["weight_map"].values())


def _token() -> str | None:
    """Return the user's token, as stored by huggingface_hub."""
    from huggingface_hub import get_token

    return get_token()
