"""What an encoder refuses to run."""

import pytest
import torch

import genolm
from genolm.errors import ModelError

NAMES = [f"tiny-random-{kind}" for kind in ("bert", "sparse", "sparse-rotary", "bigbird", "moderngena")]


@pytest.fixture(params=NAMES)
def encoder(request):
    return genolm.load(request.param, device="cpu").network


def test_a_batch_of_no_rows(encoder):
    with pytest.raises(ModelError, match="a batch needs at least one row"):
        encoder(torch.zeros(0, 5, dtype=torch.int64))


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_a_row_without_tokens_has_nothing_to_pool(encoder, empty):
    """Its first token would be that of the next row."""
    ids, mask = torch.full((3, 6), 7), torch.ones(3, 6, dtype=torch.bool)
    mask[empty] = False
    if encoder.pooler is None:
        assert not encoder(ids, mask_BL=mask, layers=[1]).hidden[1][empty].any()
        return
    with pytest.raises(ModelError, match=rf"row {empty} \(0-based\) has no tokens to pool"):
        encoder(ids, mask_BL=mask)


def test_a_row_beyond_the_positions(encoder):
    most = encoder.config.max_positions
    assert encoder(torch.full((1, most), 7)).logits.shape[1] == most
    with pytest.raises(ModelError, match=f"a row of {most + 1:,} tokens is beyond the {most:,} positions"):
        encoder(torch.full((1, most + 1), 7))


def test_padding_beyond_the_positions_is_no_token(encoder):
    ids, mask = torch.full((1, encoder.config.max_positions + 9), 7), None
    mask = torch.arange(ids.shape[1])[None] >= 9
    assert encoder(ids, mask_BL=mask).logits.shape == (*ids.shape, encoder.config.vocab_size)
