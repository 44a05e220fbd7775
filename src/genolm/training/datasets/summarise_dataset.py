"""Summary of a built dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from genolm.genome.labelled.dataset_folder import read_dataset


def summarise_dataset(folder: str | Path) -> str:
    """Return a line for each split, and lines for what was left out.

    Raises:
        InputError: the folder is not a dataset, or is damaged.
    """
    return "\n".join(_lines(read_dataset(folder).description.counts))


def _lines(counts: Mapping[str, Any]) -> Iterator[str]:
    for name, found in counts["splits"].items():
        facts = ("genes", "windows", "donors", "acceptors", "genes partly N", "genes of N", "windows of N")
        yield f"{name}: " + ", ".join(f"{found.get(fact, 0):,} {fact}" for fact in facts)
    before, after = (counts["homologues"][f"training_genes_{when}"] for when in ("before", "after"))
    yield f"training genes: {before:,}, {after:,} without homologues of held-out genes"
    if left_out := ", ".join(f"{number:,} {what}" for what, number in counts["left_out"].items() if number):
        yield f"left out: {left_out}"
    if counts["gt_ag"] is not None:
        yield f"introns with GT and AG: {100 * counts['gt_ag']:.1f} %"
