"""Fragments of genomes clustered by a model's embeddings, beside tetranucleotide frequencies and random weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genolm.engine.progress import Progress
from genolm.engine.target import check_target
from genolm.errors import InputError
from genolm.genome.kmers import spectrum
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.bulk import Bulk
from genolm.tasks.clustering.agreement import Agreement, Resampled, agreement, ari_interval
from genolm.tasks.clustering.labels import FILES, labels_of
from genolm.tasks.clustering.picture import Panel, check_pictures
from genolm.tasks.clustering.recipe import (
    DIMENSIONS,
    EPSILON,
    METHODS,
    MIN_CLUSTER,
    MIN_DIST,
    MIN_SAMPLES,
    NEIGHBOURS,
    Reduction,
    check_count,
    check_packages,
    clusters,
    reduced,
    scaled,
)
from genolm.tasks.clustering.results import Drawn, Found, fragments_table, summarised, told, write_folder
from genolm.tasks.embed import embed
from genolm.tasks.folders import Form
from genolm.tasks.fragments import Fragment, named_files, read_genome, tiles
from genolm.tasks.pooling import PoolingName
from genolm.tasks.provenance import Provenance
from genolm.tasks.random_twin import random_twin
from genolm.tasks.vectors import matrix

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model

MODEL, TETRA, TWIN = "model", "tetranucleotides", "random weights"
"""Names of the features in tables."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Settings:
    """What is the same for all lengths."""

    per_genome: int
    max_n: float
    reduction: Reduction
    seeds: tuple[int, ...]
    k: int | None
    resample: Resampled
    labels: str | Path


def cluster(
    model: Model | str | Path,
    genomes: Path | str | Sequence[Path | str],
    out: Path | str | None = None,
    *,
    length: int | Sequence[int] = 5000,
    per_genome: int = 50,
    max_n: float = 0.05,
    labels: str | Path = FILES,
    k: int | None = None,
    layer: int | None = None,
    pooling: PoolingName = "mean",
    rc: bool = False,
    twin: bool = True,
    reduce: Reduction = "umap",
    seed: int = 42,
    repeats: int = 3,
    resample: Resampled = "genomes",
    context: int | None = None,
    tables: Form = "tsv",
    device: torch.device | str | None = None,
    dtype: torch.dtype | str | None = None,
    token_budget: int | None = None,
    overwrite: bool = False,
    progress: Progress | bool | None = None,
) -> Any:
    """Clusters fragments of genomes by embeddings, and by two baselines under the same recipe.

    The recipe is the public one of species clustering: UMAP to 10 dimensions (30 neighbours, distance 0), standardise,
    DBSCAN(0.5, 5); k-means and HDBSCAN stand beside it. The baselines are the canonical tetranucleotide frequencies of
    each fragment, and the embeddings of a model of the same shape with random weights.

    Args:
        model: a model, or what :func:`genolm.load` takes.
        genomes: FASTA files, plain or compressed, one a genome.
        out: folder to write: ``cluster.json``, ``agreement`` and ``fragments`` as tables, ``clusters.png``. None
            returns the tables.
        length: bases of a fragment; several lengths are clustered one after the other.
        per_genome: most fragments of a genome; they do not overlap, and are drawn at random.
        max_n: fragments with a larger share of N are passed over, and counted.
        labels: ``files``: each file is a species; ``none``; or a TSV with ``genome`` (or ``contig``) and ``label``.
        k: clusters of k-means; None for the number of labels, and no k-means without labels.
        layer: as of :func:`genolm.embed`, one layer only.
        pooling: as of :func:`genolm.embed`, but ``none``.
        rc: embed both strands. Tetranucleotides always count both.
        twin: also cluster the embeddings of random weights.
        reduce: ``umap``; ``pca``, 10 components on the scale of the first; or ``none``.
        seed: of the fragments, and the first seed of UMAP and k-means.
        repeats: how many seeds of UMAP and k-means follow one another.
        resample: the interval of ``ari`` from drawing ``genomes``, or ``fragments`` within genomes.
        context: most bases that go through the model together; None for what it can read.
        tables: ``tsv`` or ``parquet``.
        device: where to compute; None for the best there is.
        dtype: precision of the weights; None for what card and device prefer.
        token_budget: tokens of a batch; None for what fits.
        overwrite: replace a folder that an earlier run wrote.
        progress: True for a bar on standard error.

    Returns:
        ``out``, or without one a dict. ``agreement``: a polars table with a row for each length, features, method and
        seed: ``fragments, clusters, noise`` (share), and with labels ``ari`` with its 95 % interval (``ari_low``,
        ``ari_high``), ``v_measure, homogeneity, completeness, purity``, noise points being clusters of one, and
        ``ari_shuffled``, that of permuted labels. ``fragments``: ``id, genome, contig, start, end`` (0-based,
        half-open), ``length, label``, and of the first seed the cluster by features and method (-1 is noise) and the
        place in two dimensions. ``summary``: means over seeds. ``drawn``: for each length and genome how many fragments
        there are and how many were passed over. ``settings``.

    Raises:
        InputError: genomes that cannot be read, no fragment of that length, fewer than the recipe needs, one species
            only, a setting out of its range.
        ModelError: no such model or layer.
        RunError: the output exists.
        GenolmError: scikit-learn, umap-learn or matplotlib is not installed.
    """
    lengths = (length,) if isinstance(length, int) else tuple(length)
    _check(lengths, per_genome, max_n, repeats, resample, k, pooling)
    check_packages(reduce)
    path = None if out is None else Path(out)
    if path is not None:
        check_pictures()
        check_target(path, overwrite=overwrite)
    settings = _Settings(per_genome, max_n, reduce, tuple(range(seed, seed + repeats)), k, resample, labels)
    files = named_files([genomes] if isinstance(genomes, str | Path) else genomes)
    drawn = _draw(files, lengths, settings)
    opened = Bulk(device, dtype).open(model)
    words: dict[str, Any] = {
        "layer": layer, "pooling": pooling, "rc": rc, "context": context, "token_budget": token_budget,
        "progress": progress,
    }  # fmt: skip
    networks = {MODEL: opened} | ({TWIN: random_twin(opened, seed)} if twin else {})
    found = {one.length: _clustered(one, _features(one, networks, words), settings) for one in drawn}
    report = {
        "settings": _described(opened, files, settings, words, twin),
        "drawn": {str(one.length): one.genomes for one in drawn},
        "summary": summarised([row for one in found.values() for row in one.rows]),
    }
    listed = {
        "agreement": pl.DataFrame([row for one in found.values() for row in one.rows], infer_schema_length=None),
        "fragments": fragments_table(drawn, found),
    }
    if path is None:
        return {**report, **listed}
    write_folder(path, opened, report, listed, found, tables)
    return path


