"""Embedding of sequences of any length with a recurrent memory."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

import genolm
from genolm.errors import InputError, ModelError
from genolm.models.card import Card
from genolm.models.model import Model
from genolm.models.networks.encoder import Encoder
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.recurrent_memory_config import MemoryConfig
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.trainer.weights import initialise

TOKENIZER = NucleotideTokenizer()
MEMORY = MemoryConfig(3, 20, cls_id=2, sep_id=3)
CARD = Card("remembering", objective="masked", begin=("[CLS]",), end=("[SEP]",))


def model_of(memory: MemoryConfig = MEMORY) -> Model:
    rows = TOKENIZER.vocab_size
    config = EncoderConfig(
        rows + memory.tokens, 16, 2, 2, 24, 20, rows, memory=memory, initial_std=0.3, pad_id=TOKENIZER.pad_id
    )
    return Model(initialise(Encoder(config), 0), TOKENIZER, CARD)


@pytest.fixture(scope="module")
def model() -> Model:
    return model_of()


@pytest.fixture(scope="module")
def sequences() -> list[str]:
    source = random.Random(4)
    return ["".join(source.choices("ACGT", k=length)) for length in (100, 5, 47)]


def by_hand(model: Model, sequence: str, layer: int = 2) -> np.ndarray:
    assert model.recurrent is not None
    ids = torch.from_numpy(TOKENIZER.encode(sequence).astype(np.int64))
    with torch.inference_mode():
        return model.recurrent(ids[None], layers={layer}).hidden[layer][0].numpy()


def test_long_and_short_sequences_are_read_with_memory(model: Model, sequences: list[str]) -> None:
    pooled = genolm.embed(model, sequences, layer=1).table["embedding"].to_numpy()
    expected = np.stack([by_hand(model, sequence, 1).mean(0) for sequence in sequences])
    np.testing.assert_allclose(pooled, expected, atol=1e-5)
    every = genolm.embed(model, sequences, pooling="none").table["embedding"].to_numpy()
    np.testing.assert_allclose(every, np.concatenate([by_hand(model, one) for one in sequences]), atol=1e-5)


def test_what_came_before_a_segment_matters(model: Model, sequences: list[str]) -> None:
    changed = [("A" if sequences[0][0] != "A" else "C") + sequences[0][1:]]
    one, other = (
        genolm.embed(model, x, pooling="last").table["embedding"].to_numpy() for x in (sequences[:1], changed)
    )
    assert np.abs(one - other).max() > 1e-6


def test_a_folder_remembers_its_memory(model: Model, sequences: list[str], tmp_path) -> None:
    folder = genolm.save(model, tmp_path / "model")
    loaded = genolm.load(folder)
    assert loaded.fingerprint == model.fingerprint
    assert loaded.recurrent is not None
    assert loaded.recurrent.memory == MEMORY
    one, other = (genolm.embed(x, sequences).table["embedding"].to_numpy() for x in (model, loaded))
    assert np.array_equal(one, other)
    with pytest.raises(ModelError, match="a recurrent memory cannot be expressed in the huggingface layout"):
        genolm.save(model, tmp_path / "other", layout="huggingface")


def test_a_limit_of_segments_is_the_context(sequences: list[str]) -> None:
    limited = model_of(replace(MEMORY, max_segments=3))
    assert limited.context == limited.max_tokens == 3 * 14
    with pytest.raises(ModelError, match=r"context must be from 1 to 42 bases .* not 43"):
        genolm.embed(limited, sequences, context=43)
    with pytest.raises(InputError, match="the model reads at most 3"):
        by_hand(limited, sequences[0])


def test_a_memory_is_not_left_out_in_silence(model: Model, sequences: list[str]) -> None:
    with pytest.raises(ModelError, match="remembering has a recurrent memory, which this does not support"):
        genolm.score(model, sequences)


def test_the_tokenizer_has_to_have_the_special_tokens_of_the_memory() -> None:
    with pytest.raises(ModelError, match=r"are \(2, 3\) in the tokenizer, but \(1, 2\) in the model's memory"):
        model_of(replace(MEMORY, cls_id=1, sep_id=2))
