"""The tables of docs/studies/microbes.md, made from results.json.

    python -m studies.microbes.report

rewrites what stands between ``<!-- NAME table: begin -->`` and ``<!-- NAME table: end -->``; a test compares the page
with the results.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from studies.microbes.run import DECODER, ENCODER, RESULTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "studies" / "microbes.md"
_MARKED = re.compile(r"(<!-- (?P<name>[a-z ]+) table: begin -->\n).*?(<!-- (?P=name) table: end -->)", re.S)

Told = dict[str, Any]


def filled(page: str, told: dict[str, Any]) -> str:
    """The page's text with every table made anew."""
    return _MARKED.sub(lambda match: f"{match[1]}{TABLES[match['name']](told)}{match[3]}", page)


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None or value != value else f"{value:.{digits}f}".replace("-", "−")


def _interval(value: float, low: float, high: float, digits: int = 3) -> str:
    return f"{_number(value, digits)} ({_number(low, digits)} to {_number(high, digits)})"


def _where(told: Told) -> str:
    """A line for each machine, versions and commit, with the parts that were made there."""
    places: dict[str, list[str]] = {}
    for part, machine in told["machines"].items():
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        commit = f"commit {machine['commit'][:9]}{' or before' if 'recorded' in machine else ''}"
        changed = " with uncommitted changes" if machine["uncommitted_changes"] else ""
        threads = "one thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
        line = f"{machine['processor']}, {threads}; {versions}; {commit}{changed}"
        places.setdefault(line, []).append(part)
    return "\n".join(f"- {', '.join(parts)}: {line}" for line, parts in places.items()) + "\n"


def _likelihood(told: Told) -> str:
    markov = told["parts"]["markov"]
    rows = []
    for species, row in told["parts"]["likelihood"].items():
        counted, decoder = markov["bits_per_base"][species], row["decoder"]
        bits = (decoder, counted, decoder - counted, row["encoder_pseudo"])
        rows.append([f"*{species}*", *map(_number, bits)])
    counted = f"Markov model, order {markov['order']}"
    return _table(["species", DECODER, counted, "difference", f"{ENCODER}, pseudo-likelihood"], rows)


def _clusters(told: Told) -> str:
    rows = []
    for name, found in told["parts"]["clusters"].items():
        for line in found["summary"]:
            what = (
                f"{name}, layer {found['layer']}"
                if line["features"] == "model"
                else f"{line['features']} (beside {name})"
            )
            rows.append(
                [what, line["method"], _number(line["ari"]), _number(line["v_measure"]), _number(line["purity"]),
                 _number(line["noise"], 2), _number(line["ari_shuffled"])]
            )  # fmt: skip
    return _table(["features", "method", "ARI", "V-measure", "purity", "noise", "ARI, labels shuffled"], rows)


def _scans(told: Told) -> str:
    rows = []
    for what, found in told["parts"]["scans"].items():
        if found["separation"] is None:
            rows.append([what, found["windows"], "–"])
            continue
        for signal, values in found["separation"].items():
            above = next((value for key, value in values.items() if key.startswith("above_")), None)
            auroc = values["auroc"]
            rows.append(
                [what, signal, _interval(auroc["value"], auroc["low"], auroc["high"]),
                 "" if above is None else _interval(above["value"], above["low"], above["high"])]
            )  # fmt: skip
    return _table(["scan", "signal", "AUROC, coding against intergenic", "above the baseline"], rows)


def detection_rows(told: Told) -> dict[tuple[str, str], dict[str, Any]]:
    """Figures by what was tested on and by the features: both detectors' reports, each row once."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for trained, report in told["parts"]["detection"].items():
        for row in report["evaluation"]:
            features = f"{trained}, labels shuffled" if row["features"] == "shuffled labels" else row["features"]
            found["folds of training species", features] = row
        for row in report["parts"]:
            if row["part"] == "decoding":
                found[f"folds of training species, {row['name']}", row["features"]] = row
            elif row["part"] == "taxon":
                found[row["name"], row["features"]] = row
    return dict(sorted(found.items()))


def says_nothing(row: dict[str, Any]) -> bool:
    """Whether every sequence was told the same probability, so that there is no order to judge."""
    return bool(row["auroc"] == row["auroc_low"] == row["auroc_high"] == 0.5)


def _detection(told: Told) -> str:
    rows = []
    for (where, features), row in detection_rows(told).items():
        order = ["–"] * 3
        if not says_nothing(row):
            auroc = _interval(row["auroc"], row["auroc_low"], row["auroc_high"])
            order = [auroc, _number(row["tpr_at_1"]), _number(row["tpr_at_5"])]
        f1 = _interval(row["f1_at_half"], row["f1_at_half_low"], row["f1_at_half_high"])
        rows.append([where, features, f"{row['natural']} / {row['generated']}", f1, *order, _number(row["brier"])])
    head = ("tested on", "features", "natural / generated", "F1 at one half", "AUROC")
    return _table([*head, "found at 1 % false positives", "at 5 %", "Brier score"], rows)


def _checks(told: Told) -> str:
    rows = []
    for decoding, found in told["parts"]["checks"].items():
        for figure in found["figures"]:
            sides = [_side(figure[name]) for name in ("generated", "natural", "markov")]
            rows.append([decoding, figure["about"], figure["unit"], *sides])
    return _table(["decoding", "figure", "unit", "generated", "natural", "Markov model"], rows)


def _side(side: dict[str, Any]) -> str:
    if side["low"] is None:
        return _number(side["value"])
    return _interval(side["value"], side["low"], side["high"])


def _completion(told: Told) -> str:
    rows = []
    for record, lines in told["parts"]["completion"].items():
        for line in lines:
            if line["measure"].endswith("identity") and line["of_samples"] == "mean":
                minus = (
                    ""
                    if line["model_minus"] is None
                    else _interval(line["model_minus"], line["model_minus_low"], line["model_minus_high"])
                )
                rows.append(
                    [
                        record.split(".gbk")[0],
                        line["genes"],
                        line["measure"].replace("_", " "),
                        line["source"],
                        _number(line["value"]),
                        minus,
                    ]
                )
    return _table(["record", "genes", "measure", "source", "mean", "model minus it"], rows)


TABLES: dict[str, Callable[[Told], str]] = {
    "where": _where,
    "likelihood": _likelihood,
    "clusters": _clusters,
    "scans": _scans,
    "detection": _detection,
    "checks": _checks,
    "completion": _completion,
}


def main() -> None:
    """Command line."""
    PAGE.write_text(filled(PAGE.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
