"""Tables of docs/studies/gene_clusters.md, generated from results.json.

    python -m studies.gene_clusters.report

rewrites the text between ``<!-- NAME table: begin -->`` and ``<!-- NAME table: end -->``. A test compares the page with
the results.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.tables import markdown_table, replace_tables

from studies.gene_clusters.run import RESULTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "studies" / "gene_clusters.md"

Results = dict[str, Any]


def main() -> None:
    """Rewrite the tables of the page."""
    PAGE.write_text(filled(PAGE.read_text("utf-8"), json.loads(RESULTS.read_text())), "utf-8")


def filled(page: str, results: Results) -> str:
    """Return the text of the page with all tables regenerated."""
    return replace_tables(page, lambda name: TABLES[name](results))


def _curve_table(results: Results) -> str:
    curve = results["training"]["bits_per_base"]
    rows = [(step, f"{bits:.4f}") for step, bits in curve.items()]
    return markdown_table(("step", "bits per base of held-out windows"), rows)


def _scan_table(results: Results) -> str:
    bits, difference = results["bits_per_base"], results["difference_nats"]
    rows = [
        ("bits per base of the scaffold, before", f"{bits['base']:.4f}"),
        ("bits per base of the scaffold, after", f"{bits['clusters']:.4f}"),
        ("mean difference within the two clusters, nats per base", f"{difference['inside']:.4f}"),
        ("mean difference outside of them", f"{difference['outside']:.4f}"),
        ("p of shifted annotations", f"{difference['p_of_shifts']:.3f}"),
        ("called intervals", results["called"]),
    ]
    return markdown_table(("quantity", "value"), rows)


def _where_table(results: Results) -> str:
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"- {machine['processor']}, {machine['threads']} thread, next to other work; {versions}; commit"
        f" {machine['commit'][:9]}\n"
        f"- base: {results['base_steps']} steps of the recipe genolm-mini-ocean\n"
        f"- continued pretraining: released step {results['training']['released_step']}\n"
        f"- training bases: {results['training']['bases']['train']:,} of {results['training']['records']} records"
    )


TABLES = {"curve": _curve_table, "scan": _scan_table, "where": _where_table}


if __name__ == "__main__":
    main()
