"""Folders of a Megatron checkpoint: one for each iteration, and in it one for each process."""

from __future__ import annotations

import re
from pathlib import Path

from genolm.errors import ModelError

TRACKER = "latest_checkpointed_iteration.txt"
WEIGHTS = "model_optim_rng.pt"

_FOLDER = re.compile(r"mp_rank_(\d{2})(?:_(\d{3}))?(?:_(\d{3}))?")


def is_checkpoint(folder: Path) -> bool:
    """Return whether a folder looks like a Megatron checkpoint."""
    return (folder / TRACKER).is_file() or any(folder.glob("mp_rank_*"))


def iteration(folder: Path) -> Path:
    """Return the folder of the newest iteration of a checkpoint, or ``folder`` if it is one.

    Raises:
        ModelError: not a checkpoint, one of another format, or the iteration is missing.
    """
    latest = folder
    if not any(folder.glob("mp_rank_*")) and (folder / TRACKER).is_file():
        named = (folder / TRACKER).read_text(encoding="utf-8", errors="replace").strip()
        if named != "release" and not (named.isascii() and named.isdigit()):
            raise ModelError(f"{folder / TRACKER}: expected an iteration or release, not {named[:40]!r}")
        latest = folder / ("release" if named == "release" else f"iter_{int(named):07d}")
        if not latest.is_dir():
            raise ModelError(f"{folder / TRACKER}: names {latest.name}, which is missing")
    if (latest / ".metadata").exists() or any(latest.glob("*.distcp")):
        raise ModelError(
            f"{latest}: a distributed checkpoint (torch_dist); save it with Megatron in the format torch first"
        )
    if not any(latest.glob("mp_rank_*")):
        raise ModelError(f"{latest}: not a Megatron checkpoint: neither {TRACKER} nor a folder mp_rank_00 was folders")
    return latest


def rank_folders(latest: Path) -> dict[str, tuple[int, ...]]:
    """Return the folders of the ranks in an iteration, with the one to three numbers in each name.

    Raises:
        ModelError: a folder has another name or no weights, or the folders belong to different runs.
    """
    folders = {}
    for path in sorted(latest.glob("mp_rank_*")):
        numbers = _FOLDER.fullmatch(path.name)
        if numbers is None:
            raise ModelError(
                f"{path}: invalid name of a rank's folder: expected mp_rank_00, mp_rank_00_000 or mp_rank_00_000_000"
            )
        if not (path / WEIGHTS).is_file():
            raise ModelError(f"{path}: has no {WEIGHTS}")
        folders[path.name] = tuple(int(number) for number in numbers.groups() if number is not None)
    if len({len(ranks) for ranks in folders.values()}) > 1:
        raise ModelError(f"{latest}: its mp_rank folders belong to different runs: {', '.join(folders)}")
    return folders
