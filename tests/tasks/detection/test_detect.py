"""A detector of Markov sequences on held-out genomes, shuffled labels at chance, and what is refused."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.noted import noted
from tests.tasks.detection.conftest import NAMES, toy_genome

import genolm
from genolm.errors import GenolmError, InputError, ModelError, RunError
from genolm.models.checkpoints.convert import save
from genolm.tasks.detection.detector_folder import load_detector, save_detector
from genolm.tasks.detection.detector_samples import read_samples
from genolm.tasks.detection.genome_folds import make_folds

pytest.importorskip("sklearn")
QUICK = {"folds": 3, "rate": 0.05}


@pytest.fixture(scope="module")
def detector(files, natural):
    return genolm.detect.train(natural=natural, generated=files / "markov.fa", **QUICK, crop=(200, 400)).detector


def row(report, name: str) -> dict:
    return next(one for one in report["evaluation"] if one["features"] == name)


def parts_of(report, features: str = "handmade") -> dict:
    return {(part["part"], part["name"]): part for part in report["parts"] if part["features"] == features}


def test_markov_sequence_is_told_from_natural_on_other_genomes(detector):
    found = row(detector.report, "handmade")
    assert found["auroc"] > 0.9 and found["auroc_low"] > 0.8
    assert found["natural"] == found["generated"] == 72
    assert found["brier"] < 0.2 and found["fpr"] < 0.2
    assert row(detector.report, "tetranucleotides")["auroc"] > 0.6


def test_shuffled_labels_are_at_chance(detector):
    assert row(detector.report, "shuffled labels")["auroc"] == pytest.approx(0.5, abs=0.1)
    assert row(detector.report, "shuffled labels")["brier"] == pytest.approx(0.25, abs=0.02)


def test_no_genome_is_in_two_folds_and_all_samples_in_one(detector):
    folds = detector.report["folds"]
    assert sorted(name for fold in folds for name in fold["genomes"]) == sorted(NAMES)
    assert sum(fold["natural"] for fold in folds) == sum(fold["generated"] for fold in folds) == 72
    for fold in folds:  # generated sequences stand with the genome they were made from
        assert fold["generated"] == 12 * len(fold["genomes"])
        assert max(fold["shared_kmers"].values()) < 0.01


def test_figures_come_by_generator_decoding_and_length(detector):
    parts = parts_of(detector.report)
    assert {name for kind, name in parts if kind == "generator"} == {"markov0", "markov1", "markov2"}
    assert {name for kind, name in parts if kind == "decoding"} == {"temperature=0.5", "temperature=1.0"}
    assert {name for kind, name in parts if kind == "length"} == {"200-499"}
    assert not any(part["held_out"] for part in detector.report["parts"])
    assert (detector.shortest, detector.longest) == (200, 400)


def test_what_is_held_out_is_tested_and_never_trained_on(files, natural, monkeypatch):
    trained = []
    from genolm.tasks.detection import detector_evaluation as testing

    def listen(features, generated, fold, rate):
        trained.append((len(generated), int(generated.sum())))
        return real(features, generated, fold, rate)

    real = testing.fit
    monkeypatch.setattr(testing, "fit", listen)
    words = {"hold_out_generator": ["markov2"], "hold_out_taxon": ["elm"], "folds": 5, "rate": 0.05}
    found = genolm.detect.train(natural=natural, generated=files / "markov.fa", **words)
    # Five genomes of 12 + 8 sequences are left: all of them against elm, four of them against a fold of their own.
    assert trained[:6] == [(5 * 20, 5 * 8), *[(4 * 20, 4 * 8)] * 5]
    parts = parts_of(found.report)
    assert {part["features"] for part in found.report["parts"]} == {"handmade", "tetranucleotides"}
    assert parts["generator", "markov2"]["held_out"] and parts["generator", "markov2"]["generated"] == 20
    assert parts["taxon", "elm"]["held_out"] and parts["taxon", "elm"]["natural"] == 12
    assert parts["taxon", "elm"]["generated"] == 12 and parts["taxon", "elm"]["auroc"] > 0.8
    assert not parts["generator", "markov1"]["held_out"]
    assert found.report["folds"][0]["genomes"] == ["elm"]


def test_a_saved_detector_is_the_same_detector(detector, files, natural, tmp_path):
    trained = genolm.detect.train(
        tmp_path / "det", natural=natural, generated=files / "markov.fa", **QUICK, crop=(200, 400)
    )
    out = trained.path
    assert {path.name for path in out.iterdir()} == {"detector.json", "weights.safetensors", "provenance.json"}
    loaded = load_detector(out)
    for name in ("mean_F", "scale_F", "weight_F"):
        np.testing.assert_array_equal(getattr(loaded.classifier, name), getattr(detector.classifier, name))
    assert loaded.report == trained.report == json.loads(json.dumps(detector.report)) and loaded.rate == 0.05
    sequences = [toy_genome(77)[:300], toy_genome(78)[:90], "N" * 50, "ACGT" * 20 + "N" * 60]
    table = genolm.detect.apply(trained, sequences).table
    assert table.equals(genolm.detect.apply(detector, sequences).table)
    with pytest.raises(RunError, match="exists"):
        genolm.detect.train(out, natural=natural, generated=files / "markov.fa")


def test_notes_tell_of_too_few_sequences_and_folds(detector, files, natural, tmp_path):
    assert detector.report["notes"] == []
    text = (files / "markov.fa").read_text()
    (tmp_path / "four.fa").write_text(text[: text.index(">fir_0")])
    found = genolm.detect.train(natural=natural[:4], generated=tmp_path / "four.fa", rate=0.01, crop=(100,))
    assert found.report["notes"] == [
        "48 natural sequences are too few for a false-positive rate of 0.01: the threshold is the highest of them",
        "4 folds instead of 5: there are no more genomes that share no sequence",
    ]


def test_calls_carry_probabilities_and_warnings(detector, files, tmp_path):
    natural = toy_genome(99)
    text = "".join(f">n{place}\n{natural[300 * place : 300 * place + 300]}\n" for place in range(20))
    text += f">short\n{natural[:80]}\n>unknown\n{'N' * 300}\n>holes\n{natural[:200]}{'N' * 100}\n"
    (tmp_path / "in.fa").write_text(text)
    out = genolm.detect.apply(detector, tmp_path / "in.fa", tmp_path / "calls.tsv").path
    table = pl.read_csv(out, separator="\t")
    assert table["id"].to_list() == [f"n{place}" for place in range(20)] + ["short", "unknown", "holes"]
    plain = table.head(20)
    assert plain["warning"].null_count() == 20 and (plain["call"] == "natural").mean() > 0.8
    short, unknown, holes = table.tail(3).rows(named=True)
    assert short["warning"] == "trained on 200 to 400 bases" and short["probability"] is not None
    assert unknown["probability"] is None and unknown["call"] is None and unknown["warning"] == "nothing but N"
    assert holes["warning"] == "33% N"
    generated = genolm.detect.apply(detector, files / "markov.fa").table
    assert (generated["probability"] > 0.5).mean() > 0.8
    assert (generated["call"] == "generated").eq(generated["probability"] > detector.classifier.threshold).all()


def test_prompts_are_cut_off_before_a_call(detector, files, tmp_path):
    """As in training: what was given is not what is judged."""
    natural, made = toy_genome(99), (files / "markov.fa").read_text().split("\n")[1][:300]
    text = f">a prompt_bases=200\n{natural[:200]}{made}\n>b prompt_bases=60\n{natural[:60]}\n>c\n{made}\n"
    (tmp_path / "in.fa").write_text(text)
    with noted("skipped records without new bases after their prompt: 1"):
        found = genolm.detect.apply(detector, tmp_path / "in.fa").table
    assert found["id"].to_list() == ["a", "c"] and found["length"].to_list() == [300, 300]
    assert found["probability"][0] == found["probability"][1]
    whole = genolm.detect.apply(detector, tmp_path / "in.fa", with_prompt=True).table
    assert whole["length"].to_list() == [500, 60, 300]
    (tmp_path / "in.fa").write_text(">a prompt_bases=9\nACGT\n")
    with pytest.raises(InputError, match="prompt_bases must be a number from 0 to the record length, 4"):
        genolm.detect.apply(detector, tmp_path / "in.fa")


def test_many_sequences_are_called_as_one_by_one(detector, files, monkeypatch):
    together = genolm.detect.apply(detector, files / "markov.fa").table
    monkeypatch.setattr("genolm.tasks.detection.detector_apply_task._BATCH", 7)
    assert genolm.detect.apply(detector, files / "markov.fa").table["probability"].to_list() == pytest.approx(
        together["probability"].to_list()
    )


def test_embeddings_of_a_model(files, natural, tmp_path):
    out = tmp_path / "det"
    genolm.detect.train(
        out,
        natural=natural,
        generated=files / "markov.fa",
        model="tiny-random-dense",
        layer=1,
        rc=True,
        device="cpu",
        **QUICK,
    )
    loaded = load_detector(out)
    assert {one["features"] for one in loaded.report["evaluation"]} == {
        "both", "embedding", "handmade", "tetranucleotides", "shuffled labels",
    }  # fmt: skip
    assert loaded.model["name"] == "tiny-random-dense" and loaded.model["layer"] == 1 and loaded.model["rc"]
    table = genolm.detect.apply(out, [toy_genome(50)[:400]], device="cpu").table
    assert 0 < table["probability"][0] < 1
    with pytest.raises(ModelError, match="is not the model of the detector"):
        genolm.detect.apply(out, ["ACGT" * 50], model="tiny-random", device="cpu")


WITH_MODEL = {"model": "tiny-random-dense", "crop": (100,), "device": "cpu", **QUICK}
KILLED = """
import json, os, signal, sys
import genolm, genolm.engine.plan
from genolm.engine.parts import PartsFolder

