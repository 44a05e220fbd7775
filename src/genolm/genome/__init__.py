"""Genomic values and the files they come from; knows nothing of models.

Everything public is reachable from here and loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genolm.genome.fasta import Genome
    from genolm.genome.interval import Interval
    from genolm.genome.sequence import reverse_complement, upper_dna
    from genolm.genome.variant import Variant

_HOMES = {
    "Genome": "fasta",
    "Interval": "interval",
    "Variant": "variant",
    "reverse_complement": "sequence",
    "upper_dna": "sequence",
}

__all__ = ["Genome", "Interval", "Variant", "reverse_complement", "upper_dna"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
