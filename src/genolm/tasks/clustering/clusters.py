"""Clusters of genome fragments in memory or in their folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from genolm.engine.result import Result
from genolm.engine.summary import numbered
from genolm.tasks.writing.folder_results import FolderResults


class Clusters(FolderResults):
    """Clusters of fragments, as :func:`genolm.cluster` returns them.

    Args:
        run: outcome of the run.
        model: name of the model.
    """

    def __init__(self, run: Result, model: str) -> None:
        super().__init__(run, ("fragments", "agreement"), model, report="cluster.json")

    @property
    def fragments(self) -> pl.DataFrame:
        """A row for each fragment, which is also the `table`.

        Columns: ``id, genome, contig, start, end`` (0-based, half-open), ``length, label``, and for the first seed the
        cluster by features and method (-1 is noise) and the coordinates in two dimensions.
        """
        return self.table

    @property
    def agreement(self) -> pl.DataFrame:
        """A row for each length, features, method and seed.

        Columns: ``fragments``, ``clusters``, ``noise`` (share) and, given labels, ``ari`` with its 95 % interval
        (``ari_low``, ``ari_high``), ``v_measure, homogeneity, completeness, purity``, each noise point being its own
        cluster, and ``ari_shuffled``, the value for permuted labels.
        """
        return self.tables["agreement"]

    @property
    def means(self) -> list[Mapping[str, Any]]:
        """Means over seeds, for each length, features and method."""
        return list(self._report["summary"])

    @property
    def drawn(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """Numbers of fragments and of skipped ones, for each length and genome."""
        drawn: Mapping[str, Mapping[str, Mapping[str, int]]] = self._report["drawn"]
        return drawn

    @property
    def settings(self) -> Mapping[str, Any]:
        """Model and settings."""
        settings: Mapping[str, Any] = self._report["settings"]
        return settings

    @property
    def _extent(self) -> str:
        genomes = self.table["genome"].n_unique()
        return f"{numbered(len(self), 'fragments')} of {numbered(genomes, 'genomes')}"
