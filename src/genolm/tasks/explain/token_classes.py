"""Classes of bases whose routing is compared: by letter, in CpG or not, by what the genes say. L bases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genolm.tasks.explain.gene_annotation import REGION_TYPES

Grouping = Literal["base", "cpg", "region"]
NO_CLASS = 255

BASES = ("A", "C", "G", "T", "N")
CPG = ("C or G elsewhere", "in CpG")
CLASSES: dict[Grouping, tuple[str, ...]] = {"base": BASES, "cpg": CPG, "region": REGION_TYPES}
"""The classes of each grouping. ``cpg`` tells apart C and G only, so that it is not another name for the letter."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The class of every base in each grouping; 255 for none."""

    by_grouping: dict[Grouping, NDArray[np.uint8]]

    @classmethod
    def of(cls, sequence: str, regions: NDArray[np.uint8] | None) -> Labels:
        """Labels of a sequence; by region only where the genes are known."""
        found: dict[Grouping, NDArray[np.uint8]] = {"base": base_classes(sequence), "cpg": cpg_classes(sequence)}
        return cls(found if regions is None else {**found, "region": regions})


def base_classes(sequence: str) -> NDArray[np.uint8]:
    """The number of every letter in :data:`BASES`."""
    table = np.full(256, NO_CLASS, np.uint8)
    for number, letter in enumerate(BASES):
        table[ord(letter)] = number
    return np.asarray(table[np.frombuffer(sequence.encode("ascii"), np.uint8)])


def cpg_classes(sequence: str) -> NDArray[np.uint8]:
    """1 for both bases of a CpG, 0 for any other C or G, 255 for A, T and N."""
    letters = np.frombuffer(sequence.encode("ascii"), "S1")
    classes = np.full(len(letters), NO_CLASS, np.uint8)
    classes[(letters == b"C") | (letters == b"G")] = 0
    pairs = np.flatnonzero((letters[:-1] == b"C") & (letters[1:] == b"G"))
    classes[pairs] = classes[pairs + 1] = 1
    return classes
