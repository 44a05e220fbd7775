"""The study of microbes: its genomes are those that were trained on, its page shows its results, its sentences hold."""

import json

import pytest

pytest.importorskip("sklearn")

from studies.microbes import genomes, report
from studies.microbes.run import DECODER, DECODINGS, ENCODER, PARTS, RESULTS, SCANNED

from genolm.training.recipes.pretrain_recipe import Recipe


@pytest.fixture(scope="module")
def told():
    return json.loads(RESULTS.read_text("utf-8"))


@pytest.fixture
def trained():
    """Bases of each genome, were training what the study says."""
    files = (*genomes.TRAINED.values(), *genomes.FURTHER_STRAINS.values())
    return {name.split(".")[0]: 1000 for name in files}


@pytest.mark.data
def test_the_genomes_of_training_are_those_of_the_corpus(data_dir, monkeypatch):
    monkeypatch.setenv("GENOLM_DATA", str(data_dir))
    corpus = genomes.corpus()
    bases = genomes.trained_bases(corpus)
    genomes.check_split(bases)
    assert sum(bases.values()) == corpus.bases("train") > 0
    assert corpus.dropped == 0


def test_no_species_is_on_both_sides(trained):
    genomes.check_split(trained)
    assert not set(genomes.TRAINED.values()) & set(genomes.HELD_OUT.values())


@pytest.mark.parametrize("change", [{"Enterococcus_faecalis_YI6-1": 5}, {"CoverM_MAG_genome_4": 0}])
def test_a_genome_that_only_training_or_only_the_study_has_is_seen(trained, change):
    with pytest.raises(SystemExit, match=next(iter(change))):
        genomes.check_split(trained | change)


def test_a_held_out_genome_in_training_is_seen(trained, monkeypatch):
    monkeypatch.setitem(genomes.TRAINED, "Escherichia coli W", "Escherichia_coli_W.fasta.gz")
    with pytest.raises(SystemExit, match="not held out: Escherichia_coli_W"):
        genomes.check_split(trained | {"Escherichia_coli_W": 1000})


def test_both_models_hold_out_the_same():
    one, other = (Recipe.load(name).corpus for name in ("genolm-mini-bert", "genolm-mini-ocean"))
    assert one.held_out == other.held_out and one.fasta == other.fasta


def test_the_page_shows_the_results(told):
    page = report.PAGE.read_text("utf-8")
    assert report.filled(page, told) == page
    assert all(f"<!-- {name} table: begin -->" in page for name in report.TABLES)


def test_every_part_is_there_for_all_species(told):
    assert set(told["parts"]) == set(told["machines"]) == set(PARTS)
    assert set(told["parts"]["likelihood"]) == set(told["parts"]["markov"]["bits_per_base"]) == set(genomes.HELD_OUT)
    assert set(told["parts"]["checks"]) == set(DECODINGS)


def test_genomes_as_they_were_run_are_those_that_the_detector_read(told):
    """The committed figures are of ten genomes; a run of today reads those that were trained on."""
    read = set(told["parts"]["detection"]["both"]["settings"]["natural"]) - set(genomes.HELD_OUT.values())
    assert all(set(files) == read for files in told["training_genomes"].values())
    missing = {*genomes.TRAINED.values(), *genomes.FURTHER_STRAINS.values()} - read
    assert len(read) == 10 and len(missing) == 5
    assert {name.split(".")[0] for name in missing} == {
        "Blochmannia_turneri",
        "CoverM_MAG_genome_4",
        "Enterococcus_faecalis_T2",
        "Enterococcus_faecalis_TX0104",
        "Shewanella_baltica_OS223_first500kb",
    }
    assert read - set(genomes.TRAINED.values()) == {"Enterococcus_faecalis_YI6-1.fna.gz"}


def test_a_row_of_detection_stands_once_and_says_what_it_is_of(told):
    rows = report.detection_rows(told)
    assert len(rows) == 15
    assert ("folds of training species", "both, labels shuffled") in rows
    assert ("folds of training species", "handmade, labels shuffled") in rows
    silent = [place for place, row in rows.items() if report.is_constant(row)]
    assert silent == [("held-out species", "tetranucleotides")]
    assert "| held-out species | tetranucleotides | 336 / 336 | 0.000 (0.000 to 0.000) | – | – | – |" in report.filled(
        "<!-- detection table: begin -->\n<!-- detection table: end -->", told
    )


# What the study says is so, a test for each paragraph of it.


def conclusion(name):
    """A paragraph of the page's last chapter as one line."""
    text = report.PAGE.read_text("utf-8").partition("## Findings")[2]
    return " ".join(text.partition(f"- **{name}.**")[2].partition("- **")[0].split())


