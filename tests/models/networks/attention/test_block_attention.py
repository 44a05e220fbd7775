"""BigBird encoders: rows stand for themselves, layers use the layout they should, and nothing becomes dense unseen."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from genolm.errors import ModelError
from genolm.models.networks.encoder import Encoder
from genolm.models.networks.encoder_config import BlockSparseConfig, EncoderConfig, RandomBlocks, SparseKind

BLOCK = 4
LONGEST = 160


def network(kind: SparseKind, random_blocks: RandomBlocks, positions: Any = "absolute", **more: Any) -> Encoder:
    torch.manual_seed(0)
    sparse = BlockSparseConfig(kind, BLOCK, 2, random_blocks, **more)
    config = EncoderConfig(
        40, 16, 3, 2, 24, max_positions=LONGEST, positions=positions, sparse=sparse, pooler="tanh", sentence_head=True
    )
    encoder = Encoder(config).eval()
    with torch.no_grad():
        for weight in encoder.parameters():
            if weight.ndim > 1:
                weight.mul_(2)  # attention that is far from uniform
    return encoder


@pytest.fixture(params=["deepspeed", "rotary", "zero", "seeded"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    if request.param in ("deepspeed", "rotary"):
        return network("deepspeed", "stored", "rotary" if request.param == "rotary" else "absolute")
    return network("bigbird", request.param)


def ids_of(tokens: int, rows: int = 1, seed: int = 0) -> Tensor:
    return torch.randint(4, 40, (rows, tokens), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def hidden(encoder: Encoder, ids: Tensor, **more: Any) -> Tensor:
    return encoder(ids, layers=[encoder.config.num_layers], logits=False, **more).hidden[encoder.config.num_layers]


LENGTHS = (1, 3, 17, 36, 37, 64, 101, 160)


def batch(left: bool = False, width: int = LONGEST) -> tuple[Tensor, Tensor, list[Tensor]]:
    singles = [ids_of(tokens, seed=tokens) for tokens in LENGTHS]
    ids, mask = torch.full((len(LENGTHS), width), 3), torch.zeros(len(LENGTHS), width, dtype=torch.bool)
    for row, single in enumerate(singles):
        place = slice(width - single.shape[1], width) if left else slice(0, single.shape[1])
        ids[row, place], mask[row, place] = single[0], True
    return ids, mask, singles


@pytest.mark.parametrize("left", [False, True])
def test_a_row_of_a_batch_is_what_it_is_alone(encoder: Encoder, left: bool) -> None:
    ids, mask, singles = batch(left)
    together = hidden(encoder, ids, mask_BL=mask)
    for row, single in enumerate(singles):
        torch.testing.assert_close(together[row][mask[row]], hidden(encoder, single)[0], atol=2e-5, rtol=1e-5)


def test_rows_of_one_length_are_what_they_are_alone(encoder: Encoder) -> None:
    ids = ids_of(70, rows=3)
    together = hidden(encoder, ids)
    for row in range(3):
        torch.testing.assert_close(together[row], hidden(encoder, ids[row : row + 1])[0], atol=2e-5, rtol=1e-5)


def test_more_padding_and_another_order_change_nothing(encoder: Encoder) -> None:
    ids, mask, _ = batch()
    before = hidden(encoder, ids, mask_BL=mask)
    wide, wide_mask, _ = batch(width=LONGEST + 13)
    assert torch.equal(hidden(encoder, wide, mask_BL=wide_mask)[:, :LONGEST], before)
    order = torch.tensor([3, 0, 7, 5, 1, 6, 2, 4])
    turned = hidden(encoder, ids[order], mask_BL=mask[order])
    torch.testing.assert_close(turned, before[order], atol=2e-5, rtol=1e-5)


def test_a_pass_leaves_the_global_generators_as_they_were(encoder: Encoder) -> None:
    np.random.seed(5)
    torch.manual_seed(5)
    before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()
    hidden(encoder, ids_of(101))
    assert np.array_equal(np.random.get_state()[1], before)
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_gradients_reach_every_weight(encoder: Encoder) -> None:
    out = encoder(ids_of(101))
    (out.logits.square().mean() + out.sentence_B2.sum()).backward()
    without = [name for name, weight in encoder.named_parameters() if weight.grad is None or not weight.grad.any()]
    # What a bias adds to the scores of all keys alike leaves a softmax as it is.
    assert [name for name in without if not name.endswith("key.bias")] == []
    assert all(weight.grad.isfinite().all() for weight in encoder.parameters())


def test_training_under_autocast(encoder: Encoder) -> None:
    ids = ids_of(101)
    plain = encoder(ids).logits.square().mean()
    plain.backward()
    expected = encoder.layers[0].attention.query.weight.grad.clone()
    encoder.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        loss = encoder(ids).logits.float().square().mean()
    loss.backward()
    assert loss.item() == pytest.approx(plain.item(), rel=0.02)
    assert (encoder.layers[0].attention.query.weight.grad - expected).norm() < 0.1 * expected.norm()


class DenseCalls(TorchDispatchMode):
    """Queries and keys of each call of a fused attention, and the largest tensor for which memory is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, int]] = []
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if "scaled_dot_product" in str(func):
            self.calls.append((args[0].shape[-2], args[1].shape[-2]))
        if isinstance(made, Tensor):
            self.largest = max(self.largest, made.numel())
        return made


