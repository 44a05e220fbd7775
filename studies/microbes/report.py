"""Tables of docs/studies/microbes.md, generated from results.json.

    python -m studies.microbes.report

rewrites the text between ``<!-- NAME table: begin -->`` and ``<!-- NAME table: end -->``. A test compares the page with
the results.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.tables import markdown_table, replace_tables, shown_interval, shown_number

from studies.microbes.run import DECODER, ENCODER, RESULTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "studies" / "microbes.md"

Results = dict[str, Any]


def filled(page: str, results: Results) -> str:
    """Return the text of the page with all tables regenerated."""
    return replace_tables(page, lambda name: TABLES[name](results))


def _where(results: Results) -> str:
    """Return a line for each machine, versions and commit, with the parts that were measured there."""
    parts_by_machine: dict[str, list[str]] = {}
    for part, machine in results["machines"].items():
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        commit = f"commit {machine['commit'][:9]}{' or before' if 'recorded' in machine else ''}"
        changed = " with uncommitted changes" if machine["uncommitted_changes"] else ""
        threads = "one thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
        line = f"{machine['processor']}, {threads}; {versions}; {commit}{changed}"
        parts_by_machine.setdefault(line, []).append(part)
    return "\n".join(f"- {', '.join(parts)}: {line}" for line, parts in parts_by_machine.items()) + "\n"


def _likelihood(results: Results) -> str:
    markov = results["parts"]["markov"]
    rows = []
    for species, row in results["parts"]["likelihood"].items():
        counted, decoder = markov["bits_per_base"][species], row["decoder"]
        bits = (decoder, counted, decoder - counted, row["encoder_pseudo"])
        rows.append([f"*{species}*", *map(shown_number, bits)])
    counted = f"Markov model, order {markov['order']}"
    return markdown_table(["species", DECODER, counted, "difference", f"{ENCODER}, pseudo-likelihood"], rows)


def _clusters(results: Results) -> str:
    rows = []
    for name, result in results["parts"]["clusters"].items():
        for line in result["summary"]:
            features = (
                f"{name}, layer {result['layer']}"
                if line["features"] == "model"
                else f"{line['features']} (with {name})"
            )
            rows.append(
                [
                    features,
                    line["method"],
                    *(shown_number(line[name]) for name in ("ari", "v_measure", "purity")),
                    shown_number(line["noise"], 2),
                    shown_number(line["ari_shuffled"]),
                ]
            )
    return markdown_table(["features", "method", "ARI", "V-measure", "purity", "noise", "ARI, shuffled labels"], rows)


def _scans(results: Results) -> str:
    rows = []
    for scan, result in results["parts"]["scans"].items():
        if result["separation"] is None:
            rows.append([scan, result["windows"], "–"])
            continue
        for signal, values in result["separation"].items():
            above = next((value for key, value in values.items() if key.startswith("above_")), None)
            auroc = values["auroc"]
            rows.append(
                [scan, signal, shown_interval(auroc["value"], auroc["low"], auroc["high"]),
                 "" if above is None else shown_interval(above["value"], above["low"], above["high"])]
            )  # fmt: skip
    return markdown_table(["scan", "signal", "AUROC, coding vs. intergenic", "above the baseline"], rows)


def detection_rows(results: Results) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the figures of both detectors by test set and features, each row once."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for trained, report in results["parts"]["detection"].items():
        for row in report["evaluation"]:
            features = f"{trained}, labels shuffled" if row["features"] == "shuffled labels" else row["features"]
            rows["folds of training species", features] = row
        for row in report["parts"]:
            if row["part"] == "decoding":
                rows[f"folds of training species, {row['name']}", row["features"]] = row
            elif row["part"] == "taxon":
                rows[row["name"], row["features"]] = row
    return dict(sorted(rows.items()))


def is_constant(row: dict[str, Any]) -> bool:
    """Return whether all sequences have the same probability, so that AUROC is undefined."""
    return bool(row["auroc"] == row["auroc_low"] == row["auroc_high"] == 0.5)


def _detection(results: Results) -> str:
    rows = []
    for (where, features), row in detection_rows(results).items():
        order = ["–"] * 3
        if not is_constant(row):
            auroc = shown_interval(row["auroc"], row["auroc_low"], row["auroc_high"])
            order = [auroc, shown_number(row["tpr_at_1"]), shown_number(row["tpr_at_5"])]
        f1 = shown_interval(row["f1_at_half"], row["f1_at_half_low"], row["f1_at_half_high"])
        rows.append([where, features, f"{row['natural']} / {row['generated']}", f1, *order, shown_number(row["brier"])])
    head = ("tested on", "features", "natural / generated", "F1 at probability 0.5", "AUROC")
    return markdown_table([*head, "TPR at 1 % FPR", "TPR at 5 % FPR", "Brier score"], rows)


def _checks(results: Results) -> str:
    rows = []
    for decoding, result in results["parts"]["checks"].items():
        for figure in result["figures"]:
            sides = [_side(figure[name]) for name in ("generated", "natural", "markov")]
            rows.append([decoding, figure["about"], figure["unit"], *sides])
    return markdown_table(["decoding", "figure", "unit", "generated", "natural", "Markov model"], rows)


def _side(side: dict[str, Any]) -> str:
    if side["low"] is None:
        return shown_number(side["value"])
    return shown_interval(side["value"], side["low"], side["high"])


def _completion(results: Results) -> str:
    rows = []
    for record, lines in results["parts"]["completion"].items():
        for line in lines:
            if line["measure"].endswith("identity") and line["of_samples"] == "mean":
                minus = (
                    ""
                    if line["model_minus"] is None
                    else shown_interval(line["model_minus"], line["model_minus_low"], line["model_minus_high"])
                )
                rows.append(
                    [
                        record.split(".gbk")[0],
                        line["genes"],
                        line["measure"].replace("_", " "),
                        line["source"],
                        shown_number(line["value"]),
                        minus,
                    ]
                )
    return markdown_table(["record", "genes", "measure", "source", "mean", "model − source"], rows)


TABLES: dict[str, Callable[[Results], str]] = {
    "where": _where,
    "likelihood": _likelihood,
    "clusters": _clusters,
    "scans": _scans,
    "detection": _detection,
    "checks": _checks,
    "completion": _completion,
}


def main() -> None:
    """Regenerate the page."""
    PAGE.write_text(filled(PAGE.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
