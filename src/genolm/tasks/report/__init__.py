"""A run on one self-contained HTML page: genome browser, scored variants, likelihoods, embeddings."""

from genolm.tasks.report.html_page import report

__all__ = ["report"]
