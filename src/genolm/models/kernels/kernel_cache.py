"""Cache of kernel timings, one file per machine, number of threads, and version of torch and genolm."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from genolm.errors import GenolmError
from genolm.files.atomic import atomic_file
from genolm.files.caches import user_cache
from genolm.files.version import __version__
from genolm.models.kernels.measurement import Timing


@dataclass(frozen=True, slots=True)
class Machine:
    """What timings depend on.

    Attributes:
        processor: name of the processor.
        features: instruction set that torch uses.
        threads: number of CPU threads.
        torch: version of torch.
        genolm: version of genolm.
    """

    processor: str
    features: str
    threads: int
    torch: str
    genolm: str = __version__

    @property
    def file(self) -> Path:
        """Path of the cache for this machine."""
        key = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]
        return cache_folder() / f"{key}.json"


def cache_folder() -> Path:
    """Return the folder of all caches of kernel timings."""
    return user_cache() / "genolm" / "kernels"


def processor_name() -> str:
    """Return the name of the processor."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.is_file() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def read_timings(machine: Machine) -> dict[str, Timing]:
    """Return the cached timings of a machine by case; empty if there are none, or the file is damaged."""
    try:
        stored = json.loads(machine.file.read_text())["timings"]
        return {case: Timing(str(one["chosen"]), _seconds(one["seconds"])) for case, one in stored.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, GenolmError):
        return {}


def _seconds(stored: Mapping[str, object]) -> dict[str, float]:
    return {name: float(str(value)) for name, value in stored.items()}


def add_timings(machine: Machine, timings: Mapping[str, Timing]) -> None:
    """Add timings to the cache of a machine; without a writable cache folder, nothing is kept."""
    with suppress(OSError, GenolmError):
        merged = read_timings(machine) | dict(timings)
        values = {"machine": asdict(machine), "timings": {case: asdict(one) for case, one in sorted(merged.items())}}
        machine.file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(machine.file) as partial:
            partial.write_text(json.dumps(values, indent=1) + "\n")


def clear_timings() -> int:
    """Remove the caches of all machines and versions; return how many there were."""
    files = list(cache_folder().glob("*.json"))
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)
