"""Completion of genes: known identities, baselines that see no truth, both strands, the summary's arithmetic."""

import gzip
import json
import os
import random

import numpy as np
import polars as pl
import pytest
from tests.noted import noted
from tests.tasks.conftest import ocean_model

from genolm import InputError, RunError, complete, merge
from genolm.genome.sequence import reverse_complement
from genolm.tasks.completion import completion_task as completing
from genolm.tasks.completion.completion_baselines import Baselines, baselines
from genolm.tasks.completion.completion_metrics import identity, measure
from genolm.tasks.completion.completion_summary import summarise
from genolm.tasks.completion.completion_task import CompletionTask, summary_path
from genolm.tasks.completion.gene_selection import Gene, GeneSelection, choose_genes
from genolm.tasks.reading.continuation.sampling import random_stream

CODONS = [first + second + third for first in "ACGT" for second in "ACGT" for third in "ACGT"]
SENSE = [codon for codon in CODONS if codon not in ("TAA", "TAG", "TGA")]


def coding(codons, seed):
    return "ATG" + "".join(random.Random(seed).choices(SENSE, k=codons - 2)) + "TAA"


@pytest.fixture(scope="module")
def big():
    return ocean_model(context=600)


@pytest.fixture(scope="module")
def genes():
    return {f"g{number}": coding(number + 20, number) for number in range(6)}


@pytest.fixture(scope="module")
def fasta(genes, tmp_path_factory):
    path = tmp_path_factory.mktemp("genes") / "genes.fa"
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in genes.items()))
    return path


def choice(path, **changes):
    settings = dict.fromkeys(("longest", "count", "seed"), 0)
    return GeneSelection(**{**settings, "path": path, "genome": None, "fraction": 0.3,
                     "shortest": 30, "code": 11, **changes})  # fmt: skip


def test_genes_are_cut_between_codons(fasta, genes):
    for gene in choose_genes(choice(fasta)).genes:
        assert gene.prompt + gene.truth == genes[gene.id]
        assert len(gene.prompt) == int(len(genes[gene.id]) * 0.3) // 3 * 3


def test_what_cannot_be_completed_is_counted_by_reason(tmp_path):
    whole = coding(30, 1)
    records = {"good": whole, "odd": whole + "A", "n": "ATGNNN" + whole[6:], "open": whole[:-3] + "GCA"}
    records |= {"inside": whole[:30] + "TAG" + whole[33:], "short": coding(8, 2), "long": coding(80, 3)}
    path = tmp_path / "genes.fa"
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in records.items()))
    chosen = choose_genes(choice(path, longest=200))
    assert [gene.id for gene in chosen.genes] == ["good"]
    assert chosen.left_out == {
        "no whole number of codons": 1,
        "with other letters than A, C, G, T": 1,
        "without a stop codon": 1,
        "with a stop codon inside": 1,
        "shorter than 30 bases": 1,
        "longer than 200 bases": 1,
    }


def test_so_many_genes_are_drawn_by_the_seed(fasta):
    drawn = [[gene.id for gene in choose_genes(choice(fasta, count=3, seed=seed)).genes] for seed in range(6)]
    assert all(len(names) == 3 and names == sorted(names) for names in drawn)
    assert len(set(map(tuple, drawn))) > 1


def test_identity_is_of_the_columns_of_a_global_alignment():
    assert identity("ACGTACGT", "ACGTACGT") == 1.0
    assert identity("ACGTACGT", "ACGAACGT") == 7 / 8
    assert identity("ACGTACGT", "ACGTCGT") == 7 / 8
    assert identity("AAAA", "CCCC") == 0.0
    assert (identity("", ""), identity("", "A"), identity("A", "")) == (1.0, 0.0, 0.0)


