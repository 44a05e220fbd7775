"""What the name of a model means: an entry of the zoo, a folder, or a repository on the hub."""

from __future__ import annotations

import re
from pathlib import Path

from genolm.errors import ModelError
from genolm.models import zoo

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]*[A-Za-z0-9]")


def locate(name: str | Path) -> zoo.Entry | Path | str:
    """An entry of the zoo, an existing folder, or a hub id, in this order.

    Raises:
        ModelError: none of the three.
    """
    if isinstance(name, str) and name.lower() in zoo.ZOO:
        return zoo.entry(name)
    if Path(name).is_dir():
        return Path(name)
    if Path(name).is_file():
        raise ModelError(f"{name}: a file; give the model's folder")
    if isinstance(name, str) and _HUB_ID.fullmatch(name):
        return name
    if isinstance(name, Path) or "/" in name or "\\" in name:
        raise ModelError(f"{name}: no such folder")
    return zoo.entry(name)


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
