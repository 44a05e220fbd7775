"""The whole check on toy genomes of known composition, and its parts."""

import json
import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from tests.noted import noted

import genolm
from genolm.errors import InputError, RunError
from genolm.genome.kmers import spectrum
from genolm.genome.labelled.fragments import Pieces, matched_pieces, read_genome
from genolm.genome.labelled.generated_records import read_generated
from genolm.tasks.generation import check_generated as generated_check
from genolm.tasks.generation.novelty.check_baselines import MarkovChain
from genolm.tasks.generation.novelty.check_page import draw_check
from genolm.tasks.generation.novelty.gene_finder import GeneFinder
from genolm.tasks.generation.novelty.sequence_metrics import divergence, summarise

pytest.importorskip("pyrodigal")
pytest.importorskip("edlib")


def dna(length: int, seed: int, weights=(1, 1, 1, 1)) -> str:
    return "".join(random.Random(seed).choices("ACGT", weights, k=length))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two natural genomes and generated sequences: new ones, a copy of the first genome, a repeat, a duplicate."""
    folder = tmp_path_factory.mktemp("check")
    first, second = dna(8000, 1, (1, 3, 3, 1)), dna(8000, 2, (1, 3, 3, 1))
    (folder / "first.fa").write_text(f">c\n{first}\n")
    (folder / "second.fa").write_text(f">c\n{second}\n")
    new = [dna(400, seed, (3, 1, 1, 3)) for seed in range(10, 16)]
    prompt = "ACGTACGT" * 4
    records = [*new, first[500:900], "GATTACA" * 60, new[0]]
    text = "".join(
        f">g{number} prompt_bases=32 model=toy temperature=0.7 top_k=4\n{prompt}{bases}\n"
        for number, bases in enumerate(records)
    )
    text += f">empty prompt_bases=32 model=toy\n{prompt}\n"
    (folder / "generated.fa").write_text(text)
    return folder


@pytest.fixture(scope="module")
def report(files):
    natural = [files / "first.fa", files / "second.fa"]
    return genolm.check(files / "generated.fa", reference=natural, max_tandem=0.5, seed=3)


def figure(report, name: str) -> dict:
    return next(one for one in report.figures if one["name"] == name)


def rows(report, group: str = "generated") -> pl.DataFrame:
    return report.sequences.filter(pl.col("group") == group)


def test_prompts_are_cut_off_and_natural_pieces_have_the_same_lengths(report):
    lengths = [400] * 7 + [420, 400]
    for group in ("generated", "natural", "markov"):
        assert rows(report, group)["length"].to_list() == lengths
    assert figure(report, "length")["generated"]["value"] == pytest.approx(np.mean(lengths))


def test_the_planted_copy_is_found_and_nothing_else(report):
    found = rows(report)
    assert found["longest_match"].to_list()[6] == 400
    assert found["nearest"].to_list()[6] == "first:c:500-900"
    assert found["identity"].to_list()[6] == 1.0
    assert found["shared_kmers"].to_list() == [0] * 6 + [373, 0, 0]
    assert rows(report, "natural")["longest_match"].max() < 30  # never compared with their own file


def test_the_planted_repeat_and_the_duplicate_do_not_pass(report):
    found = rows(report)
    assert found["passes"].to_list() == [True] * 7 + [False, False]
    assert found["tandem"].to_list()[7] == 420
    assert report.passed == {
        "sequences": 10,
        "empty_dropped": 1,
        "duplicates_dropped": 1,
        "repeats_dropped": 1,
        "passed": 7,
    }
    assert figure(report, "duplicates")["generated"]["value"] == pytest.approx(1 / 9)


def test_composition_tells_generated_from_natural_and_markov_from_neither(report):
    gc = figure(report, "gc")
    assert gc["generated"]["high"] < gc["natural"]["low"]
    assert gc["markov"]["value"] == pytest.approx(gc["natural"]["value"], abs=0.04)
    spectra = figure(report, "tetranucleotide_divergence")
    assert spectra["generated"]["low"] > 5 * spectra["natural"]["high"]
    for group in ("generated", "natural", "markov"):
        assert spectra[group]["low"] <= spectra[group]["value"] <= spectra[group]["high"]


def test_divergence_is_none_of_a_copy_and_one_of_nothing_shared():
    same = divergence(["ACGTTGCAAC" * 30] * 3, spectrum("ACGTTGCAAC" * 30, 4).astype(float), 0)
    other = divergence(["A" * 50] * 3, spectrum("G" * 50, 4).astype(float), 0)
    assert same.value == pytest.approx(0, abs=1e-12) and other.value == pytest.approx(1)


def test_genes_are_found_where_they_were_put():
    random.seed(5)
    codons = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in ("TAA", "TAG", "TGA")]
    gene = "ATG" + "".join(random.choices(codons, k=300)) + "TAA"
    sequence = "TTAACTAATTAG" * 4 + "AGGAGGTTTTAA" + gene + "TTAACTAATTAG" * 4
    spans = GeneFinder().spans(sequence)
    assert (sequence.index(gene) + len(gene)) in [end for _, end, _ in spans]
    counts = GeneFinder().count(sequence)
    assert counts.coding_bases <= counts.gene_bases and counts.coding_bases > 800
    assert GeneFinder().count("ACGT") == (0, 0, 0, 0)


def test_a_markov_model_draws_the_words_of_its_reference():
    chain = MarkovChain(2)
    chain.add(["ACG" * 2000])
    (drawn,) = chain.draw([3000], np.random.default_rng(0))
    words = {drawn[i : i + 3] for i in range(len(drawn) - 2)}
    assert sum(drawn.count(word) for word in ("ACG", "CGT", "GTA")) > 0.9 * 1000
    assert len(drawn) == 3000 and words >= {"ACG", "CGA", "GAC"}
    assert MarkovChain(0).draw([], np.random.default_rng(0)) == []
    again = MarkovChain(1)
    again.add(["AAAATTTT" * 500])
    (plain,) = again.draw([400], np.random.default_rng(1))
    assert plain.count("G") + plain.count("C") < 10


def test_pieces_do_not_overlap_and_hold_no_n(tmp_path):
    (tmp_path / "g.fa").write_text(f">a\n{dna(500, 1)}{'N' * 100}{dna(500, 2)}\n>b\n{dna(40, 3)}\n")
    contigs = read_genome(tmp_path / "g.fa")
    drawn = list(matched_pieces([Pieces("g", contigs, np.random.default_rng(0))], [100] * 6))
    assert all("N" not in one.sequence and len(one.sequence) == 100 for one in drawn)
    taken = sorted((one.start, one.end) for one in drawn)
    assert all(first[1] <= second[0] for first, second in pairwise(taken))
    assert all(contigs[0].sequence[one.start : one.end] == one.sequence for one in drawn)
    with pytest.raises(InputError, match="no genome has space for another piece of 1,000 bases"):
        list(matched_pieces([Pieces("g", contigs, np.random.default_rng(0))], [1000]))


def test_figures_of_one_sequence_have_no_interval(report):
    one = summarise(rows(report).head(1), 0)["gc"]
    assert one.value > 0 and np.isnan(one.low)


def test_the_folder_is_whole_and_the_same_again(files, report):
    natural = [files / "first.fa", files / "second.fa"]
    check = genolm.check(files / "generated.fa", files / "out", reference=natural, max_tandem=0.5, seed=3)
    out = check.path
    assert all(getattr(check, name) == getattr(report, name) for name in ("figures", "passed", "settings"))
    assert check.sequences.schema == report.sequences.schema and repr(report) == "Check: 7 of 10 sequences passed"
    assert {path.name for path in out.iterdir()} == {
        "check.json", "check.html", "check.png", "sequences.tsv", "passed.fa", "provenance.json",
    }  # fmt: skip
    written = json.loads((out / "check.json").read_text())
    assert written == {key: getattr(report, key) for key in ("figures", "passed", "settings")}
    passed = read_generated([out / "passed.fa"])
    given = read_generated([files / "generated.fa"])[:7]
    assert [replace(one, file=files) for one in passed] == [replace(one, file=files, prompt="") for one in given]
    assert passed[0].about == "prompt_bases=0 model=toy temperature=0.7 top_k=4"
    assert "toy" in (out / "check.html").read_text() and "data:image/png;base64" in (out / "check.html").read_text()
    with pytest.raises(RunError, match="exists"):
        genolm.check(files / "generated.fa", out, reference=natural)


def test_a_report_that_another_check_wrote_meanwhile_is_not_replaced(files, tmp_path, monkeypatch):
    def sides(*_):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "provenance.json").write_text("{}")
        return made(*_)

    made = generated_check.read_baselines
    monkeypatch.setattr(generated_check, "read_baselines", sides)
    with pytest.raises(RunError, match="exists"):
        genolm.check(files / "generated.fa", tmp_path / "out", reference=files / "first.fa")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["provenance.json"]


def test_a_seed_below_zero_is_refused(files):
    with pytest.raises(InputError, match=r"seed must be between 0 and 4294967295 \(value -1\)"):
        genolm.check(files / "generated.fa", reference=files / "first.fa", seed=-1)


def test_provenance_is_read_from_headers_and_from_a_table(files, tmp_path):
    first = read_generated([files / "generated.fa"])[0]
    assert (first.generator, first.decoding, first.genome) == ("toy", "temperature=0.7 top_k=4", "")
    table = tmp_path / "made.tsv"
    table.write_text("file\tid\tgenerator\tdecoding\tgenome\ngenerated.fa\t\tone\thot\tfirst\n\tg1\ttwo\t\t\n")
    told = read_generated([files / "generated.fa"], provenance=table)
    assert (told[0].generator, told[0].decoding, told[0].genome) == ("one", "hot", "first")
    assert (told[1].generator, told[1].decoding) == ("two", "temperature=0.7 top_k=4")
    table.write_text("file\tgenerator\ngenerated.fa\tone\ngenerted.fa\ttwo\n")
    with noted(r"made.tsv contains files that were not given: generted.fa$"):
        read_generated([files / "generated.fa"], provenance=table)


def test_pictures_show_single_values_and_say_where_there_are_none():
    numbers = {name: [500] for name in ("bases", "length", "gc", "coding_bases", "tandem", "gzip_bytes")}
    table = pl.DataFrame({"group": ["natural"], **numbers, "longest_match": [40], "identity": [None]})
    figure = draw_check(table)
    panels = figure.axes[:6]
    for axes in panels[:5]:
        line = next(line for line in axes.lines if len(line.get_xdata()))
        assert list(line.get_ydata()) == [0, 1] and len(set(line.get_xdata())) == 1
    assert [text.get_text() for text in panels[5].texts] == ["no data"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (">a prompt_bases=4\nACGT\n", "a.fa: no record has new bases after its prompt"),
        (">a\nNNNN\n", "a.fa:1: the record contains only N"),
        (">a prompt_bases=x\nACGT\n", "a.fa:1: prompt_bases must be a number from 0 to the record length, 4"),
        (">a prompt_bases=9\nACGT\n", "a.fa:1: prompt_bases must be a number from 0 to"),
        ("", "a.fa: the FASTA file is empty"),
    ],
)
def test_generated_fasta_that_cannot_be_used(text, message, tmp_path):
    (tmp_path / "a.fa").write_text(text)
    with pytest.raises(InputError, match=message):
        read_generated([tmp_path / "a.fa"])