def _check(
    lengths: Sequence[int], per_genome: int, max_n: float, repeats: int, resample: str, k: int | None, pooling: str
) -> None:
    for name, value in (("length", min(lengths, default=0)), ("per_genome", per_genome), ("repeats", repeats)):
        if value < 1:
            raise InputError(f"{name} is at least 1", value=value)
    if len(set(lengths)) < len(lengths):
        raise InputError("a length stands twice", value=list(lengths))
    if min(lengths) < 4:
        raise InputError("fragments have at least 4 bases, which a tetranucleotide has", value=min(lengths))
    if not 0 <= max_n < 1:
        raise InputError("max_n is a share from 0 to below 1", value=max_n)
    if k is not None and k < 2:
        raise InputError("k-means takes at least 2 clusters", value=k)
    if resample not in get_args(Resampled):
        raise InputError(f"resample is one of {', '.join(get_args(Resampled))}", value=resample)
    if pooling == "none":
        raise InputError("a fragment needs one vector: pooling none gives one for every token", value=pooling)


def _draw(files: Mapping[str, Path], lengths: Sequence[int], settings: _Settings) -> list[Drawn]:
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
    length: int, fragments: Sequence[Fragment], counts: Mapping[str, Mapping[str, int]], settings: _Settings
) -> Drawn:
    labels = labels_of(fragments, settings.labels)
    return Drawn(length, tuple(fragments), None if labels is None else tuple(labels), counts)


def _features(drawn: Drawn, networks: Mapping[str, Model], words: Mapping[str, Any]) -> dict[str, Floats]:
    """Features by name: the model's, then the baselines'."""
    records = [SequenceRecord(one.id, one.sequence) for one in drawn.fragments]
    vectors = {name: matrix(embed(network, records, **words)).astype(np.float64) for name, network in networks.items()}
    tetra = {TETRA: tetranucleotides([one.sequence for one in drawn.fragments])}
    return {name: {**vectors, **tetra}[name] for name in (MODEL, TETRA, TWIN) if name in vectors or name == TETRA}


def tetranucleotides(sequences: Sequence[str]) -> Floats:
    """Frequencies of the 136 canonical tetranucleotides, both strands as one; (N, 136), rows add up to 1."""
    counts_NF = np.stack([spectrum(sequence, 4) for sequence in sequences]).astype(np.float64)
    return np.asarray(counts_NF / np.maximum(1, counts_NF.sum(1, keepdims=True)))


def _clustered(drawn: Drawn, features: Mapping[str, Floats], settings: _Settings) -> Found:
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


def _figures(numbers_N: Ints, labels_N: Ints | None, genomes_N: Ints, settings: _Settings, seed: int) -> dict[str, Any]:
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


def _pictured(found: Found, drawn: Drawn, name: str, values_ND: Floats, settings: _Settings) -> None:
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


def _described(
    model: Model, files: Mapping[str, Path], settings: _Settings, words: Mapping[str, Any], twin: bool
) -> dict[str, Any]:
    return {
        **Provenance.of(model).to_dict(),
        **{name: words[name] for name in ("layer", "pooling", "rc", "context")},
        "genomes": {name: path.name for name, path in files.items()},
        "per_genome": settings.per_genome,
        "max_n": settings.max_n,
        "labels": str(settings.labels),
        "reduce": settings.reduction,
        "umap": {"dimensions": DIMENSIONS, "neighbours": NEIGHBOURS, "min_dist": MIN_DIST},
        "dbscan": {"epsilon": EPSILON, "min_samples": MIN_SAMPLES},
        "hdbscan": {"min_cluster_size": MIN_CLUSTER, "min_samples": MIN_SAMPLES},
        "kmeans": {"k": settings.k or "number of labels"},
        "seeds": list(settings.seeds),
        "twin": twin,
        "interval": f"of ari, 95 %, from resampled {settings.resample}",
    }
