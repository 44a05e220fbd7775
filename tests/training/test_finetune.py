"""Fine-tuning from a recipe file: heads for labels and tracks, low-rank updates, answers of conversations."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training.finetune_data import LABELS, START, finetune_values, write_finetune_recipe

import genolm
from genolm.errors import InputError, RunError
from genolm.models.networks.network import tensors_of
from genolm.training.finetune import FinetuningTask, finetune
from genolm.training.recipes.finetune_recipe import FinetuneRecipe
from genolm.training.trainer.workers import Workers

HEADS = ["labels", "tracks", "lora"]
KINDS = [*HEADS, "answers"]


def released(folder: Path) -> dict[str, bytes]:
    """Content of all files of a release but the card, which has the time of nothing but the names of folders."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "card.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def reports(run: Path, name: str) -> list:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line[name] for line in lines if name in line]


def by_step(run: Path, name: str) -> dict[int, float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line[name] for line in lines if name in line}


@pytest.mark.parametrize("kind", KINDS)
def test_interrupted_equals_uninterrupted(kind: str, tmp_path: Path) -> None:
    recipe = write_finetune_recipe(kind, tmp_path)
    whole = finetune(recipe, tmp_path / "whole")

    def stop(report: dict) -> None:
        if report["step"] == 3 and "gradient_norm" in report:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt, match="stopped after step 4"):
        finetune(recipe, tmp_path / "parts", log=stop)
    parts = finetune(recipe, tmp_path / "parts", resume=True)
    assert released(parts) == released(whole)
    name = "nats_per_token" if kind == "answers" else "loss"
    found, expected = (by_step(tmp_path / run, name) for run in ("parts", "whole"))
    assert found.items() <= expected.items() and set(expected) - set(found) == {4}  # the step that was interrupted
    assert reports(tmp_path / "parts", f"held_out_{name}")[-1] == reports(tmp_path / "whole", f"held_out_{name}")[-1]


def test_labels_of_sequences_are_learned_and_the_model_gives_them(tmp_path: Path) -> None:
    recipe = write_finetune_recipe("labels", tmp_path, steps=24, batch_rows=8, release="fp32")
    model = genolm.load(finetune(recipe, tmp_path / "run"), dtype="float32")
    assert reports(tmp_path / "run", "held_out_accuracy")[-1]["test"] == 1.0
    assert model.card.heads["richness"].config.labels == ("weak", "strong")
    assert model.card.metrics["test_accuracy"] == 1.0
    assert model.card.training["recipe"]["objective"] == "labels"
    for sequence, label in (("GCGCGGCCGCGCATGC", 1), ("ATATTAATTTAATACA", 0)):
        ids = torch.from_numpy(model.with_special_tokens(model.tokenizer.encode(sequence))[None].astype("int64"))
        outputs = model.headed(ids, heads=("richness",))["richness"]
        assert int(outputs.argmax(-1)) == label


@pytest.mark.parametrize(
    ("head", "column"),
    [
        ({"kind": "labels", "labels": ["weak", "strong"], "of": "token"}, "of_bases"),
        (
            {"kind": "labels", "labels": ["strength"], "task": "regression", "means": [0.5], "deviations": [0.3]},
            "label",
        ),
    ],
)
def test_labels_of_bases_and_numbers_are_learned(head: dict, column: str, tmp_path: Path) -> None:
    data = {**finetune_values("labels", tmp_path)["data"], "label": column}
    values = {"heads": {"new": head}, "data": data, "steps": 24, "batch_rows": 8}
    finetune(write_finetune_recipe("labels", tmp_path, **values), tmp_path / "run")
    losses = reports(tmp_path / "run", "held_out_loss")
    assert losses[-1]["test"] < 0.6 * losses[0]["test"]
    metric = "accuracy" if column == "of_bases" else "pearson"
    assert reports(tmp_path / "run", f"held_out_{metric}")[-1]["test"] > 0.8


@pytest.mark.parametrize("loss", ["mse", "poisson"])
def test_tracks_are_learned_in_their_scale(loss: str, tmp_path: Path) -> None:
    recipe = write_finetune_recipe("tracks", tmp_path, steps=30, batch_rows=6, loss=loss, release="fp32")
    model = genolm.load(finetune(recipe, tmp_path / "run"), dtype="float32")
    assert reports(tmp_path / "run", "held_out_pearson_log1p")[-1]["test"] > 0.8
    assert reports(tmp_path / "run", "track_means")[0] == {"plus": 6.0, "minus": 3.0}
    assert model.card.heads["coverage"].config.means == (6.0, 3.0)
    sequence = "ACGTTGCAATGCGGCATAAT"
    ids = torch.from_numpy(model.with_special_tokens(model.tokenizer.encode(sequence))[None].astype("int64"))
    head = model.headed.head("coverage")
    tracks = head.predictions(model.headed(ids, heads=("coverage",))["coverage"])[0].detach().numpy()
    strong = np.isin(list(sequence), ["C", "G"])
    assert tracks[strong, 0].mean() > 2 * tracks[~strong, 0].mean()
    assert tracks[~strong, 1].mean() > 2 * tracks[strong, 1].mean()


