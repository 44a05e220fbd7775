"""Bodies encoded in chunks have the tokens of one pass, and each letter is read about once."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from genolm.tokens.bpe_pieces import CHUNK, TAIL, encode_body


def trained(texts: Iterable[str], size: int) -> tuple[BPE, np.ndarray]:
    """A model trained on the texts, and the letters of every id."""
    tokenizer = Tokenizer(BPE())
    tokenizer.train_from_iterator(texts, BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=["A", "C"]))
    lengths = np.zeros(tokenizer.get_vocab_size(), np.int64)
    for piece, number in tokenizer.get_vocab().items():
        lengths[number] = len(piece)
    model = tokenizer.model
    assert isinstance(model, BPE)
    return model, lengths


class Counting:
    """A model that counts the letters it is given."""

    def __init__(self, model: BPE) -> None:
        self.model, self.letters, self.longest = model, 0, 0

    def tokenize(self, text: str):
        self.letters += len(text)
        self.longest = max(self.longest, len(text))
        return self.model.tokenize(text)


two_letters = st.text(alphabet="AC", min_size=1, max_size=400)


@settings(deadline=None, max_examples=200)
@given(two_letters, st.lists(two_letters, min_size=1, max_size=3), st.integers(3, 40), st.integers(2, 60))
@example("A" * 399, ["A" * 300], 12, 4)
@example("AC" * 150 + "A" * 99, ["AC" * 100, "CA" * 80], 20, 7)
def test_chunks_give_the_tokens_of_one_pass(text, corpus, size, chunk):
    """With two letters and chunks shorter than tokens, far letters do decide, and chunks are made again."""
    model, lengths = trained(corpus, size)
    expected = [token.id for token in model.tokenize(text)]
    assert encode_body(model, lengths, text, chunk).tolist() == expected


@pytest.mark.parametrize(("length", "chunk", "unit"), [(231, 2, "C"), (369, 4, "C"), (400, 3, "AC")])
def test_chunks_far_shorter_than_tokens_end_soon(length, chunk, unit):
    """Letters that decide lie many chunks away: the chunks grow instead of being repeated without end."""
    model, lengths = trained([unit * 400], 34)
    letters = np.random.default_rng(1).choice(list("AC"), length, p=(0.4, 0.6))
    text = "".join(letters) + unit * 40
    counting = Counting(model)
    ids = encode_body(counting, lengths, text, chunk)  # type: ignore[arg-type]
    assert ids.tolist() == [token.id for token in model.tokenize(text)]
    assert counting.letters <= 40 * len(text)


@pytest.mark.parametrize("text", ["ACCA" * 50_000, "A" * 200_000])
def test_every_letter_is_read_about_once(text):
    model, lengths = trained(["ACCA" * 60 + "AAC" * 30, "A" * 40], 30)
    counting = Counting(model)
    encode_body(counting, lengths, text)  # type: ignore[arg-type]
    assert counting.longest == CHUNK
    assert counting.letters <= len(text) * CHUNK / (CHUNK - 2 * TAIL) + CHUNK


def test_a_chunk_shorter_than_a_token_grows():
    model, lengths = trained(["A" * 256], 12)
    assert lengths.max() > 64
    assert encode_body(model, lengths, "A" * 1000, 2).tolist() == [token.id for token in model.tokenize("A" * 1000)]
