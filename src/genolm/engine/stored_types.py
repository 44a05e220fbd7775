"""Stable names of the classes whose values are written to manifests.

A manifest names a class by its entry here, not by its Python path, so that modules can be moved without making the
parts of earlier runs unreadable.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from importlib import import_module
from typing import Any, NamedTuple

from genolm.errors import RunError
from genolm.remedies import Remedy

PACKAGE = "genolm"


class StoredType(NamedTuple):
    """Location of a class, and the version of its fields and of its parts' columns.

    Attributes:
        path: ``module:Class``.
        version: raise it whenever the meaning of a field or of a column of the parts changes.
    """

    path: str
    version: int = 1


TYPES: dict[str, StoredType] = {
    # tasks
    "cluster": StoredType("genolm.tasks.clustering.cluster_task:ClusterTask"),
    "complete": StoredType("genolm.tasks.completion.completion_task:CompletionTask"),
    "detect-apply": StoredType("genolm.tasks.detection.detector_apply_task:CallTask"),
    "detect-train": StoredType("genolm.tasks.detection.detector_train_task:TrainTask"),
    "embed": StoredType("genolm.tasks.reading.embedding:EmbedTask"),
    "explain-experts": StoredType("genolm.tasks.explain.experts_task:ExpertsTask"),
    "explain-lens": StoredType("genolm.tasks.explain.lens_task:LensTask"),
    "explain-memory": StoredType("genolm.tasks.explain.memory_task:MemoryTask"),
    "generate": StoredType("genolm.tasks.generation.generate_task:GenerateTask", 2),
    "mutate": StoredType("genolm.tasks.variants.mutate:MutationTask"),
    "mutate-by-token": StoredType("genolm.tasks.variants.mutate:TokenMutationTask"),
    "scan": StoredType("genolm.tasks.scanning.scan_task:ScanTask"),
    "score": StoredType("genolm.tasks.reading.likelihood:ScoreTask"),
    "variants": StoredType("genolm.tasks.variants.variant_task:VariantTask"),
    "variants-by-token": StoredType("genolm.tasks.variants.token_variants:TokenVariantTask"),
    # values in their fields
    "allele-tiling": StoredType("genolm.tasks.reading.allele_tiles:Tiling"),
    "calling": StoredType("genolm.tasks.scanning.interval_calls:Calling"),
    "classifier": StoredType("genolm.tasks.detection.classifier:Classifier"),
    "cluster-settings": StoredType("genolm.tasks.clustering.clustered_fragments:Settings"),
    "detector": StoredType("genolm.tasks.detection.detector_folder:Detector"),
    "detector-training": StoredType("genolm.tasks.detection.detector_train_task:Training"),
    "fragments": StoredType("genolm.tasks.clustering.clustered_fragments:Fragments"),
    "further-column": StoredType("genolm.genome.further_columns:FurtherColumn"),
    "gene-choice": StoredType("genolm.tasks.completion.gene_selection:GeneSelection"),
    "gene-settings": StoredType("genolm.tasks.scanning.gene_separation:GeneSettings"),
    "interval": StoredType("genolm.genome.interval:Interval"),
    "limits": StoredType("genolm.tasks.reading.continuation.limits:Limits"),
    "named-value": StoredType("genolm.genome.input_values:Named"),
    "pooling": StoredType("genolm.tasks.reading.pooling:Pooling"),
    "provenance": StoredType("genolm.tasks.writing.provenance:Provenance"),
    "sampler": StoredType("genolm.tasks.reading.continuation.sampling:Sampler"),
    "scan-reader": StoredType("genolm.tasks.scanning.scan_task:Reader"),
    "scan-tiling": StoredType("genolm.tasks.scanning.genome_tiles:Tiling"),
    "sequence-record": StoredType("genolm.genome.input_values:SequenceRecord"),
    "source": StoredType("genolm.tasks.reading.sources:Source"),
    "token-window": StoredType("genolm.tasks.variants.allele_tokens:TokenWindow"),
    "variant": StoredType("genolm.genome.variant:Variant"),
    "variant-record": StoredType("genolm.genome.vcf.vcf_records:VariantRecord"),
    "vector-reader": StoredType("genolm.tasks.reading.vector_readers:VectorReader"),
    "vector-readers": StoredType("genolm.tasks.reading.vector_readers:VectorReaders"),
}


def stored_name(kind: type[Any]) -> tuple[str, int]:
    """Return the stable name and version of a class; for a class of another package its path and version 1.

    Raises:
        RunError: a class of genolm has no entry in :data:`TYPES`.
    """
    path = f"{kind.__module__}:{kind.__qualname__}"
    for name, entry in TYPES.items():
        if entry.path == path:
            return name, entry.version
    if kind.__module__.split(".")[0] == PACKAGE:
        raise RunError(f"{path} cannot be written to a manifest: it is not listed in engine/stored_types.py")
    return path, 1


def stored_class(name: str, version: int) -> type[Any]:
    """Return the class with a stable name.

    Raises:
        RunError: the class is unknown to this version of genolm, or its version is another one.
    """
    if ":" in name:
        raise RunError(f"{name} is not a class of genolm", remedy=Remedy("task", purpose="merge with the task itself"))
    entry = TYPES.get(name)
    if entry is None:
        raise RunError(
            f"unknown task or setting {name!r}: merge with the genolm version that computed the parts",
            code="other-version",
        )
    if entry.version != version:
        raise RunError(
            f"{name!r} has version {version}, but this genolm reads version {entry.version}: "
            "merge with the genolm version that computed the parts",
            code="other-version",
        )
    module, _, path = entry.path.partition(":")
    kind: type[Any] = getattr(import_module(module), path)
    if not is_dataclass(kind):
        raise TypeError(f"{name}: {entry.path} is not a dataclass")
    return kind
