"""A detector of Markov sequences on held-out genomes, shuffled labels at chance, and what is refused."""

import json

import numpy as np
import polars as pl
import pytest
from tests.tasks.detection.conftest import NAMES, toy_genome

import genolm
from genolm.errors import GenolmError, InputError, ModelError, RunError
from genolm.tasks.detection.folder import load_detector, save_detector

pytest.importorskip("sklearn")
QUICK = {"folds": 3, "rate": 0.05}


@pytest.fixture(scope="module")
def detector(files, natural):
    return genolm.train_detector(natural, files / "markov.fa", **QUICK, crops=(200, 400))


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
    from genolm.tasks.detection import testing

    def listen(features, generated, fold, rate):
        trained.append((len(generated), int(generated.sum())))
        return real(features, generated, fold, rate)

    real = testing.fit
    monkeypatch.setattr(testing, "fit", listen)
    words = {"hold_out_generators": ["markov2"], "hold_out_taxa": ["elm"], "folds": 5, "rate": 0.05}
    found = genolm.train_detector(natural, files / "markov.fa", **words)
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
    out = genolm.train_detector(natural, files / "markov.fa", tmp_path / "det", **QUICK, crops=(200, 400))
    assert {path.name for path in out.iterdir()} == {"detector.json", "weights.safetensors", "provenance.json"}
    loaded = load_detector(out)
    for name in ("mean_F", "scale_F", "weight_F"):
        np.testing.assert_array_equal(getattr(loaded.classifier, name), getattr(detector.classifier, name))
    assert loaded.report == json.loads(json.dumps(detector.report)) and loaded.rate == 0.05
    sequences = [toy_genome(77)[:300], toy_genome(78)[:90], "N" * 50, "ACGT" * 20 + "N" * 60]
    table = genolm.apply_detector(out, sequences)
    assert table.equals(genolm.apply_detector(detector, sequences))
    with pytest.raises(RunError, match="exists"):
        genolm.train_detector(natural, files / "markov.fa", out)


def test_notes_tell_of_too_few_sequences_and_folds(detector, files, natural):
    assert detector.report["notes"] == []
    found = genolm.train_detector(natural[:4], files / "markov.fa", rate=0.01, crops=(100,))
    assert found.report["notes"] == [
        "72 natural sequences are too few for a false-positive rate of 0.01: the threshold is the highest of them",
        "4 folds instead of 5: there are no more genomes that share no sequence",
    ]


def test_calls_carry_probabilities_and_warnings(detector, files, tmp_path):
    natural = toy_genome(99)
    text = "".join(f">n{place}\n{natural[300 * place : 300 * place + 300]}\n" for place in range(20))
    text += f">short\n{natural[:80]}\n>unknown\n{'N' * 300}\n>holes\n{natural[:200]}{'N' * 100}\n"
    (tmp_path / "in.fa").write_text(text)
    out = genolm.apply_detector(detector, tmp_path / "in.fa", tmp_path / "calls.tsv")
    table = pl.read_csv(out, separator="\t")
    assert table["id"].to_list() == [f"n{place}" for place in range(20)] + ["short", "unknown", "holes"]
    plain = table.head(20)
    assert plain["warning"].null_count() == 20 and (plain["call"] == "natural").mean() > 0.8
    short, unknown, holes = table.tail(3).rows(named=True)
    assert short["warning"] == "trained on 200 to 400 bases" and short["probability"] is not None
    assert unknown["probability"] is None and unknown["call"] is None and unknown["warning"] == "nothing but N"
    assert holes["warning"] == "33% N"
    generated = genolm.apply_detector(detector, files / "markov.fa")
    assert (generated["probability"] > 0.5).mean() > 0.8
    assert (generated["call"] == "generated").eq(generated["probability"] > detector.classifier.threshold).all()


def test_many_sequences_are_called_as_one_by_one(detector, files, monkeypatch):
    together = genolm.apply_detector(detector, files / "markov.fa")
    monkeypatch.setattr("genolm.tasks.detection.calls._CHUNK", 7)
    assert genolm.apply_detector(detector, files / "markov.fa")["probability"].to_list() == pytest.approx(
        together["probability"].to_list()
    )


def test_embeddings_of_a_model(files, natural, tmp_path):
    out = tmp_path / "det"
    genolm.train_detector(
        natural, files / "markov.fa", out, model="tiny-random-dense", layer=1, rc=True, device="cpu", **QUICK
    )
    loaded = load_detector(out)
    assert {one["features"] for one in loaded.report["evaluation"]} == {
        "both", "embedding", "handmade", "tetranucleotides", "shuffled labels",
    }  # fmt: skip
    assert loaded.model["name"] == "tiny-random-dense" and loaded.model["layer"] == 1 and loaded.model["rc"]
    table = genolm.apply_detector(out, [toy_genome(50)[:400]], device="cpu")
    assert 0 < table["probability"][0] < 1
    with pytest.raises(ModelError, match="is not the model that the detector was trained with"):
        genolm.apply_detector(out, ["ACGT" * 50], model="tiny-random", device="cpu")