def test_likelihood_is_lower_on_six_of_seven_species(told):
    markov = told["parts"]["markov"]["bits_per_base"]
    gain = {species: markov[species] - row["decoder"] for species, row in told["parts"]["likelihood"].items()}
    assert [species for species, bits in gain.items() if bits <= 0] == ["Escherichia coli"]
    assert "fewer bits per base than the Markov model on six of seven species and more on *E. coli*" in conclusion(
        "Likelihood"
    )
    large = gain.pop("Caulobacter crescentus"), gain.pop("Mycoplasma genitalium")
    del gain["Escherichia coli"]
    said = f"(*Caulobacter* {large[0]:.3f}, *Mycoplasma* {large[1]:.3f}) and small elsewhere"
    assert f"{said} ({min(gain.values()):.3f} to {max(gain.values()):.3f})".replace("0.", ".") in conclusion(
        "Likelihood"
    )
    assert told["parts"]["markov"]["training_bases"] == 28_015_102


def test_counting_clusters_better_than_any_model(told):
    ari = {
        (name, line["features"], line["method"]): line["ari"]
        for name, found in told["parts"]["clusters"].items()
        for line in found["summary"]
    }
    assert round(ari[ENCODER, "tetranucleotides", "kmeans"], 2) == 0.94
    methods = ("kmeans", "dbscan", "hdbscan")
    for name in (ENCODER, DECODER):
        assert all(ari[name, "model", one] < ari[name, "tetranucleotides", one] - 0.1 for one in methods)
    worse = [one for one in methods if ari[ENCODER, "model", one] < ari[ENCODER, "random weights", one]]
    assert worse == ["kmeans", "dbscan"]
    assert "by k-means and DBSCAN and better by HDBSCAN" in conclusion("Clusters")


def test_scans_of_the_decoder_beat_counting_on_two_records(told):
    scans = {what: found["separation"] for what, found in told["parts"]["scans"].items()}
    tracks = [scans[f"{DECODER} {record}"]["track"] for record in genomes.RECORDS]
    assert (min(t["auroc"]["value"] for t in tracks), max(t["auroc"]["value"] for t in tracks)) == pytest.approx(
        (0.75, 0.88), abs=0.006
    )
    assert sum(track["above_markov5"]["low"] > 0 for track in tracks) == 2
    assert sum(track["above_markov5"]["low"] <= 0 <= track["above_markov5"]["high"] for track in tracks) == 2
    long = scans[f"{DECODER} {SCANNED}"]
    assert long["track"]["auroc"]["high"] < long["gc"]["auroc"]["low"]
    for record in genomes.RECORDS:
        for name, signal in scans[f"{ENCODER} {record}"].items():
            assert name in ("gc", "markov5") or signal["above_markov5"]["low"] <= 0


def test_detection_is_what_the_page_says(told):
    rows = report.detection_rows(told)
    both, handmade = (rows["held-out species", features] for features in ("both", "handmade"))
    figures = [(row["f1_at_half"], row["auroc"], row["tpr_at_1"]) for row in (both, handmade)]
    (f1, auroc, found), (f1_handmade, auroc_handmade, found_handmade) = figures
    text = conclusion("Detection")
    assert f"F1 {f1:.2f}, AUROC {auroc:.2f} on held-out species".replace("0.", ".") in text
    assert f"{f1_handmade:.2f} and {auroc_handmade:.2f} with hand-made".replace("0.", ".") in text
    assert f"{found:.2f} of the generated".replace("0.", ".") in text
    assert f"with hand-made features {found_handmade:.2f}".replace("0.", ".") in text
    cooler, warm = (f"folds of training species, {decoding}" for decoding in sorted(DECODINGS))
    assert rows[cooler, "both"]["auroc_low"] > rows[warm, "both"]["auroc_high"]
    assert rows[cooler, "handmade"]["auroc"] < rows[warm, "handmade"]["auroc"]
    assert rows["folds of training species", "tetranucleotides"]["auroc_high"] <= 0.5


def test_generated_sequence_is_what_the_page_says(told):
    checks = {
        decoding: {figure["about"]: figure for figure in found["figures"]}
        for decoding, found in told["parts"]["checks"].items()
    }
    warm = checks["temperature 1"]
    for about in ("G and C among A, C, G and T", "Jensen-Shannon divergence of tetranucleotides from the reference"):
        assert warm[about]["generated"]["low"] < warm[about]["natural"]["value"] < warm[about]["generated"]["high"]
    inside = [checks[decoding]["bases inside a gene"] for decoding in DECODINGS]
    assert [round(one["generated"]["value"], 2) for one in inside] == [0.27, 0.30]
    assert {round(one["natural"]["value"], 2) for one in inside} == {0.90}
    assert {round(one["markov"]["value"], 2) for one in inside} == {0.19}
    assert all(found["28-mers that a training genome has"]["generated"]["value"] == 0 for found in checks.values())


def test_no_gene_is_completed(told):
    for lines in told["parts"]["completion"].values():
        minus = {(line["measure"], line["source"]): line for line in lines if line["of_samples"] == "mean"}
        for source in ("markov", "shuffled"):
            assert minus["nucleotide_identity", source]["model_minus_high"] < 0
        assert minus["protein_identity", "shuffled"]["model_minus_low"] < 0