def test_statistics_of_norms_are_checkpointed_and_released(tmp_path: Path) -> None:
    recipe = write_finetune_recipe("tracks", tmp_path, trainable="heads", steps=3)
    model = finetune(recipe, tmp_path / "run")
    stored = load_file(tmp_path / "run/checkpoints/step-3/state.safetensors")
    kept = load_file(model / "heads/coverage.safetensors")
    assert kept["bn1.num_batches_tracked"].item() == 3
    for name in ("bn1.running_mean", "bn1.running_var", "bn2.running_mean", "bn2.running_var"):
        assert torch.equal(kept[name], stored[f"buffer.heads.coverage.{name}"])
        assert not torch.equal(kept[name], torch.full_like(kept[name], float(name.endswith("var"))))
    assert not any(name.startswith("weight.backbone") for name in stored)
    loaded = genolm.load(model, dtype="float32").added_heads["coverage"]
    assert all(torch.equal(value, tensors_of(loaded)[name]) for name, value in kept.items())


def test_a_frozen_backbone_is_released_as_it_was_and_its_head_is_trained_further(tmp_path: Path) -> None:
    values = {"trainable": "heads", "release": "fp32"}
    first = finetune(write_finetune_recipe("labels", tmp_path, **values), tmp_path / "first")
    start, model = genolm.load(START), genolm.load(first, dtype="float32")
    assert all(torch.equal(value, tensors_of(model.network)[name]) for name, value in tensors_of(start.network).items())
    further = write_finetune_recipe("labels", tmp_path, **values, start=str(first), name="further")
    task = FinetuningTask(FinetuneRecipe.load(further))
    (tmp_path / "fresh").mkdir()
    network = task.trainer(tmp_path / "fresh", Workers()).network
    for name, value in tensors_of(model.added_heads["richness"]).items():
        assert torch.equal(tensors_of(network)[f"heads.richness.{name}"], value)
    other = {"other": {**LABELS, "hidden": 4}}
    both = finetune(
        write_finetune_recipe("labels", tmp_path, **values, start=str(first), heads=other), tmp_path / "both"
    )
    assert set(genolm.load(both).added_heads) == {"richness", "other"}


def test_low_rank_updates_are_an_adapter_of_their_start(tmp_path: Path) -> None:
    start = genolm.load(START).network
    adapter = finetune(write_finetune_recipe("lora", tmp_path, steps=24, batch_rows=8), tmp_path / "run")
    assert {path.name for path in adapter.iterdir()} >= {"adapter_config.json", "adapter_model.safetensors", "heads"}
    stored = load_file(tmp_path / "run/checkpoints/step-24/state.safetensors")
    weights = {name for name in stored if name.startswith("weight.")}
    assert all("lora_" in name or name.startswith("weight.heads.") for name in weights)
    model = genolm.load(START, adapter=adapter, dtype="float32")
    assert "richness" in model.added_heads
    changed = {
        name for name, value in tensors_of(model.network).items() if not torch.equal(value, tensors_of(start)[name])
    }
    assert changed and all("attention.query" in name or "ffn.up" in name for name in changed)
    assert reports(tmp_path / "run", "held_out_accuracy")[-1]["test"] == 1.0


