"""The name under which a file is written before it is complete."""

from __future__ import annotations

import secrets
from pathlib import Path


def partial_path(path: Path, suffix: str = "") -> Path:
    """Return a hidden name beside ``path`` that no other process uses.

    Args:
        path: the file that the partial one will replace.
        suffix: what the name must end with, where a writer goes by the ending.
    """
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial{suffix}")