def test_measures_of_a_completion():
    gene = Gene("g", "", 11, "ATGGCA", "GCCGAAAAATAA")
    perfect = measure(gene, gene.truth)
    assert (perfect.nucleotide_identity, perfect.protein_identity) == (1.0, 1.0)
    assert (perfect.longest_frame_bases, perfect.frame_to_stop_bases) == (15, 15)
    silent = measure(gene, "GCTGAGAAGTAG")
    assert (silent.nucleotide_identity, silent.protein_identity) == (8 / 12, 1.0)
    stopped = measure(gene, "GCCTAAAAAAAA")
    assert (stopped.protein_identity, stopped.frame_to_stop_bases) == (1 / 3, 9)
    late = measure(gene, "TAAGAAAAAGCA")
    assert (late.protein_identity, late.longest_frame_bases, late.frame_to_stop_bases) == (0.0, 9, 6)
    assert measure(Gene("m", "", 4, "ATG", "TGATAA"), "TGGTAA").protein_identity == 1.0


def test_baselines_are_as_long_as_the_truth_and_never_the_gene_itself(fasta):
    drawn = Baselines(choice(fasta), None, 2)
    for gene in drawn.genes:
        for sample in range(5):
            made = drawn.draw(gene, random_stream(0, 0, sample))
            assert {len(text) for text in made.values() if text is not None} == {len(gene.truth)}
            assert sorted(made["shuffled"]) == sorted(gene.truth)
            assert made["natural"] != gene.truth
    longest = max(drawn.genes, key=lambda gene: len(gene.truth))
    assert drawn.draw(longest, random_stream(0, 0, 1))["natural"] is None


def test_baselines_see_the_genes_that_were_not_drawn(fasta):
    one, every = choice(fasta, count=1, seed=1), choice(fasta)
    (gene,) = choose_genes(one).genes
    drawn, whole = (Baselines(asked, None, 2).draw(gene, random_stream(7, 0, 1)) for asked in (one, every))
    assert drawn == whole
    assert drawn["natural"] is not None


def test_the_markov_model_goes_on_from_the_prompt_and_has_not_seen_the_gene(tmp_path):
    """One gene repeats GCA, the others AAC: without its own counts the first goes on by chance."""
    odd, even = "ATG" + "GCA" * 40 + "TAA", "ATG" + "AAC" * 40 + "TAA"
    path = tmp_path / "genes.fa"
    records = {"odd": odd} | {f"e{number}": even for number in range(12)}
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in records.items()))
    drawn = Baselines(choice(path), None, 3)
    by_name = {gene.id: gene for gene in drawn.genes}
    made = {name: drawn.draw(gene, random_stream(0, 0, 1))["markov"] for name, gene in by_name.items()}
    assert identity(made["e1"], by_name["e1"].truth) > 0.8
    begun = [drawn.draw(by_name["odd"], random_stream(0, 0, sample))["markov"][:3] for sample in range(20)]
    assert begun.count("GCA") < 5
    assert made["e1"].startswith("AAC"), "it begins where the prompt ends"


def test_a_reference_gives_its_composition_on_both_strands(fasta, tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">c\n" + "A" * 3000 + "\n")
    made = Baselines(choice(fasta), path, 0).draw(choose_genes(choice(fasta)).genes[0], random_stream(0, 0, 1))[
        "markov"
    ]
    assert set(made) == {"A", "T"}


def test_the_table_and_its_summary(big, fasta, tmp_path):
    out = tmp_path / "c.parquet"
    written = complete(big, fasta, out, n=3, shortest=30, order=2, seed=4)
    in_memory = complete(big, fasta, n=3, shortest=30, order=2, seed=4)
    table = in_memory.table
    assert written.path == out and written.table.equals(table) and pl.read_parquet(out).equals(table)
    assert written.means.equals(in_memory.means)
    assert table["source"].to_list() == ["model", "markov", "natural", "shuffled"] * 18
    made = table.filter(pl.col("source") == "model")
    assert made["completion"].str.len_chars().to_list() == made["truth_bases"].to_list()
    assert made["completion"].n_unique() == 18
    assert made["mean_log_probability_nats_per_base"].max() < 0
    summary = pl.read_csv(summary_path(out), separator="\t")
    assert summary.equals(summarise(table, seed=4).cast(summary.schema))


