"""What ``genolm doctor`` looks at: is this machine and this installation fit to run models, and how well."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Status = Literal["ok", "note", "broken"]

_GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        status: ``ok``; ``note`` for what is merely slower or missing by choice; ``broken`` for what genolm needs.
        text: what was found and, unless ok, what to do about it.
    """

    name: str
    status: Status
    text: str


def doctor() -> list[Finding]:
    """Check this machine and installation; whatever genolm needs and lacks has the status ``broken``."""
    return list(examine())


def examine() -> Iterator[Finding]:
    """Every finding, each made when it is asked for; a check that fails in an unforeseen way is itself broken."""
    for name, check in _CHECKS.items():
        try:
            found = check(name)
        except Exception as error:  # a doctor must not die of what it looks at
            found = Finding(name, "broken", f"{type(error).__name__}: {error}")
        yield from [found] if isinstance(found, Finding) else found


def _python(name: str) -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()} ({sys.executable})"
    return Finding(name, "ok" if sys.version_info >= (3, 11) else "broken", text)


def _package(name: str) -> Finding:
    from importlib.metadata import version

    return Finding(name, "ok", f"{version('genolm')} in {Path(__file__).parents[1]}")


def _torch(name: str) -> Finding:
    import torch

    return Finding(name, "ok", f"{torch.__version__}, {torch.get_num_threads()} threads")


def _processor(name: str) -> Finding:
    found = _cpu_flags() & {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}
    text = f"{os.cpu_count()} logical cores; {', '.join(sorted(found)) or 'no vector features found'}"
    if found & {"avx512_bf16", "amx_bf16"}:
        return Finding(name, "ok", text)
    return Finding(name, "note", f"{text}; without avx512_bf16 or amx_bf16, float32 is often the faster precision")


def _cpu_flags() -> set[str]:
    """The feature words of the first core; empty where the system does not list them."""
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
    """Bytes that Linux says can be had without swapping; 0 where it does not say."""
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
        return Finding(name, "note", "an NVIDIA driver is here, but torch is its CPU build: reinstall torch for CUDA")
    return Finding(name, "note", "none; everything runs on the CPU")


def _extras(name: str) -> list[Finding]:
    """One finding for each extra that a verb may need."""
    from genolm.cli.extras import extras_for_users

    return [_extra(extra) for extra in extras_for_users()]


def _extra(extra: str) -> Finding:
    from genolm.cli.extras import installing, lacking, required_by

    if missing := lacking(extra):
        return Finding(f"extra {extra}", "note", f"lacks {', '.join(missing)}; {installing(extra)}")
    return Finding(f"extra {extra}", "ok", ", ".join(sorted({need.name for need in required_by(extra)})))


def _cache(name: str) -> Finding:
    from genolm.models.checkpoints.download import cache_folder

    folder = cache_folder()
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    if not parent.is_dir():
        return Finding(name, "broken", f"{parent} is a file, not a folder; set GENOLM_CACHE to a folder")
    if os.access(parent, os.W_OK | os.X_OK):
        return Finding(name, "ok", f"{folder} is writable")
    advice = "models in it can be used; to download others, set GENOLM_CACHE to a folder that is writable"
    return Finding(name, "note", f"{folder} is not writable; {advice}")


def _forward(name: str) -> Finding:
    import torch

    from genolm.models.checkpoints.load import load

    model = load("tiny-random", device="cpu")
    ids_BL = torch.as_tensor(model.tokenizer.encode("ACGTACGT"), dtype=torch.long)[None]
    with torch.inference_mode():
        logits_BLV = model.decoder(ids_BL).logits_BLV
        first_BLV = model.decoder(ids_BL[:, :4]).logits_BLV
    if not torch.isfinite(logits_BLV).all():
        return Finding(name, "broken", "tiny-random gives numbers that are not finite: torch computes wrongly here")
    if not torch.allclose(logits_BLV[:, :4], first_BLV, atol=1e-4):
        return Finding(name, "broken", "tiny-random sees bases that come later: torch computes wrongly here")
    return Finding(name, "ok", "tiny-random ran on the CPU and its output is sound")


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
    "self-check": _forward,
}
