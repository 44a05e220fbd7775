"""config.json of the Hugging Face layout, both ways."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genolm.errors import ModelError
from genolm.models.adapters import configs
from genolm.models.adapters.huggingface.huggingface_config import read_config, write_config
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.zoo.zoo import ZOO


def test_every_field_of_a_mixtral_config(folders):
    config = read_config(folders.mixtral | {"router_aux_loss_coef": 0.02, "initializer_range": 0.01})
    assert config == DecoderConfig(
        vocab_size=128,
        hidden_size=16,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2,
        head_dim=4,
        ffn_size=24,
        num_experts=4,
        experts_per_token=2,
        rope_theta=5e7,
        max_positions=4096,
        norm_eps=1e-5,
        pad_id=14,
        router_aux_coef=0.02,
        initial_std=0.01,
    )


def test_rope_parameters_of_recent_transformers(folders):
    values = {key: value for key, value in folders.mistral.items() if key != "rope_theta"}
    values["rope_parameters"] = {"rope_type": "default", "rope_theta": 123.0}
    assert read_config(values).rope_theta == 123.0


def test_head_dim_need_not_be_hidden_over_heads(folders):
    assert read_config(folders.mistral | {"head_dim": 6}).head_dim == 6


def test_absent_key_value_heads_mean_as_many_as_heads(folders):
    assert read_config(folders.mistral | {"num_key_value_heads": None}).num_kv_heads == 4


def test_a_llama_config_needs_no_window(folders):
    values = {key: value for key, value in folders.mistral.items() if key != "sliding_window"}
    assert read_config(values | {"model_type": "llama"}).num_experts == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "bert"}, "unknown model_type 'bert'; expected one of mixtral, mistral, llama, genolm-decoder"),
        ({"model_type": None}, "model_type is missing; expected one of"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu' is not supported; hidden_act must be 'silu'"),
        ({"sliding_window": 4096}, "sliding_window 4096 is not supported; sliding_window must be null"),
        ({"attention_bias": True}, "attention_bias True is not supported"),
        ({"mlp_bias": True}, "mlp_bias True is not supported"),
        ({"quantization_config": {"bits": 4}}, "quantization_config {'bits': 4} is not supported"),
        ({"rope_scaling": {"type": "linear", "factor": 4.0}}, "rope_type 'linear' is not supported"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0}}, "rope_type 'yarn' is not supported"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor 0.5 is not supported"),
        ({"rope_theta": None}, "rope_theta must be a number, not None"),
        ({"hidden_size": None}, "hidden_size must be a whole number, not None"),
        ({"hidden_size": "16"}, "hidden_size must be a whole number, not '16'"),
        ({"rms_norm_eps": -1.0}, "rms_norm_eps must be a number, not -1.0"),
        ({"hidden_size": 18}, "head_dim is null and hidden_size is not a multiple of num_attention_heads"),
        ({"num_experts_per_tok": 9}, r"experts_per_token must be in 1\.\.4, not 9"),
        ({"pad_token_id": 128}, "pad_token_id 128 is outside the vocabulary of 128"),
        ({"num_hidden_layers": True}, "num_hidden_layers must be a whole number, not True"),
    ],
)
def test_what_cannot_be_computed_is_refused(folders, change, message):
    with pytest.raises(ModelError, match=message) as caught:
        read_config(folders.mixtral | change, file="there/config.json")
    assert str(caught.value).startswith("there/config.json: ")
    assert str(caught.value).count("there/config.json") == 1


def test_a_mistral_config_without_a_window_means_4096_and_is_refused(folders):
    values = {key: value for key, value in folders.mistral.items() if key != "sliding_window"}
    with pytest.raises(ModelError, match="sliding_window is absent, which means 4096 for mistral"):
        read_config(values)


@pytest.mark.parametrize("name", ["genos-1.2b", "genos-10b", "tiny-random", "tiny-random-dense"])
def test_both_ways(name):
    config = ZOO[name].config
    assert config is not None
    assert read_config(write_config(config)) == config


CONFIGS = st.builds(
    DecoderConfig,
    vocab_size=st.integers(16, 500),
    hidden_size=st.integers(1, 64),
    num_layers=st.integers(1, 4),
    num_heads=st.sampled_from([4, 8]),
    num_kv_heads=st.sampled_from([1, 2, 4]),
    head_dim=st.sampled_from([2, 6, 64]),
    ffn_size=st.integers(1, 64),
    num_experts=st.just(0),
    rope_theta=st.floats(1.0, 1e9),
    max_positions=st.integers(1, 2**20),
    norm_eps=st.floats(1e-12, 1e-2),
    pad_id=st.integers(0, 15),
    tied=st.booleans(),
    initial_std=st.floats(0.0, 1.0),
)


@given(CONFIGS, st.integers(1, 9), st.integers(1, 9))
def test_both_ways_for_any_config(config, first, second):
    experts = replace(config, num_experts=max(first, second), experts_per_token=min(first, second))
    for wanted in (config, experts):
        assert read_config(json.loads(json.dumps(write_config(wanted)))) == wanted
        own = configs.config_values(wanted, "genolm", "float32")
        assert configs.parse_config(json.loads(json.dumps(own))) == (wanted, "genolm")


def test_a_kmer_table_has_no_word_in_this_layout():
    config = ZOO["tiny-random-kmer"].config
    assert config is not None
    with pytest.raises(ModelError, match="k-mer table cannot be expressed in the huggingface layout; pass to='genolm'"):
        write_config(config)
