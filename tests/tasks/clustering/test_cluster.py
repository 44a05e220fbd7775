"""Clustering toy genomes: composition separates them, shuffled labels do not, and all of it is written down."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import genolm
from genolm.errors import GenolmError, InputError, RunError
from genolm.genome.labelled.fragments import genome_name, tiles
from genolm.genome.records import FlatRecord
from genolm.statistics.principal_components import principal_components
from genolm.tasks.clustering.clustered_fragments import tetranucleotides
from genolm.tasks.clustering.clustering_recipe import clusters, reduced, scaled, standardised

pytest.importorskip("sklearn")
WORDS = {"length": 250, "per_genome": 12, "reduce": "pca", "repeats": 2}


@pytest.fixture(scope="module")
def found(genomes):
    return genolm.cluster(genolm.load("tiny-random-dense", device="cpu"), genomes, **WORDS)


def mean(found, features: str, method: str, name: str = "ari") -> float:
    rows = found.agreement.filter((pl.col("features") == features) & (pl.col("method") == method))
    return float(rows[name].mean())


def test_composition_separates_the_species_and_shuffled_labels_do_not(found):
    assert mean(found, "tetranucleotides", "kmeans") > 0.95
    assert abs(mean(found, "tetranucleotides", "kmeans", "ari_shuffled")) < 0.15
    for features in ("model", "random weights"):
        assert mean(found, features, "kmeans") > 0.3  # even random weights see letters


def test_the_index_has_its_interval(found):
    table = found.agreement
    assert len(table) == 3 * 3 * 2
    assert (table["ari_low"] <= table["ari"] + 1e-9).all() and (table["ari"] <= table["ari_high"] + 1e-9).all()
    assert [name for name in table.columns if name.endswith("_low")] == ["ari_low"]


def test_fragments_lie_where_they_say_and_none_is_full_of_n(found, genomes):
    table = found.fragments
    from genolm.genome.labelled.fragments import read_genome

    texts = {record.id: record.sequence for path in genomes for record in read_genome(path)}
    assert len(table) == 36 and table["label"].unique().sort().to_list() == ["atrich", "gcrich", "skewed"]
    for contig, start, end in table.select("contig", "start", "end").iter_rows():
        assert end - start == 250 and end <= len(texts[contig])
        assert texts[contig][start:end].count("N") <= 0.05 * 250
    ranges = table.sort("contig", "start").group_by("contig", maintain_order=True).agg("start", "end")
    for _, starts, ends in ranges.iter_rows():
        assert all(end <= start for end, start in zip(ends, starts[1:]))
    assert set(table["model_kmeans"].unique()) == {0, 1, 2}
    assert table["tetranucleotides_x"].is_not_null().all()


def test_tiles_with_too_many_n_are_counted():
    record = FlatRecord("c", "ACGT" * 50 + "N" * 100 + "ACGT" * 50, 1)
    found = tiles("g", [record], 100, 10, 0.05, np.random.default_rng(0))
    assert len(found.fragments) + found.too_many_n in (4, 5) and found.too_many_n >= 1
    assert tiles("g", [record], 501, 10, 0.05, np.random.default_rng(0)).fragments == ()
    assert len(tiles("g", [record], 500, 10, 0.5, np.random.default_rng(0)).fragments) == 1


def test_the_same_seed_gives_the_same_and_another_seed_other_fragments(genomes, found):
    model = genolm.load("tiny-random-dense", device="cpu")
    again = genolm.cluster(model, genomes, **WORDS)
    assert again.agreement.equals(found.agreement) and again.fragments.equals(found.fragments)
    other = genolm.cluster(model, genomes, **WORDS, seed=1, twin=False)
    assert not other.fragments["start"].equals(found.fragments["start"])
    assert set(other.agreement["features"]) == {"model", "tetranucleotides"}


def test_the_embeddings_are_those_of_embed(genomes, found, monkeypatch):
    model = genolm.load("tiny-random-dense", device="cpu")
    seen = {}

    def listen(values, reduction, seed, dimensions=10):
        seen.setdefault(values.shape[1], values)
        return reduced(values, reduction, seed, dimensions)

    monkeypatch.setattr("genolm.tasks.clustering.clustered_fragments.reduced", listen)
    again = genolm.cluster(model, genomes, **WORDS, rc=True, layer=1, twin=False)
    from genolm.genome.labelled.fragments import read_genome

    texts = {record.id: record.sequence for path in genomes for record in read_genome(path)}
    pieces = [texts[c][s:e] for c, s, e in again.fragments.select("contig", "start", "end").iter_rows()]
    expected = np.stack(genolm.embed(model, pieces, rc=True, layer=1).table["embedding"].to_numpy())
    np.testing.assert_allclose(seen[expected.shape[1]], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["tiny-random-ocean", "tiny-random-bert", "tiny-random-sparse", "tiny-random-gengram"])
def test_every_kind_of_model_clusters(name, genomes):
    found = genolm.cluster(genolm.load(name, device="cpu"), genomes, length=120, per_genome=4, reduce="pca", repeats=1)
    assert set(found.agreement["features"]) == {"model", "tetranucleotides", "random weights"}
    assert len(found.fragments) == 12 and found.fragments["model_x"].n_unique() == 12


def test_without_labels_there_are_clusters_and_no_agreement(genomes):
    found = genolm.cluster("tiny-random-dense", genomes[0], **WORDS, labels="none", twin=False, device="cpu")
    assert "ari" not in found.agreement.columns and set(found.agreement["method"]) == {"dbscan", "hdbscan"}
    assert found.fragments["label"].null_count() == 12
    chosen = genolm.cluster("tiny-random-dense", genomes, **WORDS, labels="none", k=2, twin=False, device="cpu")
    rows = chosen.agreement.filter(pl.col("method") == "kmeans")
    assert rows["clusters"].to_list() == [2] * 4


def test_a_table_of_labels(genomes, tmp_path):
    table = tmp_path / "labels.tsv"
    table.write_text("genome\tlabel\natrich.fna\tone\ngcrich\ttwo\nskewed\tone\n")
    words = WORDS | {"labels": table, "twin": False, "device": "cpu"}
    found = genolm.cluster("tiny-random-dense", genomes, **words)
    assert found.fragments["label"].value_counts(sort=True)["count"].to_list() == [24, 12]
    contigs = [f"{path.stem}_{part}\t{path.stem}{part}\n" for path in genomes for part in (1, 2)]
    table.write_text("contig\tlabel\n" + "".join(contigs))
    assert genolm.cluster("tiny-random-dense", genomes, **words).fragments["label"].n_unique() == 6
    table.write_text("genome\tlabel\natrich\tone\n")
    with pytest.raises(InputError, match=r"labels.tsv: no label for this genome in the table \(value 'gcrich'\)"):
        genolm.cluster("tiny-random-dense", genomes, **words)


def test_the_folder_is_whole(genomes, tmp_path):
    words = WORDS | {"length": (250, 400), "twin": False, "device": "cpu"}
    written = genolm.cluster("tiny-random-dense", genomes, tmp_path / "out", **words)
    out = written.path
    names = {"cluster.json", "agreement.tsv", "fragments.tsv", "clusters.png", "provenance.json"}
    assert {path.name for path in out.iterdir()} == names
    report = json.loads((out / "cluster.json").read_text())
    assert set(report["drawn"]) == {"250", "400"} and report["drawn"]["400"]["gcrich"]["fragments"] == 12
    assert {row["length"] for row in report["summary"]} == {250, 400}
    assert report["settings"]["reduce"] == "pca" and report["settings"]["model"] == "tiny-random-dense"
    assert written.settings == report["settings"] and written.means == report["summary"]
    assert written.table is written.fragments and set(written.fragments["length"]) == {250, 400}
    assert set(written.agreement["length"]) == {250, 400} and written.drawn == report["drawn"]
    assert repr(written).startswith(f"Clusters: {out}, tiny-random-dense\n  ")
    with pytest.raises(RunError, match="exists"):
        genolm.cluster("tiny-random-dense", genomes, out, **words)


SMALL = {"length": (250, 400), "per_genome": 6, "reduce": "pca", "repeats": 1, "device": "cpu"}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


KILLED = """
import json, os, signal, sys
import genolm, genolm.engine.plan
from genolm.engine.parts import PartsFolder

