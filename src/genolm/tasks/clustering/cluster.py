"""Clustering of genome fragments by embeddings, compared with tetranucleotide frequencies and random weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Unpack

from genolm.engine.analysis import stored_task
from genolm.engine.target import check_target
from genolm.errors import InputError
from genolm.genome.labelled.fragments import as_paths, named_files
from genolm.genome.labelled.genome_labels import FILES, NONE
from genolm.parameters import Bases, Count, Fraction, KeptParts, OutputFolder, ReplacedBy, Seed, Shown
from genolm.remedies import Remedy
from genolm.statistics.agreement import Resampled
from genolm.tasks.clustering.cluster_task import MODEL, TWIN, ClusterTask
from genolm.tasks.clustering.clustered_fragments import Fragments, Settings
from genolm.tasks.clustering.clustering_recipe import Reduction, check_packages
from genolm.tasks.clustering.clusters import Clusters
from genolm.tasks.reading.bulk import AnyModel, Bulk, RunOptions
from genolm.tasks.reading.model_group import group_models
from genolm.tasks.reading.model_limits import check_layer
from genolm.tasks.reading.random_model import untrained_copy
from genolm.tasks.reading.seeds import check_seed
from genolm.tasks.reading.vector_readers import VectorReader, VectorReaders
from genolm.tasks.writing.figure_sheet import require_matplotlib
from genolm.tasks.writing.kept_parts import Request, analysed_by
from genolm.tasks.writing.output_folders import Form
from genolm.verbs import verb

_OPTIONS = ("labels", "k", "reduce", "repeats", "resample", "tables")
_FIELDS = {"k": "k", "reduce": "reduction", "resample": "resample"}
"""Fields of :class:`Settings` by the arguments of :func:`genolm.cluster`."""


def _analyse(request: Request) -> Clusters:
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
    outcome = Bulk(**request.running).analyse(request.parts, task, request.out, new)
    return Clusters(outcome, task.readers.readers[0].embedding.provenance.model)


@verb(example="genolm cluster genolm-nano a.fa b.fa c.fa clusters --length 2000")
@analysed_by(_analyse, _OPTIONS)
def cluster(
    model: Annotated[AnyModel | None, ReplacedBy("from_")] = None,
    genomes: Annotated[Path | str | Sequence[Path | str] | None, ReplacedBy("from_")] = None,
    out: OutputFolder | None = None,
    *,
    from_: KeptParts | None = None,
    length: Bases | Sequence[Bases] = 5000,
    per_genome: Count = 50,
    max_n: Fraction = 0.05,
    labels: Annotated[str | Path, Shown("files|none|TSV")] = FILES,
    k: int | None = None,
    layer: int | None = None,
    pooling: Literal["mean", "max", "min", "last"] = "mean",
    rc: bool = False,
    twin: bool = True,
    reduce: Reduction = "umap",
    seed: Seed = 42,
    repeats: Count = 3,
    resample: Resampled = "genomes",
    context: Bases | None = None,
    tables: Form = "tsv",
    **run: Unpack[RunOptions],
) -> Clusters:
    """Cluster genome fragments by their embeddings.

    Baselines are tetranucleotide frequencies and an untrained model. Needs the extra cluster.

    The recipe is the published one for species clustering: UMAP to 10 dimensions (30 neighbours, distance 0),
    standardisation, DBSCAN(0.5, 5); k-means and HDBSCAN are reported as well. The baselines are the canonical
    tetranucleotide frequencies of each fragment, which always count both strands, and the embeddings of the same
    architecture with random weights. Fragments are sampled at random and do not overlap.

    Args:
        model: Model: a name from `genolm models`, a model folder, or a Hugging Face Hub id.
        genomes: FASTA, GenBank or EMBL files, one per genome; may be gzipped.
        out: Output folder; it appears when it is complete.
        from_: Parts of a run with `keep_parts` (OUTPUT.parts) to analyse again, without the model. Omitted options
            are as in the run. Options of the clustering may change.
        length: Fragment length in bases; each length is clustered separately.
        per_genome: Maximum number of random fragments per genome.
        max_n: Skip fragments with a larger fraction of N than this.
        labels: Species labels: each file is a species; none; or a table (TSV) with the columns genome and label.
        k: Number of k-means clusters. Default: the number of species.
        layer: Layer to read: 0 is the embedding layer, -1 the last. Default: the layer recommended by the model card.
        pooling: Reduction of the vectors of all tokens to one vector.
        rc: Average the results of both strands.
        twin: Also cluster embeddings of an untrained model, as a baseline.
        reduce: Reduction of embeddings to 10 dimensions before clustering.
        seed: Random seed of the fragments, 0 or higher, and first seed of UMAP and k-means.
        repeats: Repeats of UMAP and k-means, each with its own seed.
        resample: Resampling unit of the confidence intervals.
        context: Maximum window length in bases. Default: the model's maximum.
        tables: Format of the tables.

    Returns:
        The clusters, in memory or written to the folder ``out``: the tables `fragments` and `agreement`, their `means`
        over seeds, the numbers of fragments that were `drawn`, and the `settings`; see
        :class:`genolm.tasks.clustering.clusters.Clusters`.

    Raises:
        InputError: genomes cannot be read, there is no fragment of a length, there are fewer than the recipe requires
            or one species only, or a setting is out of range.
        ModelError: the model or layer does not exist.
        RunError: the output exists, or its folder holds parts of another run.
        ResourceError: not enough memory or disk space.
        GenolmError: scikit-learn, umap-learn or matplotlib is not installed.
    """
    if model is None or genomes is None:
        raise InputError(
            "a model and genomes are required",
            code="missing-argument",
            remedy=Remedy("from_", None, "analyse kept parts"),
        )
    bulk = Bulk.of(run)
    lengths = (length,) if isinstance(length, int) else tuple(length)
    _check(lengths, max_n)
    check_layer(layer, several=False)
    path = None if out is None else Path(out)
    settings = Settings(per_genome, max_n, reduce, _seeds(seed, repeats), k, resample, _labels(labels))
    _check_analysis(settings, path)
    if path is not None:
        check_target(path, overwrite=bulk.overwrite, resume=bulk.resume)
    files = named_files(as_paths(genomes))
    fragments = Fragments(tuple(files.values()), lengths, settings)
    fragments.drawn  # noqa: B018  # raises input errors before the model is loaded
    opened = bulk.open(model, path)
    networks = {MODEL: opened} | ({TWIN: untrained_copy(opened, seed)} if twin else {})
    readers = VectorReaders(
        tuple(
            VectorReader.of(network, role, layer=layer, pooling=pooling, rc=rc, context=context)
            for role, network in networks.items()
        )
    )
    task = ClusterTask(fragments, readers, tables)
    return Clusters(bulk.run(task, group_models(tuple(networks.values())), path), opened.card.name)


def _labels(given: str | Path) -> str | Path:
    return str(given) if str(given) in (FILES, NONE) else Path(given)


def _seeds(first: int, repeats: int) -> tuple[int, ...]:
    """Return consecutive seeds.

    Raises:
        InputError: one is out of range.
    """
    check_seed(first + repeats - 1)
    return tuple(range(first, first + repeats))


def _check_analysis(settings: Settings, out: Path | None) -> None:
    """Check the settings of the clustering, and that its packages are installed."""
    if settings.k is not None and settings.k < 2:
        raise InputError("k must be at least 2", value=settings.k)
    check_packages(settings.reduction)
    if out is not None:
        require_matplotlib("cluster")


def _check(lengths: Sequence[int], max_n: float) -> None:
    if len(set(lengths)) < len(lengths):
        raise InputError("duplicate fragment length", value=list(lengths))
    if min(lengths) < 4:
        raise InputError("length must be at least 4 (tetranucleotides)", value=min(lengths))
    if not 0 <= max_n < 1:
        raise InputError("max_n must be at least 0 and below 1", value=max_n)