@pytest.mark.parametrize("tokens", [37, 101, 160])
def test_long_rows_are_never_dense(encoder: Encoder, tokens: int) -> None:
    with DenseCalls() as counted:
        hidden(encoder, ids_of(tokens))
    assert counted.calls
    assert {keys for _, keys in counted.calls} == {tokens}
    assert max(queries for queries, _ in counted.calls) <= 2 * BLOCK  # global rows only


@pytest.mark.parametrize("random_blocks", ["zero", "seeded"])
def test_full_attention_is_decided_anew_for_every_row(random_blocks: RandomBlocks) -> None:
    encoder = network("bigbird", random_blocks)
    with DenseCalls() as counted:
        hidden(encoder, ids_of(36))  # (5 + 2 x 2) blocks of 4
    assert counted.calls == [(36, 36)] * 3
    with DenseCalls() as counted:
        hidden(encoder, ids_of(37))
    assert max(queries for queries, _ in counted.calls) <= 4


def test_padded_to_moves_the_last_block_as_the_published_batches_do() -> None:
    encoder, ids = network("bigbird", "zero"), ids_of(61)
    alone = hidden(encoder, ids)
    torch.testing.assert_close(hidden(encoder, ids, padded_to=64), alone)
    assert (hidden(encoder, ids, padded_to=68) - alone).abs().max() > 1e-3
    short = ids_of(30)
    assert (hidden(encoder, short, padded_to=64) - hidden(encoder, short)).abs().max() > 1e-3  # no longer in full


def test_padded_to_where_it_means_nothing_is_an_error() -> None:
    with pytest.raises(ModelError, match="applicable to stock BigBird only"):
        network("deepspeed", "stored")(ids_of(40), padded_to=64)
    with pytest.raises(ModelError, match=r"padded_to .60. must not be smaller than the longest row .61 tokens."):
        network("bigbird", "zero")(ids_of(61), padded_to=60)


def with_layers(encoder: Encoder, per_layer: bool) -> Encoder:
    assert encoder.config.sparse is not None
    encoder.config = replace(encoder.config, sparse=replace(encoder.config.sparse, per_layer_layout=per_layer))
    return encoder


def test_all_layers_use_the_layout_of_the_first_unless_told() -> None:
    ids, encoder = ids_of(150), network("deepspeed", "stored")
    assert not torch.equal(encoder.layers[0].attention.layout, encoder.layers[1].attention.layout)
    shared, own = hidden(encoder, ids), hidden(with_layers(encoder, True), ids)
    assert (shared - own).abs().max() > 1e-3
    for layer in encoder.layers:
        layer.attention.layout.copy_(encoder.layers[0].attention.layout)
    torch.testing.assert_close(hidden(encoder, ids), shared)


def test_layouts_are_stored_with_the_weights() -> None:
    encoder = network("deepspeed", "stored")
    stored = encoder.state_dict()["layers.1.attention.layout"]
    assert (stored.shape, stored.dtype) == ((2, 40, 40), torch.uint8)
    assert not any("layout" in name for name in network("bigbird", "zero").state_dict())
    assert encoder.bfloat16().layers[1].attention.layout.dtype == torch.uint8


def test_a_row_beyond_the_layout_is_an_error() -> None:
    encoder = network("deepspeed", "stored", "rotary")
    with pytest.raises(ModelError, match="a row of 161 tokens exceeds the 160 positions"):
        encoder(ids_of(161))


def test_bf16_follows_fp32(encoder: Encoder) -> None:
    ids = ids_of(101)
    expected = hidden(encoder, ids)
    found = hidden(encoder.bfloat16(), ids).float()
    assert (found - expected).norm() < 0.03 * expected.norm()
