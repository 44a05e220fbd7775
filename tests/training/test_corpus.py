"""The corpus: splits, the leakage filter, and rows in an order that only the seed decides."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import random_dna

from genolm.errors import InputError
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import RowOrder, load_corpus
from genolm.training.recipe import Recipe

TOKENIZER = NucleotideTokenizer(iupac="N")


def text(ids: np.ndarray) -> str:
    return TOKENIZER.decode(ids)


def test_runs_split_at_n_and_lower_case_counts(recipe: Recipe) -> None:
    corpus = load_corpus(recipe.corpus, TOKENIZER)
    assert {name: corpus.bases(name) for name in corpus.splits} == {"train": 5400, "test": 1500}
    places = [str(run.interval) for run in corpus.splits["train"]]
    assert places == ["chr1:1-3000", "chr1:3051-3450", "chr2:1-2000"]


def test_held_out_intervals_are_cut_out(recipe: Recipe) -> None:
    held = {"test": ("chr3",), "valid": ("chr1:1,001-2,000",)}
    corpus = load_corpus(replace(recipe.corpus, held_out=held, skip=("chr2:1-500",)), TOKENIZER)
    places = [str(run.interval) for run in corpus.splits["train"]]
    assert places == ["chr1:1-1000", "chr1:2001-3000", "chr1:3051-3450", "chr2:501-2000"]
    assert [str(run.interval) for run in corpus.splits["valid"]] == ["chr1:1001-2000"]


@pytest.mark.parametrize("strand", ["plus", "minus"])
def test_sequence_that_repeats_held_out_sequence_is_dropped(recipe: Recipe, tmp_path: Path, strand: str) -> None:
    secret = random_dna(1500, 4)
    copy = secret if strand == "plus" else secret[::-1].translate(str.maketrans("ACGT", "TGCA"))
    fasta = tmp_path / "leak.fa"
    fasta.write_text(f">chr3\n{secret}\n>chr9\n{random_dna(2000, 7)}{copy}{random_dna(2000, 8)}\n")
    corpus = load_corpus(replace(recipe.corpus, fasta=(str(fasta),)), TOKENIZER)
    assert corpus.dropped == 1000  # of the kilobases 2,000-3,000 (all shared) and 3,000-4,000 (under half)
    assert "chr9:2001-3000" not in [str(run.interval) for run in corpus.splits["train"]]
    joined = [text(run.ids) for run in corpus.splits["train"]]
    assert not any(copy[:1000] in sequence for sequence in joined)


def test_a_split_without_bases_is_an_error(recipe: Recipe) -> None:
    with pytest.raises(InputError, match="no base of the corpus falls into the split 'test'"):
        load_corpus(replace(recipe.corpus, held_out={"test": ("chrX",)}), TOKENIZER)
    with pytest.raises(InputError, match="the recipe's FASTA is not there"):
        load_corpus(replace(recipe.corpus, fasta=("/nowhere.fa",)), TOKENIZER)


def rows(recipe: Recipe, seed: int = 0) -> RowOrder:
    runs = load_corpus(recipe.corpus, TOKENIZER).splits["train"]
    return RowOrder(runs, recipe.context, recipe.batch_rows, seed, TOKENIZER)


def test_a_batch_depends_on_seed_and_step_alone(recipe: Recipe) -> None:
    one, other = rows(recipe), rows(recipe)
    in_order = [one.batch(step).ids_RL for step in range(40)]
    for step in (39, 0, 17):
        assert np.array_equal(other.batch(step).ids_RL, in_order[step])
    assert not np.array_equal(rows(recipe, seed=1).batch(0).ids_RL, in_order[0])


def test_an_epoch_shows_bases_of_the_corpus_only_and_nearly_all(recipe: Recipe) -> None:
    order = rows(recipe)
    corpus = load_corpus(recipe.corpus, TOKENIZER).splits["train"]
    strands = [text(run.ids) for run in corpus]
    strands += [strand[::-1].translate(str.maketrans("ACGT", "TGCA")) for strand in strands]
    batches, seen = order.epoch_batches(0), 0
    for step in range(batches):
        batch = order.batch(step)
        for r, ids in enumerate(batch.ids_RL):
            documents = np.zeros(len(ids)) if batch.documents_RL is None else batch.documents_RL[r]
            for number in range(int(documents.max()) + 1):
                document = text(ids[documents == number])
                assert any(document in strand for strand in strands)
                seen += len(document)
    total = sum(len(run.ids) for run in corpus)
    assert total - recipe.batch_rows * (recipe.context + 1) < seen <= total


def test_packed_rows_are_separated_by_an_end_of_document(recipe: Recipe) -> None:
    order = rows(recipe)
    packed = [b for b in map(order.batch, range(order.epoch_batches(0))) if b.documents_RL is not None]
    assert packed
    for batch in packed:
        assert batch.documents_RL is not None
        inside = (batch.ids_RL >= 5) & (batch.ids_RL <= 8)
        assert np.array_equal(inside, batch.documents_RL >= 0)
        outside = batch.ids_RL[~inside]
        assert set(outside.tolist()) <= {TOKENIZER.eod_id, TOKENIZER.pad_id}