def stop(self, number, frame, run, write=PartsFolder.write):
    size = write(self, number, frame, run)
    return size if number < 1 else os.kill(os.getpid(), signal.SIGKILL)

PartsFolder.write, genolm.engine.plan.PART_ITEMS = stop, 7
genolm.cluster("tiny-random-dense", sys.argv[3:], sys.argv[2], **json.loads(sys.argv[1]))
"""


def test_killed_and_resumed_gives_the_same_bytes(genomes, tmp_path, monkeypatch):
    monkeypatch.setattr("genolm.engine.plan.PART_ITEMS", 7)
    whole = genolm.cluster("tiny-random-dense", genomes, tmp_path / "whole", **SMALL).path
    command = [sys.executable, "-c", KILLED, json.dumps(SMALL), tmp_path / "out", *genomes]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=120, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list((tmp_path / "out.parts").glob("part-*.parquet"))) == 2
    assert not (tmp_path / "out").exists()
    with pytest.raises(RunError, match="pass resume=True to continue"):
        genolm.cluster("tiny-random-dense", genomes, tmp_path / "out", **SMALL)
    with pytest.raises(RunError, match=r"setting fragments.settings.max_n \(was 0.05, now 0.5\)"):
        genolm.cluster("tiny-random-dense", genomes, tmp_path / "out", **SMALL, max_n=0.5, resume=True)
    resumed = genolm.cluster("tiny-random-dense", genomes, tmp_path / "out", **SMALL, resume=True).path
    assert contents(resumed) == contents(whole)
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "out"}


def test_kept_embeddings_are_clustered_with_other_settings(genomes, tmp_path):
    parts = tmp_path / "kept.parts"
    kept = genolm.cluster("tiny-random-dense", genomes, tmp_path / "kept", **SMALL, keep_parts=True)
    table = tmp_path / "labels.tsv"
    table.write_text("genome\tlabel\natrich\ta\ngcrich\tb\nskewed\ta\n")
    others = (
        {},
        {"k": 2, "repeats": 1},
        {"reduce": "none", "resample": "fragments"},
        {"labels": table, "tables": "parquet"},
    )
    for number, other in enumerate(others):
        whole = (
            genolm.cluster("tiny-random-dense", genomes, tmp_path / f"whole{number}", **SMALL | other)
            if other
            else kept
        )
        assert contents(genolm.cluster(out=tmp_path / f"again{number}", from_=parts, **other).path) == contents(
            whole.path
        )
    found = genolm.cluster(from_=parts, labels="none")
    assert "ari" not in found.agreement.columns
    table.write_text("genome\tlabel\natrich\ta\n")
    with pytest.raises(InputError, match="gcrich"):
        genolm.cluster(from_=parts, out=tmp_path / "new", labels=table)
    for name, value in (("seed", 1), ("length", 100), ("twin", False)):
        with pytest.raises(InputError, match=f"so {name} cannot be given with it"):
            genolm.cluster(from_=parts, **{name: value})
    for name, value in (("k", 1), ("repeats", 0), ("resample", "x"), ("reduce", "x")):
        with pytest.raises(InputError, match=name):
            genolm.cluster(from_=parts, out=tmp_path / "new", **{name: value})
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match="a model and genomes are required"):
        genolm.cluster("tiny-random-dense")


def test_shards_merge_into_the_bytes_of_one_run(genomes, tmp_path, monkeypatch):
    monkeypatch.setattr("genolm.engine.plan.PART_ITEMS", 7)
    labels = tmp_path / "labels.tsv"
    labels.write_text("genome\tlabel\natrich\tone\ngcrich\ttwo\nskewed\tone\n")
    words = SMALL | {"labels": labels, "tables": "parquet"}
    whole = genolm.cluster("tiny-random-ocean", genomes, tmp_path / "whole", **words).path
    for shard in ("2/2", "1/2"):
        genolm.cluster("tiny-random-ocean", genomes, tmp_path / "out", **words, shard=shard)
    genolm.merge(tmp_path / "out")
    assert contents(tmp_path / "out") == contents(whole)
    assert json.loads((whole / "cluster.json").read_text())["settings"]["labels"] == str(labels)


def test_batches_give_what_single_fragments_give(genomes):
    words = SMALL | {"rc": True}
    together, alone = (genolm.cluster("tiny-random-bert", genomes, **words, batch_tokens=n) for n in (100_000, 1))
    for table in ("agreement", "fragments"):
        for name in together.tables[table].columns:
            one, other = together.tables[table][name], alone.tables[table][name]
            if one.dtype.is_float():
                np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), rtol=1e-3, atol=1e-4)
            else:
                assert one.equals(other), name


def test_tetranucleotides_are_the_same_on_both_strands():
    one, other = tetranucleotides(
        ["ACGTTGCAAGGC" * 10, ("ACGTTGCAAGGC" * 10)[::-1].translate(str.maketrans("ACGT", "TGCA"))]
    )
    assert one.shape == (136,) and one.sum() == pytest.approx(1)
    np.testing.assert_array_equal(one, other)


def test_the_recipe_finds_clumps_and_noise():
    random = np.random.default_rng(0)
    clumps = np.concatenate([random.normal(place, 0.02, (30, 3)) for place in (0, 5, 10)] + [[[30.0, -20.0, 7.0]]])
    for method, last in (("dbscan", -1), ("hdbscan", -1), ("kmeans", None)):
        numbers = clusters(standardised(clumps), method, 0, 4)
        assert [len(set(numbers[start : start + 30])) for start in (0, 30, 60)] == [1, 1, 1]
        assert len(set(numbers[:90])) == 3
        assert numbers[90] == last if last else numbers[90] not in set(numbers[:90])


def test_components_are_ordered_and_constants_stay():
    random = np.random.default_rng(1)
    values = random.normal(size=(50, 4)) * [1, 5, 0.1, 0] + 3
    found, shares = principal_components(values, 3)
    assert np.all(np.diff(shares) < 0)
    assert np.all(np.diff(found.std(0)) < 0) and found.std(0)[0] == pytest.approx(values[:, 1].std(), rel=0.1)
    for one in (standardised(values), scaled(values, "umap")):
        assert one.std(0) == pytest.approx([1, 1, 1, 0], abs=1e-9) and one.mean(0) == pytest.approx(0, abs=1e-9)
    assert scaled(found, "pca").std(0) == pytest.approx(found.std(0) / found.std(0)[0])
    assert reduced(values, "none", 0) is values


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"length": 0}, "length must be at least 1"),
        ({"length": (200, 200)}, "duplicate fragment length"),
        ({"length": 3}, "length must be at least 4"),
        ({"per_genome": 0}, "per_genome must be at least 1"),
        ({"length": 100_000}, "no genome has a fragment of 100,000 bases with at most 5% N"),
        ({"pooling": "none"}, "pooling must be one of mean, max, min, last"),
        ({"pooling": "bases"}, "pooling must be one of mean, max, min, last"),
        ({"resample": "bases"}, "resample must be one of genomes, fragments"),
        ({"reduce": "tsne"}, "reduce must be one of umap, pca, none"),
        ({"reduce": "umap", "per_genome": 10}, "more than 30 fragments, got 30"),
        ({"max_n": 1.0}, "max_n must be at least 0"),
        ({"k": 1}, "k must be at least 2"),
    ],
)
def test_settings_that_cannot_be(genomes, words, message):
    with pytest.raises(InputError, match=message):
        genolm.cluster("tiny-random-dense", genomes, **(WORDS | words))


def test_one_species_and_two_files_of_one_name(genomes, tmp_path):
    with pytest.raises(InputError, match="there is only one species"):
        genolm.cluster("tiny-random-dense", genomes[:1], **WORDS)
    (tmp_path / "gcrich.fa").write_text(">a\nACGT\n")
    with pytest.raises(InputError, match="duplicate genome name, also of"):
        genolm.cluster("tiny-random-dense", [genomes[1], tmp_path / "gcrich.fa"], **WORDS)


@pytest.mark.parametrize(("module", "reduce"), [("sklearn", "pca"), ("umap", "umap")])
def test_a_missing_package_is_named_before_anything_is_read(module, reduce, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(GenolmError, match=r"pip install 'genolm\[cluster\]'"):
        genolm.cluster("no-such-model", ["missing.fa"], reduce=reduce)


@pytest.mark.parametrize(
    ("name", "genome"),
    [("E_coli.fna.gz", "E_coli"), ("a.b.fasta", "a.b"), ("GCF_1.1_genomic.fa.bgz", "GCF_1.1_genomic"), ("x", "x")],
)
def test_genomes_are_named_by_their_files(name, genome):
    assert genome_name(f"/some/where/{name}") == genome


@pytest.mark.slow  # numba compiles for seconds
def test_umap_separates_clumps_and_is_the_same_for_the_same_seed():
    pytest.importorskip("umap")
    random = np.random.default_rng(0)
    clumps = np.concatenate([random.normal(place, 0.3, (40, 20)) for place in (0, 3, 6)])
    low = reduced(clumps, "umap", 42)
    assert low.shape == (120, 10)
    np.testing.assert_array_equal(low, reduced(clumps, "umap", 42))
    numbers = clusters(scaled(low, "umap"), "dbscan", 0, None)
    assert [len(set(numbers[start : start + 40]) - {-1}) for start in (0, 40, 80)] == [1, 1, 1]
    assert len(set(numbers) - {-1}) == 3
