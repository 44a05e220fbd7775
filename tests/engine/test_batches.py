"""Batches: padding, masks, budgets, determinism."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genolm.engine.batches import collate, length_buckets
from genolm.errors import InputError
from genolm.tokens import NucleotideTokenizer

GENOS = NucleotideTokenizer()
lengths = st.lists(st.integers(0, 50), max_size=40)


def test_pads_go_right_by_default():
    batch = collate(["ACG", "T"], GENOS)
    assert batch.ids_BL.tolist() == [[8, 5, 6], [7, 14, 14]]
    assert batch.mask_BL.tolist() == [[True, True, True], [True, False, False]]
    assert batch.lengths_B.tolist() == [3, 1]
    assert (batch.ids_BL.dtype, batch.mask_BL.dtype, batch.lengths_B.dtype) == (torch.int64, torch.bool, torch.int64)


def test_pads_go_left_for_generation():
    batch = collate(["ACG", "T", "CC"], GENOS, side="left")
    assert batch.ids_BL.tolist() == [[8, 5, 6], [14, 14, 7], [14, 5, 5]]
    assert batch.mask_BL.tolist() == [[True, True, True], [False, False, True], [False, True, True]]


def test_ids_are_taken_as_they_are():
    rows = [np.array([300, 2], np.int32), np.array([8], np.uint8)]
    assert collate(rows, GENOS).ids_BL.tolist() == [[300, 2], [8, 14]]


def test_an_empty_row_is_all_padding():
    batch = collate(["", "AC"], GENOS)
    assert batch.ids_BL.tolist() == [[14, 14], [8, 5]]
    assert collate([""], GENOS).ids_BL.shape == (1, 0)


def test_no_rows_no_batch():
    with pytest.raises(InputError, match="at least one row"):
        collate([], GENOS)


def test_a_refused_letter_is_named():
    with pytest.raises(InputError, match="letter 'X' at position 2"):
        collate(["AC", "AXC"], GENOS)


def test_the_device_is_used():
    assert collate(["A"], GENOS, device="meta").ids_BL.device.type == "meta"


@pytest.mark.parametrize("side", ["left", "right"])
@given(rows=st.lists(st.text("ACGTN", max_size=12), min_size=1, max_size=8))
def test_masked_ids_give_the_sequences_back(rows, side):
    batch = collate(rows, GENOS, side=side)
    pieces = [GENOS.decode(ids[mask].numpy()) for ids, mask in zip(batch.ids_BL, batch.mask_BL)]
    assert pieces == rows
    assert (batch.ids_BL[~batch.mask_BL] == GENOS.pad_id).all()


def test_buckets_by_hand():
    assert length_buckets([3, 10, 4, 10, 1], 20) == [[1, 3], [2, 0, 4]]
    assert length_buckets([3, 30, 4], 20) == [[1], [2, 0]]
    assert length_buckets([], 20) == []


@given(lengths, st.integers(1, 120))
def test_every_row_once_and_never_over_the_budget(lengths, budget):
    buckets = length_buckets(lengths, budget)
    assert sorted(index for bucket in buckets for index in bucket) == list(range(len(lengths)))
    for bucket in buckets:
        longest = max(lengths[index] for index in bucket)
        assert len(bucket) == 1 or len(bucket) * longest <= budget


@given(lengths, st.integers(1, 120))
def test_longest_first(lengths, budget):
    heads = [lengths[bucket[0]] for bucket in length_buckets(lengths, budget)]
    assert heads == sorted(heads, reverse=True)


def test_like_lengths_go_together():
    lengths = [100, 1] * 50
    padded = sum(len(b) * max(lengths[i] for i in b) for b in length_buckets(lengths, 1000))
    assert padded <= sum(lengths) + 1000
