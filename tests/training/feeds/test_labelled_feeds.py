"""Feeds of tables, genome windows and conversations: what they hold, and what is wrong in a file is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from tests.training.finetune_data import finetune_values, write_finetune_recipe, write_tables

from genolm.errors import InputError
from genolm.genome.bigwig import write_bigwig
from genolm.training.feeds.shuffled_items import ShuffledItems
from genolm.training.feeds.track_windows import tiles
from genolm.training.finetune import FinetuningTask
from genolm.training.recipes.finetune_recipe import FinetuneRecipe
from genolm.training.trainer.training_plan import Stage, TrainingPlan


def task(kind: str, folder: Path, **values: object) -> FinetuningTask:
    return FinetuningTask(FinetuneRecipe.load(write_finetune_recipe(kind, folder, **values)))


def test_every_epoch_has_every_item_once_for_any_number_of_teams() -> None:
    items = ShuffledItems(7, TrainingPlan(batch_rows=4, steps=14, context=8))
    seen = [item for step in range(14) for item in items.of_step(step, 0, 1)]
    epochs = [seen[start : start + 7] for start in range(0, 56, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs) and len({tuple(epoch) for epoch in epochs}) > 4
    for step in (3, 0, 13):
        both = [items.of_step(step, team, 2) for team in range(2)]
        assert [item for pair in zip(*both, strict=True) for item in pair] == seen[4 * step : 4 * step + 4]
    staged = ShuffledItems(7, TrainingPlan().staged((Stage(8, 2, 3), Stage(16, 4, 5))))
    assert [len(staged.of_step(step, 0, 1)) for step in (2, 3, 9)] == [2, 4, 4]


def test_a_table_gives_ids_labels_and_places(tmp_path: Path) -> None:
    data = write_tables(tmp_path)
    frame = pl.read_csv(data["train"]).with_columns(
        chrom=pl.lit("chr9"), start=pl.int_range(pl.len()) * 100, strand=pl.lit("-")
    )
    frame = frame.with_columns(end=pl.col("start") + pl.col("sequence").str.len_chars())
    frame.write_parquet(tmp_path / "train.parquet")
    found = task("labels", tmp_path, data={**data, "train": str(tmp_path / "train.parquet")})
    rows = found.feed.rows(0, 0, 1)
    tokenizer = found.start.model.tokenizer
    assert rows.places is not None and rows.places.contigs == ("chr9",) and rows.lengths_R is not None
    for row, _, _, start, end, reverse in rows.places.table_P.tolist():
        expected = frame.row(start // 100, named=True)
        assert tokenizer.decode(rows.ids_RL[row, : rows.lengths_R[row]]) == expected["sequence"]
        assert (end, reverse) == (expected["end"], True)
        assert ("weak", "strong")[int(rows.targets[row])] == expected["label"]


WRONG = {
    r"train\.csv:3: unknown label; the head has weak, strong .*'other'": ("ACGT,other,1,weak", {}),
    r"train\.csv:3: column label is empty here": ("ACGT,,1,weak", {}),
    r"train\.csv:3: the sequence is empty": (",weak,1,weak", {}),
    r"train\.csv:3: not a base at position 4": ("ACGJ,weak,1,weak", {}),
    r"train\.csv:3: the sequence has 60 tokens, but the context of the recipe is 48": (f"{'A' * 60},weak,1,weak", {}),
    r"train\.csv:3: 1 labels for 4 bases": (
        "ACGT,weak,1,weak",
        {"heads": {"a": {"kind": "labels", "labels": ["weak", "strong"], "of": "token"}}, "column": "of_bases"},
    ),
    r"train\.csv:3: 3 labels for 4 bases": (
        "ACGT,weak,1,01.",
        {"heads": {"a": {"kind": "labels", "labels": ["weak", "strong"], "of": "token"}}, "column": "of_bases"},
    ),
    r"train\.csv:3: no class has this index; the classes of the head are 0 to 1 \(weak, strong\) .*'2'": (
        "ACGT,weak,1,01.2",
        {"heads": {"a": {"kind": "labels", "labels": ["weak", "strong"], "of": "token"}}, "column": "of_bases"},
    ),
    r"train\.csv:3: strength must be finite .*'inf'": (
        "ACGT,weak,inf,weak",
        {"heads": {"a": {"kind": "labels", "labels": ["strength"], "task": "regression"}}},
    ),
    r"train\.csv:3: strength must be 0 or 1 .*'2'": (
        "ACGT,weak,2,weak",
        {"heads": {"a": {"kind": "labels", "labels": ["strength"], "task": "multilabel"}}},
    ),
    r"train\.csv: the table has no such column; it has sequence, label, strength, of_bases .*'kind'": (
        "ACGT,weak,1,weak",
        {"column": "kind"},
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_in_a_table_is_named_with_its_line(message: str, tmp_path: Path) -> None:
    line, values = WRONG[message]
    values = dict(values)
    data = write_tables(tmp_path)
    row = 'ACGT,strong,0,"weak,strong,strong,weak"'
    (tmp_path / "train.csv").write_text(f"sequence,label,strength,of_bases\n{row}\n{line}\n")
    data = {"train": data["train"], "label": values.pop("column", "label")}
    written = {**finetune_values("labels", tmp_path), **values, "data": data}
    (tmp_path / "train.csv").write_text(f"sequence,label,strength,of_bases\n{row}\n{line}\n")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(written))
    with pytest.raises(InputError, match=message):
        FinetuningTask(FinetuneRecipe.load(tmp_path / "recipe.yaml"))


@pytest.mark.parametrize("labels", ['"weak,strong,,weak"', "01.0"])
def test_labels_of_bases_are_words_or_characters(labels: str, tmp_path: Path) -> None:
    (tmp_path / "bases.csv").write_text(f"sequence,of_bases\nACGT,{labels}\n")
    heads = {"a": {"kind": "labels", "labels": ["weak", "strong"], "of": "token"}}
    data = {"train": str(tmp_path / "bases.csv"), "label": "of_bases"}
    rows = task("labels", tmp_path, heads=heads, data=data).feed.rows(0, 0, 1)
    assert rows.targets is not None and rows.counted_RL is not None
    assert rows.targets[0, :4, 0].tolist() == [0, 1, 0, 0]
    assert rows.counted_RL[0, :4].tolist() == [True, True, False, True]


def test_windows_cover_a_region_with_one_more_at_its_end() -> None:
    assert [(one.start, one.end) for one in tiles("c", 10, 110, 40, 20)] == [(10, 50), (30, 70), (50, 90), (70, 110)]
    assert [(one.start, one.end) for one in tiles("c", 0, 95, 40, 40)] == [(0, 40), (40, 80), (55, 95)]
    assert [(one.start, one.end) for one in tiles("c", 5, 25, 40, 40)] == [(5, 25)]


def test_windows_have_the_values_of_their_bases_as_magnitudes(tmp_path: Path) -> None:
    found = task("tracks", tmp_path)
    rows = found.feed.rows(0, 0, 1)
    tokenizer = found.start.model.tokenizer
    assert rows.places is not None and rows.targets is not None and rows.counted_RL is not None
    for row, _, contig, start, end, _ in rows.places.table_P.tolist():
        letters = np.array(list(tokenizer.decode(rows.ids_RL[row, : end - start])))
        strong = np.isin(letters, ["C", "G"])
        assert rows.places.contigs[contig] == "chr1" and rows.counted_RL[row].sum() == end - start
        assert np.array_equal(rows.targets[row][:, 0], strong.astype(np.float32))  # divided by its mean, 6
        assert np.array_equal(rows.targets[row][:, 1], (~strong).astype(np.float32))
    assert found.feed.metrics()["windows"] == {"train": len(list(tiles("c", 0, 900, 48, 24))), "test": 5}


def test_held_out_regions_are_in_no_training_window_and_no_mean(tmp_path: Path) -> None:
    data = finetune_values("tracks", tmp_path)["data"]
    found = task("tracks", tmp_path, data={**data, "held_out": {"test": ["chr1:301-600"], "other": ["chr2", "chr3"]}})
    for step in range(40):
        places = found.feed.rows(step, 0, 1).places
        assert places is not None and set(places.contigs) == {"chr1"}
        assert all(end <= 300 or start >= 600 for *_, start, end, _ in places.table_P.tolist())
    with pytest.raises(InputError, match=r"no contig with tracks lies in this region of held_out .*'chr7'"):
        task("tracks", tmp_path, data={**data, "held_out": {"test": ["chr7"]}})


def test_tracks_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    data = finetune_values("tracks", tmp_path)["data"]
    both = np.ones(900, np.float32)
    both[450:] = -1
    write_bigwig(tmp_path / "both.bw", {"chr1": 900, "chr2": 200}, [("chr1", 0, both), ("chr2", 0, both[:200])])
    with pytest.raises(InputError, match=r"both\.bw: a track has values of both signs"):
        task("tracks", tmp_path, data={**data, "tracks": {**data["tracks"], "plus": str(tmp_path / "both.bw")}})
    with pytest.raises(InputError, match="the tracks must be those of the head: plus, minus"):
        task("tracks", tmp_path, data={**data, "tracks": {"plus": data["tracks"]["plus"]}})
    write_bigwig(tmp_path / "zero.bw", {"chr1": 900, "chr2": 200}, [("chr1", 0, both * 0), ("chr2", 0, both[:200])])
    with pytest.raises(InputError, match=r"zero\.bw: the track is zero in all training sequence"):
        task("tracks", tmp_path, data={**data, "tracks": {**data["tracks"], "plus": str(tmp_path / "zero.bw")}})
    with pytest.raises(InputError, match="tracks require a model with one base per token"):
        task("tracks", tmp_path, start="tiny-random-bert")


def test_a_conversation_is_named_with_its_line(tmp_path: Path) -> None:
    recipe = FinetuneRecipe.load(write_finetune_recipe("answers", tmp_path))
    wrong = {
        '{"messages": [{"role": "user", "content": "ACG"}]}': "no message of the role assistant",
        '{"messages": "ACG"}': 'expected {"messages"',
        "not json": 'expected {"messages"',
        '{"messages": [{"role": "assistant", "content": "HELLO"}]}': "not a base at position 2",
        f'{{"messages": [{{"role": "assistant", "content": "{"A" * 60}"}}]}}': "has 61 tokens, but the context is 48",
    }
    good = '{"messages": [{"role": "user", "content": "ACG"}, {"role": "assistant", "content": "CGT"}]}'
    for line, message in wrong.items():
        (tmp_path / "train.jsonl").write_text(f"{good}\n{line}\n")
        with pytest.raises(InputError, match=rf"train\.jsonl:2: .*{message}"):
            FinetuningTask(replace(recipe))
