"""What an encoder refuses to run, and the precision of its attention."""

import pytest
import torch

import genolm
from genolm.errors import ModelError
from genolm.models.networks.attention.block_layout import deepspeed_layout, sampled_layout
from genolm.models.networks.attention.block_sparse import block_sparse_attention, plain_block_attention
from genolm.models.networks.attention.encoder_attention import full_attention, local_attention

NAMES = [f"tiny-random-{kind}" for kind in ("bert", "sparse", "sparse-rotary", "bigbird", "moderngena")]


@pytest.fixture(params=NAMES)
def encoder(request):
    return genolm.load(request.param, device="cpu").network


def test_a_batch_of_no_rows(encoder):
    with pytest.raises(ModelError, match="a batch must have at least one row"):
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
    with pytest.raises(ModelError, match=f"a row of {most + 1:,} tokens exceeds the {most:,} positions"):
        encoder(torch.full((1, most + 1), 7))


def test_padding_beyond_the_positions_is_no_token(encoder):
    ids, mask = torch.full((1, encoder.config.max_positions + 9), 7), None
    mask = torch.arange(ids.shape[1])[None] >= 9
    assert encoder(ids, mask_BL=mask).logits.shape == (*ids.shape, encoder.config.vocab_size)


@pytest.mark.parametrize("kind", ["full", "local", "blocks", "blocks and padding"])
@pytest.mark.parametrize("graph", [False, True])
def test_attention_in_bf16_keeps_its_scores_in_fp32(kind, graph):
    """Rounded to bf16, the large scores of sharp attention would differ by 1.5 %; the fused kernel differs by 0.2 %."""
    length = 1024 - 30 * (kind == "blocks and padding")
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, length, 64, generator=generator).bfloat16() for _ in range(3))
    q *= 6
    layout = deepspeed_layout(sampled_layout(2, 16, 0), length, 64)
    if kind.startswith("blocks"):
        expected = plain_block_attention(*(x.float() for x in (q, k, v)), layout)
        found = block_sparse_attention(q.requires_grad_(graph), k, v, layout)
    else:
        attention = full_attention if kind == "full" else local_attention(128)
        expected = attention(*(x[None].double() for x in (q, k, v)))[0]
        found = attention(q[None].requires_grad_(graph), k[None], v[None])[0]
    assert (found.double() - expected).norm() / expected.norm() < 0.004