def test_completions_do_not_depend_on_what_else_is_completed(big, fasta, genes, tmp_path):
    alone = tmp_path / "one.fa"
    alone.write_text(f">g0\n{genes['g0']}\n")
    one = complete(big, alone, n=2, shortest=30).table.filter(pl.col("source") == "model")
    many = complete(big, fasta, n=2, shortest=30).table.filter((pl.col("source") == "model") & (pl.col("id") == "g0"))
    assert one["completion"].to_list() == many["completion"].to_list()


def test_the_minus_strand_is_read_in_its_own_direction(big, genes, tmp_path):
    """The same genes, once as FASTA and once reversed in a genome."""
    genome, gff, start = "", "", 0
    for name, bases in genes.items():
        genome += "ACGTA" + reverse_complement(bases)
        start = len(genome)
        gff += f"c\tx\tCDS\t{start - len(bases) + 1}\t{start}\t.\t-\t0\tID=cds-{name};locus_tag={name}\n"
    (tmp_path / "g.fa").write_text(f">c\n{genome}\n")
    (tmp_path / "g.gff3").write_text(gff)
    (tmp_path / "genes.fa").write_text("".join(f">{name}\n{bases}\n" for name, bases in genes.items()))
    placed = complete(big, tmp_path / "g.gff3", genome=tmp_path / "g.fa", n=1, shortest=30).table
    flat = complete(big, tmp_path / "genes.fa", n=1, shortest=30).table
    same = [column for column in flat.columns if column != "place"]
    own = pl.col("source") != "markov"
    assert placed.filter(own).select(same).equals(flat.filter(own).select(same))
    assert placed["place"][0] == "c:6-65(-)"


def test_shards_merge_into_the_bytes_of_one_run(big, fasta, tmp_path, monkeypatch):
    monkeypatch.setattr(CompletionTask, "part_items", 4, raising=False)
    once, shared = tmp_path / "once.tsv", tmp_path / "shared.tsv"
    complete(big, fasta, once, n=2, shortest=30)
    for number in (1, 2):
        complete(big, fasta, shared, n=2, shortest=30, shard=(number, 2))
    merge(shared)
    for path in (str, summary_path):
        assert (tmp_path / path(shared)).read_bytes() == (tmp_path / path(once)).read_bytes()


