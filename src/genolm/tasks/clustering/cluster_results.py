"""Results of clustering: tables, means over seeds, and the output folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genolm.genome.labelled.fragments import Fragment
from genolm.statistics.agreement import Agreement
from genolm.tasks.clustering.cluster_picture import Panel, draw_clusters
from genolm.tasks.clustering.clustering_recipe import METHODS
from genolm.tasks.writing.output_folders import Form, output_folder, save_picture, write_rows
from genolm.tasks.writing.provenance import Provenance


@dataclass(frozen=True, slots=True)
class FragmentSet:
    """The fragments of one length.

    Attributes:
        length: bases of each fragment.
        fragments: the fragments.
        labels: label of each fragment; None without labels.
        genomes: numbers of fragments and of skipped fragments by genome.
    """

    length: int
    fragments: tuple[Fragment, ...]
    labels: tuple[str, ...] | None
    genomes: Mapping[str, Mapping[str, int]]


@dataclass(slots=True)
class Clusterings:
    """Clusterings of the fragments of one length.

    Attributes:
        rows: rows of the table of agreement.
        columns: further columns of the table of fragments.
        panels: scatter plots.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    panels: list[Panel] = field(default_factory=list)


def subtitle(rows: Sequence[Mapping[str, Any]], *, labelled: bool) -> str:
    """Return the subtitle of a panel."""
    key, label = ("ari", "ARI") if labelled else ("clusters", "clusters")
    means = {
        method: np.mean([row[key] for row in rows if row["method"] == method])
        for method in METHODS
        if any(row["method"] == method for row in rows)
    }
    shown = {"dbscan": "DBSCAN", "kmeans": "k-means", "hdbscan": "HDBSCAN"}
    return f"{label}: " + ", ".join(f"{shown[name]} {mean:.2f}" for name, mean in means.items())


def summarised(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return means over seeds, with the lowest and the highest adjusted Rand index."""
    keys = list(dict.fromkeys((row["length"], row["features"], row["method"]) for row in rows))
    names = [name for name in ("clusters", *Agreement._fields, "ari_shuffled") if name in rows[0]]
    summary = []
    for key in keys:
        group = [row for row in rows if (row["length"], row["features"], row["method"]) == key]
        line = dict(zip(("length", "features", "method"), key)) | {
            name: float(np.mean([row[name] for row in group])) for name in names
        }
        if "ari" in rows[0]:
            line |= {"ari_lowest": min(row["ari"] for row in group), "ari_highest": max(row["ari"] for row in group)}
        summary.append(line)
    return summary


def fragments_table(fragment_sets: Sequence[FragmentSet], clusterings: Mapping[int, Clusterings]) -> pl.DataFrame:
    """Return a row for each fragment of every length, with its clusters and coordinates."""
    frames = []
    for one in fragment_sets:
        frames.append(
            pl.DataFrame(
                {
                    "id": [piece.id for piece in one.fragments],
                    "genome": [piece.genome for piece in one.fragments],
                    "contig": [piece.contig for piece in one.fragments],
                    "start": [piece.start for piece in one.fragments],
                    "end": [piece.end for piece in one.fragments],
                    "length": [one.length] * len(one.fragments),
                    "label": one.labels or pl.Series([None] * len(one.fragments), dtype=pl.String),
                    **clusterings[one.length].columns,
                }
            )
        )
    return pl.concat(frames)


def write_folder(
    path: Path,
    model: Provenance,
    report: Mapping[str, Any],
    tables: Mapping[str, pl.DataFrame],
    clusterings: Mapping[int, Clusterings],
    form: Form,
) -> None:
    """Write ``cluster.json``, the tables and the figure, all or nothing."""
    metadata = model.entries(clustered="fragments of genomes", settings=report["settings"])
    how = {"umap": "UMAP", "pca": "principal components", "none": "principal components"}[report["settings"]["reduce"]]
    labelled = "ari" in tables["agreement"].columns
    seeds = len(report["settings"]["seeds"])
    groups = "species" if labelled else "cluster of HDBSCAN"
    caption = " ".join(
        (
            f"Each point is a fragment, positioned by {how} and coloured by {groups}.",
            "ARI: adjusted Rand index, 0 by chance; each noise point is its own cluster." if labelled else "",
            f"Means over {seeds} seeds." if seeds > 1 else "One seed.",
        )
    )
    rows = {f"{length:,} bases": one.panels for length, one in clusterings.items()}
    with output_folder(path, metadata) as folder:
        text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / "cluster.json").write_text(f"{text}\n", "utf-8")
        for name, table in tables.items():
            write_rows([table], folder, name, form)
        save_picture(draw_clusters(rows, f"Fragments of genomes: {model.model}", caption), folder / "clusters.png")
