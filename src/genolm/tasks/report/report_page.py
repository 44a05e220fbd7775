"""A written report."""

from __future__ import annotations

from genolm.tasks.writing.results import Results


class Report(Results):
    """A report as one HTML page, as :func:`genolm.report` returns it.

    Its `notes` say what is missing from the page, and why.
    """
