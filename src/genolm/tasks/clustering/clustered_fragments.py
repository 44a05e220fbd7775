"""Fragments drawn from genomes, and the same fragments clustered by several features. N fragments, D dimensions."""

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
from genolm.tasks.clustering.cluster_results import Drawn, Found, told
from genolm.tasks.clustering.clustering_recipe import METHODS, Reduction, check_count, clusters, reduced, scaled

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for all lengths of fragments.

    Attributes:
        per_genome: most fragments of a genome.
        max_n: largest share of N in a fragment.
        reduction: what comes before clustering.
        seeds: of UMAP and k-means; the first is that of the fragments too.
        k: clusters of k-means; None for the number of labels.
        resample: what the interval is drawn from.
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
    """What is drawn from genomes.

    Attributes:
        files: FASTA files, one a genome.
        lengths: of fragments, one clustering each.
        settings: what is the same for all lengths.
    """

    files: tuple[Path, ...]
    lengths: tuple[int, ...]
    settings: Settings

    @cached_property
    def drawn(self) -> list[Drawn]:
        """The fragments of every length, the same whenever they are drawn.

        Raises:
            InputError: a genome that cannot be read, no fragment of a length, fewer than the recipe needs, labels that
                do not fit.
        """
        return _draw(named_files(self.files), self.lengths, self.settings)

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        labels = self.settings.labels
        return (*self.files, *([labels] if isinstance(labels, Path) else []))


def _draw(files: Mapping[str, Path], lengths: Sequence[int], settings: Settings) -> list[Drawn]:
    """The fragments of all lengths; each genome is in memory once."""
    fragments: dict[int, list[Fragment]] = {length: [] for length in lengths}
    counts: dict[int, dict[str, Mapping[str, int]]] = {length: {} for length in lengths}
    for number, (name, path) in enumerate(files.items()):
        records = read_genome(path)
        for length in lengths:
            random = np.random.default_rng((settings.seeds[0], number, length))
            found = tiles(name, records, length, settings.per_genome, settings.max_n, random)
            fragments[length] += found.fragments
            counts[length][name] = {"fragments": len(found.fragments), "too_many_n": found.too_many_n}
    for length, pieces in fragments.items():
        if not pieces:
            raise InputError(f"no genome has a fragment of {length:,} bases with at most {settings.max_n:.0%} of N")
        check_count(len(pieces), settings.reduction)
    return [_labelled(length, fragments[length], counts[length], settings) for length in lengths]


def _labelled(
    length: int, fragments: Sequence[Fragment], counts: Mapping[str, Mapping[str, int]], settings: Settings
) -> Drawn:
    labels = labels_of(fragments, settings.labels)
    return Drawn(length, tuple(fragments), None if labels is None else tuple(labels), counts)


def tetranucleotides(sequences: Sequence[str]) -> Float64:
    """Frequencies of the 136 canonical tetranucleotides, both strands as one; (N, 136), rows add up to 1."""
    counts_NF = np.stack([spectrum(sequence, 4) for sequence in sequences]).astype(np.float64)
    return np.asarray(counts_NF / np.maximum(1, counts_NF.sum(1, keepdims=True)))


def clustered(drawn: Drawn, features: Mapping[str, Float64], settings: Settings) -> Found:
    """The fragments of one length by every feature, method and seed.

    Args:
        drawn: the fragments.
        features: by name, a row for each fragment.
        settings: what is the same for all lengths.
    """
    found = Found()
    label_numbers = None if drawn.labels is None else np.unique(drawn.labels, return_inverse=True)[1]
    genome_numbers = np.unique([one.genome for one in drawn.fragments], return_inverse=True)[1]
    k = settings.k or (None if drawn.labels is None else len(set(drawn.labels)))
    for name, values_ND in features.items():
        for seed in settings.seeds:
            low_ND = scaled(reduced(values_ND, settings.reduction, seed), settings.reduction)
            for method in METHODS:
                if method == "kmeans" and k is None:
                    continue
                numbers_N = clusters(low_ND, method, seed, k)
                row = {"length": drawn.length, "features": name, "method": method, "seed": seed}
                found.rows.append(row | _figures(numbers_N, label_numbers, genome_numbers, settings, seed))
                if seed == settings.seeds[0]:
                    found.columns[f"{_column(name)}_{method}"] = numbers_N.tolist()
        _pictured(found, drawn, name, values_ND, settings)
    return found


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


def _pictured(found: Found, drawn: Drawn, name: str, values_ND: Float64, settings: Settings) -> None:
    """Where fragments lie in two dimensions, as columns and as a panel."""
    how: Reduction = "pca" if settings.reduction == "none" else settings.reduction
    places_N2 = reduced(values_ND, how, settings.seeds[0], 2)
    places_N2 = np.pad(places_N2, ((0, 0), (0, 2 - places_N2.shape[1])))
    for axis, column in zip("xy", places_N2.T):
        found.columns[f"{_column(name)}_{axis}"] = column.tolist()
    own = [row for row in found.rows if row["features"] == name]
    groups = drawn.labels or [f"cluster {number}" if number >= 0 else "noise" for number in _first(found, name)]
    found.panels.append(Panel(name, told(own, labelled=drawn.labels is not None), places_N2, groups))


def _first(found: Found, name: str) -> list[int]:
    return found.columns[f"{_column(name)}_hdbscan"]
