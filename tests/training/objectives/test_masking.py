"""Masked-language modelling: how many tokens are hidden, in which spans, by what, and that special ones never are."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from genolm.errors import InputError
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.objectives.masking import IGNORED, Masking, MaskingRecipe, row_lengths
from genolm.training.objectives.next_token import target_bases, target_tokens

ROWS = 400


@pytest.fixture
def tokenizer(vocabulary: Path) -> BpeTokenizer:
    return BpeTokenizer.read(vocabulary)


def row(tokenizer: BpeTokenizer, tokens: int, random: np.random.Generator) -> np.ndarray:
    """``[CLS]``, so many bases, ``[SEP]``."""
    body = random.choice(np.flatnonzero(target_tokens(tokenizer)), tokens)
    ends = [tokenizer.special_id(name) for name in ("[CLS]", "[SEP]")]
    return np.array([ends[0], *body, ends[1]], np.int32)


def hidden(tokenizer: BpeTokenizer, recipe: MaskingRecipe, tokens: int = 298) -> list[tuple[np.ndarray, ...]]:
    """Rows as they are, as the network reads them, and their labels."""
    masking, random = Masking(recipe, tokenizer), np.random.default_rng(0)
    rows = [row(tokenizer, tokens, random) for _ in range(ROWS)]
    return [(ids, *masking.mask(ids, np.random.default_rng((7, n)))) for n, ids in enumerate(rows)]


@pytest.mark.parametrize(
    ("tokens", "fraction", "expected"), [(298, 0.15, 45), (1, 0.15, 1), (98, 0.3, 30), (8, 0.05, 1)]
)
def test_the_number_of_hidden_tokens_is_exact(
    tokenizer: BpeTokenizer, tokens: int, fraction: float, expected: int
) -> None:
    for ids, _, labels in hidden(tokenizer, MaskingRecipe(fraction=fraction), tokens):
        chosen = labels != IGNORED
        assert chosen.sum() == expected
        assert np.array_equal(labels[chosen], ids[chosen])


def test_evaluation_hides_its_own_share(tokenizer: BpeTokenizer) -> None:
    masking = Masking(MaskingRecipe(fraction=0.3, evaluation_fraction=0.15), tokenizer)
    ids = row(tokenizer, 98, np.random.default_rng(0))
    counts = [(masking.mask(ids, np.random.default_rng(1), evaluation)[1] >= 0).sum() for evaluation in (False, True)]
    assert counts == [30, 15]


def test_special_tokens_and_pieces_with_n_are_never_hidden(tokenizer: BpeTokenizer) -> None:
    masking, random = Masking(MaskingRecipe(fraction=1.0, spans=(1,)), tokenizer), np.random.default_rng(0)
    ids = row(tokenizer, 40, random)
    ids[7], ids[20] = tokenizer.special_id("[SEP]"), tokenizer.n_id
    hidden_ids, labels = masking.mask(ids, random)
    kept = [0, 7, 20, 41]
    assert (labels[kept] == IGNORED).all()
    assert np.array_equal(hidden_ids[kept], ids[kept])
    assert (np.delete(labels, kept) != IGNORED).all()


def within(share: float, expected: float, count: int) -> bool:
    """Five standard deviations of a binomial share."""
    return abs(share - expected) < 5 * (expected * (1 - expected) / count) ** 0.5


def test_four_fifths_read_mask_a_tenth_stays_and_a_tenth_is_any_token(tokenizer: BpeTokenizer) -> None:
    rows = hidden(tokenizer, MaskingRecipe())
    before, after = (np.concatenate([pair[i][pair[2] >= 0] for pair in rows]) for i in (0, 1))
    untouched = [(pair[0] == pair[1])[pair[2] < 0].all() for pair in rows]
    assert all(untouched)
    mask, size, count = tokenizer.special_id("[MASK]"), tokenizer.vocab_size, len(before)
    assert within((after == mask).mean(), 0.8 + 0.1 / size, count)
    assert within((after == before).mean(), 0.1 + 0.1 / size, count)
    others = after[(after != mask) & (after != before)]
    met = Counter(others.tolist())
    special = [tokenizer.special_id(name) for name in ("[UNK]", "[CLS]", "[SEP]", "[PAD]")]
    assert all(met[number] for number in special), "random tokens come from the whole vocabulary, special ones included"
    assert within(sum(met[number] for number in special) / len(others), 4 / (size - 2), len(others))


def test_random_tokens_may_be_bases_alone(tokenizer: BpeTokenizer) -> None:
    rows = hidden(tokenizer, MaskingRecipe(replace=(0.0, 0.0, 1.0), random_tokens="bases"))
    shown = np.concatenate([pair[1][pair[2] >= 0] for pair in rows])
    assert target_tokens(tokenizer)[shown].all()
    assert len(np.unique(shown)) == target_tokens(tokenizer).sum()


def test_spans_have_their_odds_where_nothing_is_in_their_way(tokenizer: BpeTokenizer) -> None:
    # A budget of three tokens: the first span is as long as it was drawn.
    masking, random = Masking(MaskingRecipe(fraction=0.01, spans=(6, 3, 2)), tokenizer), np.random.default_rng(0)
    ids, lengths = row(tokenizer, 298, random), Counter()
    for seed in range(3000):
        places = masking.positions(ids, 0.01, np.random.default_rng(seed))
        assert len(places) == 3
        runs = sorted(len(run) for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1))
        lengths[tuple(runs)] += 1
    # Three at once: a span of three (2/11), or one grown together out of neighbours, which is rare.
    assert 0 <= lengths[(3,)] / 3000 - 2 / 11 < 0.03
    # One and two: 6/11 then at least two (5/11), or two then one.
    assert abs(lengths[(1, 2)] / 3000 - (3 / 11 + 6 / 11 * 5 / 11)) < 0.05
    assert abs(lengths[(1, 1, 1)] / 3000 - (6 / 11) ** 2) < 0.05


def test_single_tokens_when_spans_are_of_one(tokenizer: BpeTokenizer) -> None:
    masking = Masking(MaskingRecipe(spans=(1,)), tokenizer)
    ids, counts = row(tokenizer, 298, np.random.default_rng(0)), np.zeros(300)
    for seed in range(1000):
        counts[masking.positions(ids, 0.15, np.random.default_rng(seed))] += 1
    assert abs(counts[1:-1] / 1000 - 45 / 298).max() < 5 * (0.15 * 0.85 / 1000) ** 0.5


def test_draws_come_from_the_given_generator_alone(tokenizer: BpeTokenizer) -> None:
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    one, other = (hidden(tokenizer, MaskingRecipe()) for _ in range(2))
    assert np.array_equal(np.random.get_state()[1], before)
    assert all(np.array_equal(a, b) for pair in zip(one, other, strict=True) for a, b in zip(*pair, strict=True))


def test_row_lengths_add_up_and_are_short_as_often_as_asked() -> None:
    random = np.random.default_rng(0)
    for tokens in (1, 5, 50, 51, 99, 100, 1000):
        assert row_lengths(tokens, 50, MaskingRecipe(short_probability=0.0), random) == whole(tokens)
        lengths = row_lengths(tokens, 50, MaskingRecipe(short_probability=0.5, shortest=10), random)
        assert sum(lengths) == tokens
        assert all(10 <= length <= 50 for length in lengths[:-1])
    drawn = [row_lengths(50, 50, MaskingRecipe(short_probability=0.1), random) for _ in range(4000)]
    # One of 50 lengths that are drawn is the whole row after all.
    assert within(np.mean([len(one) > 1 for one in drawn]), 0.1 * 49 / 50, 4000)
    chunks = [
        row_lengths(1024, 1024, MaskingRecipe(short_probability=1.0, shortest=10), random)[0] for _ in range(4000)
    ]
    assert abs(np.mean(chunks) - 517) < 5 * 293 / 4000**0.5


def whole(tokens: int) -> list[int]:
    """Rows of at most 50 tokens, of nearly equal length."""
    rows = -(-tokens // 50)
    sizes = [len(part) for part in np.array_split(np.arange(tokens), rows)]
    return sorted(sizes, reverse=True)


def test_targets_are_pieces_of_bases(tokenizer: BpeTokenizer) -> None:
    bases = target_bases(tokenizer, 96)
    text = "ACGTTGCAAACCGT"
    assert bases[tokenizer.encode(text)].sum() == len(text)
    assert not bases[[tokenizer.special_id("[MASK]"), tokenizer.n_id, *range(90, 96)]].any()
    plain = NucleotideTokenizer()
    assert np.flatnonzero(target_tokens(plain)).tolist() == sorted(plain.base_ids)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fraction": 0.0}, "fraction must be above 0"),
        ({"evaluation_fraction": 1.5}, "evaluation_fraction must be above 0"),
        ({"spans": ()}, "spans must be a list of non-negative numbers"),
        ({"spans": (0.0, 0.0)}, "spans must be 2 non-negative numbers, not all 0"),
        ({"replace": (0.8, 0.1)}, "replace must be 3 non-negative numbers"),
        ({"replace": (0.8, 0.1, 0.2)}, "add up to 1"),
        ({"random_tokens": "words"}, "random_tokens must be vocabulary or bases"),
        ({"short_probability": 2}, "short_probability must be between 0 and 1"),
        ({"shortest": 0}, "shortest must be at least 1"),
    ],
)
def test_what_is_wrong_with_masking_is_named(values: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        MaskingRecipe(**values)
