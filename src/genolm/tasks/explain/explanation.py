"""Explanations of a model: tables in memory or in a folder."""

from __future__ import annotations

from genolm.tasks.writing.folder_results import FolderResults


class Explanation(FolderResults):
    """Tables that explain a model, as the functions ``genolm.explain_…`` return them.

    Each function names its `tables`; the first is the `table`.
    """
