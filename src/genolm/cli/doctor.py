"""Checks of ``genolm doctor``: whether the installation and this machine can run models."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genolm.files.version import __version__
from genolm.verbs import verb

Status = Literal["ok", "note", "broken"]
Kernels = Literal["show", "clear"]

_GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check.

    Attributes:
        name: name of the check.
        status: ``ok``; ``note`` if something is slower than necessary or optional and missing; ``broken`` if genolm
            needs it and it does not work.
        text: result and, unless ok, the remedy.
    """

    name: str
    status: Status
    text: str


@verb(example="genolm doctor")
def doctor(*, kernels: Kernels | None = None) -> list[Finding]:
    """Check the installation and this machine.

    If something that genolm needs is broken, its finding has the status broken, and the exit code is 1.

    Args:
        kernels: Instead of the checks, show the kernels that runs have timed and selected on this machine, or clear
            the cache of these timings.
    """
    return list(examine(kernels))


def examine(kernels: Kernels | None = None) -> Iterator[Finding]:
    """Yield the findings one by one; a check that raises an exception has the status ``broken``.

    Args:
        kernels: as for :func:`doctor`.
    """
    checks = _CHECKS if kernels is None else {"kernels": _clear_kernels if kernels == "clear" else _kernels}
    for name, check in checks.items():
        try:
            findings = check(name)
        except Exception as error:  # the other checks must still run
            findings = Finding(name, "broken", f"{type(error).__name__}: {error}")
        yield from [findings] if isinstance(findings, Finding) else findings


def _python(name: str) -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()} ({sys.executable})"
    return Finding(name, "ok" if sys.version_info >= (3, 11) else "broken", text)


def _package(name: str) -> Finding:
    return Finding(name, "ok", f"{__version__} in {Path(__file__).parents[1]}")


def _torch(name: str) -> Finding:
    import torch

    return Finding(name, "ok", f"{torch.__version__}, {torch.get_num_threads()} threads")


def _processor(name: str) -> Finding:
    features = _cpu_flags() & {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}
    text = f"{os.cpu_count()} logical cores; {', '.join(sorted(features)) or 'no vector instructions found'}"
    if features & {"avx512_bf16", "amx_bf16"}:
        return Finding(name, "ok", text)
    return Finding(name, "note", f"{text}; without avx512_bf16 or amx_bf16, float32 is often faster than bfloat16")


def _cpu_flags() -> set[str]:
    """Return the CPU flags of the first core; empty if the system does not list them."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())


def _memory(name: str) -> Finding:
    page = os.sysconf("SC_PAGE_SIZE")
    total = os.sysconf("SC_PHYS_PAGES") * page
    free = _available_memory() or os.sysconf("SC_AVPHYS_PAGES") * page
    text = f"{free / _GIGABYTE:.1f} of {total / _GIGABYTE:.1f} GB free"
    if free < 2 * _GIGABYTE:
        return Finding(name, "note", f"{text}: enough for small models only; see `genolm info MODEL`")
    return Finding(name, "ok", text)


def _available_memory() -> int:
    """Return the bytes that are available without swapping, from /proc/meminfo; 0 if unknown."""
    listing = Path("/proc/meminfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), 0)


def _disk(name: str) -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    text = f"{free / _GIGABYTE:.1f} GB free in {Path.cwd()}"
    return Finding(name, "ok" if free > _GIGABYTE else "note", text)


def _accelerator(name: str) -> Finding:
    import torch

    if torch.cuda.is_available():
        devices = (torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count()))
        return Finding(name, "ok", "; ".join(f"{gpu.name}, {gpu.total_memory / _GIGABYTE:.0f} GB" for gpu in devices))
    if torch.backends.mps.is_available():
        return Finding(name, "ok", "Apple GPU (mps)")
    if shutil.which("nvidia-smi") and "+cpu" in torch.__version__:
        return Finding(
            name,
            "note",
            "an NVIDIA driver is installed, but torch is a CPU build; install a CUDA build",
        )
    return Finding(name, "note", "none; models run on the CPU")


def _extras(name: str) -> list[Finding]:
    """Return one finding for each extra that a command may need."""
    from genolm.cli.extras import extras_for_users

    return [_extra(extra) for extra in extras_for_users()]


def _extra(extra: str) -> Finding:
    from genolm.cli.extras import install_command, missing_packages, required_by

    if missing := missing_packages(extra):
        return Finding(f"extra {extra}", "note", f"missing: {', '.join(missing)}; {install_command(extra)}")
    return Finding(f"extra {extra}", "ok", ", ".join(sorted({requirement.name for requirement in required_by(extra)})))


def _cache(name: str) -> Finding:
    from genolm.models.checkpoints.download import cache_folder

    folder = cache_folder()
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    if not parent.is_dir():
        return Finding(name, "broken", f"{parent} is a file, not a folder; set GENOLM_CACHE to a folder")
    if os.access(parent, os.W_OK | os.X_OK):
        return Finding(name, "ok", f"{folder} is writable")
    advice = "models in it can be used; to download others, set GENOLM_CACHE to a writable folder"
    return Finding(name, "note", f"{folder} is not writable; {advice}")


def _self_check(name: str) -> Finding:
    import torch

    from genolm.models.checkpoints.load import load

    model = load("tiny-random", device="cpu")
    ids_BL = torch.as_tensor(model.tokenizer.encode("ACGTACGT"), dtype=torch.long)[None]
    with torch.inference_mode():
        logits_BLV = model.decoder(ids_BL).logits_BLV
        first_BLV = model.decoder(ids_BL[:, :4]).logits_BLV
    if not torch.isfinite(logits_BLV).all():
        return Finding(name, "broken", "tiny-random gives non-finite values: torch computes incorrectly")
    if not torch.allclose(logits_BLV[:, :4], first_BLV, atol=1e-4):
        return Finding(
            name,
            "broken",
            "tiny-random predictions depend on later bases: torch computes incorrectly",
        )
    return Finding(name, "ok", "tiny-random runs correctly on the CPU")


def _kernels(name: str) -> list[Finding]:
    """Return a finding for the pinned kernels, or one for each timing on this machine."""
    from genolm.models.kernel_selection import this_machine
    from genolm.models.kernels.kernel_cache import read_timings
    from genolm.models.kernels.kernels import VARIABLE, pinned_kernels

    machine = this_machine()
    if pinned_kernels() is not None:
        return [Finding(name, "note", f"{VARIABLE}={os.environ[VARIABLE]} pins them; nothing is timed")]
    timings = read_timings(machine)
    if not timings:
        return [Finding(name, "ok", f"none timed with {machine.threads} threads yet; runs use the defaults")]
    return [Finding(name, "ok", f"{case}: {timing.chosen} ({timing})") for case, timing in timings.items()]


def _clear_kernels(name: str) -> Finding:
    from genolm.models.kernels.kernel_cache import cache_folder, clear_timings

    return Finding(name, "ok", f"removed {clear_timings()} files from {cache_folder()}")


_CHECKS: dict[str, Callable[[str], Finding | list[Finding]]] = {
    "python": _python,
    "genolm": _package,
    "torch": _torch,
    "processor": _processor,
    "memory": _memory,
    "disk": _disk,
    "accelerator": _accelerator,
    "extras": _extras,
    "model cache": _cache,
    "self-check": _self_check,
}
