"""Log-probabilities: normalisation, and the rows of the head that are used."""

import pytest
import torch

from genolm.tasks.reading import log_probabilities
from genolm.tasks.reading.log_probabilities import base_log_probs, token_log_probs


@pytest.fixture
def states(tiny):
    ids = torch.tensor([[8, 5, 6, 7, 9, 8, 12], [5, 5, 9, 6, 7, 7, 8]])
    with torch.inference_mode():
        output = tiny.network(ids, layers={3})
        yield ids, output.hidden[3], output.logits_BLV


def test_bases_add_up_to_one_among_each_other(tiny, states):
    _, x, logits = states
    found = base_log_probs(tiny, x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, logits[..., list(tiny.tokenizer.base_ids)].log_softmax(-1))


@pytest.mark.parametrize("at_once", [1, 1 << 24])
def test_the_vocabulary_adds_up_to_one(tiny, states, monkeypatch, at_once):
    monkeypatch.setattr(log_probabilities, "_HEAD_VALUES", at_once)
    ids, x, logits = states
    found = token_log_probs(tiny, x, ids, normalise="vocabulary")
    torch.testing.assert_close(found, logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0])


def test_targets_that_are_no_base_have_no_value_among_bases(tiny, states):
    ids, x, logits = states
    found = token_log_probs(tiny, x, ids)
    bases = list(tiny.tokenizer.base_ids)
    assert found.isnan().tolist() == [[one not in bases for one in row] for row in ids.tolist()]
    place = bases.index(5)
    torch.testing.assert_close(found[1, 0], logits[1, 0, bases].log_softmax(-1)[place])


def test_no_position_gives_no_value(tiny, states):
    ids, x, _ = states
    for normalise in ("bases", "vocabulary"):
        assert token_log_probs(tiny, x[:, :0], ids[:, :0], normalise=normalise).shape == (2, 0)