def test_a_summary_that_is_there_is_not_replaced_unless_asked(big, fasta, tmp_path, monkeypatch):
    out = tmp_path / "out.tsv"
    summary_path(out).write_text("mine")
    for resume in (False, True):
        with pytest.raises(RunError, match=r"out\.tsv\.summary\.tsv exists; pass overwrite=True to replace it"):
            complete(big, fasta, out, n=1, shortest=30, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["out.tsv.summary.tsv"]
    complete(big, fasta, out, n=1, shortest=30, overwrite=True)
    with pytest.raises(RunError, match=r"out\.tsv exists; pass overwrite=True to replace it"):
        complete(big, fasta, out, n=1, shortest=30)
    assert summary_path(out).read_text().startswith("measure")


def test_a_table_that_cannot_be_written_leaves_the_old_summary(big, fasta, tmp_path, monkeypatch):
    out = tmp_path / "out.tsv"
    complete(big, fasta, out, n=1, shortest=30)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(completing, "write_table", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        complete(big, fasta, out, n=2, shortest=30, overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    monkeypatch.undo()
    (tmp_path / ".partial-0123abcd-out.tsv.summary.tsv").write_text("of a killed run")
    complete(big, fasta, out, n=2, shortest=30, resume=True)
    assert {path.name for path in tmp_path.iterdir()} == set(before)
    assert out.read_bytes() != before["out.tsv"]


def test_models_of_one_base_complete_as_well(tiny, fasta):
    table = complete(tiny, fasta, n=1, shortest=30).table
    made = table.filter(pl.col("source") == "model")
    assert made["completion"].str.len_chars().to_list() == made["truth_bases"].to_list()


def test_the_summary_is_of_means_and_bests_over_genes():
    values = {"a": [0.2, 0.4], "b": [0.6, 1.0]}
    rows = [
        (name, source, sample, value + (0.1 if source == "model" else 0.0))
        for name, pair in values.items()
        for sample, value in enumerate(pair)
        for source in ("model", "markov", "natural", "shuffled")
        if (name, source) != ("b", "natural")
    ]
    table = pl.DataFrame(rows, schema=["id", "source", "sample", "nucleotide_identity"], orient="row")
    for name in ("protein_identity", "longest_frame_bases", "frame_to_stop_bases"):
        table = table.with_columns(pl.lit(1).alias(name))
    found = summarise(table, repeats=400).filter(pl.col("measure") == "nucleotide_identity")
    by = {(row["of_samples"], row["source"]): row for row in found.iter_rows(named=True)}
    assert by["mean", "model"]["value"] == pytest.approx((0.4 + 0.9) / 2)
    assert by["best", "markov"]["value"] == pytest.approx((0.4 + 1.0) / 2)
    assert by["mean", "markov"]["model_minus"] == pytest.approx(0.1)
    assert by["mean", "markov"]["model_minus_low"] == pytest.approx(0.1)
    assert (by["mean", "natural"]["genes"], by["mean", "natural"]["low"]) == (1, None)
    assert by["mean", "model"]["low"] == pytest.approx(0.4), "of two genes the interval reaches either"
    assert by["mean", "model"]["high"] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompt_fraction": 1.0}, r"between 0 and 1, exclusive \(value 1.0\)"),
        ({"n": 0}, r"n must be at least 1 \(value 0\)"),
        ({"order": 11}, r"order must be between 0 and 10 \(value 11\)"),
        ({"code": 7}, r"unknown genetic code; expected one of"),
        ({"seed": -1}, r"seed must be between 0 and 4294967295 \(value -1\)"),
        ({"out": "c.fa"}, "unsupported output format"),
        ({}, r"no coding sequence can be completed: 6 shorter than 300 bases"),
    ],
)
def test_settings_are_checked(big, fasta, settings, message):
    with pytest.raises(InputError, match=message):
        complete(big, fasta, **settings)


def test_a_gene_with_the_name_of_another_is_left_out(big, genes, tmp_path):
    lines = "".join(f"c\tx\tCDS\t{at}\t{at + 59}\t.\t+\t0\tID=cds{at};locus_tag=same\n" for at in (1, 61))
    (tmp_path / "g.fa").write_text(f">c\n{genes['g0'] * 2}\n")
    (tmp_path / "g.gff").write_text(lines)
    with noted(r"g\.gff:2: skipped 1 feature: with the name of another one \(value 'same'"):
        table = complete(big, tmp_path / "g.gff", genome=tmp_path / "g.fa", shortest=30, n=1).table
    assert table.filter(pl.col("source") == "model")["place"].to_list() == ["c:1-60(+)"]


def test_an_annotation_that_changed_is_read_again(tmp_path):
    """Same size and same modification time: a copy that keeps times must not bring the old genes back."""
    fasta, path = tmp_path / "g.fa", tmp_path / "g.gff"
    fasta.write_text(">c\n" + "ATGAAATAA" * 4 + "\n")
    choice = GeneSelection(path, fasta, 0.5, 6, 0, 0, 0, 11)
    for start in (1, 10):
        path.write_text(f"c\tx\tCDS\t{start:02}\t{start + 8:02}\t.\t+\t0\tID=cds\n")
        os.utime(path, (1_000, 1_000))
        assert [gene.place for gene in choose_genes(choice).genes] == [f"c:{start}-{start + 8}(+)"]
        assert [gene.place for gene in baselines(choice, None, 1).genes] == [f"c:{start}-{start + 8}(+)"]


def write(path, genes):
    path.write_text("".join(f">{name}\n{bases}\n" for name, bases in genes.items()))


def test_genes_beyond_the_context_are_left_out_and_counted(genes, tmp_path):
    (tmp_path / "g.fa").write_text(
        "".join(f">{name}\n{bases}\n" for name, bases in {**genes, "long": coding(300, 9)}.items())
    )
    out = tmp_path / "c.tsv"
    with noted(r"1 of 7 genes are left out: they exceed the context of .* \(200 tokens\)"):
        complete(ocean_model(context=200), tmp_path / "g.fa", out, shortest=30, n=1)
    assert pl.read_csv(out, separator="\t")["id"].unique(maintain_order=True).to_list() == list(genes)
    told = json.loads(out.with_name("c.tsv.provenance.json").read_text())
    assert json.loads(told["left_out"]) == {"too long for the model's context": 1} and told["genes"] == "6"


def test_genes_are_drawn_among_those_that_fit(genes, tmp_path):
    long = {f"long{number}": coding(300, number) for number in range(6)}
    write(tmp_path / "g.fa", {**long, **genes})
    with noted("6 of 12 genes are left out"):
        found = complete(ocean_model(context=200), tmp_path / "g.fa", shortest=30, n=1, draw=4).table
    assert found["id"].n_unique() == 4 and not any(name.startswith("long") for name in found["id"])


def test_shards_leave_out_the_same_genes(genes, tmp_path, monkeypatch):
    monkeypatch.setattr("genolm.engine.plan.PART_ITEMS", 1)
    (tmp_path / "g.fa").write_text(
        "".join(f">{name}\n{bases}\n" for name, bases in {"long": coding(300, 9), **genes}.items())
    )
    model = ocean_model(context=200)
    with noted("1 of 7"):
        complete(model, tmp_path / "g.fa", tmp_path / "one.tsv", shortest=30, n=1)
        for shard in ("1/2", "2/2"):
            complete(model, tmp_path / "g.fa", tmp_path / "two.tsv", shortest=30, n=1, shard=shard)
    merge(tmp_path / "two.tsv")
    assert (tmp_path / "one.tsv").read_bytes() == (tmp_path / "two.tsv").read_bytes()


def test_when_no_gene_fits_nothing_runs(fasta, monkeypatch):
    monkeypatch.setattr(CompletionTask, "forward", lambda *args: pytest.fail("ran"))
    with pytest.raises(InputError, match=r"can be completed: .*3 too long for the model's context"):
        complete(ocean_model(context=20), fasta, shortest=69)


def test_without_edlib_the_message_says_what_to_install(big, fasta, monkeypatch):
    from genolm import GenolmError

    monkeypatch.setitem(__import__("sys").modules, "edlib", None)
    with pytest.raises(GenolmError, match=r"pip install 'genolm\[check\]'"):
        complete(big, fasta, shortest=30)


@pytest.mark.data
def test_genes_of_real_clusters(data_dir):
    for path in sorted((data_dir / "bacteria" / "bgc").glob("*.gbk.gz")):
        chosen = choose_genes(choice(path, shortest=300))
        features = gzip.decompress(path.read_bytes()).count(b"\n     CDS   ")
        assert len(chosen.genes) + sum(chosen.left_out.values()) <= features
        # An open frame without an internal stop begins with a start codon, on either strand.
        assert np.mean([gene.prompt[:3] in ("ATG", "GTG", "TTG", "CTG") for gene in chosen.genes]) > 0.9
        assert {gene.place[-3:] for gene in chosen.genes} <= {"(+)", "(-)"}
