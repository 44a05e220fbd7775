"""Joining the shards of any verb, of a scan by its prefix too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genolm.engine.merge import merge as merge_parts
from genolm.engine.parts import PartsFolder
from genolm.engine.result import Result
from genolm.tasks.scanning.scan_outputs import Outputs

if TYPE_CHECKING:
    from genolm.engine.task import Task


def merge(
    out: Path | str,
    folders: Sequence[Path | str] = (),
    *,
    task: Task[Any, Any] | None = None,
    overwrite: bool = False,
) -> Result:
    """Join the shards of a run into its one output, then remove the folder of their parts; no model is needed.

    Args:
        out: the output that the shards were run with; of a scan its prefix, or ``PREFIX.json``.
        folders: further folders of parts, such as copies from other machines; they are only read.
        task: the task that ran; needed only when its class is not genolm's.
        overwrite: replace an existing output.

    Returns:
        Where the output is, its numbers of items and parts, and the summary of the whole run.

    Raises:
        RunError: parts are missing or torn, folders belong to different runs, the output exists, or a run is still at
            work.
        ResourceError: the disk is full.
    """
    places = [Path(folder) for folder in folders]
    return merge_parts(_named_after(Path(out), places), places, task=task, overwrite=overwrite)


def _named_after(out: Path, folders: Sequence[Path]) -> Path:
    """Return the output that the parts are named after: for a scan ``PREFIX.json``."""
    own, record = PartsFolder.of(out).path, Outputs.of(out).record
    scanned = PartsFolder.of(record).path
    known = [place.name for place in (own, scanned, *folders) if place.is_dir()]
    return record if own.name not in known and scanned.name in known else out
