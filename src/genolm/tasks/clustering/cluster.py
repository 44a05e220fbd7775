"""Clustering of genome fragments by embeddings, compared with tetranucleotide frequencies and random weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from genolm.engine.analysis import stored_task
from genolm.engine.progress import Progress
from genolm.engine.target import check_target
from genolm.errors import InputError
from genolm.genome.labelled.fragments import as_paths, named_files
from genolm.genome.labelled.genome_labels import FILES, NONE
from genolm.statistics.agreement import Resampled
from genolm.tasks.clustering.cluster_task import MODEL, TWIN, ClusterTask
from genolm.tasks.clustering.clustered_fragments import Fragments, Settings
from genolm.tasks.clustering.clustering_recipe import Reduction, check_packages
from genolm.tasks.reading.bulk import Bulk
from genolm.tasks.reading.model_group import group_models
from genolm.tasks.reading.model_limits import check_layer
from genolm.tasks.reading.pooling import Pooling, PoolingName
from genolm.tasks.reading.random_model import untrained_copy
from genolm.tasks.reading.seeds import check_seed
from genolm.tasks.reading.vector_readers import VectorReader, VectorReaders
from genolm.tasks.writing.figure_sheet import require_matplotlib
from genolm.tasks.writing.kept_parts import Request, analysed_by
from genolm.tasks.writing.output_folders import Form

if TYPE_CHECKING:
    import torch

    from genolm.models.model import Model


_OPTIONS = ("labels", "k", "reduce", "repeats", "resample", "tables")
_FIELDS = {"k": "k", "reduce": "reduction", "resample": "resample"}
"""Fields of :class:`Settings` by the arguments of :func:`genolm.cluster`."""


def _analyse(request: Request) -> Any:
    """Cluster the embeddings of earlier parts."""
    given = request.given
    task = stored_task(request.parts, ClusterTask)
    before = task.fragments.settings
    labels = _labels(given["labels"]) if "labels" in given else before.labels
    seeds = _seeds(before.seeds[0], given.get("repeats", len(before.seeds)))
    values = {field: given[name] for name, field in _FIELDS.items() if name in given}
    settings = replace(before, seeds=seeds, labels=labels, **values)
    _check_analysis(settings, request.out)
    tables = given.get("tables", task.tables)
    task = replace(task, fragments=replace(task.fragments, settings=settings), tables=tables)
    new = (labels,) if "labels" in given and isinstance(labels, Path) else ()
    return Bulk(**request.running).analyse(request.parts, task, request.out, new)


@analysed_by(_analyse, _OPTIONS)
def cluster(
    model: Model | str | Path | None = None,
    genomes: Path | str | Sequence[Path | str] | None = None,
    out: Path | str | None = None,
    *,
    from_: Path | str | None = None,
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
    keep_parts: bool = False,
) -> Any:
    """Cluster fragments of genomes by embeddings, and by two baselines with the same recipe.

    The recipe is the published one for species clustering: UMAP to 10 dimensions (30 neighbours, distance 0),
    standardisation, DBSCAN(0.5, 5); k-means and HDBSCAN are reported as well. The baselines are the canonical
    tetranucleotide frequencies of each fragment, and the embeddings of the same architecture with random weights.

    Args:
        model: a model, or any argument of :func:`genolm.load`.
        genomes: FASTA files, plain or compressed, one per genome.
        out: output folder: ``cluster.json``, ``agreement`` and ``fragments`` as tables, ``clusters.png``. None returns
            the tables.
        from_: parts of a run with ``keep_parts`` (``OUT.parts``), to be clustered again without the model. Of
            ``labels``, ``k``, ``reduce``, ``repeats``, ``resample`` and ``tables``, those that are omitted are as in
            the run; no other settings can be given.
        length: length of a fragment in bases; several lengths are clustered separately.
        per_genome: maximum number of fragments per genome; they are sampled at random and do not overlap.
        max_n: maximum share of N; other fragments are skipped and counted.
        labels: ``files``: each file is a species; ``none``; or a TSV file with ``genome`` (or ``contig``) and
            ``label``.
        k: clusters of k-means; None for the number of labels, and no k-means without labels.
        layer: as in :func:`genolm.embed`, a single layer.
        pooling: as in :func:`genolm.embed`, except ``none``.
        rc: embed both strands. Tetranucleotides always count both.
        twin: also cluster the embeddings of random weights.
        reduce: ``umap``; ``pca``, 10 components on the scale of the first; or ``none``.
        seed: random seed of the fragments, and first seed of UMAP and k-means.
        repeats: number of consecutive seeds of UMAP and k-means.
        resample: unit of resampling for the interval of ``ari``: ``genomes``, or ``fragments`` within genomes.
        context: maximum bases per window; None for the model's maximum.
        tables: ``tsv`` or ``parquet``.
        device: device such as ``cuda:0``; None for the first CUDA device, else the CPU.
        dtype: precision of the weights; None for the default of model card and device.
        token_budget: maximum tokens per batch; None for as many as fit in memory.
        resume: continue an interrupted run from its finished parts.
        overwrite: replace the folder of an earlier run.
        shard: ``"i/n"``: compute the i-th of n shares only, for :func:`genolm.merge`.
        progress: True for a progress bar on standard error.
        dry_run: write nothing; time a few batches and return a :class:`genolm.engine.run.Estimate` of the run.
        keep_parts: keep the embeddings in ``OUT.parts`` for ``from_``.

    Returns:
        ``out``, or without it a dict. ``agreement``: a polars table with a row for each length, features, method and
        seed, with ``fragments``, ``clusters``, ``noise`` (share) and, given labels, ``ari`` with its 95 % interval
        (``ari_low``, ``ari_high``), ``v_measure, homogeneity, completeness, purity``, each noise point being its own
        cluster, and ``ari_shuffled``, the value for permuted labels. ``fragments``: ``id, genome, contig, start, end``
        (0-based, half-open), ``length, label``, and for the first seed the cluster by features and method (-1 is noise)
        and the coordinates in two dimensions. ``summary``: means over seeds. ``drawn``: for each length and genome the
        numbers of fragments and of skipped ones. ``settings``.

    Raises:
        InputError: genomes cannot be read, there is no fragment of a length, there are fewer than the recipe requires
            or one species only, or a setting is out of range.
        ModelError: the model or layer does not exist.
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
        GenolmError: scikit-learn, umap-learn or matplotlib is not installed.
    """
    if model is None or genomes is None:
        raise InputError("model and genomes are required, except with from_")
    lengths = (length,) if isinstance(length, int) else tuple(length)
    _check(lengths, per_genome, max_n, pooling)
    check_layer(layer, several=False)
    path = None if out is None else Path(out)
    settings = Settings(per_genome, max_n, reduce, _seeds(seed, repeats), k, resample, _labels(labels))
    _check_analysis(settings, path)
    if path is not None:
        check_target(path, overwrite=overwrite, resume=resume)
    files = named_files(as_paths(genomes))
    fragments = Fragments(tuple(files.values()), lengths, settings)
    fragments.drawn  # noqa: B018  # raises input errors before the model is loaded
    bulk = Bulk(device, dtype, token_budget, resume, overwrite, shard, progress, dry_run, keep_parts)
    opened = bulk.open(model, path)
    networks = {MODEL: opened} | ({TWIN: untrained_copy(opened, seed)} if twin else {})
    readers = VectorReaders(
        tuple(
            VectorReader.of(network, role, layer=layer, pooling=pooling, rc=rc, context=context)
            for role, network in networks.items()
        )
    )
    task = ClusterTask(fragments, readers, tables)
    return bulk.run(task, group_models(tuple(networks.values())), path)


def _labels(given: str | Path) -> str | Path:
    return str(given) if str(given) in (FILES, NONE) else Path(given)


def _seeds(first: int, repeats: int) -> tuple[int, ...]:
    """Return consecutive seeds.

    Raises:
        InputError: there is none, or one is out of range.
    """
    if repeats < 1:
        raise InputError("repeats must be at least 1", value=repeats)
    for end in (first, first + repeats - 1):
        check_seed(end)
    return tuple(range(first, first + repeats))


def _check_analysis(settings: Settings, out: Path | None) -> None:
    """Check the settings of the clustering, and that its packages are installed."""
    if settings.k is not None and settings.k < 2:
        raise InputError("k must be at least 2", value=settings.k)
    if settings.resample not in get_args(Resampled):
        raise InputError(f"invalid resample: expected one of {', '.join(get_args(Resampled))}", value=settings.resample)
    check_packages(settings.reduction)
    if out is not None:
        require_matplotlib("cluster")


def _check(lengths: Sequence[int], per_genome: int, max_n: float, pooling: PoolingName) -> None:
    for name, value in (("length", min(lengths, default=0)), ("per_genome", per_genome)):
        if value < 1:
            raise InputError(f"{name} must be at least 1", value=value)
    if len(set(lengths)) < len(lengths):
        raise InputError("duplicate fragment length", value=list(lengths))
    if min(lengths) < 4:
        raise InputError("length must be at least 4 (tetranucleotides)", value=min(lengths))
    if not 0 <= max_n < 1:
        raise InputError("max_n must be at least 0 and below 1", value=max_n)
    if not Pooling(pooling).reduces:
        raise InputError("pooling must be mean, max, min or last: one vector per fragment is required", value=pooling)
