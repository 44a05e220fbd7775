"""Rows in an order that only the seed decides: any number of workers, any step, sources in the wanted shares."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.training.conftest import random_dna

from genolm.genome.interval import Interval
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import DocumentSpan, DocumentSpans, RowOrder
from genolm.training.corpus.epoch_pieces import cut_epoch
from genolm.training.corpus.split_documents import Mixing
from genolm.training.rows import Rows

TOKENIZER = NucleotideTokenizer(iupac="N")
COMPLEMENT = str.maketrans("ACGT", "TGCA")
LENGTHS = (3000, 400, 2000, 64, 65, 66, 7, 2, 1)


def runs_of(lengths: tuple[int, ...], seed: int = 0) -> list[DocumentSpan]:
    texts = [random_dna(length, seed + number) for number, length in enumerate(lengths)]
    return [DocumentSpan(Interval(f"c{n}", 0, len(text)), TOKENIZER.encode(text)) for n, text in enumerate(texts)]


def order(runs: list[DocumentSpan] | DocumentSpans, seed: int = 0, rows: int = 4, context: int = 64) -> RowOrder:
    return RowOrder(runs, context, rows, seed, TOKENIZER)


def documents(batch: Rows) -> list[str]:
    """The texts of a batch; what separates them is checked on the way."""
    found = []
    for r, ids in enumerate(batch.ids_RL):
        inside = np.zeros(len(ids), int) if batch.documents_RL is None else batch.documents_RL[r]
        bases = np.isin(ids, TOKENIZER.base_ids)
        assert np.array_equal(bases, inside >= 0)
        assert set(ids[~bases].tolist()) <= {TOKENIZER.eod_id, TOKENIZER.pad_id}
        for number in np.unique(inside[inside >= 0]):
            at = np.flatnonzero(inside == number)
            assert np.array_equal(at, np.arange(at[0], at[-1] + 1))
            assert at[0] == 0 or ids[at[0] - 1] == TOKENIZER.eod_id
            found.append(TOKENIZER.decode(ids[at]))
    return found


def equal(one: Rows, other: Rows) -> bool:
    masks = [rows.documents_RL for rows in (one, other)]
    if any(mask is None for mask in masks) and not all(mask is None for mask in masks):
        return False
    return np.array_equal(one.ids_RL, other.ids_RL) and (masks[0] is None or np.array_equal(*masks))


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    runs = runs_of(LENGTHS)
    one, other = order(runs), order(runs)
    in_order = [one.batch(step) for step in range(80)]  # some epochs
    assert one.epoch_batches(0) < 40
    for step in (79, 0, 17, 45, 44):
        assert equal(other.batch(step), in_order[step])
    assert not equal(order(runs, seed=1).batch(0), in_order[0])


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_workers_together_see_the_batches_of_one(world: int) -> None:
    runs = runs_of(LENGTHS)
    alone, workers = order(runs), [order(runs) for _ in range(world)]
    kinds = set()
    for step in range(60):
        whole, shares = alone.batch(step), [w.batch(step, rank, world) for rank, w in enumerate(workers)]
        together = np.empty_like(whole.ids_RL)
        for rank, share in enumerate(shares):
            together[rank::world] = share.ids_RL
            assert (share.documents_RL is None) == (whole.documents_RL is None)
            if whole.documents_RL is not None:
                assert np.array_equal(share.documents_RL, whole.documents_RL[rank::world])
        assert np.array_equal(together, whole.ids_RL)
        kinds.add(whole.documents_RL is None)
    assert kinds == {True, False}


def test_the_step_is_the_data_cursor() -> None:
    """A run that stops anywhere and goes on sees what it would have seen, in memory of nothing but the step."""
    runs = runs_of(LENGTHS)
    whole = [order(runs).batch(step) for step in range(70)]
    for stop in (1, 33, 69):
        resumed = order(runs)
        assert all(equal(resumed.batch(step), whole[step]) for step in range(stop, 70))


@given(st.lists(st.integers(1, 300), min_size=1, max_size=12), st.integers(0, 9), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_an_epoch_shows_every_base_once(lengths: list[int], seed: int, rows: int) -> None:
    """But for what is left over: documents of one base, and rows that fill no batch."""
    if max(lengths) < 2:
        return
    runs = runs_of(tuple(lengths), seed)
    one = order(runs, seed, rows, context=31)
    strands = [TOKENIZER.decode(run.ids) for run in runs]
    strands += [strand[::-1].translate(COMPLEMENT) for strand in strands]
    seen = 0
    for step in range(one.epoch_batches(0)):
        for document in documents(one.batch(step)):
            assert any(document in strand for strand in strands)
            seen += len(document)
    pieces = int(cut_epoch(DocumentSpans.of(runs), 32, np.random.default_rng((seed, 0))).length_P.sum())
    assert sum(lengths) - pieces <= 2 * len(lengths)  # single bases at the ends
    assert pieces - (rows - 1) * 32 <= seen <= pieces


def test_cuts_move_from_epoch_to_epoch() -> None:
    runs = runs_of((5000,))
    one = order(runs)
    first = {text for step in range(one.epoch_batches(0)) for text in documents(one.batch(step))}
    second = {
        text
        for step in range(one.epoch_batches(0), one.epoch_batches(0) + one.epoch_batches(1))
        for text in documents(one.batch(step))
    }
    assert len(first & second) < 0.1 * len(first)


def shown(strand: str | float) -> Counter[str]:
    """How an epoch shows a text of which each strand is told by its first base."""
    text = "A" * 2000
    runs = DocumentSpans.of([DocumentSpan(Interval("a", 0, 2000), TOKENIZER.encode(text))])
    mixed = runs.mixed(["all"], Mixing(strand=strand))
    one = order(mixed, rows=1)
    return Counter(base for step in range(one.epoch_batches(0)) for text in documents(one.batch(step)) for base in text)


def test_strand_policies() -> None:
    assert set(shown("forward")) == {"A"} and set(shown(1.0)) == {"T"}
    assert shown("both") == {"A": 2000, "T": 2000}
    assert 600 < shown("random")["A"] < 1400 and 1400 < shown(0.1)["A"] < 2000


def mixed(bases: dict[str, int], weights: tuple[float, ...] | None) -> DocumentSpans:
    """Sources of which each has one kind of base, many documents of many lengths."""
    random = np.random.default_rng(0)
    runs, sources = [], []
    for letter, total in bases.items():
        while total > 0:
            length = min(total, int(random.integers(1, 500)))
            runs.append(DocumentSpan(Interval("c", 0, length), TOKENIZER.encode(letter * length)))
            sources.append(letter)
            total -= length
    return DocumentSpans.of(runs).mixed(sources, Mixing(tuple(bases), weights, "forward"))


def epoch_of(runs: DocumentSpans) -> Counter[str]:
    one = order(runs, rows=1)
    return Counter(base for step in range(one.epoch_batches(0)) for text in documents(one.batch(step)) for base in text)


def test_without_weights_sources_are_shown_alike() -> None:
    found = epoch_of(mixed({"A": 30_000, "C": 6000}, None))
    assert found["A"] == pytest.approx(30_000, abs=150) and found["C"] == pytest.approx(6000, abs=150)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 3.0), (10.0, 1.0), (0.2, 0.5)])
def test_sources_are_mixed_by_their_weights(weights: tuple[float, float]) -> None:
    """Exactly, but for a piece (65 bases) of each source and pieces of one base; no base is left out of an epoch."""
    found = epoch_of(mixed({"A": 30_000, "C": 6000}, weights))
    longest = max(30_000 / weights[0], 6000 / weights[1])
    for letter, bases, weight in (("A", 30_000, weights[0]), ("C", 6000, weights[1])):
        assert found[letter] == pytest.approx(longest * weight, abs=65 + 0.01 * longest * weight)
        assert found[letter] > 0.99 * bases


def test_repeats_within_an_epoch_are_cut_anew() -> None:
    runs = runs_of((5000, 500))
    twice = DocumentSpans.of(runs).mixed(["a", "b"], Mixing(("a", "b"), (1.0, 1.0), "forward"))
    pieces = cut_epoch(twice, 65, np.random.default_rng(0))
    starts = Counter(pieces.offset_P[pieces.buffer_P == 1].tolist())
    assert pieces.length_P[pieces.buffer_P == 1].sum() == pytest.approx(5000, abs=20)
    assert starts[0] == 10 and len(starts) > 40  # each time from the first base on, then at other places


def test_memory_and_disk_have_the_same_form() -> None:
    runs = runs_of(LENGTHS)
    held = DocumentSpans.of(runs)
    assert [str(run.interval) for run in held] == [str(run.interval) for run in runs]
    assert len(held) == len(runs) and held[-1].ids.tolist() == runs[-1].ids.tolist()
    assert held[2:4].bases == sum(LENGTHS[2:4]) and DocumentSpans.of(held) is held
    with pytest.raises(IndexError):
        held[len(runs)]


def test_a_worker_outside_the_world_is_refused() -> None:
    one = order(runs_of(LENGTHS))
    for step, rank, world in ((-1, 0, 1), (0, 2, 2), (0, -1, 2)):
        with pytest.raises(ValueError, match="invalid step"):
            one.batch(step, rank, world)
    with pytest.raises(ValueError, match="no document of at least two tokens"):
        order(runs_of((1, 1)))


def test_fewer_rows_than_a_batch_are_one_batch() -> None:
    one = order(runs_of((40,)), rows=8)
    assert one.epoch_batches(0) == 1 and one.batch(3).ids_RL.shape == (1, 65)
    assert replace(Mixing(), strand=0.25).reverse_probability == 0.25
