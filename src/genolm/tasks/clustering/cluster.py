"""Fragments of genomes clustered by a model's embeddings, beside tetranucleotide frequencies and random weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from genolm.engine.progress import Progress
from genolm.engine.target import check_target
from genolm.errors import InputError
from genolm.genome.labelled.fragments import listed, named_files
from genolm.genome.labelled.genome_labels import FILES, NONE
from genolm.statistics.agreement import Resampled
from genolm.tasks.clustering.cluster_task import MODEL, TWIN, ClusterTask
from genolm.tasks.clustering.clustered_fragments import Fragments, Settings
from genolm.tasks.clustering.clustering_recipe import Reduction, check_packages
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.model_group import together
from genolm.tasks.reading.model_limits import check_layer
from genolm.tasks.reading.pooling import Pooling, PoolingName
from genolm.tasks.reading.random_model import random_twin
from genolm.tasks.reading.seeds import check_seed
from genolm.tasks.reading.vector_readers import VectorReader, VectorReaders
from genolm.tasks.writing.figure_sheet import require_matplotlib
from genolm.tasks.writing.output_folders import Form

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model


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
    resume: bool = False,
    overwrite: bool = False,
    shard: str | tuple[int, int] | None = None,
    progress: Progress | bool | None = None,
    dry_run: bool = False,
) -> Any:
    """Clusters fragments of genomes by embeddings, and by two baselines under the same recipe.

    The recipe is the public one of species clustering: UMAP to 10 dimensions (30 neighbours, distance 0), standardise,
    DBSCAN(0.5, 5); k-means and HDBSCAN stand beside it. The baselines are the canonical tetranucleotide frequencies of
    each fragment, and the embeddings of a model of the same shape with random weights.

    Args:
        model: a model, or any argument of :func:`genolm.load`.
        genomes: FASTA files, plain or compressed, one a genome.
        out: folder to write: ``cluster.json``, ``agreement`` and ``fragments`` as tables, ``clusters.png``. None
            returns the tables.
        length: bases of a fragment; several lengths are clustered one after the other.
        per_genome: most fragments of a genome; they do not overlap, and are drawn at random.
        max_n: fragments with a larger share of N are passed over, and counted.
        labels: ``files``: each file is a species; ``none``; or a TSV with ``genome`` (or ``contig``) and ``label``.
        k: clusters of k-means; None for the number of labels, and no k-means without labels.
        layer: as in :func:`genolm.embed`, one layer only.
        pooling: as in :func:`genolm.embed`, but ``none``.
        rc: embed both strands. Tetranucleotides always count both.
        twin: also cluster the embeddings of random weights.
        reduce: ``umap``; ``pca``, 10 components on the scale of the first; or ``none``.
        seed: of the fragments, and the first seed of UMAP and k-means.
        repeats: how many seeds of UMAP and k-means follow one another.
        resample: the interval of ``ari`` from drawing ``genomes``, or ``fragments`` within genomes.
        context: most bases that go through the model together; None for what it can read.
        tables: ``tsv`` or ``parquet``.
        device: device such as ``cuda:0``; None for the best available.
        dtype: precision of the weights; None for the default of model card and device.
        token_budget: maximum tokens per batch; None for as many as fit in memory.
        resume: continue an interrupted run from its finished parts.
        overwrite: replace the folder of an earlier run.
        shard: ``"i/n"``: compute the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return an :class:`genolm.engine.run.Estimate` of the run.

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
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
        GenolmError: scikit-learn, umap-learn or matplotlib is not installed.
    """
    lengths = (length,) if isinstance(length, int) else tuple(length)
    _check(lengths, per_genome, max_n, repeats, resample, k, pooling)
    check_layer(layer, several=False)
    for one in (seed, seed + repeats - 1):
        check_seed(one)
    check_packages(reduce)
    path = None if out is None else Path(out)
    if path is not None:
        require_matplotlib("cluster")
        check_target(path, overwrite=overwrite, resume=resume)
    settings = Settings(
        per_genome, max_n, reduce, tuple(range(seed, seed + repeats)), k, resample,
        str(labels) if str(labels) in (FILES, NONE) else Path(labels),
    )  # fmt: skip
    files = named_files(listed(genomes))
    fragments = Fragments(tuple(files.values()), lengths, settings)
    fragments.drawn  # noqa: B018  # whatever is wrong with them shows before the model is loaded
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run)
    opened = bulk.open(model, path)
    networks = {MODEL: opened} | ({TWIN: random_twin(opened, seed)} if twin else {})
    readers = VectorReaders(
        tuple(
            VectorReader.of(network, role, layer=layer, pooling=pooling, rc=rc, context=context)
            for role, network in networks.items()
        )
    )
    task = ClusterTask(fragments, readers, tables)
    return bulk.run(task, together(tuple(networks.values())), path)


def _check(
    lengths: Sequence[int],
    per_genome: int,
    max_n: float,
    repeats: int,
    resample: str,
    k: int | None,
    pooling: PoolingName,
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
    if not Pooling(pooling).reduces:
        raise InputError("a fragment needs one vector: choose pooling mean, max, min or last", value=pooling)
