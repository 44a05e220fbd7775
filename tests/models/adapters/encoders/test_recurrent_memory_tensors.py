"""State dicts of the published recurrent-memory wrapper around every kind of BERT, there and back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from genolm.errors import ModelError
from genolm.models.adapters.encoders.gena_config import write_config
from genolm.models.adapters.encoders.recurrent_memory_tensors import published_settings
from genolm.models.checkpoints.recurrent_memory_checkpoint import published_tensors, read_published
from genolm.models.networks.encoder_config import BlockSparseConfig, EncoderConfig
from genolm.models.networks.network import tensors_of
from genolm.models.networks.random_weights import random_network
from genolm.models.networks.recurrent_memory import RecurrentMemory
from genolm.models.networks.recurrent_memory_config import MemoryConfig

MEMORY = MemoryConfig(tokens=4, segment=32, max_segments=6)
DENSE = EncoderConfig(44, 16, 2, 2, 24, 64, 40, memory=MEMORY)
CONFIGS = {
    "masked head": DENSE,
    "sequence labels": replace(DENSE, masked_head=False, pooler="tanh", labels=3),
    "token labels without final norm": replace(DENSE, masked_head=False, labels=5, labels_of="token", final_norm=False),
    "deepspeed": replace(DENSE, sparse=BlockSparseConfig("deepspeed", block=8, random=1)),
    "bigbird": replace(
        DENSE,
        norm="post",
        final_norm=False,
        activation="gelu_tanh",
        head_activation="gelu_tanh",
        sparse=BlockSparseConfig("bigbird", block=8, random=1, random_blocks="zero"),
        pooler="linear",
    ),
}


def network(name: str) -> RecurrentMemory:
    return RecurrentMemory(random_network(CONFIGS[name], seed=3).eval())  # type: ignore[arg-type]


def values_of(config: EncoderConfig) -> dict:
    return write_config(replace(config, memory=None))


@pytest.mark.parametrize("name", CONFIGS)
def test_there_and_back(name: str) -> None:
    own = network(name)
    held = published_tensors(own)
    assert held["mem_token_ids"].tolist() == [40, 41, 42, 43]
    assert (held["cls_token"].tolist(), held["sep_token"].tolist()) == ([1], [2])
    words = held["model.bert.embeddings.word_embeddings.weight"]
    assert torch.equal(words[40:], own.start)
    again = read_published({**held, "model.embeddings.weight": words}, values_of(CONFIGS[name]), MEMORY)
    assert again.encoder.config == own.encoder.config
    ours, theirs = tensors_of(own.encoder), tensors_of(again.encoder)
    assert set(ours) == set(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    back = published_tensors(again)
    assert set(back) == set(held)
    assert all(torch.equal(back[key], held[key]) for key in held)
    ids = torch.arange(5, 40)[None]
    with torch.inference_mode():
        assert torch.equal(own(ids).memory_BMD, again(ids).memory_BMD)


def test_stored_precision_stays() -> None:
    held = {
        key: x.bfloat16() if x.is_floating_point() else x
        for key, x in published_tensors(network("masked head")).items()
    }
    own = read_published(held, values_of(DENSE), MEMORY)
    assert {weight.dtype for weight in own.parameters()} == {torch.bfloat16}
    assert torch.equal(published_tensors(own)["model.cls.predictions.bias"], held["model.cls.predictions.bias"])


def test_other_encoders_are_refused() -> None:
    held, values = published_tensors(network("masked head")), values_of(DENSE)
    with pytest.raises(ModelError, match=r"\(4, 1, 2\), but the settings state \(5, 1, 2\)"):
        read_published(held, values, replace(MEMORY, tokens=5))
    with pytest.raises(ModelError, match="its config has last_layer_norm false"):
        read_published(held, {**values, "last_layer_norm": False}, MEMORY)
    with pytest.raises(ModelError, match="missing mem_token_ids, cls_token, sep_token"):
        read_published({key: held[key] for key in held if key.startswith("model.")}, values, MEMORY)
    with pytest.raises(ModelError, match="without biases cannot be expressed"):
        published_tensors(RecurrentMemory(random_network(replace(DENSE, norm_bias=False), 0)))  # type: ignore[arg-type]
    modern = replace(DENSE, gated=True, positions="rotary", token_types=0)
    with pytest.raises(ModelError, match="not ModernBERT"):
        published_tensors(RecurrentMemory(random_network(modern, 0)))  # type: ignore[arg-type]


def test_settings_say_what_the_published_ones_mean() -> None:
    values = {"num_mem_tokens": 10, "input_size": 512, "max_n_segments": 6, "bptt_depth": 2, "sum_loss": True}
    assert published_settings(values, attended_padding=0) == MemoryConfig(
        10, 512, 6, depth=2, loss="mean", attended_padding=0
    )
    assert published_settings(values).content == 499
