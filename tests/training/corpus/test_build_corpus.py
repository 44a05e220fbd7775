"""A corpus on disk: equal to that in memory, complete or absent, with a correct table; all damage is reported."""

import gzip
import hashlib
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pysam
import pytest
import yaml
from tests.training.conftest import random_dna

import genolm
from genolm.errors import InputError, RunError
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import CorpusRecipe, RowOrder, build_corpus, inspect_corpus, load_corpus
from genolm.training.corpus.corpus_manifest import sealed
from genolm.training.pretrain import pretrain
from genolm.training.recipes.pretrain_recipe import Recipe

TOKENIZER = NucleotideTokenizer(iupac="N")
CONTIGS = {
    "chr1": random_dna(3000, 1) + "N" * 50 + random_dna(400, 2).lower(),
    "chr2": random_dna(2500, 3),
    "chr3": random_dna(700, 4) + random_dna(800, 5).lower(),
    "chr4": random_dna(2500, 3),
}
TEXT = "".join(f">{name}\n{sequence}\n" for name, sequence in CONTIGS.items())


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusRecipe:
    (tmp_path / "one.fa").write_text(TEXT)
    (tmp_path / "two.fa").write_text(f">22\n{random_dna(900, 7)}\n>x\n{CONTIGS['chr3'][200:]}{random_dna(1100, 8)}\n")
    files = {name: (str(tmp_path / f"{name}.fa"),) for name in ("one", "two")}
    return CorpusRecipe(sources=files, held_out={"test": ("chr3",), "valid": ("two/22",)}, min_run=50)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_built_corpus_is_the_one_in_memory(corpus: CorpusRecipe, tmp_path: Path) -> None:
    recipe = replace(corpus, weights={"one": 1, "two": 2}, strand=0.3, longest_n_run=60)
    memory = load_corpus(recipe, TOKENIZER)
    disk = load_corpus(CorpusRecipe(built=str(build_corpus(recipe, tmp_path / "built"))), TOKENIZER)
    assert list(disk.splits) == list(memory.splits) == ["train", "test", "valid"]
    for name, runs in memory.splits.items():
        assert [(run.assembly, run.interval) for run in disk.splits[name]] == [
            (run.assembly, run.interval) for run in runs
        ]
        assert all(np.array_equal(one.ids, other.ids) for one, other in zip(disk.splits[name], runs, strict=True))
    assert (disk.left_out, disk.dropped, disk.held_out) == (memory.left_out, memory.dropped, memory.held_out)
    assert disk.dropped > 0 and disk.left_out["duplicate"]["contigs"] == 1
    orders = [RowOrder(one.splits["train"], 64, 4, 5, TOKENIZER) for one in (memory, disk)]
    for step in range(2 * orders[0].epoch_batches(0)):
        one, other = (order.batch(step) for order in orders)
        assert np.array_equal(one.ids_RL, other.ids_RL)


def test_the_table_says_where_every_base_is_from(corpus: CorpusRecipe, tmp_path: Path) -> None:
    folder = build_corpus(corpus, tmp_path / "built", shard_bytes=1000)
    table = pl.read_parquet(folder / "documents.parquet")
    assert table["length"].max() == 1000 and table["shard"].n_unique() > 6
    manifest = json.loads((folder / "manifest.json").read_text())
    assert all(shard["bytes"] <= 1000 for shard in manifest["shards"])
    for shard in manifest["shards"]:
        assert hashlib.sha256((folder / shard["file"]).read_bytes()).hexdigest() == shard["sha256"]
    for row in table.filter(pl.col("assembly") == "one").to_dicts():
        ids = np.fromfile(folder / row["shard"], np.uint8)[row["offset"] : row["offset"] + row["length"]]
        stretch = CONTIGS[row["contig"]][row["start"] : row["end"]]
        assert TOKENIZER.decode(ids) == stretch.upper()
        assert row["soft_masked"] == pytest.approx(sum(letter.islower() for letter in stretch) / len(stretch))
        assert (row["source"], row["strand"]) == ("one", "random")


