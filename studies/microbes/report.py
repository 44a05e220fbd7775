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

Parts = dict[str, Any]


def filled(page: str, told: dict[str, Any]) -> str:
    """The page's text with every table made anew."""
    return _MARKED.sub(lambda match: f"{match[1]}{TABLES[match['name']](told['parts'])}{match[3]}", page)


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None or value != value else f"{value:.{digits}f}".replace("-", "−")


def _interval(value: float, low: float, high: float, digits: int = 3) -> str:
    return f"{_number(value, digits)} ({_number(low, digits)} to {_number(high, digits)})"


def _likelihood(parts: Parts) -> str:
    rows = []
    for species, row in parts["likelihood"].items():
        markov, decoder = row["markov"]["bits_per_base"], row["decoder"]
        rows.append(
            [
                f"*{species}*",
                _number(decoder),
                _number(markov),
                _number(decoder - markov),
                _number(row["encoder_pseudo"]),
            ]
        )
    order = next(iter(parts["likelihood"].values()))["markov"]["order"]
    return _table(["species", DECODER, f"Markov model, order {order}", "difference", f"{ENCODER}, pseudo"], rows)


def _clusters(parts: Parts) -> str:
    rows = []
    for name, found in parts["clusters"].items():
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


def _scans(parts: Parts) -> str:
    rows = []
    for what, found in parts["scans"].items():
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


def _detection(parts: Parts) -> str:
    rows = []
    for report in parts["detection"].values():
        for row in [
            *report["evaluation"],
            *(part for part in report["parts"] if part["part"] in ("taxon", "decoding")),
        ]:
            where = "folds of training species" if "part" not in row else f"{row['part']}: {row['name']}"
            rows.append(
                [where, row["features"], f"{row['natural']} / {row['generated']}",
                 _interval(row["f1_at_half"], row["f1_at_half_low"], row["f1_at_half_high"]),
                 _interval(row["auroc"], row["auroc_low"], row["auroc_high"]),
                 _number(row["tpr_at_1"]), _number(row["tpr_at_5"]), _number(row["brier"])]
            )  # fmt: skip
    head = [
        "tested on",
        "features",
        "natural / generated",
        "F1 at one half",
        "AUROC",
        "TPR at 1 % FPR",
        "at 5 %",
        "Brier",
    ]
    return _table(head, rows)


def _checks(parts: Parts) -> str:
    rows = []
    for decoding, found in parts["checks"].items():
        for figure in found["figures"]:
            sides = [_side(figure[name]) for name in ("generated", "natural", "markov")]
            rows.append([decoding, figure["about"], figure["unit"], *sides])
    return _table(["decoding", "figure", "unit", "generated", "natural", "Markov model"], rows)


def _side(side: dict[str, Any]) -> str:
    if side["low"] is None:
        return _number(side["value"])
    return _interval(side["value"], side["low"], side["high"])


def _completion(parts: Parts) -> str:
    rows = []
    for record, lines in parts["completion"].items():
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


TABLES: dict[str, Callable[[Parts], str]] = {
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
