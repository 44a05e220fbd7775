"""How a Megatron checkpoint lies on the disk: iterations, and in each a folder for every process."""

from __future__ import annotations

import re
from pathlib import Path

from genolm.errors import ModelError

TRACKER = "latest_checkpointed_iteration.txt"
WEIGHTS = "model_optim_rng.pt"

_FOLDER = re.compile(r"mp_rank_(\d{2})(?:_(\d{3}))?(?:_(\d{3}))?")


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder looks like what Megatron saves."""
    return (folder / TRACKER).is_file() or any(folder.glob("mp_rank_*"))


def iteration(folder: Path) -> Path:
    """The folder of the newest iteration of a checkpoint, or ``folder`` where it is one.

    Raises:
        ModelError: no checkpoint, one of another format, or an iteration that is missing.
    """
    place = folder
    if not any(folder.glob("mp_rank_*")) and (folder / TRACKER).is_file():
        told = (folder / TRACKER).read_text(encoding="utf-8", errors="replace").strip()
        if told != "release" and not (told.isascii() and told.isdigit()):
            raise ModelError(f"{folder / TRACKER}: neither an iteration nor release: {told[:40]!r}")
        place = folder / ("release" if told == "release" else f"iter_{int(told):07d}")
        if not place.is_dir():
            raise ModelError(f"{folder / TRACKER}: names {place.name}, which is missing")
    if (place / ".metadata").exists() or any(place.glob("*.distcp")):
        raise ModelError(
            f"{place}: a distributed checkpoint (torch_dist); save it with Megatron as --ckpt-format torch first"
        )
    if not any(place.glob("mp_rank_*")):
        raise ModelError(f"{place}: no checkpoint of Megatron: neither {TRACKER} nor a folder mp_rank_00 is there")
    return place


def rank_folders(place: Path) -> dict[str, tuple[int, ...]]:
    """The ranks' folders in that of an iteration, with the one to three numbers in each one's name.

    Raises:
        ModelError: a folder of another name, one without weights, or folders of different runs.
    """
    found = {}
    for path in sorted(place.glob("mp_rank_*")):
        numbers = _FOLDER.fullmatch(path.name)
        if numbers is None:
            raise ModelError(
                f"{path}: not the name of a rank's folder (mp_rank_00, mp_rank_00_000, mp_rank_00_000_000)"
            )
        if not (path / WEIGHTS).is_file():
            raise ModelError(f"{path}: has no {WEIGHTS}")
        found[path.name] = tuple(int(number) for number in numbers.groups() if number is not None)
    if len({len(ranks) for ranks in found.values()}) > 1:
        raise ModelError(f"{place}: its mp_rank folders are of different runs: {', '.join(found)}")
    return found
