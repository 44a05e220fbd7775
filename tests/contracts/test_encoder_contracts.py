"""Encoder outputs of a row do not depend on other rows, on padding or on the verb."""

import random

import numpy as np
import pytest
import torch

from genolm.genome.sequence import reverse_complement
from genolm.tasks.embed import embed
from genolm.tasks.score import score
from genolm.tasks.writing.vector_files import matrix

CLOSE = {"atol": 2e-5, "rtol": 2e-4}
LENGTHS = (90, 3, 41, 64)
SEQUENCE_LENGTHS = (130, 2, 60, 201, 33)  # the longest is several segments of a recurrent memory


def row(length, seed, tokens):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(5, tokens, (length,), generator=generator)


def rows_of(encoder):
    return [row(length, length, encoder.config.tokens) for length in LENGTHS]


def run(encoder, ids_BL, mask_BL=None):
    """Return the logits of the tokens and all hidden states, concatenated."""
    layers = range(encoder.config.num_layers + 1)
    output = encoder(ids_BL, mask_BL=mask_BL, layers=layers)
    return torch.cat([output.logits[..., : encoder.config.tokens], *(output.hidden[layer] for layer in layers)], -1)


def padded(rows, amount, side, filler):
    width = max(map(len, rows)) + amount
    ids = torch.full((len(rows), width), filler)
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    for number, one in enumerate(rows):
        own = slice(0, len(one)) if side == "right" else slice(width - len(one), width)
        ids[number, own], mask[number, own] = one, True
    return ids, mask


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("amount", [0, 1, 13])
def test_side_and_amount_of_padding_change_nothing(encoder, side, amount):
    rows = rows_of(encoder)
    batch, mask = padded(rows, amount, side, encoder.config.pad_id)
    together = run(encoder, batch, mask)
    for number, one in enumerate(rows):
        torch.testing.assert_close(together[number][mask[number]], run(encoder, one[None])[0], **CLOSE)


def test_batch_equals_single(encoder):
    batch = torch.stack([row(70, seed, encoder.config.tokens) for seed in range(4)])
    torch.testing.assert_close(run(encoder, batch), torch.cat([run(encoder, one[None]) for one in batch]), **CLOSE)


def test_the_order_of_a_batch_changes_nothing(encoder):
    batch, mask = padded(rows_of(encoder), 2, "right", 3)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(run(encoder, batch[order], mask[order]), run(encoder, batch, mask)[order], **CLOSE)


def test_what_a_pad_holds_is_never_seen(encoder):
    rows, results = rows_of(encoder), []
    for filler in (3, 0, 4, 7):
        batch, mask = padded(rows, 2, "right", filler)
        results.append(run(encoder, batch, mask)[mask])
    assert all(torch.equal(other, results[0]) for other in results[1:])


def test_a_token_depends_on_those_on_both_sides(encoder):
    whole = row(40, 1, encoder.config.tokens)[None]
    for place in (0, 39):
        changed = whole.clone()
        changed[0, place] = (whole[0, place] - 5 + 1) % (encoder.config.tokens - 5) + 5
        moved = (run(encoder, changed) - run(encoder, whole)).abs().amax(-1)[0]
        assert bool((moved > 0).sum() > 8), "a change is felt on both sides of the middle"
        assert moved[20] > 0


def test_padding_is_zeros(encoder):
    batch, mask = padded(rows_of(encoder), 3, "left", 3)
    hidden = encoder(batch, mask_BL=mask, layers=[1]).hidden[1]
    assert not hidden[~mask].any() and hidden[mask].any(-1).all()


@pytest.fixture(scope="module")
def sequences():
    source = random.Random(8)
    return ["".join(source.choices("ACGT", [5, 3, 3, 5], k=length)) for length in SEQUENCE_LENGTHS]


def close(model):
    """Return the rounding tolerance; in bf16 the order of summation affects the third digit."""
    return CLOSE if model.dtype == torch.float32 else {"atol": 3e-2, "rtol": 3e-2}


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_embed_batch_equals_single(embedding_model, sequences, pooling):
    together = matrix(embed(embedding_model, sequences, layer="all", pooling=pooling, rc=True).table)
    alone = [matrix(embed(embedding_model, [one], layer="all", pooling=pooling, rc=True).table) for one in sequences]
    np.testing.assert_allclose(together, np.concatenate(alone), **close(embedding_model))


def test_embedding_is_symmetric(embedding_model, sequences):
    pair = [sequences[0], reverse_complement(sequences[0])]
    forward, reverse = np.split(matrix(embed(embedding_model, pair, layer="all", rc=True).table), 2)
    np.testing.assert_allclose(forward, reverse, **close(embedding_model))
    one, other = np.split(matrix(embed(embedding_model, pair, layer="all").table), 2)
    assert not np.allclose(one, other, atol=1e-2), "without the average the strands differ"


def values(table, unit="nats"):
    """Return the column of per-base values or of sums, by its name for the model."""
    name = next(name for name in table.columns if name.endswith((f"log_probability_{unit}", f"likelihood_sum_{unit}")))
    return table[name].to_numpy()


def test_score_batch_equals_single(token_model, sequences):
    together = values(score(token_model, sequences, per_base=True).table)
    alone = [values(score(token_model, [one], per_base=True).table) for one in sequences]
    np.testing.assert_allclose(together, np.concatenate(alone), **CLOSE)


def test_scores_are_symmetric(token_model, sequences):
    pair = [sequences[0], reverse_complement(sequences[0])]
    np.testing.assert_allclose(*values(score(token_model, pair, rc=True).table), rtol=1e-5)
    one, other = values(score(token_model, pair).table)
    assert abs(one - other) > 1e-2
