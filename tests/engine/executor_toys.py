"""Tasks that fail in the process that computes them."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from engine_toys import Summed

from genolm.errors import InputError, NonFiniteError, ResourceError
from genolm.remedies import Notice


@dataclass(frozen=True, slots=True)
class Fragile(Summed):
    """The toy task, which does something else as well while it computes.

    Attributes:
        trouble: what it does, at every part that contains the item ``bait``, or at all parts.
        bait: item that triggers it; None for all.
        mark: folder; with ``once``, a file there says that it was done.
        once: do it once only.
    """

    trouble: str = ""
    bait: str | None = None
    mark: Path = Path()
    once: bool = False
    name: ClassVar[str] = "fragile"

    def rows(self, items, windows, outputs):
        if self._due(items):
            self._do()
        return Summed.rows(self, items, windows, outputs)

    def subject(self, items, window, part):
        return f"item {items[window.origin]!r}"

    def forward(self, model, windows):
        if self.trouble == "not finite":
            raise NonFiniteError("toy", Notice("be careful"), row=0)
        return Summed.forward(self, model, windows)

    def _due(self, items):
        if self.bait is not None and self.bait not in items:
            return False
        return not (self.once and (self.mark / "done").exists())

    def _do(self):
        if self.once:
            (self.mark / "done").touch()
        (self.mark / f"pid-{os.getpid()}").touch()
        match self.trouble:
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
            case "slow":
                time.sleep(0.2)
            case "endless":
                time.sleep(600)
            case "input":
                raise InputError("bad genome", file="g.fa", line=7, value="x")
            case "memory":
                raise ResourceError("not enough")
            case "bug":
                raise ValueError("a bug")
            case "full disk":
                (self.mark / "cache").write_bytes(b"0" * 10_000_000)


def workers(mark):
    """Return the ids of the processes that were at work and still exist."""
    found = [int(path.name.removeprefix("pid-")) for path in Path(mark).glob("pid-*")]
    return [number for number in found if Path(f"/proc/{number}").exists()]
