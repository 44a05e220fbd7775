"""Variants scored token by token, compared with explicit forward passes."""

import random

import numpy as np
import pytest
import torch
from tests.tasks.conftest import ocean_model

from genolm.errors import ModelError
from genolm.genome.fasta import Genome
from genolm.genome.sequence import reverse_complement
from genolm.genome.variant import Variant
from genolm.models.model import Model
from genolm.tasks.reading.allele_strands import Strand
from genolm.tasks.variants.allele_tokens import TokenWindow
from genolm.tasks.variants.mutate import mutate
from genolm.tasks.variants.variants import variants
from genolm.tokens.published import published

SCORE = {True: "llr_alt_minus_ref_sum_nats", False: "llr_alt_minus_ref_masked_sum_nats"}
MASK = 4


@pytest.fixture(scope="module")
def bases():
    return "".join(random.Random(8).choices("ACGT", k=120))


@pytest.fixture(scope="module")
def genome(bases, tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    other = "".join(random.Random(9).choices("ACGT", k=2000))
    path.write_text(
        f">short\n{bases}\n>gap\n{bases[:50]}{'N' * 20}{bases[50:]}\n>long\n{other}\n>odd\n{bases[:60]}R{bases[60:]}\n"
    )
    return path


def log_probs(model, ids):
    with torch.inference_mode():
        output = model.network(torch.tensor([1, *ids, 2])[None])
    logits = output.logits_BLV if model.causal else output.logits
    return logits[0].double().log_softmax(-1).numpy()


def differing(model, ref, alt):
    """Return the tokens of both sequences, and the numbers of shared first and last tokens."""
    one, other = (model.tokenizer.encode(text).tolist() for text in (ref, alt))
    first = next(i for i, (a, b) in enumerate(zip(one, other)) if a != b)
    last = next(i for i, (a, b) in enumerate(zip(one[first:][::-1], other[first:][::-1])) if a != b)
    return one, other, first, last


def by_hand(model, ref, alt):
    """Return the score of two complete sequences that fit into the context."""
    one, other, first, last = differing(model, ref, alt)
    totals = []
    for ids in (one, other):
        stop = len(ids) - last
        if model.causal:
            values = log_probs(model, ids)
            totals.append(sum(values[place, ids[place]] for place in range(first, len(ids))))
        else:
            masked = [MASK if first <= place < stop else token for place, token in enumerate(ids)]
            values = log_probs(model, masked)[1:]
            totals.append(sum(values[place, ids[place]] for place in range(first, stop)))
    return totals[1] - totals[0], len(one) - first - last, len(other) - first - last


def replaced(bases, pos, ref, alt):
    assert bases[pos - 1 : pos - 1 + len(ref)] == ref
    return bases[: pos - 1] + alt + bases[pos - 1 + len(ref) :]


def changes(bases):
    """An SNV, an insertion, a deletion and an MNV, with the resulting alleles."""
    other = "ACGT".replace(bases[59], "")[1]
    return [
        (60, bases[59], other),
        (60, bases[59], bases[59] + "GATTACA"),
        (58, bases[57:65], bases[57]),
        (60, bases[59:63], "TT"),
    ]


def test_whole_texts_are_compared_token_by_token(token_model, genome, bases):
    asked = [f"short:{pos}:{ref}>{alt}" for pos, ref, alt in changes(bases)]
    table = variants(token_model, asked, genome=genome, rc=False).table
    assert table["status"].to_list() == ["scored"] * 4
    for row, (pos, ref, alt) in zip(table.iter_rows(named=True), changes(bases)):
        expected, ref_tokens, alt_tokens = by_hand(token_model, bases, replaced(bases, pos, ref, alt))
        assert row[SCORE[token_model.causal]] == pytest.approx(expected, abs=1e-3)
        assert (row["tokens_ref"], row["tokens_alt"]) == (ref_tokens, alt_tokens)


def test_both_strands_are_read_unless_told_otherwise(token_model, genome, bases):
    pos, ref, alt = changes(bases)[0]
    row = variants(token_model, [f"short:{pos}:{ref}>{alt}"], genome=genome).table.row(0, named=True)
    name = SCORE[token_model.causal]
    turned = reverse_complement(bases), reverse_complement(replaced(bases, pos, ref, alt))
    assert row[f"{name}_forward"] == pytest.approx(
        by_hand(token_model, bases, replaced(bases, pos, ref, alt))[0], abs=1e-3
    )
    assert row[f"{name}_reverse"] == pytest.approx(by_hand(token_model, *turned)[0], abs=1e-3)
    assert row[name] == pytest.approx((row[f"{name}_forward"] + row[f"{name}_reverse"]) / 2, abs=1e-5)


def test_the_other_strand_of_the_genome_exchanges_the_strands(token_model, genome, bases, tmp_path):
    flipped = tmp_path / "flipped.fa"
    flipped.write_text(f">short\n{reverse_complement(bases)}\n")
    pos, ref, alt = changes(bases)[3]
    own = variants(token_model, [f"short:{pos}:{ref}>{alt}"], genome=genome).table
    place = len(bases) - (pos - 1) - len(ref) + 1
    other = variants(
        token_model, [f"short:{place}:{reverse_complement(ref)}>{reverse_complement(alt)}"], genome=flipped
    ).table
    name = SCORE[token_model.causal]
    assert own[name][0] == pytest.approx(other[name][0], abs=1e-4)
    assert own[f"{name}_forward"][0] == pytest.approx(other[f"{name}_reverse"][0], abs=1e-4)


def test_a_window_that_is_full_holds_the_variant_and_its_sides(token_model, genome):
    row = variants(token_model, ["long:1000:{}>{}".format(*snv(genome, "long", 1000))], genome=genome).table.row(
        0, named=True
    )
    assert row["status"] == "scored"
    assert 0 < row["left_context"] < 38 * 20 and 0 < row["right_context"] < 38 * 20


def snv(genome, contig, pos):
    lines = genome.read_text().split("\n")
    ref = lines[lines.index(f">{contig}") + 1][pos - 1]
    return ref, "ACGT".replace(ref, "")[0]


@pytest.mark.parametrize("pos", [1, 2, 119, 120])
def test_the_ends_of_a_contig_are_scored(token_model, genome, pos):
    ref, alt = snv(genome, "short", pos)
    row = variants(token_model, [f"short:{pos}:{ref}>{alt}"], genome=genome).table.row(0, named=True)
    assert row["status"] == "scored" and np.isfinite(row[SCORE[token_model.causal]])


def test_runs_of_n_beside_a_variant_are_context(token_model, genome):
    ref, alt = snv(genome, "gap", 40)
    assert variants(token_model, [f"gap:40:{ref}>{alt}"], genome=genome).table["status"].to_list() == ["scored"]


def test_a_score_does_not_depend_on_the_others(token_model, genome, bases):
    asked = [f"short:{pos}:{ref}>{alt}" for pos, ref, alt in changes(bases)]
    together = variants(token_model, asked, genome=genome).table
    for row, one in enumerate(asked):
        alone = variants(token_model, [one], genome=genome).table
        assert alone[SCORE[token_model.causal]][0] == pytest.approx(together[SCORE[token_model.causal]][row], abs=1e-4)


def test_alleles_beyond_the_window_have_a_status(token_model, genome, bases):
    table = variants(token_model, [f"short:60:{bases[59]}>{bases[59]}{'ACCTGA' * 80}"], genome=genome).table
    assert table["status"].to_list() == ["longer_than_horizon"] and table[SCORE[token_model.causal]][0] is None


def test_vcf_says_what_was_compared(token_model, genome, bases, tmp_path):
    pos, ref, alt = changes(bases)[0]
    source, out = tmp_path / "in.vcf", tmp_path / "out.vcf"
    source.write_text(
        f"##fileformat=VCFv4.2\n##contig=<ID=short>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nshort\t{pos}\t.\t{ref}\t{alt}\t.\t.\t.\n"
    )
    variants(token_model, source, out, genome=genome)
    kind = "SUM" if token_model.causal else "MASKED_SUM"
    header, record = (
        [line for line in out.read_text().splitlines() if f"GENOLM_LLR_{kind}" in line][::3][0],
        out.read_text().splitlines()[-1],
    )
    assert "tokens that the variant changes" in header
    assert f"GENOLM_LLR_{kind}=" in record and "GENOLM_TOKENS_REF=" in record


@pytest.mark.parametrize("method", ["full", "conditional"])
def test_methods_of_single_bases_are_refused(token_model, genome, method):
    with pytest.raises(ModelError, match="does not support method"):
        variants(token_model, ["short:5:A>C"], genome=genome, method=method)


def test_every_change_of_an_interval(token_model, genome, bases):
    table = mutate(token_model, "short:58-60", genome=genome).table
    assert len(table) == 9 and set(table["status"]) == {"scored"}
    asked = [f"short:{pos}:{ref}>{alt}" for pos, ref, alt in table.select("pos", "ref", "alt").iter_rows()]
    single = variants(token_model, asked, genome=genome).table
    name = SCORE[token_model.causal]
    np.testing.assert_allclose(table[name], single[name], atol=1e-4)


def test_a_token_that_holds_an_unknown_base_is_not_compared(token_model, tmp_path):
    path = tmp_path / "n.fa"
    contig = "".join(random.Random(5).choice("ACGT") + ("N" if place % 4 == 3 else "") for place in range(80))
    path.write_text(f">n\n{contig}\n")
    asked = [f"n:{pos}:{base}>{'ACGT'.replace(base, '')[0]}" for pos, base in enumerate(contig, 1) if base != "N"]
    table = variants(token_model, asked, genome=path).table
    assert set(table["status"]) == {"scored", "n_in_token"}
    unscored = table[SCORE[token_model.causal]].is_null()
    assert (unscored == (table["status"] == "n_in_token")).all()


def test_without_a_begin_token_the_first_base_has_no_context(ocean, tmp_path):
    bare = ocean_model(begin=())
    path = tmp_path / "n.fa"
    path.write_text(">c\nTGCANTGCATGCATGCA\n>n\nTNANTNCNTNGN\n")
    table = variants(bare, ["c:1:T>G", "c:7:G>C", "n:3:A>C", "n:1:T>C"], genome=path, rc=False).table
    assert table["status"].to_list() == ["no_context", "scored", "n_in_token", "no_context"]
    assert variants(bare, ["c:1:T>G"], genome=path).table["status"].to_list() == ["no_context"], "of one of two strands"
    assert variants(ocean, ["c:1:T>G"], genome=path).table["status"].to_list() == ["scored"]


def test_alleles_that_one_strand_has_no_room_for(token_model, genome, bases):
    added = ["".join(random.Random(seed).choices("ACGT", k=190)) for seed in range(40)]
    asked = [f"short:60:{bases[59]}>{bases[59]}{text}" for text in added]
    forward, both = (
        variants(token_model, asked, genome=genome, rc=rc).table["status"].to_list() for rc in (False, True)
    )
    assert set(forward) == set(both) == {"scored", "longer_than_horizon"}
    assert both.count("scored") < forward.count("scored")


def test_nothing_is_read_beyond_a_letter_without_a_token(token_encoder, genome, bases):
    old = Model(token_encoder.network, published("BPE_32k"), token_encoder.card)
    ref, alt = snv(genome, "gap", 40)
    for contig, end in (("gap", 50), ("odd", 60)):
        row = variants(old, [f"{contig}:40:{ref}>{alt}"], genome=genome, rc=False).table.row(0, named=True)
        expected = by_hand(old, bases[:end], replaced(bases, 40, ref, alt)[:end])[0]
        assert row[SCORE[False]] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("unit", ["TGCACG", "TCTCTGAG", "AATTGGGAA", "TCCGCTCCGTG"])
def test_in_a_repeat_no_token_is_taken_from_both_sides(token_model, tmp_path, unit):
    path = tmp_path / "repeat.fa"
    contig = f"ACGTTG{unit * 8}GGTACC"
    path.write_text(f">r\n{contig}\n")
    edit = Strand(Genome(path), "r").edit(Variant("r", 6, "G", f"G{unit}"))
    window, tokenizer = TokenWindow(200, 1000, None), token_model.tokenizer
    found = window.alleles(Strand(Genome(path), "r"), edit, tokenizer, "")
    for allele, own in ((contig, found.ref), (f"{contig[:6]}{unit}{contig[6:]}", found.alt)):
        joined = [*found.left.tolist(), *own.tolist(), *found.right.tolist()]
        assert joined == tokenizer.encode(allele).tolist()
