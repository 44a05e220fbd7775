"""28-mers shared between sequences, against a plain set of strings."""

import numpy as np
from tests.training.conftest import random_dna

from genolm.genome.kmers import KmerSet
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus.duplicates import leaking_pieces

TOKENIZER = NucleotideTokenizer()
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def kmers(sequence: str) -> list[str]:
    return [sequence[i : i + 28] for i in range(len(sequence) - 27)]


def test_share_equals_a_set_of_strings_of_both_strands() -> None:
    known = random_dna(400, 0)
    query = random_dna(100, 1) + known[50:120] + random_dna(30, 2) + known[200:280][::-1].translate(COMPLEMENT)
    both = set(kmers(known)) | set(kmers(known[::-1].translate(COMPLEMENT)))
    found = KmerSet([TOKENIZER.encode(known)], TOKENIZER.base_ids).share(TOKENIZER.encode(query))
    assert found.tolist() == [kmer in both for kmer in kmers(query)]
    assert found.any() and not found.all()


def test_short_and_empty_sequences_share_nothing() -> None:
    empty = KmerSet([], TOKENIZER.base_ids)
    assert len(empty) == 0
    assert not empty.share(TOKENIZER.encode(random_dna(50, 0))).any()
    assert KmerSet([TOKENIZER.encode("ACGT")], TOKENIZER.base_ids).share(TOKENIZER.encode("ACGT")).size == 0


def test_pieces_cover_a_run_without_gaps() -> None:
    known = random_dna(1000, 3)
    run = TOKENIZER.encode(random_dna(1000, 4) + known + random_dna(500, 5))
    pieces = list(leaking_pieces(run, KmerSet([TOKENIZER.encode(known)], TOKENIZER.base_ids), 0.5))
    assert pieces == [(0, 1000, False), (1000, 2000, True), (2000, 2500, False)]
    assert list(leaking_pieces(np.empty(0, np.uint8), KmerSet([], TOKENIZER.base_ids), 0.5)) == []
