"""Analysis of tracks: called intervals, and the comparison of coding with intergenic sequence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from genolm.genome.annotation.gene_map import read_gene_map
from genolm.genome.contig_names import chrom_aliases
from genolm.tasks.scanning.gene_separation import GeneSettings, gene_table, separation
from genolm.tasks.scanning.interval_calls import Calling, call

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from genolm.tasks.reading.sources import Source
    from genolm.tasks.scanning.base_values import Combine, Tracks

CALLING = {
    "call": "side",
    "smooth": "smooth",
    "enter": "enter",
    "leave": "leave",
    "min_length": "min_length",
    "fdr": "max_fdr",
    "block": "block",
    "shuffles": "shuffles",
    "seed": "seed",
}
"""Fields of :class:`Calling` by the arguments of :func:`genolm.scan`."""

GENES = {"gene_window": "window", "order": "order", "seed": "seed"}
"""Fields of :class:`GeneSettings` by the arguments of :func:`genolm.scan`, except its file."""

OPTIONS = (*CALLING, "genes", "gene_window", "order", "per_strand", "plot")
"""Arguments of :func:`genolm.scan` that do not need the model."""


class Findings(NamedTuple):
    """Results of the analysis.

    Attributes:
        calls: called intervals (:data:`genolm.tasks.scanning.interval_calls.COLUMNS`).
        calling: counts and null distribution of the calling.
        genes: a row per coding gene; None without an annotation.
        separation: comparison of coding and intergenic sequence; None without an annotation.
    """

    calls: pl.DataFrame
    calling: dict[str, Any]
    genes: pl.DataFrame | None = None
    separation: dict[str, Any] | None = None


def find(tracks: Tracks, source: Source, combine: Combine, calling: Calling, genes: GeneSettings | None) -> Findings:
    """Call intervals, and compare coding with intergenic sequence if there is an annotation.

    Args:
        tracks: values of the contigs.
        source: the contigs.
        combine: combination of the strands.
        calling: settings for calling intervals.
        genes: annotation and settings of the comparison; None: no comparison.

    Raises:
        InputError: the annotation cannot be read or does not match the contigs.
    """
    calls, report = call(((name, tracks.combined(name, combine)) for name in tracks.lengths), calling)
    if genes is None:
        return Findings(calls, report)
    gene_map = read_gene_map(genes.file).on(tracks.lengths, chrom_aliases(source.place))
    compared = separation(gene_map, genes, source.read(), tracks, combine)
    return Findings(calls, report, gene_table(gene_map, tracks, combine), compared)


def changed_calling(calling: Calling, given: Mapping[str, Any]) -> Calling:
    """Return the settings with the given arguments of :func:`genolm.scan`.

    Raises:
        InputError: a setting is out of range.
    """
    return replace(calling, **{field: given[name] for name, field in CALLING.items() if name in given})


def changed_genes(genes: GeneSettings | None, given: Mapping[str, Any], seed: int) -> GeneSettings | None:
    """Return the settings with the given arguments of :func:`genolm.scan`; None without an annotation.

    Args:
        genes: previous settings.
        given: arguments.
        seed: seed of the run, for a first annotation.

    Raises:
        InputError: a setting is out of range.
    """
    file = given.get("genes", None if genes is None else genes.file)
    if file is None:
        return None
    before = genes or GeneSettings(Path(file), seed=seed)
    values = {field: given[name] for name, field in GENES.items() if name in given}
    return replace(before, file=Path(file), **values)