def test_same_files_same_bytes_however_they_are_compressed(corpus: CorpusRecipe, tmp_path: Path) -> None:
    first = content(build_corpus(corpus, tmp_path / "first"))
    assert content(build_corpus(corpus, tmp_path / "again")) == first
    (tmp_path / "one.fa.gz").write_bytes(gzip.compress(TEXT.encode()))
    with pysam.BGZFile(str(tmp_path / "one.fa.bgz"), "wb", None) as file:
        file.write(TEXT.encode())
    for name in ("one.fa.gz", "one.fa.bgz"):
        sources = {**corpus.sources, "one": (str(tmp_path / name),)}
        packed = content(build_corpus(replace(corpus, sources=sources), tmp_path / name.replace(".", "-")))
        assert {**packed, "manifest.json": b""} == {**first, "manifest.json": b""}


def test_the_manifest_names_inputs_and_options(corpus: CorpusRecipe, tmp_path: Path) -> None:
    folder = build_corpus(corpus, tmp_path / "built")
    manifest = json.loads((folder / "manifest.json").read_text())
    one = manifest["inputs"][0]
    assert (one["assembly"], one["source"], one["contigs"]) == ("one", "one", 4)
    assert one["sha256"] == hashlib.sha256(TEXT.encode()).hexdigest()
    assert manifest["options"]["held_out"] == {"test": ["chr3"], "valid": ["two/22"]}
    assert manifest["tokenizer"]["symbols"] == dict(TOKENIZER.symbols)
    assert manifest["read"]["bases"] == sum(map(len, CONTIGS.values())) + 900 + 2400
    kept = sum(split["bases"] for split in manifest["splits"].values())
    assert kept + sum(rule["bases"] for rule in manifest["dropped"].values()) == manifest["read"]["bases"]


