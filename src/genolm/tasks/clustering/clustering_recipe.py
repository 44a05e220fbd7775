"""The published recipe of species clustering, the same for all features: reduce, standardise, cluster.

UMAP to 10 dimensions with 30 neighbours and distance 0 (McInnes et al. 2018), then DBSCAN(0.5, 5); k-means and HDBSCAN
as further methods. N fragments, D dimensions.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from genolm.arrays import Float64
from genolm.errors import InputError
from genolm.files.optional import require
from genolm.remedies import Remedy
from genolm.statistics.principal_components import principal_components

Reduction = Literal["umap", "pca", "none"]
Method = Literal["dbscan", "kmeans", "hdbscan"]
METHODS: tuple[Method, ...] = get_args(Method)

DIMENSIONS, NEIGHBOURS, MIN_DIST = 10, 30, 0.0
EPSILON, MIN_SAMPLES = 0.5, 5
MIN_CLUSTER = 10
"""Minimum size of a cluster of HDBSCAN in fragments."""

_STARTS = 10  # initialisations of k-means

Clusters = NDArray[np.int64]


def check_packages(reduction: str) -> None:
    """Check that scikit-learn and, if needed, umap-learn are installed.

    Raises:
        InputError: the reduction is unknown.
        GenolmError: a package is missing; the message says how to install it.
    """
    if reduction not in get_args(Reduction):
        raise InputError(f"invalid reduce: expected one of {', '.join(get_args(Reduction))}", value=reduction)
    _imported("sklearn", "scikit-learn")
    if reduction == "umap":
        _imported("umap", "umap-learn", Remedy("reduce", "pca"))


def check_count(fragments: int, reduction: Reduction) -> None:
    """Check that there are enough fragments for the recipe.

    Raises:
        InputError: there are too few.
    """
    if reduction == "umap" and fragments <= NEIGHBOURS:
        raise InputError(
            f"UMAP with {NEIGHBOURS} neighbours requires more than {NEIGHBOURS} fragments, got {fragments}",
            remedy=("use more or shorter fragments", Remedy("reduce", "pca")),
        )
    if fragments < 2:
        raise InputError(
            f"clustering requires at least 2 fragments, got {fragments}", remedy="use more or shorter fragments"
        )


def reduced(values_ND: Float64, reduction: Reduction, seed: int, dimensions: int = DIMENSIONS) -> Float64:
    """Return the features in at most 10 dimensions, or unchanged.

    Args:
        values_ND: features.
        reduction: ``umap``, ``pca`` or ``none``.
        seed: random seed of UMAP.
        dimensions: number of dimensions to keep.
    """
    if reduction == "none":
        return values_ND
    if reduction == "pca":
        return principal_components(values_ND, dimensions)[0]
    return _umap(values_ND, seed, dimensions)


def _umap(values_ND: Float64, seed: int, dimensions: int) -> Float64:
    umap = _imported("umap", "umap-learn", Remedy("reduce", "pca"))
    model = umap.UMAP(n_components=dimensions, n_neighbors=NEIGHBOURS, min_dist=MIN_DIST, random_state=seed, n_jobs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP warns that a seed implies one thread
        return np.asarray(model.fit_transform(values_ND), np.float64)


def scaled(values_ND: Float64, reduction: Reduction) -> Float64:
    """Return reduced features on the scale that the distances of the recipe are meant for.

    Every dimension has variance 1. Of principal components only the first has, so that components with little variance
    do not weigh as much.
    """
    if reduction == "pca":
        spread = values_ND.std(0).max(initial=0.0)
        return values_ND / spread if spread > 0 else values_ND
    return standardised(values_ND)


def clusters(scaled_ND: Float64, method: Method, seed: int, k: int | None) -> Clusters:
    """Return the cluster of every fragment, from 0; -1 for noise, which k-means does not have.

    Args:
        scaled_ND: result of :func:`scaled`.
        method: ``dbscan``, ``kmeans`` or ``hdbscan``.
        seed: random seed of k-means; the other methods are deterministic.
        k: clusters of k-means.
    """
    cluster = _imported("sklearn.cluster", "scikit-learn")
    model: Any
    match method:
        case "dbscan":
            model = cluster.DBSCAN(eps=EPSILON, min_samples=MIN_SAMPLES)
        case "hdbscan":
            minimum = max(2, min(MIN_CLUSTER, len(scaled_ND)))
            model = cluster.HDBSCAN(min_cluster_size=minimum, min_samples=min(MIN_SAMPLES, minimum), copy=True)
        case "kmeans":
            model = cluster.KMeans(n_clusters=min(k or 1, len(scaled_ND)), n_init=_STARTS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there may be fewer distinct points than clusters
        return np.asarray(model.fit_predict(scaled_ND), np.int64)


def standardised(values_ND: Float64) -> Float64:
    """Return every dimension with mean 0 and variance 1; a constant dimension stays at 0."""
    spread_D = values_ND.std(0)
    return np.asarray((values_ND - values_ND.mean(0)) / np.where(spread_D > 0, spread_D, 1.0))


def _imported(name: str, package: str, instead: Remedy | None = None) -> Any:
    return require(name, extra="cluster", purpose="cluster", package=package, instead=instead)
