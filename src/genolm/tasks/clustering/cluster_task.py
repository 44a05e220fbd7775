"""Clustering as run by the engine: vectors of fragments by each model, then clusters and the output folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from genolm.arrays import Float64
from genolm.engine.summary import Summary
from genolm.engine.windows import Window
from genolm.genome.labelled.fragments import named_files
from genolm.genome.sequences import SequenceRecord
from genolm.tasks.clustering.cluster_results import Clusterings, FragmentSet, fragments_table, summarised, write_folder
from genolm.tasks.clustering.clustered_fragments import Fragments, clustered, tetranucleotides
from genolm.tasks.clustering.clustering_recipe import (
    DIMENSIONS,
    EPSILON,
    MIN_CLUSTER,
    MIN_DIST,
    MIN_SAMPLES,
    NEIGHBOURS,
)
from genolm.tasks.reading.embedding import Pooled
from genolm.tasks.reading.vector_readers import ModelOrigin, VectorReaders, VectorTask
from genolm.tasks.writing.output_folders import Form

MODEL, TETRA, TWIN = "model", "tetranucleotides", "random weights"
"""Names of the features in tables."""


@dataclass(frozen=True)
class ClusterTask(VectorTask):
    """Clustering as run by the engine; created by :func:`genolm.cluster`.

    Attributes:
        fragments: the fragments.
        readers: vector readers of the model and, if requested, of random weights.
        tables: file format of the tables.
    """

    fragments: Fragments
    readers: VectorReaders
    tables: Form
    name: ClassVar[str] = "cluster"
    unit: ClassVar[str] = "fragments"
    analysis: ClassVar[tuple[str, ...]] = (
        *(f"fragments.settings.{name}" for name in ("reduction", "seeds", "k", "resample", "labels")),
        "tables",
    )

    def items(self) -> Iterator[SequenceRecord]:
        """Yield the fragments of one length, then those of the next."""
        for one in self.fragments.drawn:
            for piece in one.fragments:
                yield SequenceRecord(piece.id, piece.sequence)

    def inputs(self) -> tuple[Path, ...]:
        """Return the input files."""
        return self.fragments.inputs()

    def rows(
        self, items: Sequence[SequenceRecord], windows: Sequence[Window[ModelOrigin]], outputs: Sequence[Pooled]
    ) -> pl.DataFrame:
        """Return a row for each fragment with its name, length and vectors."""
        about = pl.DataFrame(
            {"id": [item.id for item in items], "length": [len(item.sequence) for item in items]},
            schema={"id": pl.String, "length": pl.Int64},
        )
        return about.with_columns(**self.readers.columns(items, windows, outputs))

    def assemble(self, frames: Iterator[pl.DataFrame], out: Path) -> None:
        """Cluster the fragments and write the output folder."""
        clusterings = self._clusterings(frames)
        report, tables = self._report(clusterings), self._tables(clusterings)
        provenance = self.readers.readers[0].embedding.provenance
        write_folder(out, provenance, report, tables, clusterings, self.tables)

    def count(self, rows: pl.DataFrame) -> Summary:
        """Return the numbers of fragments and bases."""
        return Summary({"fragments": rows.height, "bases": int(rows["length"].sum())})

    def conclude(self, counted: Summary, made: Any) -> Summary:
        """Return the summary with the genomes and the skipped fragments."""
        left_out = sum(genome["too_many_n"] for one in self.fragments.drawn for genome in one.genomes.values())
        results = {"genomes": len(self.fragments.files), "fragments left out (too many N)": left_out}
        return counted + Summary({}, results=results)

    def collect(self, frames: Iterator[pl.DataFrame]) -> dict[str, Any]:
        """Return report and tables."""
        clusterings = self._clusterings(frames)
        return {**self._report(clusterings), **self._tables(clusterings)}

    def _clusterings(self, frames: Iterator[pl.DataFrame]) -> dict[int, Clusterings]:
        vectors = pl.concat(list(frames))
        starts = np.cumsum([0, *(len(one.fragments) for one in self.fragments.drawn)]).tolist()
        return {
            one.length: clustered(
                one, self._features(one, vectors[start : start + len(one.fragments)]), self.fragments.settings
            )
            for one, start in zip(self.fragments.drawn, starts)
        }

    def _features(self, fragment_set: FragmentSet, vectors: pl.DataFrame) -> dict[str, Float64]:
        """Return features by name: the model's, then the baselines'."""
        roles = [reader.role for reader in self.readers.readers]
        features = {role: vectors[role].to_numpy().astype(np.float64) for role in roles}
        features[TETRA] = tetranucleotides([one.sequence for one in fragment_set.fragments])
        return {name: features[name] for name in (MODEL, TETRA, TWIN) if name in features}

    def _report(self, clusterings: dict[int, Clusterings]) -> dict[str, Any]:
        return {
            "settings": self._settings(),
            "drawn": {str(one.length): one.genomes for one in self.fragments.drawn},
            "summary": summarised([row for one in clusterings.values() for row in one.rows]),
        }

    def _tables(self, clusterings: dict[int, Clusterings]) -> dict[str, pl.DataFrame]:
        rows = [row for one in clusterings.values() for row in one.rows]
        return {
            "agreement": pl.DataFrame(rows, infer_schema_length=None),
            "fragments": fragments_table(self.fragments.drawn, clusterings),
        }

    def _settings(self) -> dict[str, Any]:
        reader, settings = self.readers.readers[0], self.fragments.settings
        how = reader.embedding
        return {
            **how.provenance.to_dict(),
            "layer": how.layers[0],
            "pooling": how.pooling.name,
            "rc": how.rc,
            "context": how.context,
            "genomes": {name: path.name for name, path in named_files(self.fragments.files).items()},
            "per_genome": settings.per_genome,
            "max_n": settings.max_n,
            "labels": str(settings.labels),
            "reduce": settings.reduction,
            "umap": {"dimensions": DIMENSIONS, "neighbours": NEIGHBOURS, "min_dist": MIN_DIST},
            "dbscan": {"epsilon": EPSILON, "min_samples": MIN_SAMPLES},
            "hdbscan": {"min_cluster_size": MIN_CLUSTER, "min_samples": MIN_SAMPLES},
            "kmeans": {"k": settings.k or "number of labels"},
            "seeds": list(settings.seeds),
            "twin": len(self.readers.readers) > 1,
            "interval": f"of ari, 95 %, from resampled {settings.resample}",
        }
