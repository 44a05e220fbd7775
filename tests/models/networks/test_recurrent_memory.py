"""Recurrent memory: what it reads and writes, batches, gradients, growth, and the task it is for."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.live_peak import LivePeak
from torch import Tensor

from genolm.errors import InputError, ModelError
from genolm.models.networks.encoder import Encoder
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.recurrent_memory import RecurrentMemory
from genolm.models.networks.recurrent_memory_config import MemoryConfig
from genolm.training.objectives.label_losses import (
    recurrent_sequence_loss,
    recurrent_token_loss,
    sequence_loss,
    token_loss,
)
from genolm.training.trainer.weights import initialise

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
TOKENS, M, CONTENT = 40, 3, 6
MEMORY = MemoryConfig(tokens=M, segment=CONTENT + M + 3)


def config(memory: MemoryConfig = MEMORY, **others: object) -> EncoderConfig:
    shape: dict = {
        "vocab_size": TOKENS + memory.tokens,
        "token_rows": TOKENS,
        "hidden_size": 16,
        "num_layers": 2,
        "num_heads": 2,
        "ffn_size": 24,
        "max_positions": memory.segment,
        "norm_eps": 1e-5,
        "pooler": "tanh",
        "labels": 3,
        "memory": memory,
        "initial_std": 0.3,
    }
    return EncoderConfig(**shape | others)


def network(memory: MemoryConfig = MEMORY, seed: int = 0, **others: object) -> RecurrentMemory:
    return RecurrentMemory(initialise(Encoder(config(memory, **others)), seed)).eval()


def ids_of(length: int, seed: int = 0) -> Tensor:
    return torch.randint(5, TOKENS, (length,), generator=torch.Generator().manual_seed(seed))


def batch_of(lengths: list[int], *, left: bool = False) -> tuple[Tensor, Tensor]:
    """Sequences of these lengths, padded on one side, and the mask."""
    width = max(lengths)
    ids = torch.full((len(lengths), width), 3)
    mask = torch.zeros(len(lengths), width, dtype=torch.bool)
    for row, length in enumerate(lengths):
        own = slice(width - length, width) if left else slice(0, length)
        ids[row, own], mask[row, own] = ids_of(length, seed=length), True
    return ids, mask


# Where sequences are cut


@given(st.integers(0, 400), st.integers(1, 40), st.sampled_from(["center", "right", "left"]))
def test_segments_cover_a_sequence_once_and_are_as_few_as_can_be(length: int, content: int, alignment: str) -> None:
    cuts = MemoryConfig(2, content + 5, alignment=alignment).cuts(length)  # type: ignore[arg-type]
    assert cuts[0][0] == 0
    assert cuts[-1][1] == length
    assert all(one[1] == other[0] for one, other in pairwise(cuts))
    sizes = [stop - start for start, stop in cuts]
    assert max(sizes) <= content
    assert len(cuts) == max(1, -(-length // content))
    assert length == 0 or min(sizes) > 0


def test_the_remainder_stands_where_the_alignment_says() -> None:
    sizes = {
        alignment: [stop - start for start, stop in replace(MEMORY, alignment=alignment).cuts(14)]
        for alignment in ("center", "right", "left")
    }
    assert sizes == {"center": [5, 5, 4], "right": [2, 6, 6], "left": [6, 6, 2]}


def test_nothing_is_cut_off_in_silence() -> None:
    short = replace(MEMORY, max_segments=2)
    assert len(short.cuts(2 * CONTENT)) == 2
    with pytest.raises(InputError, match="13 tokens needs 3 segments of 6, but the model reads at most 2"):
        short.cuts(2 * CONTENT + 1)
    with pytest.raises(InputError, match="the model reads at most 2"):
        network(short)(ids_of(13)[None])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"tokens": 10, "segment": 13}, "no room for content"),
        ({"alignment": "middle"}, "alignment must be one of center, right, left"),
        ({"loss": "first"}, "loss must be one of last, mean"),
        ({"max_segments": 0}, "max_segments must be at least 1"),
        ({"depth": -2}, "depth must be"),
        ({"sep_id": -1}, "must not be negative"),
    ],
)
def test_impossible_memories_are_refused(values: dict, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        MemoryConfig(**values)


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"vocab_size": TOKENS + M - 1}, "as many rows beyond the tokens; there are 2"),
        ({"max_positions": MEMORY.segment - 1}, "exceed the 11 positions"),
        ({"memory": replace(MEMORY, sep_id=TOKENS)}, "must be among the 40 tokens"),
    ],
)
def test_an_encoder_has_room_for_its_memory(others: dict, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        config(**others)


def test_a_config_with_a_memory_survives_json() -> None:
    there = config(replace(MEMORY, depth=2, max_segments=9, attended_padding=0))
    assert EncoderConfig.from_dict(there.to_dict()) == there
    with pytest.raises(ModelError, match="unknown memory keys: size"):
        EncoderConfig.from_dict({**there.to_dict(), "memory": {"size": 3}})
    with pytest.raises(ModelError, match="no recurrent memory"):
        RecurrentMemory(Encoder(replace(there, memory=None)))


# What is read and written


def test_one_segment_is_one_pass_of_the_encoder() -> None:
    own, content = network(), ids_of(5)
    output = own(content[None], layers={1, 2}, logits=True)
    ids = torch.cat((torch.tensor([1, TOKENS, TOKENS + 1, TOKENS + 2, 2]), content, torch.tensor([2])))
    pass_ = own.encoder(ids[None], layers={1, 2})
    for layer in (1, 2):
        torch.testing.assert_close(output.hidden[layer], pass_.hidden[layer][:, 5:10], **CLOSE)
    torch.testing.assert_close(output.logits_BLV, pass_.logits[:, 5:10], **CLOSE)
    torch.testing.assert_close(output.labels, pass_.labels, **CLOSE)
    torch.testing.assert_close(output.pooled_BD, pass_.pooled_BD, **CLOSE)
    torch.testing.assert_close(output.memory_BMD, pass_.hidden[2][:, 1:4], **CLOSE)


def test_a_second_segment_reads_what_the_first_wrote() -> None:
    own, content = network(), ids_of(2 * CONTENT)
    table = own.encoder.embedding.tokens.weight
    around = [torch.tensor([1]), torch.tensor([2])]
    written = own.start
    for part in content.split(CONTENT):
        vectors = torch.cat((table[around[0]], written, table[around[1]], table[part], table[around[1]]))
        pass_ = own.encoder(torch.zeros(1, len(vectors), dtype=torch.long), vectors_BLD=vectors[None], layers={2})
        written = pass_.hidden[2][0, 1:4]
    output = own(content[None])
    torch.testing.assert_close(output.memory_BMD[0], written, **CLOSE)
    torch.testing.assert_close(output.labels, pass_.labels, **CLOSE)
    reset = own(content[None, CONTENT:])
    assert (reset.labels - output.labels).abs().max() > 1e-3


def test_without_memory_segments_are_independent() -> None:
    own = network(MemoryConfig(tokens=0, segment=CONTENT + 3))
    content = ids_of(3 * CONTENT)
    torch.testing.assert_close(own(content[None]).labels, own(content[None, -CONTENT:]).labels, **CLOSE)


LENGTHS = [14, 3, 31, 6, 0, 20]
VARIANTS = {
    "sequences": {},
    "tokens": {"labels_of": "token", "pooler": "none"},
    "rotary": {"positions": "rotary"},
    "post-norm": {"norm": "post", "final_norm": False},
    "right": {"memory": replace(MEMORY, alignment="right")},
    "left": {"memory": replace(MEMORY, alignment="left")},
    "attended padding": {"memory": replace(MEMORY, attended_padding=0)},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("left", [False, True])
def test_a_batch_is_its_sequences_one_by_one(variant: str, left: bool) -> None:
    own = network(**VARIANTS[variant])
    ids, mask = batch_of(LENGTHS, left=left)
    with torch.inference_mode():
        together = own(ids, mask, layers={0, 2}, logits=True)
        for row, length in enumerate(LENGTHS):
            alone = own(ids_of(length, seed=length)[None], layers={0, 2}, logits=True)
            torch.testing.assert_close(together.memory_BMD[row], alone.memory_BMD[0], **CLOSE)
            for layer in (0, 2):
                torch.testing.assert_close(together.hidden[layer][row][mask[row]], alone.hidden[layer][0], **CLOSE)
                assert not together.hidden[layer][row][~mask[row]].any()
            torch.testing.assert_close(together.logits_BLV[row][mask[row]], alone.logits_BLV[0], **CLOSE)
            labels = together.labels[row]
            labels = labels[mask[row]] if variant == "tokens" else labels
            torch.testing.assert_close(labels, alone.labels[0], **CLOSE)


def test_the_order_of_a_batch_and_what_stands_at_padding_change_nothing() -> None:
    own, (ids, mask), order = network(), batch_of(LENGTHS), torch.tensor([3, 5, 0, 2, 1, 4])
    plain, other = own(ids, mask), own(torch.where(mask, ids, 17)[order], mask[order])
    torch.testing.assert_close(plain.labels[order], other.labels, **CLOSE)
    torch.testing.assert_close(plain.memory_BMD[order], other.memory_BMD, **CLOSE)


def test_tokens_know_their_step_and_all_end_together() -> None:
    own = network()
    ids, mask = batch_of([14, 5])
    output = own(ids, mask)
    assert output.step_BL.tolist() == [[0] * 5 + [1] * 5 + [2] * 4, [2] * 5 + [-1] * 9]
    assert [part.row_R.tolist() for part in output.segments] == [[0], [0], [0, 1]]
    steps = list(own.steps(ids, mask))
    assert [step.spans for step in steps] == [((0, 5),), ((5, 10),), ((10, 14), (0, 5))]
    torch.testing.assert_close(steps[2].read_RMD[1], own.start)
    assert steps[2].content(steps[2].ids_RS).tolist() == [*ids[0, 10:].tolist(), *ids[1, :5].tolist()]


def test_attended_padding_fills_the_pass_and_is_seen() -> None:
    filled, plain = network(replace(MEMORY, attended_padding=0)), network()
    step = next(filled.steps(ids_of(4)[None]))
    assert step.ids_RS.tolist() == [[1, 40, 41, 42, 2, *ids_of(4).tolist(), 2, 0, 0]]
    assert bool(step.mask_RS.all())
    assert (filled(ids_of(4)[None]).labels - plain(ids_of(4)[None]).labels).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ([[7, TOKENS, 8]], "sequence 0 has an id outside the 40 tokens"),
        ([[7, -1, 8]], "sequence 0 has an id"),
        ([[1, 7, 2]], r"already has \[CLS\] and \[SEP\]"),
    ],
)
def test_ids_that_cannot_be_content_are_refused(ids: list, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        network()(torch.tensor(ids))
    with pytest.raises(InputError, match="at least one sequence"):
        network()(torch.empty(0, 4, dtype=torch.long))


def test_a_memory_is_added_around_a_trained_encoder() -> None:
    plain = initialise(Encoder(replace(config(), vocab_size=TOKENS, token_rows=0, memory=None, max_positions=40)), 3)
    grown = RecurrentMemory.around(plain.eval(), MEMORY, seed=1)
    ids = torch.cat((torch.tensor([1]), ids_of(5), torch.tensor([2])))[None]
    one, other = plain(ids, layers={2}), grown.encoder.eval()(ids, layers={2})
    assert torch.equal(one.hidden[2], other.hidden[2])
    torch.testing.assert_close(one.logits, other.logits[..., :TOKENS], **CLOSE)
    assert bool(other.logits[..., TOKENS:].isneginf().all())
    assert grown.start.shape == (M, 16)
    assert 0.1 < grown.start.std() < 0.6
    assert torch.equal(grown.start, RecurrentMemory.around(plain, MEMORY, seed=1).start)
    assert plain.config.memory is None


# Gradients


def reached(depth: int, segments: int = 4, max_segments: int | None = None) -> tuple[list[bool], bool]:
    """Which segments' tokens, and whether the memory's start, get a gradient from the labels at the end."""
    own = network(replace(MEMORY, depth=depth, max_segments=max_segments))
    ids = torch.arange(10, 10 + segments).repeat_interleave(CONTENT)[None]  # a token for each segment
    own(ids).labels.square().sum().backward()
    gradient = own.encoder.embedding.tokens.weight.grad.abs().sum(1)
    return [bool(gradient[10 + segment] > 0) for segment in range(segments)], bool((gradient[TOKENS:] > 0).all())


def test_gradients_cross_as_many_borders_as_the_depth_says() -> None:
    assert reached(-1) == ([True] * 4, True)
    assert reached(0) == ([False, False, False, True], False)
    assert reached(1) == ([False, False, True, True], False)
    assert reached(3) == ([True] * 4, False)
    assert reached(4) == ([True] * 4, True)


def test_the_published_count_of_borders_includes_skipped_steps() -> None:
    assert reached(2, segments=2) == ([True, True], True)
    assert reached(2, segments=2, max_segments=2) == ([True, True], True)
    assert reached(2, segments=2, max_segments=4) == ([True, True], False)


def test_gradients_do_not_depend_on_the_batch() -> None:
    ids, mask = batch_of([31, 5])

    def gradient(rows: slice) -> Tensor:
        own = network(replace(MEMORY, depth=1))
        own(ids[rows], mask[rows]).labels.square().sum().backward()
        return own.encoder.embedding.tokens.weight.grad

    together = gradient(slice(0, 2))
    torch.testing.assert_close(together, gradient(slice(0, 1)) + gradient(slice(1, 2)), atol=1e-4, rtol=1e-4)


def test_gradients_through_all_segments_are_differences() -> None:
    own = network().double()
    ids = torch.cat((torch.full((CONTENT,), 9), ids_of(2 * CONTENT) % 9 + 10))[None]
    table = own.encoder.embedding.tokens.weight
    own(ids).pooled_BD[0, 1].backward()
    step, gradient = 1e-6, table.grad[9, 4].item()
    values = []
    with torch.no_grad():
        for change in (step, -2 * step):
            table[9, 4] += change
            values.append(own(ids).pooled_BD[0, 1].item())
    assert gradient == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)
    assert abs(gradient) > 1e-6


# Growth


def peak_bytes(segments: int) -> int:
    own, ids = network(), ids_of(segments * CONTENT)[None]
    watched = LivePeak(ids)
    with watched, torch.inference_mode():
        for step in own.steps(ids, layers={2}):
            assert step.written_RMD.shape == (1, M, 16)
    return watched.peak


def test_memory_per_segment_does_not_grow_with_their_number() -> None:
    few, many = peak_bytes(2), peak_bytes(20)
    assert few > 1000
    assert many <= few + 32


# Losses


def test_a_loss_is_of_the_last_segment_or_the_mean_over_all() -> None:
    own, (ids, mask), targets = network(), batch_of([14, 5]), torch.tensor([2, 0])
    output = own(ids, mask)
    last = sequence_loss(output.labels, targets, "single")
    early = [sequence_loss(part.labels_RC, targets[:1], "single") for part in output.segments[:2]]
    torch.testing.assert_close(recurrent_sequence_loss(output, targets, "single", "last"), last)
    mean = recurrent_sequence_loss(output, targets, "single", "mean")
    torch.testing.assert_close(mean, (early[0] + early[1] + last) / 3)
    assert sequence_loss(torch.zeros(2, 3), torch.ones(2, 3), "multiple").item() == pytest.approx(np.log(2))
    assert sequence_loss(torch.zeros(2, 3), torch.full((2, 3), 2.0), "number").item() == 4.0


def test_a_loss_of_tokens_sums_labels_and_averages_tokens_then_segments() -> None:
    own = network(labels_of="token", pooler="none")
    ids, mask = batch_of([14, 5])
    output = own(ids, mask)
    targets, labelled = (output.labels > 0).float(), torch.zeros_like(mask)
    labelled[0, [1, 7, 8]] = labelled[1, 2] = labelled[1, 9] = True  # the last is padding
    weight = torch.tensor([1.0, 2.0, 3.0])
    alone = [
        token_loss(output.labels, targets, own_mask(*places), weight)
        for places in ([(0, 1)], [(0, 7), (0, 8)], [(1, 2)])
    ]
    found = recurrent_token_loss(output, targets, labelled, weight)
    torch.testing.assert_close(found, torch.stack(alone).mean())
    assert token_loss(torch.zeros(1, 1, 3), torch.ones(1, 1, 3), torch.ones(1, 1), weight).item() == pytest.approx(
        6 * np.log(2)
    )


def own_mask(*places: tuple[int, int]) -> Tensor:
    mask = torch.zeros(2, 14, dtype=torch.bool)
    for place in places:
        mask[place] = True
    return mask


def test_losses_refuse_what_they_are_not_for() -> None:
    sequences, tokens = network()(ids_of(5)[None]), network(labels_of="token", pooler="none")(ids_of(5)[None])
    with pytest.raises(ModelError, match="no token labels"):
        recurrent_token_loss(sequences, torch.zeros(1, 5, 3), torch.ones(1, 5))
    with pytest.raises(ModelError, match="no sequence labels"):
        recurrent_sequence_loss(tokens, torch.tensor([0]), "single", "last")
    with pytest.raises(ModelError, match="at least one labelled token"):
        recurrent_token_loss(tokens, torch.zeros(1, 5, 3), torch.zeros(1, 5))
    with pytest.raises(ModelError, match=r"labels have the shape \[1, 3\], but the head requires \[1\]"):
        sequence_loss(sequences.labels, torch.zeros(1, 3), "single")
    with pytest.raises(ModelError, match="one of single, multiple, number"):
        sequence_loss(sequences.labels, torch.zeros(1, 3), "several")  # type: ignore[arg-type]


# What it is for


def needle_accuracy(tokens: int, steps: int) -> float:
    """Accuracy on a label that a token of the first of two segments decides, after a curriculum from one to two."""
    memory = MemoryConfig(tokens=tokens, segment=CONTENT + tokens + 3)
    own = network(memory, hidden_size=32, ffn_size=64, initial_std=0.18, masked_head=False, labels=2).train()
    optimizer = torch.optim.AdamW(own.parameters(), lr=5e-3)
    random = torch.Generator().manual_seed(0)

    def batch(segments: int, rows: int) -> tuple[Tensor, Tensor]:
        ids = torch.randint(8, TOKENS, (rows, segments * CONTENT), generator=random)
        labels = torch.randint(0, 2, (rows,), generator=random)
        place = torch.randint(0, CONTENT, (rows,), generator=random)
        return ids.scatter(1, place[:, None], labels[:, None] + 6), labels

    for step in range(steps):
        ids, labels = batch(1 if step < steps // 3 else 2, 32)
        recurrent_sequence_loss(own(ids), labels, "single", "last").backward()
        torch.nn.utils.clip_grad_norm_(own.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    ids, labels = batch(2, 200)
    with torch.inference_mode():
        return (own.eval()(ids).labels.argmax(1) == labels).float().mean().item()


def test_a_memory_learns_what_an_encoder_without_one_cannot() -> None:
    assert needle_accuracy(2, 80) > 0.95
    assert needle_accuracy(0, 80) < 0.62
