"""The study of gene clusters: its page shows its results, and its comparison finds what is there."""

import json

import numpy as np
import pytest
import yaml
from studies.gene_clusters import report
from studies.gene_clusters.records import HELD_OUT, TRAINED
from studies.gene_clusters.run import HERE, RESULTS, compared


def test_the_page_shows_the_results() -> None:
    page = report.PAGE.read_text("utf-8")
    assert report.filled(page, json.loads(RESULTS.read_text())) == page
    assert all(f"<!-- {name} table: begin -->" in page for name in report.TABLES)


def test_the_recipe_holds_the_scaffold_out() -> None:
    corpus = yaml.safe_load((HERE / "continued.yaml").read_text())["corpus"]
    assert corpus["held_out"] == {"test": [f"{HELD_OUT[0]}/*"]}
    assert corpus["fasta"] == [f"$GENOLM_CLUSTERS/{name}.fa" for name in (*TRAINED, HELD_OUT[0])]


def test_a_difference_within_clusters_is_found_and_noise_is_not() -> None:
    random = np.random.default_rng(1)
    inside = np.zeros(50_000, bool)
    inside[10_000:20_000] = True
    noise = random.normal(size=50_000)
    found = compared(noise + 0.5 * inside, inside)
    assert found["inside_minus_outside"] == pytest.approx(0.5, abs=0.05) and found["p_of_shifts"] < 0.01
    assert compared(noise, inside)["p_of_shifts"] > 0.01
