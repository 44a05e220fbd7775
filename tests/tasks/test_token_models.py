"""Embeddings and scores of encoders and multi-base tokenizers, compared with explicit forward passes."""

import math
import random

import numpy as np
import polars as pl
import pytest
import torch
from tests.noted import noted

from genolm.errors import InputError, ModelError
from genolm.genome.sequence import reverse_complement
from genolm.tasks.embed import embed
from genolm.tasks.score import score

DNA = "".join(random.Random(3).choices("ACGT", k=150))
LONG = "".join(random.Random(4).choices("ACGT", k=1500))


def framed(model, ids):
    return torch.tensor([1, *ids.tolist(), 2])[None]


def hidden(model, ids):
    last = model.config.num_layers
    with torch.inference_mode():
        return model.network(framed(model, ids), layers={last}, logits=False).hidden[last][0, 1:-1].numpy()


def log_probs(model, ids_1L):
    with torch.inference_mode():
        output = model.network(ids_1L)
    logits = output.logits if hasattr(output, "logits") else output.logits_BLV
    return logits[0].double().log_softmax(-1).numpy()


def vector(table, row=0):
    return table["embedding"][row].to_numpy()


def test_the_mean_is_over_the_sequences_own_tokens(token_model):
    expected = hidden(token_model, token_model.tokenizer.encode(DNA)).mean(0)
    np.testing.assert_allclose(vector(embed(token_model, [DNA]).table), expected, atol=1e-5)


def test_every_base_has_the_vector_of_its_token(token_model):
    tokens = token_model.tokenizer.tokens(DNA)
    table = embed(token_model, [DNA], pooling="bases").table
    assert table["position"].to_list() == list(range(len(DNA)))
    expected = np.repeat(hidden(token_model, tokens.ids), np.diff(tokens.spans_T2)[:, 0], axis=0)
    np.testing.assert_allclose(np.stack(table["embedding"].to_list()), expected, atol=1e-5)


def test_strands_are_averaged_base_by_base(token_model):
    forward, reverse = (embed(token_model, [text], pooling="bases").table for text in (DNA, reverse_complement(DNA)))
    both = embed(token_model, [DNA], pooling="bases", rc=True).table
    stacked = [np.stack(table["embedding"].to_list()) for table in (forward, reverse, both)]
    np.testing.assert_allclose(stacked[2], (stacked[0] + stacked[1][::-1]) / 2, atol=1e-5)


def test_tokens_of_both_strands_cannot_be_averaged(token_model):
    with pytest.raises(InputError, match="cover different bases"):
        embed(token_model, [DNA], pooling="none", rc=True)


def test_a_long_sequence_is_cut_where_tokens_end_and_loses_none(token_model):
    ids = token_model.tokenizer.encode(LONG)
    table = embed(token_model, [LONG], pooling="none").table
    assert len(table) == len(ids)
    expected = np.concatenate([hidden(token_model, ids[start : start + 38]) for start in range(0, len(ids), 38)])
    np.testing.assert_allclose(np.stack(table["embedding"].to_list()), expected, atol=1e-5)
    np.testing.assert_allclose(vector(embed(token_model, [LONG]).table), expected.mean(0), atol=1e-5)


def test_a_batch_is_what_each_sequence_is_alone(token_model):
    texts = [DNA, LONG, DNA[:7], "N" * 30 + DNA[:40], DNA.lower()]
    together = embed(token_model, texts).table
    for row, text in enumerate(texts):
        np.testing.assert_allclose(vector(together, row), vector(embed(token_model, [text]).table), atol=1e-5)


def test_a_decoders_tokens_are_scored_from_the_first_on(token_decoder):
    ids = token_decoder.tokenizer.encode(DNA)
    values = log_probs(token_decoder, framed(token_decoder, ids))
    expected = values[np.arange(len(ids)), ids]
    row = score(token_decoder, [DNA]).table.row(0, named=True)
    assert row["scored_bases"] == len(DNA) and row["scored_tokens"] == len(ids)
    assert row["log_likelihood_sum_nats"] == pytest.approx(expected.sum(), abs=1e-3)
    assert row["log_likelihood_mean_nats_per_token"] == pytest.approx(expected.mean(), abs=1e-4)
    assert row["bits_per_base"] == pytest.approx(-expected.sum() / len(DNA) / math.log(2), abs=1e-4)


def test_bases_share_their_tokens_log_probability(token_model):
    per_base = score(token_model, [DNA], per_base=True).table
    name = per_base.columns[-1]
    assert name == ("log_probability_nats" if token_model.causal else "masked_log_probability_nats")
    whole = score(token_model, [DNA]).table
    total = next(column for column in whole.columns if column.endswith("log_likelihood_sum_nats"))
    assert per_base[name].sum() == pytest.approx(whole[total][0], abs=1e-3)
    spans = token_model.tokenizer.tokens(DNA).spans_T2
    assert all(per_base[name][int(start) : int(end)].n_unique() == 1 for start, end in spans)


def test_an_encoders_tokens_are_masked_once_each(token_encoder):
    ids = token_encoder.tokenizer.encode(DNA)
    expected = np.empty(len(ids))
    for number in range(3):
        masked = ids.copy()
        masked[number::3] = 4
        values = log_probs(token_encoder, framed(token_encoder, masked))[1:-1]
        expected[number::3] = values[np.arange(number, len(ids), 3), ids[number::3]]
    row = score(token_encoder, [DNA], passes=3).table.row(0, named=True)
    assert row["pseudo_log_likelihood_sum_nats"] == pytest.approx(expected.sum(), abs=1e-3)
    assert row["pseudo_log_likelihood_mean_nats_per_token"] == pytest.approx(expected.mean(), abs=1e-4)


def test_long_sequences_have_every_base_scored_once(token_model):
    table = score(token_model, [LONG], per_base=True).table
    assert table["position"].to_list() == list(range(len(LONG)))
    assert table[table.columns[-1]].null_count() == 0
    head = score(token_model, [LONG[: len(LONG) // 8]], per_base=True).table
    first = token_model.tokenizer.tokens(LONG).spans_T2[10, 1]
    if token_model.causal:  # what stands further on changes nothing
        assert np.allclose(table[table.columns[-1]][:first], head[head.columns[-1]][:first], atol=1e-5)


def test_unknown_bases_have_no_score(token_model):
    text = DNA[:60] + "N" * 15 + DNA[60:]
    table = score(token_model, [text], per_base=True).table
    known = table.filter(pl.col(table.columns[-1]).is_not_null())
    assert "N" not in set(known["base"].to_list())
    assert len(known) == len(DNA)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"normalise": "bases"}, "does not predict single bases"), ({"context": 100_000}, "context must be from 1 to")],
)
def test_refusals(token_model, settings, message):
    with pytest.raises(ModelError, match=message):
        score(token_model, [DNA], **settings)


def test_a_decoder_needs_no_passes(token_decoder):
    with pytest.raises(ModelError, match="passes is for encoders"):
        score(token_decoder, [DNA], passes=4)


def test_a_sequence_beyond_the_context_is_said(token_model):
    with noted("tokens reads 38 tokens of a sequence at once, about 243 bases"):
        embed(token_model, [LONG])
