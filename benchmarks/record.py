"""Results of benchmarks: one JSON file per benchmark, with the machine, versions and commit."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import torch

from genolm.models.kernel_selection import select_kernels

LONG_RUN = 10**12  # tokens
RESULTS = Path(__file__).parent / "results"


def write(name: str, measured: dict[str, Any]) -> Path:
    """Write ``results/NAME.json`` and print it."""
    path = RESULTS / f"{name}.json"
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps({"benchmark": name, "machine": machine(), **measured}, indent=1) + "\n")
    print(path.read_text())
    return path


def machine() -> dict[str, Any]:
    """Return the processor, threads, memory, versions and commit."""
    listing = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in listing.splitlines() if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model,
        "bf16_instructions": "avx512_bf16" in listing or "amx_bf16" in listing,
        "threads": torch.get_num_threads(),
        "memory_gib": round(memory, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "versions": versions("genolm", "torch", "transformers", "numpy"),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--", "src", "benchmarks/*.py", "studies/*.py")),
    }


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    installed = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            installed[name] = version(name)
    return installed


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, cwd=RESULTS.parent).stdout.strip()


def selected_kernels(
    network: Any, lengths: list[int], *, dtype: torch.dtype | None = None, training: bool = False
) -> Any:
    """Return the kernels of a long run, which are timed on this machine unless its cache has them."""
    return select_kernels(network, lengths, LONG_RUN, dtype=dtype, training=training)


def alternate(sides: dict[str, Callable[[], Any]], rounds: int, uncounted: int = 1) -> dict[str, dict[str, Any]]:
    """Time several functions, alternating (A B A B), after warm-up rounds; return their seconds and medians."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for round_ in range(uncounted + rounds):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            if round_ >= uncounted:
                seconds[name].append(time.perf_counter() - start)
    return {
        name: {"median_seconds": round(median(values), 4), "seconds": [round(value, 4) for value in values]}
        for name, values in seconds.items()
    }
