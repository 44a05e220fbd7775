"""Rows of tokens: every base of an epoch once, each strand tokenised by itself, any worker, any step."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import random_dna

from genolm.errors import InputError
from genolm.genome.interval import Interval
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.corpus import DocumentSpan, DocumentSpans, RowOrder, load_corpus
from genolm.training.corpus.split_documents import Mixing
from genolm.training.feeds.corpus_feed import CorpusFeed
from genolm.training.feeds.token_rows import CausalRows, MaskedRows
from genolm.training.objectives.masking import MaskingRecipe
from genolm.training.pretrain import PretrainingTask
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.recipes.recipe_tokens import tokenisation_of
from genolm.training.rows import Places, Rows

CORPUS = NucleotideTokenizer(iupac="N")
COMPLEMENT = str.maketrans("ACGT", "TGCA")
LENGTHS = (3000, 400, 2000, 64, 65, 7, 2)


@pytest.fixture
def tokenizer(vocabulary: Path) -> BpeTokenizer:
    return BpeTokenizer.read(vocabulary)


def runs(strand: str = "random") -> DocumentSpans:
    texts = [random_dna(length, number) for number, length in enumerate(LENGTHS)]
    plain = [DocumentSpan(Interval(f"c{n}", 0, len(text)), CORPUS.encode(text)) for n, text in enumerate(texts)]
    return DocumentSpans.of(plain).mixed(["all"] * len(texts), Mixing(strand=strand))


def body(tokenizer: BpeTokenizer, ids: np.ndarray) -> np.ndarray:
    """A framed piece without its special tokens; they must stand at its ends alone."""
    special = np.asarray(tokenizer.lengths)[ids] == 0
    assert special[0] and not special[1:-1].any()
    return ids[~special]


def pieces_of(tokenizer: BpeTokenizer, rows: Rows) -> list[np.ndarray]:
    """Tokens of every document of every row of a decoder."""
    found = []
    for row, ids in enumerate(rows.ids_RL):
        inside = np.where(ids == tokenizer.pad_id, -1, 0) if rows.documents_RL is None else rows.documents_RL[row]
        assert (ids[inside >= 0] != tokenizer.pad_id).all()
        for number in np.unique(inside[inside >= 0]):
            at = np.flatnonzero(inside == number)
            assert np.array_equal(at, np.arange(at[0], at[-1] + 1))
            assert at[0] == 0 or ids[at[0] - 1] == tokenizer.special_id("[SEP]")
            found.append(body(tokenizer, ids[at]))
    return found


def epoch(laid: CausalRows | MaskedRows, order: RowOrder) -> list[tuple[Rows, Rows]]:
    """Rows of bases and of tokens of every step of the first epoch."""
    found = []
    for step in range(order.epoch_batches(0)):
        rows = order.batch(step)
        found.append((rows, laid.training(rows, [(0, step, row) for row in range(len(rows.ids_RL))])))
    return found


def texts(rows: Rows) -> Counter[str]:
    """How often each base string of a document stands in rows of bases, cut up into its letters by place."""
    documents = np.zeros(rows.ids_RL.shape, int) if rows.documents_RL is None else rows.documents_RL
    return Counter(CORPUS.decode(rows.ids_RL[documents >= 0]))


@pytest.mark.parametrize("context", [16, 40])
def test_rows_of_a_decoder_hold_every_base_of_an_epoch_once(tokenizer: BpeTokenizer, context: int) -> None:
    laid = CausalRows(CORPUS, tokenizer, context)
    order = RowOrder(runs(), laid.row_bases(2.6) - 1, 4, 0, CORPUS)
    further = 0
    for bases, tokens in epoch(laid, order):
        assert tokens.ids_RL.shape[1] == context + 1
        written = [tokenizer.decode(piece) for piece in pieces_of(tokenizer, tokens)]
        assert sum(map(Counter, written), Counter()) == texts(bases)
        assert sum(map(len, written)) == sum(texts(bases).values())
        further += len(tokens.ids_RL) > len(bases.ids_RL)
    assert further, "some piece is longer than its row, and goes on in another"


def test_what_a_row_has_no_room_for_goes_on_where_it_stopped(tokenizer: BpeTokenizer) -> None:
    laid, text = CausalRows(CORPUS, tokenizer, 16), random_dna(200, 5)
    rows = laid.training(Rows(CORPUS.encode(text)[None], None), [(0,)])
    pieces = pieces_of(tokenizer, rows)
    assert np.array_equal(np.concatenate(pieces), tokenizer.encode(text))
    assert [len(piece) for piece in pieces[:-1]] == [16] * (len(pieces) - 1)


@pytest.mark.parametrize("short", [0.0, 0.3, 1.0])
def test_rows_of_an_encoder_hold_every_base_of_an_epoch_once(tokenizer: BpeTokenizer, short: float) -> None:
    laid = MaskedRows(CORPUS, tokenizer, 24, MaskingRecipe(short_probability=short, replace=(0.0, 1.0, 0.0)))
    order = RowOrder(runs(), laid.row_bases(2.6) - 1, 4, 0, CORPUS)
    for bases, tokens in epoch(laid, order):
        assert tokens.ids_RL.shape[1] <= 24
        assert tokens.lengths_R is not None and tokens.targets is not None
        written = ""
        for ids, labels, length in zip(tokens.ids_RL, tokens.targets, tokens.lengths_R, strict=True):
            assert (ids[length:] == tokenizer.pad_id).all() and (labels[length:] < 0).all()
            assert ids[length - 1] == tokenizer.special_id("[SEP]")
            written += tokenizer.decode(body(tokenizer, ids[:length]))
        assert Counter(written) == texts(bases)


def test_both_strands_are_tokenised_each_by_itself(tokenizer: BpeTokenizer) -> None:
    laid, text = CausalRows(CORPUS, tokenizer, 64), random_dna(150, 9)
    plain = [DocumentSpan(Interval("c", 0, len(text)), CORPUS.encode(text))]
    both = DocumentSpans.of(plain).mixed(["all"], Mixing(strand="both"))
    rows = laid.training(RowOrder(both, 149, 2, 0, CORPUS).batch(0), [(0,), (0,)])
    found = {piece.tobytes() for piece in pieces_of(tokenizer, rows)}
    reverse = text[::-1].translate(COMPLEMENT)
    assert found == {tokenizer.encode(strand).astype(np.int32).tobytes() for strand in (text, reverse)}
    assert len(tokenizer.encode(text)) < 64


def feed(recipe: Recipe) -> CorpusFeed:
    return PretrainingTask(recipe).feed


@pytest.mark.parametrize("kind", ["masked_recipe", "ocean_recipe"])
def test_a_step_has_the_same_rows_after_any_others(kind: str, request: pytest.FixtureRequest) -> None:
    recipe = request.getfixturevalue(kind)
    one, other = feed(recipe), feed(recipe)
    in_order = [one.rows(step, 0, 1) for step in range(30)]
    for step in (29, 3, 4, 17):
        for first, second in zip(other.rows(step, 0, 1), in_order[step], strict=True):
            pairs = zip(first, second, strict=True) if isinstance(first, Places) else [(first, second)]
            assert all(np.array_equal(a, b) for a, b in pairs)
    one.close()
    other.close()


@pytest.mark.parametrize("kind", ["masked_recipe", "ocean_recipe"])
def test_workers_have_together_what_one_has(kind: str, request: pytest.FixtureRequest) -> None:
    recipe = request.getfixturevalue(kind)
    one = feed(recipe)
    for step in range(6):
        whole = one.rows(step, 0, 1)
        parts = [one.rows(step, rank, 2) for rank in range(2)]
        found = Counter(row for part in parts for row in row_bytes(part))
        if kind == "masked_recipe":
            assert found == Counter(row_bytes(whole))
        else:  # further rows are shared by what each worker has left
            assert sum(len(part.ids_RL) for part in parts) >= len(whole.ids_RL)
            counts = [
                Counter(np.concatenate([part.ids_RL.ravel() for part in some]).tolist()) for some in (parts, [whole])
            ]
            for token in range(5, 90):
                assert counts[0][token] == counts[1][token]
    one.close()


def row_bytes(rows: Rows) -> list[bytes]:
    """Rows without padding, with their labels."""
    assert rows.lengths_R is not None
    parts = (rows.ids_RL, rows.targets) if rows.targets is not None else (rows.ids_RL,)
    return [b"".join(part[row, :n].tobytes() for part in parts) for row, n in enumerate(rows.lengths_R)]


def test_held_out_windows_are_one_row_each_and_always_the_same(tokenizer: BpeTokenizer) -> None:
    windows = np.stack([CORPUS.encode(random_dna(300, seed)) for seed in range(5)])
    masked = MaskedRows(CORPUS, tokenizer, 24, MaskingRecipe(fraction=0.3, short_probability=1.0))
    one, other = (masked.held_out(windows, [(1, n) for n in range(5)]) for _ in range(2))
    assert np.array_equal(one.ids_RL, other.ids_RL) and one.ids_RL.shape == (5, 24)
    assert ((one.targets >= 0).sum(1) == round(0.15 * 24)).all()
    causal = CausalRows(CORPUS, tokenizer, 24).held_out(windows, [()] * 5)
    assert causal.ids_RL.shape == (5, 25) and causal.documents_RL is None
    for window, ids in zip(windows, causal.ids_RL, strict=True):
        assert np.array_equal(ids[1:], tokenizer.encode(CORPUS.decode(window))[:24])


def test_tokens_are_counted_on_training_sequence(ocean_recipe: Recipe) -> None:
    train = load_corpus(ocean_recipe.corpus, CORPUS).splits["train"]
    tokens = tokenisation_of(ocean_recipe, CORPUS, train)
    tokenizer = tokens.tokenizer
    lengths = np.asarray(tokenizer.lengths)
    assert tokens.counts_V is not None
    assert lengths @ tokens.counts_V / tokens.counts_V.sum() == pytest.approx(tokens.bases_per_token)
    assert 2 < tokens.bases_per_token < 4
    assert tokens.row_bases(32) == int(0.95 * 32 * tokens.bases_per_token)
    shares = tokens.frequencies()
    assert shares.sum() == pytest.approx(1)
    assert (shares > 0).sum() == 90 - 6  # all but five special tokens and N
    plain = tokenisation_of(replace(ocean_recipe, tokenizer=""), CORPUS, train)
    assert plain.plain and plain.row_bases(32) == 33 and plain.rows(32) is None


def test_a_vocabulary_that_does_not_fit_is_refused(ocean_recipe: Recipe, tmp_path: Path) -> None:
    train = load_corpus(ocean_recipe.corpus, CORPUS).splits["train"]
    wrong = {
        "the recipe's tokenizer does not exist": {"tokenizer": str(tmp_path / "none")},
        "90 tokens, but the model's embedding has fewer rows .*value 89": {
            "model": replace(ocean_recipe.model, vocab_size=89)
        },
        "pad_id must be that of its vocabulary, 3": {"model": replace(ocean_recipe.model, pad_id=0)},
        "longest_n_run": {
            "corpus": replace(ocean_recipe.corpus, longest_n_run=5),
            "tokenizer": str(no_n(tmp_path)),
        },
    }
    for message, values in wrong.items():
        with pytest.raises(InputError, match=message):
            tokenisation_of(replace(ocean_recipe, **values), CORPUS, train)


def no_n(folder: Path) -> Path:
    from tokenizers import Tokenizer, models, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    trainer = trainers.BpeTrainer(vocab_size=40, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([random_dna(500, 1)], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