def test_nothing_is_left_of_a_build_that_fails(corpus: CorpusRecipe, tmp_path: Path) -> None:
    with (tmp_path / "two.fa").open("a") as file:
        file.write(">bad\nACGT!ACGT\n")
    before = set(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"two\.fa:6: not a base"):
        build_corpus(corpus, tmp_path / "deep/built")
    assert set(tmp_path.iterdir()) == before | {tmp_path / "deep"} and not list((tmp_path / "deep").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_of_a_build_that_is_stopped(corpus: CorpusRecipe, tmp_path: Path, number: int) -> None:
    before = set(tmp_path.iterdir())
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job of the background ignores it

    def stop(report: str) -> None:
        if report == "training: one chr2":
            assert list(tmp_path.glob(".partial-*")) != []
            os.kill(os.getpid(), number)

    try:
        with pytest.raises(KeyboardInterrupt):
            build_corpus(corpus, tmp_path / "built", progress=stop)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert set(tmp_path.iterdir()) == before


def test_what_a_killed_build_left_is_swept_away(corpus: CorpusRecipe, tmp_path: Path) -> None:
    (tmp_path / ".partial-0badcafe-built").mkdir()
    build_corpus(corpus, tmp_path / "built")
    assert not list(tmp_path.glob(".partial-*"))


def test_two_builds_of_one_folder_do_not_meet(corpus: CorpusRecipe, tmp_path: Path) -> None:
    refused = []

    def again(report: str) -> None:
        if not refused:
            with pytest.raises(RunError, match="another run is using this folder") as error:
                build_corpus(corpus, tmp_path / "built")
            refused.append(error)

    before = set(tmp_path.iterdir())
    build_corpus(corpus, tmp_path / "built", progress=again)
    assert refused and set(tmp_path.iterdir()) == before | {tmp_path / "built"}


def test_a_folder_that_is_there_stays(corpus: CorpusRecipe, tmp_path: Path) -> None:
    folder = build_corpus(corpus, tmp_path / "built")
    with pytest.raises(RunError, match="exists; choose another folder, or pass overwrite=True"):
        build_corpus(corpus, folder)
    build_corpus(replace(corpus, min_run=600), folder, overwrite=True)
    assert json.loads((folder / "manifest.json").read_text())["options"]["min_run"] == 600
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="is not a corpus folder; refusing to overwrite it"):
        build_corpus(corpus, tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine/thesis.txt").exists()


def test_yaml_is_a_recipe_or_its_corpus(recipe: Recipe, tmp_path: Path) -> None:
    mapping = {"fasta": list(recipe.corpus.fasta), "held_out": {"test": ["chr3"]}, "min_run": 50}
    files = {"corpus.yaml": mapping, "recipe.yaml": {"name": "x", "model": {}, "corpus": mapping}}
    for name, values in files.items():
        (tmp_path / name).write_text(yaml.safe_dump(values))
    built = [content(genolm.corpus.build(tmp_path / name, tmp_path / name[:-5])) for name in files]
    assert built[0] == built[1]
    (tmp_path / "corpus.yaml").write_text(yaml.safe_dump({**mapping, "min_rum": 5}))
    with pytest.raises(InputError, match=r"corpus\.yaml: unknown key in corpus.*'min_rum'"):
        build_corpus(tmp_path / "corpus.yaml", tmp_path / "never")


def test_training_from_a_built_corpus_is_training_from_its_files(recipe: Recipe, tmp_path: Path) -> None:
    built = replace(recipe, corpus=CorpusRecipe(built=str(build_corpus(recipe.corpus, tmp_path / "built"))))
    folders = [pretrain(one, tmp_path / name) for one, name in ((recipe, "memory"), (built, "disk"))]
    weights = [(folder / "model.safetensors").read_bytes() for folder in folders]
    assert weights[0] == weights[1]
    assert "Held out of training: test: chr3." in genolm.load(folders[1]).card.notes


def test_a_run_is_not_resumed_on_another_corpus(recipe: Recipe, tmp_path: Path) -> None:
    folder = build_corpus(recipe.corpus, tmp_path / "built")
    built = replace(recipe, steps=2, corpus=CorpusRecipe(built=str(folder)))
    pretrain(built, tmp_path / "run", steps=1)
    build_corpus(replace(recipe.corpus, min_run=300), folder, overwrite=True)
    with pytest.raises(RunError, match="contains the run of another recipe"):
        pretrain(built, tmp_path / "run", resume=True)


def test_weights_may_be_given_anew(corpus: CorpusRecipe, tmp_path: Path) -> None:
    folder = str(build_corpus(replace(corpus, weights={"one": 1, "two": 1}), tmp_path / "built"))
    runs = load_corpus(CorpusRecipe(built=folder, weights={"two": 5, "one": 1}), TOKENIZER).splits["train"]
    assert runs.mixing.weights == (1.0, 5.0)
    with pytest.raises(
        InputError, match=r"weights must name each source once; the sources are one, two \(value 'two'\)"
    ):
        load_corpus(CorpusRecipe(built=folder, weights={"one": 1}), TOKENIZER)


@pytest.mark.parametrize("build", [False, True])
def test_a_weight_of_a_source_without_bases_is_refused(corpus: CorpusRecipe, tmp_path: Path, build: bool) -> None:
    recipe = replace(corpus, weights={"one": 1, "two": 1}, held_out={"test": ("two/*",)}, skip=())
    with pytest.raises(InputError, match=r"a source with a weight has no training bases left \(value 'two'\)"):
        build_corpus(recipe, tmp_path / "built") if build else load_corpus(recipe, TOKENIZER)


def test_inspecting_tells_what_is_there(corpus: CorpusRecipe, tmp_path: Path) -> None:
    facts = inspect_corpus(build_corpus(corpus, tmp_path / "built", shard_bytes=1700))
    groups = {(row["split"], row["assembly"]): row for row in facts["groups"]}
    assert set(groups) == {("test", "one"), ("train", "one"), ("train", "two"), ("valid", "two")}
    test = groups["test", "one"]
    assert (test["documents"], test["bases"]) == (1, 1500) and test["soft_masked"] == pytest.approx(800 / 1500)
    letters = CONTIGS["chr3"].upper()
    assert test["gc"] == pytest.approx((letters.count("G") + letters.count("C")) / 1500)
    assert {row["rule"]: row["bases"] for row in facts["dropped"]} == {"n_run": 50, "duplicate": 2500, "leak": 1000}
    assert facts["intact"] is True


def test_a_damaged_shard_is_named(corpus: CorpusRecipe, tmp_path: Path) -> None:
    folder = build_corpus(corpus, tmp_path / "built", shard_bytes=1700)
    shard = folder / "train-00001.tokens"
    good = shard.read_bytes()
    for bad, message in (
        (good[:-1] + b"\7", r"train-00001\.tokens: the shard is damaged or was changed"),
        (good[:-1], r"train-00001\.tokens: the shard is damaged: its size is not the [\d,]+ bytes"),
    ):
        shard.write_bytes(bad)
        for use in (inspect_corpus, lambda built: load_corpus(CorpusRecipe(built=str(built)), TOKENIZER)):
            with pytest.raises(InputError, match=message):
                use(folder)
    shard.unlink()
    with pytest.raises(InputError, match=r"train-00001\.tokens: a shard of the corpus is missing"):
        inspect_corpus(folder)


BAD_MANIFESTS = {
    "no JSON": ("{", "corrupt: not valid JSON"),
    "a list": ("[]", "not the manifest of a built corpus"),
    "another format": ('{"format": "other"}', "not the manifest of a built corpus"),
    "a later version": (
        '{"format": "genolm corpus", "version": 2}',
        r"unsupported format version: expected 1 \(value 2\)",
    ),
    "nothing in it": ('{"format": "genolm corpus", "version": 1}', "damaged or changed: its sha256 does not match"),
    "nothing in it, sealed": (sealed({"format": "genolm corpus", "version": 1}), "damaged: KeyError 'options'"),
}


@pytest.mark.parametrize(("text", "message"), BAD_MANIFESTS.values(), ids=BAD_MANIFESTS)
def test_a_bad_manifest_is_named(corpus: CorpusRecipe, tmp_path: Path, text: str, message: str) -> None:
    folder = build_corpus(corpus, tmp_path / "built")
    (folder / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=rf"manifest\.json: {message}"):
        inspect_corpus(folder)


def test_other_symbols_are_refused(corpus: CorpusRecipe, tmp_path: Path) -> None:
    folder = build_corpus(corpus, tmp_path / "built")
    symbols = {**TOKENIZER.symbols, "A": TOKENIZER.symbols["C"], "C": TOKENIZER.symbols["A"]}
    with pytest.raises(InputError, match="token symbols of the corpus differ"):
        load_corpus(CorpusRecipe(built=str(folder)), NucleotideTokenizer(symbols, iupac="N"))


def test_regions_named_by_an_alias_file_need_no_fasta_later(tmp_path: Path) -> None:
    (tmp_path / "one.fa").write_text(TEXT)
    (tmp_path / "one.chromAlias.txt").write_text("# ucsc\trefseq\nchr1\tNC_1.1\nchr3\tNC_3.1\n")
    recipe = CorpusRecipe((str(tmp_path / "one.fa"),), {"test": ("NC_3.1",)}, min_run=50)
    folder = build_corpus(recipe, tmp_path / "built")
    assert json.loads((folder / "manifest.json").read_text())["inputs"][0]["aliases"] == [["chr3", "NC_3.1"]]
    for file in tmp_path.glob("one.*"):
        file.unlink()
    corpus = load_corpus(CorpusRecipe(built=str(folder)), TOKENIZER)
    assert {run.interval.chrom for run in corpus.splits["test"]} == {"chr3"}