@pytest.mark.parametrize("name", ["tiny-random-ocean", "tiny-random-moderngena"])
def test_every_kind_of_model_detects(name, files, natural):
    words = {"model": name, "features": "embedding", "device": "cpu", "crops": (100,), **QUICK}
    found = genolm.train_detector(natural, files / "markov.fa", **words)
    table = genolm.apply_detector(found, [toy_genome(50)[:100], toy_genome(51)[:90]], device="cpu")
    assert table["probability"].is_between(0, 1).all() and table["warning"].null_count() == 1


def test_folds_that_part_related_genomes_are_refused(files, natural, tmp_path):
    twin = tmp_path / "ash2.fa"
    twin.write_text(f">c\n{toy_genome(0)[3000:]}{toy_genome(60)[:3000]}\n")
    table = tmp_path / "genomes.tsv"
    rows = [f"{name}\t{number % 3}\n" for number, name in enumerate(NAMES)]
    table.write_text("genome\tfold\n" + "".join(rows) + "ash2.fa\t1\n")
    with pytest.raises(InputError, match=r"ash and ash2 share \d+% of their 28-mers"):
        genolm.train_detector([*natural, twin], files / "markov.fa", genomes=table)
    table.write_text("genome\tfold\n" + "".join(rows) + "ash2.fa\t0\n")
    told = genolm.train_detector([*natural, twin], files / "markov.fa", genomes=table, **QUICK)
    assert [fold["genomes"] for fold in told.report["folds"]] == [
        ["ash", "ash2", "elm"],
        ["birch", "fir"],
        ["cedar", "holly"],
    ]
    drawn = genolm.train_detector([*natural, twin], files / "markov.fa", **QUICK)
    together = next(fold["genomes"] for fold in drawn.report["folds"] if "ash" in fold["genomes"])
    assert "ash2" in together
    with pytest.raises(InputError, match="only one is held out"):
        genolm.train_detector([*natural, twin], files / "markov.fa", hold_out_taxa=["ash2"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"rate": 0.0}, "the false-positive rate is between 0 and 0.5"),
        ({"folds": 2}, "at least 3 folds"),
        ({"features": "embedding"}, "features embedding need a model"),
        ({"features": "spectrum"}, "features is one of embedding, handmade, both"),
        ({"crops": (0,)}, "at least 1 base"),
        (
            {"hold_out_generators": ["evo"]},
            "no generator of this name can be held out; there are markov0, markov1, markov2",
        ),
        ({"hold_out_taxa": ["oak"]}, "no taxon of this name"),
        ({"hold_out_generators": ["markov0", "markov1", "markov2"]}, "at least 20 generated sequences"),
        ({"hold_out_taxa": ["ash", "birch", "cedar", "elm"]}, "genomes of at least 3 kinds"),
        ({"pooling": "none", "model": "tiny-random"}, "one vector"),
    ],
)
def test_settings_that_cannot_be(files, natural, words, message):
    with pytest.raises(InputError, match=message):
        genolm.train_detector(natural, files / "markov.fa", **words)


def test_generated_sequence_without_provenance_is_refused(files, natural, tmp_path):
    with pytest.raises(InputError, match=r"other.fa: nothing says what generated this record.*value 'x'"):
        genolm.train_detector(natural, [files / "markov.fa", files / "other.fa"])
    table = tmp_path / "made.tsv"
    table.write_text("file\tgenerator\nother.fa\tsomebody\n")
    found = genolm.train_detector(natural, [files / "markov.fa", files / "other.fa"], provenance=table, **QUICK)
    assert "somebody" in {part["name"] for part in found.report["parts"]}


def test_too_few_or_too_short_genomes(files, natural, tmp_path):
    with pytest.raises(InputError, match="genomes of at least 3 kinds"):
        genolm.train_detector(natural[:2], files / "markov.fa", crops=(100,))
    (tmp_path / "tiny.fa").write_text(">a\nACGT\n")
    with pytest.raises(InputError, match="no genome has room for another piece of 400 bases"):
        genolm.train_detector([tmp_path / "tiny.fa"], files / "markov.fa")


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda path: (path / "detector.json").unlink(), "is no detector: there is no detector.json in it"),
        (lambda path: (path / "detector.json").write_text("{"), "the detector is damaged"),
        (lambda path: (path / "detector.json").write_text("{}"), "is no description of a detector"),
        (lambda path: (path / "weights.safetensors").unlink(), "the detector is damaged"),
        (lambda path: (path / "weights.safetensors").write_bytes(b"no"), "the detector is damaged"),
        (lambda path: edit(path, version=9), "of another version than 1"),
        (lambda path: edit(path, features="spectrum"), "parts contradict each other"),
        (lambda path: edit(path, threshold="high"), "the detector is damaged"),
    ],
)
def test_a_folder_that_is_no_detector(break_it, message, detector, tmp_path):
    save_detector(detector, tmp_path / "det", {})
    break_it(tmp_path / "det")
    with pytest.raises(InputError, match=message):
        genolm.apply_detector(tmp_path / "det", ["ACGT"])


def edit(path, **values) -> None:
    said = json.loads((path / "detector.json").read_text())
    (path / "detector.json").write_text(json.dumps(said | values))


def test_training_without_scikit_learn_says_what_to_install(files, natural, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(GenolmError, match=r"pip install 'genolm\[detect\]'"):
        genolm.train_detector(natural, files / "markov.fa")
