"""The figures of a vocabulary against ones counted by hand, and those of the published one on real DNA."""

import re
from pathlib import Path

import pysam
import pytest
from tests.tokens.toy_vocabularies import toy_tokenizer

from genolm.tokens import published
from genolm.tokens.bpe_report import random_bases, sequence_facts, vocabulary_facts


def test_facts_of_a_vocabulary():
    facts = vocabulary_facts(toy_tokenizer(merges=["A C", "G T", "AC C"]).vocabulary)
    assert (facts["tokens"], facts["special"], facts["pieces"], facts["longest"]) == (13, 5, 7, 3)
    assert facts["mean_length"] == pytest.approx((4 + 2 + 2 + 3) / 7)
    assert facts["closure"] == pytest.approx(2 / 3)  # AC and GT are each other's; GGT is none


def test_a_vocabulary_of_letters_is_the_same_on_both_strands():
    facts = sequence_facts(toy_tokenizer(), [random_bases(2000)])
    assert (facts["bases"], facts["bases_per_token"]) == (2000, 1.0)
    assert (facts["strand_borders"], facts["strand_tokens"]) == (1.0, 1.0)
    assert (facts["changed_mean"], facts["changed_max"], facts["count_changes"]) == (1.0, 1, 0.0)


def test_strands_counted_by_hand():
    tokenizer = toy_tokenizer(merges=["A C"])
    # Forward AC G T G T: borders 2, 3, 4, 5. Reverse complement AC AC G T: 2, 4, 5, which lie at 4, 2, 1 forward.
    uneven = sequence_facts(tokenizer, ["ACGTGT"])
    assert (uneven["strand_borders"], uneven["strand_tokens"]) == (2 / 5, 0)
    # Forward AC G AC: borders 2, 3. Reverse complement GTCGT, five letters: borders 1, 2, 3, 4 of 5.
    facts = sequence_facts(tokenizer, ["ACGAC"])
    assert facts["strand_borders"] == 2 / 4
    assert facts["strand_tokens"] == 1 / 7  # the G alone
    assert (facts["substitutions"], facts["changed_mean"]) == (0, None)


def test_substitutions_counted_by_hand():
    tokenizer = toy_tokenizer(merges=["A C"])
    facts = sequence_facts(tokenizer, ["AC" * 2000])
    assert (facts["bases_per_token"], facts["changed_mean"]) == (2.0, 1.0)
    # C for A: C, C. Others likewise: two letters for one token, unless A takes the place of C, which makes A, A.
    assert facts["count_changes"] == 1.0


def test_the_same_seed_draws_the_same_substitutions():
    tokenizer, sequences = published("BPE_32k"), [random_bases(3000)]
    first, again, other = (sequence_facts(tokenizer, sequences, seed) for seed in (0, 0, 1))
    for facts in (first, again, other):
        del facts["megabases_per_second"]
    assert first == again
    assert first != other


@pytest.mark.data
def test_the_published_vocabulary_on_human_dna(data_dir: Path):
    """As measured before: 6.4 bases per token, 2.7 %, 0.011 (by region, 0.01 to 0.02), 1.7 (at most 6), a quarter."""
    tokenizer = published("t2t_1000h_multi_32k")
    with pysam.FastaFile(str(data_dir / "human" / "GRCh38.slices.fa.gz")) as genome:
        longest = max(re.findall("[ACGT]+", genome.fetch("chr22").upper()), key=len)
    sequence = longest[len(longest) // 4 :][:300_000]
    facts = vocabulary_facts(tokenizer.vocabulary) | sequence_facts(tokenizer, [sequence])
    assert facts["mean_length"] == pytest.approx(9.2, abs=0.05)
    assert facts["closure"] == pytest.approx(0.027, abs=0.0005)
    # Of the sequence: less than a token's mean length, since short tokens are frequent; strands are cut differently.
    assert 0.5 * facts["mean_length"] < facts["bases_per_token"] < facts["mean_length"]
    assert 0 < facts["strand_borders"] < 0.1
    assert 1 < facts["changed_mean"] < facts["changed_max"]
    assert 0 < facts["count_changes"] < 0.5
