"""The log of a training run: one JSON object a line, cut back to the checkpoint when the run is resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Listener = Callable[[dict[str, Any]], None]


class RunLog:
    """Reports of a run, in a file and to a listener.

    Args:
        path: the ``.jsonl`` file; None where another process writes it, then every report is dropped.
        listener: receives every new report as well.
    """

    def __init__(self, path: Path | None, listener: Listener | None = None) -> None:
        self._path, self._listener = path, listener

    def add(self, **values: Any) -> None:
        """Append one report; it holds ``step``."""
        if self._path is None:
            return
        with self._path.open("a") as file:
            file.write(json.dumps(values) + "\n")
        if self._listener is not None:
            self._listener(values)

    def lines(self) -> list[dict[str, Any]]:
        """All reports, oldest first; a line that a kill tore in two is left out."""
        if self._path is None or not self._path.exists():
            return []
        found = []
        for line in self._path.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def rewind(self, step: int) -> None:
        """Drop what was reported after ``step``: it will be done, and reported, again. Step 0 empties the log."""
        if self._path is None:
            return
        kept = [line for line in self.lines() if step > 0 and line["step"] <= step]
        beside = self._path.with_suffix(".rewound")
        beside.write_text("".join(json.dumps(line) + "\n" for line in kept))
        beside.replace(self._path)