def stop(self, number, frame, run, write=PartsFolder.write):
    size = write(self, number, frame, run)
    return size if number < 1 else os.kill(os.getpid(), signal.SIGKILL)

PartsFolder.write, genolm.engine.plan.PART_ITEMS = stop, 40
function, out, words, *inputs = sys.argv[1:]
if function == "train":
    genolm.detect.train(out, natural=inputs[1:], generated=inputs[0], **json.loads(words))
else:
    genolm.detect.apply(*inputs, out, device="cpu")
"""


def kill(function, out, words, *inputs):
    command = [sys.executable, "-c", KILLED, function, out, json.dumps(words), *inputs]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=300, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not out.exists() and len(list(out.parent.glob(f"{out.name}.parts/part-*.parquet"))) == 2


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_training_and_calling_are_resumed_and_shared_out(files, natural, tmp_path, monkeypatch):
    made = files / "markov.fa"
    monkeypatch.setattr("genolm.engine.plan.PART_ITEMS", 40)
    whole = genolm.detect.train(tmp_path / "whole", natural=natural, generated=made, **WITH_MODEL).path
    kill("train", tmp_path / "det", WITH_MODEL, made, *natural)
    with pytest.raises(RunError, match=r"setting training.rate \(was 0.05, now 0.1\)"):
        genolm.detect.train(
            tmp_path / "det", natural=natural, generated=made, **WITH_MODEL | {"rate": 0.1}, resume=True
        )
    genolm.detect.train(tmp_path / "det", natural=natural, generated=made, **WITH_MODEL, resume=True)
    assert contents(tmp_path / "det") == contents(whole)
    for shard in ("2/2", "1/2"):
        genolm.detect.train(tmp_path / "shared", natural=natural, generated=made, **WITH_MODEL, shard=shard)
    genolm.merge(tmp_path / "shared")
    assert contents(tmp_path / "shared") == contents(whole)

    once = genolm.detect.apply(whole, made, tmp_path / "once.tsv", device="cpu").path
    kill("apply", tmp_path / "calls.tsv", {}, whole, made)
    resumed = genolm.detect.apply(whole, made, tmp_path / "calls.tsv", device="cpu", resume=True).path
    assert resumed.read_bytes() == once.read_bytes()
    for number in (1, 2, 3):
        genolm.detect.apply(whole, made, tmp_path / "shared.tsv", device="cpu", shard=(number, 3))
    genolm.merge(tmp_path / "shared.tsv")
    assert (tmp_path / "shared.tsv").read_bytes() == once.read_bytes()

    records = ["N" * 40, *(toy_genome(seed)[: 60 + 7 * seed] for seed in range(9)), "NNN"]
    together = genolm.detect.apply(whole, records, device="cpu").table
    alone = [genolm.detect.apply(whole, [record], device="cpu").table for record in records]
    one_by_one = pl.concat(alone)["probability"].fill_null(-1).to_list()
    assert together["probability"].fill_null(-1).to_list() == pytest.approx(one_by_one, rel=1e-4)
    assert genolm.detect.apply(load_detector(whole), records, device="cpu").table.equals(together)
    assert together["call"].null_count() == 2


def test_kept_features_are_trained_on_with_other_settings(files, natural, tmp_path):
    made, parts = files / "markov.fa", tmp_path / "kept.parts"
    kept = genolm.detect.train(tmp_path / "kept", natural=natural, generated=made, **WITH_MODEL, keep_parts=True)
    table = tmp_path / "genomes.tsv"
    table.write_text("genome\tfold\n" + "".join(f"{name}\t{number % 3}\n" for number, name in enumerate(NAMES)))
    others = (
        {},
        {"rate": 0.1, "folds": 4},
        {"hold_out_generator": ["markov2"], "hold_out_taxon": ["elm"]},
        {"genomes": table},
    )
    for number, other in enumerate(others):
        whole = (
            genolm.detect.train(tmp_path / f"whole{number}", natural=natural, generated=made, **WITH_MODEL | other)
            if other
            else kept
        )
        again = genolm.detect.train(out=tmp_path / f"again{number}", from_=parts, **other)
        assert contents(again.path) == contents(whole.path)
    assert genolm.detect.train(from_=parts).report == load_detector(kept.path).report
    for name, value in (("features", "embedding"), ("seed", 1), ("crop", (50,))):
        with pytest.raises(InputError, match=f"so {name} cannot be given with it"):
            genolm.detect.train(from_=parts, **{name: value})
    with pytest.raises(InputError, match="rate must be between"):
        genolm.detect.train(from_=parts, rate=2)
    with pytest.raises(InputError, match="native and generated sequences are required: natural and generated"):
        genolm.detect.train(natural=natural)
    with pytest.raises(RunError, match="keep_parts requires embedding features"):
        genolm.detect.train(tmp_path / "handmade", natural=natural, generated=made, **QUICK, keep_parts=True)


def test_without_a_model_nothing_is_resumed(detector, files, natural, tmp_path):
    with pytest.raises(RunError, match="resume and shard require embedding features"):
        genolm.detect.train(tmp_path / "det", natural=natural, generated=files / "markov.fa", **QUICK, shard="1/2")
    with pytest.raises(RunError, match="resume and shard require embedding features"):
        genolm.detect.apply(detector, files / "markov.fa", tmp_path / "calls.tsv", resume=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["tiny-random-ocean", "tiny-random-moderngena"])
def test_every_kind_of_model_detects(name, files, natural):
    words = {"model": name, "features": "embedding", "device": "cpu", "crop": (100,), **QUICK}
    found = genolm.detect.train(natural=natural, generated=files / "markov.fa", **words)
    table = genolm.detect.apply(found, [toy_genome(50)[:100], toy_genome(51)[:90]], device="cpu").table
    assert table["probability"].is_between(0, 1).all() and table["warning"].null_count() == 1


def test_folds_that_part_related_genomes_are_refused(files, natural, tmp_path):
    twin = tmp_path / "ash2.fa"
    twin.write_text(f">c\n{toy_genome(0)[3000:]}{toy_genome(60)[:3000]}\n")
    table = tmp_path / "genomes.tsv"
    rows = [f"{name}\t{number % 3}\n" for number, name in enumerate(NAMES)]
    table.write_text("genome\tfold\n" + "".join(rows) + "ash2.fa\t1\n")
    with pytest.raises(InputError, match=r"ash and ash2 share \d+% of their 28-mers"):
        genolm.detect.train(natural=[*natural, twin], generated=files / "markov.fa", genomes=table)
    table.write_text("genome\tfold\n" + "".join(rows) + "ash2.fa\t0\n")
    told = genolm.detect.train(natural=[*natural, twin], generated=files / "markov.fa", genomes=table, **QUICK)
    assert [fold["genomes"] for fold in told.report["folds"]] == [
        ["ash", "ash2", "elm"],
        ["birch", "fir"],
        ["cedar", "holly"],
    ]
    drawn = genolm.detect.train(natural=[*natural, twin], generated=files / "markov.fa", **QUICK)
    together = next(fold["genomes"] for fold in drawn.report["folds"] if "ash" in fold["genomes"])
    assert "ash2" in together
    with pytest.raises(InputError, match="only one is held out"):
        genolm.detect.train(natural=[*natural, twin], generated=files / "markov.fa", hold_out_taxon=["ash2"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"rate": 0.0}, "rate must be between 0 and 0.5"),
        ({"folds": 2}, "folds must be at least 3"),
        ({"features": "embedding"}, "features 'embedding' require a model"),
        ({"features": "spectrum"}, "features must be one of embedding, handmade, both"),
        ({"crop": (0,)}, "crop must be at least 1"),
        (
            {"hold_out_generator": ["evo"]},
            "unknown generator to hold out: expected one of markov0, markov1, markov2",
        ),
        ({"hold_out_taxon": ["oak"]}, "unknown taxon to hold out"),
        ({"hold_out_decoding": ["temperature=2.0"]}, "unknown decoding to hold out: expected one of temperat"),
        ({"hold_out_generator": ["markov0", "markov1", "markov2"]}, "at least 20 generated sequences"),
        ({"hold_out_taxon": ["ash", "birch", "cedar", "elm"]}, "at least 3 groups of genomes"),
        ({"pooling": "none", "model": "tiny-random"}, "pooling must be one of mean, max, min, last"),
        ({"pooling": "bases", "model": "tiny-random"}, "pooling must be one of mean, max, min, last"),
    ],
)
def test_settings_that_cannot_be(files, natural, words, message):
    with pytest.raises(InputError, match=message):
        genolm.detect.train(natural=natural, generated=files / "markov.fa", **words)


def test_generated_sequence_without_provenance_is_refused(files, natural, tmp_path):
    with pytest.raises(InputError, match=r"other.fa: unknown generator of this record.*value 'x'"):
        genolm.detect.train(natural=natural, generated=[files / "markov.fa", files / "other.fa"])
    table = tmp_path / "made.tsv"
    table.write_text("file\tgenerator\nother.fa\tsomebody\n")
    found = genolm.detect.train(
        natural=natural, generated=[files / "markov.fa", files / "other.fa"], provenance=table, **QUICK
    )
    assert "somebody" in {part["name"] for part in found.report["parts"]}


def rewritten(files, folder, change) -> Path:
    """``markov.fa`` with other headers."""
    lines = [change(line) if line[0] == ">" else line for line in (files / "markov.fa").read_text().splitlines()]
    (folder / "made.fa").write_text("\n".join(lines) + "\n")
    return folder / "made.fa"


@pytest.mark.parametrize(("wrong", "shown"), [("ash", "oak.fa"), ("cedar", "CEDAR.fa")])
def test_a_genome_that_nobody_gave_is_refused(files, natural, tmp_path, wrong, shown):
    made = rewritten(files, tmp_path, lambda line: line.replace(f"genome={wrong}.fa", f"genome={shown}"))
    message = (
        rf"made.fa: {wrong}_0 names a genome that is not among the natural files: {', '.join(NAMES)} \(value '{shown}'"
    )
    with pytest.raises(InputError, match=message):
        genolm.detect.train(natural=natural, generated=made, **QUICK)


def test_sequences_that_name_no_genome_are_dealt_by_prompt_and_noted(files, natural, tmp_path):
    made = rewritten(files, tmp_path, lambda line: f"{line.split(' genome=')[0]} prompt_bases=8")
    text = made.read_text().replace("\nA", "\nAAAAAAAAA").replace("\nC", "\nCCCCCCCCC")
    made.write_text(text.replace("\nG", "\nGGGGGGGGG").replace("\nT", "\nTTTTTTTTT"))  # four prompts of 8 bases
    found = genolm.detect.train(natural=natural, generated=made, folds=4, rate=0.05)
    assert found.report["notes"] == [
        "72 generated sequences name no genome: they are dealt to folds at random, those of one prompt together"
    ]
    samples, facts = read_samples(natural, [made], provenance=None, genomes=None, crops=(), seed=0)
    partition = make_folds(samples, facts, count=4)
    places = {}
    for sample, fold, group in zip(samples, partition.fold_N, partition.group_N):
        if sample.generated:
            places.setdefault(sample.prompt, set()).add((fold, group))
    assert {len(prompt) for prompt in places} == {8} and [len(found) for found in places.values()] == [1] * 4
    assert len({fold for found in places.values() for fold, _ in found}) == 4  # none is left out
    groups = {group for found in places.values() for _, group in found}
    own = {group for sample, group in zip(samples, partition.group_N) if not sample.generated}
    assert len(groups) == 4 and not groups & own


def test_held_out_decodings_are_told_by_some_of_their_settings(files, natural, tmp_path):
    made = rewritten(files, tmp_path, lambda line: line.replace("temperature=1.0", "temperature=1.0 top_k=0 top_p=1.0"))
    found = genolm.detect.train(natural=natural, generated=made, **QUICK, hold_out_decoding=["top_k=0 temperature=1.0"])
    parts = parts_of(found.report)
    assert parts["decoding", "temperature=1.0 top_k=0 top_p=1.0"]["held_out"]
    assert not parts["decoding", "temperature=0.5"]["held_out"]


def test_a_table_that_names_something_twice_is_refused(files, natural, tmp_path):
    table = tmp_path / "table.tsv"
    table.write_text("file\tgenerator\nother.fa\tone\nother.fa\ttwo\n")
    with pytest.raises(InputError, match=r"table.tsv:3: duplicate name \(value 'other.fa'\)"):
        genolm.detect.train(natural=natural, generated=files / "other.fa", provenance=table)
    table.write_text("genome\ttaxon\n" + "".join(f"{name}\tt\n" for name in NAMES) + "ash.fa\tu\n")
    with pytest.raises(InputError, match=r"table.tsv:8: duplicate name \(value 'ash'\)"):
        genolm.detect.train(natural=natural, generated=files / "markov.fa", genomes=table)


def test_a_flat_calibration_is_told(files, natural, monkeypatch):
    monkeypatch.setattr("genolm.tasks.detection.classifier.calibrated", lambda scores, labels: (0.0, 0.0))
    found = genolm.detect.train(natural=natural, generated=files / "markov.fa", **QUICK, crop=(200, 400))
    best = row(found.report, "handmade")
    assert best["auroc"] > 0.9 and best["tpr_at_5"] > 0.5 and best["tpr"] == 0 and best["brier"] == pytest.approx(0.25)
    assert best["flat_calibrations"] == 3
    assert found.report["notes"] == [
        "the calibration of 3 of the 3 tested detectors is flat: they call nothing generated, and their probabilities"
        " say nothing",
        "the detector knows nothing: its calibration is flat, and it calls nothing generated",
    ]
    table = genolm.detect.apply(found, [toy_genome(50)[:300]]).table
    assert table["warning"].to_list() == ["the detector knows nothing: its calibration is flat"]


def test_a_detector_finds_the_folder_that_its_model_was_in(files, natural, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(genolm.load("tiny-random-dense", device="cpu"), "own")
    words = {"model": "own", "features": "embedding", "crop": (100,), "device": "cpu", **QUICK}
    genolm.detect.train("det", natural=natural, generated=files / "markov.fa", **words)
    sequences = [toy_genome(50)[:100]]
    table = genolm.detect.apply("det", sequences, device="cpu").table
    Path("own").rename("moved")
    Path("det/detector.json").write_text(Path("det/detector.json").read_text().replace("tiny-random-dense", "gone"))
    with pytest.raises(
        ModelError, match=r"own.*the detector needs this model; pass model=… to name its current location"
    ):
        genolm.detect.apply("det", sequences, device="cpu")
    assert genolm.detect.apply("det", sequences, model="moved", device="cpu").table.equals(table)


def test_too_few_or_too_short_genomes(files, natural, tmp_path):
    made = rewritten(files, tmp_path, lambda line: line.split(" genome=")[0])
    with pytest.raises(InputError, match="at least 3 groups of genomes"):
        genolm.detect.train(natural=natural[:2], generated=made, crop=(100,))
    (tmp_path / "tiny.fa").write_text(">a\nACGT\n")
    with pytest.raises(InputError, match="no genome has space for another piece of 400 bases"):
        genolm.detect.train(natural=[tmp_path / "tiny.fa"], generated=made)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda path: (path / "detector.json").unlink(), "not a detector folder"),
        (lambda path: (path / "detector.json").write_text("{"), "the detector is damaged"),
        (lambda path: (path / "detector.json").write_text("{}"), "not the description of a detector"),
        (lambda path: (path / "weights.safetensors").unlink(), "the detector is damaged"),
        (lambda path: (path / "weights.safetensors").write_bytes(b"no"), "the detector is damaged"),
        (lambda path: edit(path, version=1), "unsupported format version of the detector: expected 2"),
        (lambda path: edit(path, features="spectrum"), "parts are inconsistent"),
        (lambda path: edit(path, threshold="high"), "the detector is damaged"),
    ],
)
def test_a_folder_that_is_no_detector(break_it, message, detector, tmp_path):
    save_detector(detector, tmp_path / "det")
    break_it(tmp_path / "det")
    with pytest.raises(InputError, match=message):
        genolm.detect.apply(tmp_path / "det", ["ACGT"])


def edit(path, **values) -> None:
    said = json.loads((path / "detector.json").read_text())
    (path / "detector.json").write_text(json.dumps(said | values))


def test_training_without_scikit_learn_says_what_to_install(files, natural, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(GenolmError, match=r"pip install 'genolm\[detect\]'"):
        genolm.detect.train(natural=natural, generated=files / "markov.fa")


def test_calls_without_a_model_replace_neither_their_input_nor_a_foreign_record(detector, tmp_path):
    table = tmp_path / "calls.tsv"
    table.write_text(f"sequence\n{'ACGTTGCA' * 20}\n")
    with pytest.raises(RunError, match=r"calls\.tsv is an input of this run too"):
        genolm.detect.apply(detector, table, table, overwrite=True)
    (tmp_path / "other.tsv.provenance.json").write_text("mine")
    with pytest.raises(RunError, match=r"other\.tsv\.provenance\.json exists"):
        genolm.detect.apply(detector, table, tmp_path / "other.tsv")
    assert (tmp_path / "other.tsv.provenance.json").read_text() == "mine"
    assert table.read_text().startswith("sequence")
