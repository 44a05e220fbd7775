"""Commands cluster, detect and check: options reach the functions, results are printed, files are written."""

import json
import random
from itertools import chain

import polars as pl
import pytest
from typer.testing import CliRunner

from genolm.cli.main import app

GENOMES = {"one": (4, 1, 1, 4), "two": (1, 4, 4, 1), "three": (4, 4, 1, 1), "four": (1, 1, 2, 4)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four genomes of their own composition and evenly mixed sequences as what a model wrote."""
    path = tmp_path_factory.mktemp("work")
    for number, (name, weights) in enumerate(GENOMES.items()):
        (path / f"{name}.fa").write_text(f">c\n{''.join(random.Random(number).choices('ACGT', weights, k=6000))}\n")
    made = (random.Random(100 + number).choices("ACGT", k=160) for number in range(40))
    lines = (f">g{number} prompt_bases=10 model=even\n{''.join(bases)}\n" for number, bases in enumerate(made))
    (path / "made.fa").write_text("".join(lines))
    return path


def run(folder, monkeypatch, *words: str):
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done


def test_cluster(folder, monkeypatch):
    pytest.importorskip("sklearn")
    genomes = [f"{name}.fa" for name in GENOMES]
    words = "--length 150 --length 300 --per-genome 8 --reduce pca --repeats 1 --no-twin --k 3 --tables parquet --rc"
    done = run(folder, monkeypatch, "cluster", "tiny-random-dense", *genomes, "clustered", *words.split())
    assert len([line for line in done.stdout.splitlines() if "tetranucleotides" in line]) == 2 * 3
    table = pl.read_parquet(folder / "clustered" / "agreement.parquet")
    assert set(table["length"]) == {150, 300} and set(table["features"]) == {"model", "tetranucleotides"}
    assert table.filter(pl.col("method") == "kmeans")["clusters"].to_list() == [3] * 4
    settings = json.loads((folder / "clustered" / "cluster.json").read_text())["settings"]
    assert settings["rc"] and settings["seeds"] == [42] and settings["per_genome"] == 8


def test_detect(folder, monkeypatch):
    pytest.importorskip("sklearn")
    natural = chain.from_iterable(("--natural", f"{name}.fa") for name in GENOMES)
    words = "--crop 60 --crop 120 --rate 0.1 --folds 4 --hold-out-taxon four --seed 3"
    done = run(folder, monkeypatch, "detect", "train", "det", *natural, "--generated", "made.fa", *words.split())
    assert "shuffled labels" in done.stdout and "handmade, taxon four (held out)" in done.stdout
    said = json.loads((folder / "det" / "detector.json").read_text())
    assert said["false_positive_rate"] == 0.1 and said["report"]["settings"]["crops"] == [60, 120]
    run(folder, monkeypatch, "detect", "apply", "det", "made.fa", "calls.csv", "-q")
    calls = pl.read_csv(folder / "calls.csv")
    assert calls["id"].to_list() == [f"g{number}" for number in range(40)]
    flat = "the detector knows nothing: its calibration is flat"
    assert set(calls["warning"]) == {f"trained on 60 to 120 bases; {flat}"}
    assert f"note: {flat}, and it calls nothing generated" in done.stderr


def test_check(folder, monkeypatch):
    pytest.importorskip("pyrodigal")
    pytest.importorskip("edlib")
    words = (
        "--reference one.fa --reference two.fa --training three.fa --order 1 --max-tandem 0.15 --with-prompt --seed 1"
    )
    done = run(folder, monkeypatch, "check", "made.fa", "checked", *words.split())
    figures = {line.split()[0] for line in done.stdout.splitlines()[1:]}
    assert {"gc", "coding_density", "identity", "tetranucleotide_divergence"} <= figures
    report = json.loads((folder / "checked" / "check.json").read_text())
    settings = report["settings"]
    assert settings["training"] == ["three.fa"] and settings["markov_order"] == 1 and settings["with_prompt"]
    assert report["figures"][0]["generated"]["value"] == 160
    assert 0 < report["passed"]["repeats_dropped"] < 40
