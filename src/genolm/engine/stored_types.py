"""Stable names of the classes whose values are written to manifests.

A manifest names a class by its entry here, not by its Python path, so that modules can be moved without making the
parts of earlier runs unreadable.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from importlib import import_module
from typing import Any, NamedTuple

from genolm.errors import RunError

PACKAGE = "genolm"


class StoredType(NamedTuple):
    """Where a class is, and which version of its fields and of its parts' columns the code writes and reads.

    Attributes:
        path: ``module:Class``.
        version: to be raised whenever the meaning of a field or of a column of the parts changes.
    """

    path: str
    version: int = 1


TYPES: dict[str, StoredType] = {
    # tasks
    "cluster": StoredType("genolm.tasks.clustering.task:ClusterTask"),
    "complete": StoredType("genolm.tasks.completion.complete:CompletionTask"),
    "detect-apply": StoredType("genolm.tasks.detection.calls:CallTask"),
    "detect-train": StoredType("genolm.tasks.detection.training:TrainTask"),
    "embed": StoredType("genolm.tasks.embed:EmbedTask"),
    "explain-experts": StoredType("genolm.tasks.explain.experts:ExpertsTask"),
    "explain-lens": StoredType("genolm.tasks.explain.lens:LensTask"),
    "explain-memory": StoredType("genolm.tasks.explain.memory:MemoryTask"),
    "generate": StoredType("genolm.tasks.generate:GenerateTask"),
    "generate-by-token": StoredType("genolm.tasks.generate_tokens:GenerateTokensTask"),
    "mutate": StoredType("genolm.tasks.mutagenesis:MutationTask"),
    "mutate-by-token": StoredType("genolm.tasks.mutagenesis:TokenMutationTask"),
    "scan": StoredType("genolm.tasks.scanning.task:ScanTask"),
    "score": StoredType("genolm.tasks.likelihood:ScoreTask"),
    "variants": StoredType("genolm.tasks.variants:VariantTask"),
    "variants-by-token": StoredType("genolm.tasks.token_variants:TokenVariantTask"),
    # values in their fields
    "allele-tiling": StoredType("genolm.tasks.tiles:Tiling"),
    "calling": StoredType("genolm.tasks.scanning.calls:Calling"),
    "classifier": StoredType("genolm.tasks.detection.classifier:Classifier"),
    "cluster-settings": StoredType("genolm.tasks.clustering.clustered:Settings"),
    "detector": StoredType("genolm.tasks.detection.folder:Detector"),
    "detector-training": StoredType("genolm.tasks.detection.training:Training"),
    "fragments": StoredType("genolm.tasks.clustering.clustered:Fragments"),
    "further-column": StoredType("genolm.genome.further_columns:FurtherColumn"),
    "gene-choice": StoredType("genolm.tasks.completion.genes:Choice"),
    "gene-settings": StoredType("genolm.tasks.scanning.genes:GeneSettings"),
    "limits": StoredType("genolm.tasks.token_continuation:Limits"),
    "pooling": StoredType("genolm.tasks.pooling:Pooling"),
    "provenance": StoredType("genolm.tasks.provenance:Provenance"),
    "sampler": StoredType("genolm.tasks.sampling:Sampler"),
    "scan-reader": StoredType("genolm.tasks.scanning.task:Reader"),
    "scan-tiling": StoredType("genolm.tasks.scanning.tiles:Tiling"),
    "source": StoredType("genolm.tasks.sources:Source"),
    "token-window": StoredType("genolm.tasks.allele_tokens:TokenWindow"),
    "vector-reader": StoredType("genolm.tasks.vector_readers:VectorReader"),
    "vector-readers": StoredType("genolm.tasks.vector_readers:VectorReaders"),
}


def stored_name(kind: type[Any]) -> tuple[str, int]:
    """Return the stable name and version of a class; for a class of another package its path and version 1.

    Raises:
        RunError: when a class of genolm has no entry in :data:`TYPES`.
    """
    path = f"{kind.__module__}:{kind.__qualname__}"
    for name, entry in TYPES.items():
        if entry.path == path:
            return name, entry.version
    if kind.__module__.split(".")[0] == PACKAGE:
        raise RunError(f"{path} cannot be written to a manifest: it has no name in engine/stored_types.py")
    return path, 1


def stored_class(name: str, version: int) -> type[Any]:
    """Return the class of a stable name.

    Raises:
        RunError: when this version of genolm has no such class, or reads another version of it.
    """
    if ":" in name:
        raise RunError(f"{name} is not a class of genolm; pass the task itself to merge (task=)")
    entry = TYPES.get(name)
    if entry is None:
        raise RunError(f"unknown task or setting {name!r}: merge with the version of genolm that computed the parts")
    if entry.version != version:
        raise RunError(
            f"{name!r} was written in version {version}, and this genolm reads version {entry.version}: "
            "merge with the version of genolm that computed the parts"
        )
    module, _, path = entry.path.partition(":")
    kind: type[Any] = getattr(import_module(module), path)
    if not is_dataclass(kind):
        raise TypeError(f"{name}: {entry.path} is not a dataclass")
    return kind
