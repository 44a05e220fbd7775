"""Fragments of genomes, and their clustering by several features. N fragments, D dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.errors import InputError
from genolm.genome.kmers import spectrum
from genolm.genome.labelled.fragments import Fragment, named_files, read_genome, tiles
from genolm.genome.labelled.genome_labels import labels_of
from genolm.statistics.agreement import Agreement, Resampled, agreement, ari_interval
from genolm.tasks.clustering.cluster_picture import Panel
from genolm.tasks.clustering.cluster_results import Clusterings, FragmentSet, subtitle
from genolm.tasks.clustering.clustering_recipe import METHODS, Reduction, check_count, clusters, reduced, scaled

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings shared by all lengths of fragments.

    Attributes:
        per_genome: maximum number of fragments per genome.
        max_n: maximum share of N in a fragment.
        reduction: dimensionality reduction before clustering.
        seeds: seeds of UMAP and k-means; the first is also that of the fragments.
        k: clusters of k-means; None for the number of labels.
        resample: unit of resampling for intervals.
        labels: ``files``, ``none``, or a table.
    """

    per_genome: int
    max_n: float
    reduction: Reduction
    seeds: tuple[int, ...]
    k: int | None
    resample: Resampled
    labels: str | Path


@dataclass(frozen=True)
class Fragments:
    """Fragments sampled from genomes.

    Attributes:
        files: FASTA files, one per genome.
        lengths: lengths of fragments, clustered separately.
        settings: settings shared by all lengths.
    """

    files: tuple[Path, ...]
    lengths: tuple[int, ...]
    settings: Settings

    @cached_property
    def drawn(self) -> list[FragmentSet]:
        """The fragments of every length, the same on every access.

        Raises:
            InputError: a genome cannot be read, there is no fragment of a length, there are fewer than the recipe
                requires, or the labels do not match.
        """
        return _sample(named_files(self.files), self.lengths, self.settings)

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        labels = self.settings.labels
        return (*self.files, *([labels] if isinstance(labels, Path) else []))


def _sample(files: Mapping[str, Path], lengths: Sequence[int], settings: Settings) -> list[FragmentSet]:
    """Return the fragments of all lengths; each genome is read once."""
    fragments: dict[int, list[Fragment]] = {length: [] for length in lengths}
    counts: dict[int, dict[str, Mapping[str, int]]] = {length: {} for length in lengths}
    for number, (name, path) in enumerate(files.items()):
        records = read_genome(path)
        for length in lengths:
            random = np.random.default_rng((settings.seeds[0], number, length))
            sampled = tiles(name, records, length, settings.per_genome, settings.max_n, random)
            fragments[length] += sampled.fragments
            counts[length][name] = {"fragments": len(sampled.fragments), "too_many_n": sampled.too_many_n}
    for length, pieces in fragments.items():
        if not pieces:
            raise InputError(f"no genome has a fragment of {length:,} bases with at most {settings.max_n:.0%} N")
        check_count(len(pieces), settings.reduction)
    return [_labelled(length, fragments[length], counts[length], settings) for length in lengths]


def _labelled(
    length: int, fragments: Sequence[Fragment], counts: Mapping[str, Mapping[str, int]], settings: Settings
) -> FragmentSet:
    labels = labels_of(fragments, settings.labels)
    return FragmentSet(length, tuple(fragments), None if labels is None else tuple(labels), counts)


def tetranucleotides(sequences: Sequence[str]) -> Float64:
    """Return the frequencies of the 136 canonical tetranucleotides, strands pooled; (N, 136), rows sum to 1."""
    counts_NF = np.stack([spectrum(sequence, 4) for sequence in sequences]).astype(np.float64)
    return np.asarray(counts_NF / np.maximum(1, counts_NF.sum(1, keepdims=True)))


def clustered(fragment_set: FragmentSet, features: Mapping[str, Float64], settings: Settings) -> Clusterings:
    """Cluster the fragments of one length by every feature, method and seed.

    Args:
        fragment_set: the fragments.
        features: features by name, one row per fragment.
        settings: settings shared by all lengths.
    """
    clusterings = Clusterings()
    label_numbers = None if fragment_set.labels is None else np.unique(fragment_set.labels, return_inverse=True)[1]
    genome_numbers = np.unique([one.genome for one in fragment_set.fragments], return_inverse=True)[1]
    k = settings.k or (None if fragment_set.labels is None else len(set(fragment_set.labels)))
    for name, values_ND in features.items():
        for seed in settings.seeds:
            low_ND = scaled(reduced(values_ND, settings.reduction, seed), settings.reduction)
            for method in METHODS:
                if method == "kmeans" and k is None:
                    continue
                numbers_N = clusters(low_ND, method, seed, k)
                row = {"length": fragment_set.length, "features": name, "method": method, "seed": seed}
                clusterings.rows.append(row | _figures(numbers_N, label_numbers, genome_numbers, settings, seed))
                if seed == settings.seeds[0]:
                    clusterings.columns[f"{_column(name)}_{method}"] = numbers_N.tolist()
        _add_panel(clusterings, fragment_set, name, values_ND, settings)
    return clusterings


def _column(features: str) -> str:
    return features.replace(" ", "_")


def _figures(numbers_N: Ints, labels_N: Ints | None, genomes_N: Ints, settings: Settings, seed: int) -> dict[str, Any]:
    counted: dict[str, Any] = {
        "fragments": len(numbers_N),
        "clusters": len(set(numbers_N.tolist()) - {-1}),
        "noise": float((numbers_N < 0).mean()),
    }
    if labels_N is None:
        return counted
    figures = agreement(labels_N, numbers_N)
    ends = ari_interval(labels_N, numbers_N, genomes_N, settings.resample, seed) or (None, None)
    counted |= {"ari": figures.ari, "ari_low": ends[0], "ari_high": ends[1]}
    counted |= {name: getattr(figures, name) for name in Agreement._fields[1:-1]}
    shuffled = np.random.default_rng(seed).permutation(labels_N)
    counted["ari_shuffled"] = agreement(shuffled, numbers_N).ari
    return counted


def _add_panel(
    clusterings: Clusterings, fragment_set: FragmentSet, name: str, values_ND: Float64, settings: Settings
) -> None:
    """Add the coordinates of the fragments in two dimensions, as columns and as a panel."""
    how: Reduction = "pca" if settings.reduction == "none" else settings.reduction
    points_N2 = reduced(values_ND, how, settings.seeds[0], 2)
    points_N2 = np.pad(points_N2, ((0, 0), (0, 2 - points_N2.shape[1])))
    for axis, column in zip("xy", points_N2.T):
        clusterings.columns[f"{_column(name)}_{axis}"] = column.tolist()
    rows = [row for row in clusterings.rows if row["features"] == name]
    groups = fragment_set.labels or [
        f"cluster {number}" if number >= 0 else "noise" for number in _first_clusters(clusterings, name)
    ]
    clusterings.panels.append(Panel(name, subtitle(rows, labelled=fragment_set.labels is not None), points_N2, groups))


def _first_clusters(clusterings: Clusterings, name: str) -> list[int]:
    return clusterings.columns[f"{_column(name)}_hdbscan"]