@pytest.mark.parametrize("start", ["base", "$FOLDER_OF_BASES/base"])
def test_an_adapter_finds_its_base_from_another_folder(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genolm.save(genolm.load(START), tmp_path / "base")
    monkeypatch.setenv("FOLDER_OF_BASES", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    adapter = finetune(write_finetune_recipe("lora", tmp_path, start=start, steps=1), tmp_path / "run")
    monkeypatch.chdir("/")
    monkeypatch.delenv("FOLDER_OF_BASES")
    assert set(genolm.load(adapter).added_heads) == {"richness"}


def test_an_adapter_is_refused_as_the_base_of_another_one_before_training(tmp_path: Path) -> None:
    adapter = finetune(write_finetune_recipe("lora", tmp_path, steps=1), tmp_path / "one")
    with pytest.raises(InputError, match=r"start is an adapter, .*merge it first"):
        finetune(write_finetune_recipe("lora", tmp_path, start=str(adapter), steps=1), tmp_path / "two")
    assert not (tmp_path / "two").exists()
    genolm.convert(adapter, tmp_path / "merged")
    recipe = write_finetune_recipe("lora", tmp_path, start=str(tmp_path / "merged"), steps=1, heads={"other": LABELS})
    assert "other" in genolm.load(finetune(recipe, tmp_path / "three")).added_heads


def test_answers_count_and_questions_do_not(tmp_path: Path) -> None:
    recipe = FinetuneRecipe.load(write_finetune_recipe("answers", tmp_path))
    task = FinetuningTask(recipe)
    rows = task.feed.rows(0, 0, 1)
    assert rows.counted_RL is not None and rows.counted_RL.sum(1).tolist() == [9, 9]
    tokenizer = task.start.model.tokenizer
    question, answer = (tokenizer.decode(rows.ids_RL[0, part]) for part in (slice(0, 8), slice(9, 17)))
    assert answer == question[::-1].translate(str.maketrans("ACGT", "TGCA"))
    finetune(replace(recipe, steps=20, batch_rows=8), tmp_path / "run")
    values = reports(tmp_path / "run", "nats_per_token")
    assert values[-1] < 0.6 * values[0]


@pytest.mark.parametrize("kind", ["labels", "tracks"])
def test_a_label_that_is_not_finite_stops_with_step_and_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = FinetuneRecipe.load(write_finetune_recipe(kind, tmp_path))
    task = FinetuningTask(recipe)
    plain = type(task.feed).rows

    def planted(self: object, step: int, team: int, teams: int) -> object:
        rows = plain(self, step, team, teams)
        if step == 4:
            rows.targets[0] = np.nan
        return rows

    monkeypatch.setattr(type(task.feed), "rows", planted)
    with pytest.raises(RunError, match=r"step 5: not finite: the targets; .* newest checkpoint is \S+step-4") as caught:
        finetune(recipe, tmp_path / "run")
    assert caught.value.code == "training-diverged"
    monkeypatch.undo()
    whole, again = finetune(recipe, tmp_path / "whole"), finetune(recipe, tmp_path / "run", resume=True)
    assert released(whole) == released(again)


WRONG = {
    "heads must have exactly one head": {"heads": {}},
    "the objective labels requires a head of the kind labels": {"heads": {"a": {"kind": "tracks", "tracks": ["x"]}}},
    "head a: kind must be one of": {"heads": {"a": {"kind": "label"}}},
    "trainable: lora and the settings lora belong together": {"trainable": "lora"},
    "trainable must be all, heads or lora": {"trainable": "some"},
    "unknown key in recipe; .*'corpus'": {"corpus": {}},
    "objective must be labels, tracks or answers": {"objective": "causal"},
    "class_weights must be balanced, or have a weight for each of weak, strong": {"class_weights": {"weak": 2}},
    "the class weight of strong must be a positive number": {"class_weights": {"weak": 1, "strong": 0}},
    "focal must not be negative": {"focal": -1.0},
    "class_weights and focal require a head of classes or several labels": {
        "focal": 2.0,
        "heads": {"a": {"kind": "labels", "labels": ["x"], "task": "regression"}},
    },
    "unknown key in data": {"data": {"train": "a.csv", "test": "b.csv"}},
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_recipe_is_refused(message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"labels\.yaml: {message}"):
        FinetuneRecipe.load(write_finetune_recipe("labels", tmp_path, **WRONG[message]))


def test_what_does_not_fit_the_start_is_refused_before_anything(tmp_path: Path) -> None:
    wrong = {
        "context must not exceed the start's max_positions": {"context": 10**8},
        "does not fit its start: .*pooling first": {"heads": {"a": {**LABELS, "pooling": "first"}}},
        "the recipe's start: ": {"start": "no-such-model"},
        "labels of bases require a model with one base per token": {
            "start": "tiny-random-bert", "heads": {"a": {**LABELS, "of": "token"}},
        },
    }  # fmt: skip
    for message, values in wrong.items():
        with pytest.raises(InputError, match=message):
            finetune(write_finetune_recipe("labels", tmp_path, **values), tmp_path / "run")
    encoder = write_finetune_recipe("answers", tmp_path, start="tiny-random-bert")
    with pytest.raises(InputError, match="the objective answers requires a causal start"):
        finetune(encoder, tmp_path / "run")


def test_encoders_have_heads_too(tmp_path: Path) -> None:
    recipe = write_finetune_recipe("labels", tmp_path, start="tiny-random-bert", steps=16, batch_rows=8)
    finetune(recipe, tmp_path / "run")
    losses = reports(tmp_path / "run", "loss")
    assert losses[-1] < 0.7 * losses[0]


# The parent imports and never computes, so that its children may be forked.
_KILLED = """
import os, signal, sys
import torch
from genolm.training.finetune import finetune

def kill(report):
    if report["step"] == 5 and "gradient_norm" in report:
        os.kill(os.getpid(), signal.SIGKILL)

for recipe in sys.argv[2:]:
    child = os.fork()
    if child == 0:
        torch.set_num_threads(int(sys.argv[1]))  # sums of gradients depend on it
        finetune(recipe, recipe.removesuffix(".yaml") + "/killed", log=kill)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    recipes = [write_finetune_recipe(kind, tmp_path) for kind in HEADS]  # with dropout
    words = [sys.executable, "-c", _KILLED, str(torch.get_num_threads()), *map(str, recipes)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(-signal.SIGKILL)] * len(HEADS), done.stderr
    for kind, recipe in zip(HEADS, recipes, strict=True):
        whole = finetune(recipe, tmp_path / "whole" / kind)
        assert released(finetune(recipe, tmp_path / kind / "killed", resume=True)) == released(whole)
        assert by_step(tmp_path / kind / "killed", "loss") == by_step(tmp_path / "whole" / kind, "loss")
