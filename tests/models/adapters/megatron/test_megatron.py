"""Megatron checkpoints there and back, bit for bit, however many processes wrote them."""

import argparse
import json
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.adapters.megatron_runs import (
    DENSE,
    EXPERTS,
    GENGRAM,
    arguments,
    megatron_choice,
    random_run,
    save_run,
    whole_state,
)

import genolm
from genolm.errors import ModelError
from genolm.models.model import fingerprint
from genolm.models.networks.random_weights import random_decoder

SPLITS = [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2), (2, 2, 2)]


def converted(source, out, **how):
    return genolm.load(genolm.convert(source, out, layout="genolm", **how), dtype="float32")


@pytest.mark.parametrize("spelling", ["local", "engine", "stacked"])
@pytest.mark.parametrize("sizes", SPLITS)
def test_ranks_of_experts_are_merged_bit_for_bit(tmp_path, sizes, spelling):
    network = random_run(EXPERTS)
    run = save_run(tmp_path / "run", network, sizes=sizes, spelling=spelling)
    model = converted(run, tmp_path / "out")
    assert model.config == EXPERTS
    assert model.fingerprint == fingerprint(network)


@pytest.mark.parametrize("spelling", ["local", "engine"])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 2, 1)])
@pytest.mark.parametrize("tied", [False, True])
def test_ranks_of_a_dense_model_are_merged_bit_for_bit(tmp_path, sizes, spelling, tied):
    config = replace(DENSE, tied=tied)
    network = random_run(config)
    model = converted(save_run(tmp_path / "run", network, sizes=sizes, spelling=spelling), tmp_path / "out")
    assert model.config == config
    assert model.fingerprint == fingerprint(network)


def test_a_pipeline_whose_stages_take_turns(tmp_path):
    network = random_run(EXPERTS)
    model = converted(save_run(tmp_path / "run", network, sizes=(1, 2, 1), chunks=2), tmp_path / "out")
    assert model.fingerprint == fingerprint(network)


def test_stages_of_different_lengths(tmp_path):
    network = random_run(replace(EXPERTS, num_layers=3))
    model = converted(save_run(tmp_path / "run", network, sizes=(1, 2, 1)), tmp_path / "out")
    assert model.fingerprint == fingerprint(network)


@pytest.mark.parametrize("sizes", [(1, 2, 1), (1, 1, 2)])
def test_a_checkpoint_without_arguments_takes_its_shape_from_another_model(tmp_path, sizes):
    network = random_run(EXPERTS)
    run = save_run(tmp_path / "run", network, sizes=sizes, told={})
    with pytest.raises(ModelError, match=r"has no arguments, so its shape is unknown; pass like=…"):
        genolm.convert(run, tmp_path / "out")
    twin = genolm.save(genolm.Model(network, genolm.load("tiny-random").tokenizer, card()), tmp_path / "twin")
    assert converted(run, tmp_path / "out", like=twin).fingerprint == fingerprint(network)


def card():
    from genolm.models.card import Card

    return Card("twin")


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 2, 2)])
@pytest.mark.parametrize("kernel", [0, 4])
def test_gengram_comes_with_what_its_tensors_say(tmp_path, sizes, kernel):
    memory = replace(GENGRAM.gengram, conv_kernel=kernel, compat="released-bf16", init="reference")
    network = random_run(replace(GENGRAM, gengram=memory))
    run = save_run(tmp_path / "run", network, sizes=sizes)
    model = converted(run, tmp_path / "out")
    assert model.config.gengram == memory
    assert model.fingerprint == fingerprint(network)
    ids = torch.randint(5, 10, (1, 40), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(model.network(ids).logits_BLV, network.eval()(ids).logits_BLV)
    assert any(f"convolution of Gengram is {'on' if kernel else 'off'}" in note for note in model.card.notes)


def with_idle_memories(file, rank):
    """The released code makes a memory in every layer."""
    state = file["model"]
    layers = {int(name.split(".")[2]) for name in state if name.startswith("decoder.layers.")}
    full = {name: w for name, w in state.items() if ".gengram." in name}
    source = min(int(name.split(".")[2]) for name in full)
    for layer in layers:
        for name, weight in full.items():
            if f"layers.{source}." in name:
                state.setdefault(name.replace(f"layers.{source}.", f"layers.{layer}."), weight.clone())


def test_idle_memories_are_left_out_and_counted(tmp_path):
    network = random_run(GENGRAM)
    run = save_run(tmp_path / "run", network, edit=with_idle_memories)
    model = converted(run, tmp_path / "out")
    assert model.config.gengram.layers == (2, 3)
    per_layer = GENGRAM.gengram.parameters(GENGRAM.hidden_size)
    expected = f"Left out: 16 tensors ({2 * per_layer:,} values) of Gengram modules in layers that skip them, 1, 4."
    assert expected in model.card.notes


def test_an_empty_list_of_layers_means_all(tmp_path):
    network = random_run(replace(GENGRAM, gengram=replace(GENGRAM.gengram, layers=(1, 2, 3, 4))))
    told = arguments(network.config, gengram_layer_ids=[])
    assert converted(save_run(tmp_path / "run", network, told=told), tmp_path / "o").config.gengram.layers == (
        1,
        2,
        3,
        4,
    )


def test_layers_that_the_arguments_do_not_name_come_from_another_model(tmp_path):
    network = random_run(GENGRAM)
    told = arguments(GENGRAM, gengram_layer_ids=None, gengram_window_size=None)
    run = save_run(tmp_path / "run", network, told=told, edit=with_idle_memories)
    with pytest.raises(ModelError, match=r"4 layers have a Gengram module, but which of them use it is not stated"):
        genolm.convert(run, tmp_path / "out", layout="genolm")
    twin = tmp_path / "twin"
    genolm.save(genolm.Model(network, genolm.load("tiny-random").tokenizer, card()), twin)
    model = converted(run, tmp_path / "out", like=twin)
    assert model.config.gengram == GENGRAM.gengram
    assert f"What its arguments do not say is taken from {twin}." in model.card.notes


def test_memories_that_tensor_ranks_trained_apart_are_told(tmp_path):
    network = random_run(GENGRAM)

    def edit(file, rank):
        if rank[0] == 1:
            file["model"]["decoder.layers.1.gengram.norm_q.weight"] += 0.25

    model = converted(save_run(tmp_path / "run", network, sizes=(2, 1, 1), edit=edit), tmp_path / "out")
    assert model.fingerprint == converted(save_run(tmp_path / "same", network), tmp_path / "alone").fingerprint
    note = "Tensor-parallel ranks held different values of 1 Gengram tensors, at most 0.25 apart"
    assert any(note in text for text in model.card.notes)


@pytest.mark.parametrize("name", ["tiny-random", "tiny-random-dense", "tiny-random-gengram"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_is_written_comes_back_from_either_form(tmp_path, name, dtype):
    folder = genolm.convert(name, tmp_path / "megatron", layout="megatron", dtype=dtype, max_shard_bytes=300_000)
    expected = genolm.load(name, dtype=dtype)
    assert genolm.load(folder, dtype=dtype).fingerprint == expected.fingerprint
    for source in (folder, folder / "release"):
        back = genolm.convert(source, tmp_path / "back", layout="genolm", overwrite=True)
        again = genolm.load(back, dtype=dtype)
        assert (again.config, again.fingerprint) == (expected.config, expected.fingerprint)
    ids = torch.randint(5, 10, (1, 50), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(again.network(ids).logits_BLV, expected.network(ids).logits_BLV)


def test_what_is_written_holds_what_megatron_would_hold(tmp_path):
    model = genolm.load("tiny-random-gengram")
    folder = genolm.convert("tiny-random-gengram", tmp_path / "out", layout="megatron")
    assert (folder / "latest_checkpointed_iteration.txt").read_text() == "release\n"
    with torch.serialization.safe_globals([argparse.Namespace]):
        file = torch.load(folder / "release/mp_rank_00/model_optim_rng.pt", weights_only=True)
    assert (file["checkpoint_version"], file["iteration"]) == (3.0, 0)
    fused = "self_attention.linear_qkv.layer_norm_weight"
    wanted = {n.replace("input_layernorm.weight", fused): w for n, w in whole_state(model.network).items()}
    written = file["model"]
    assert all(torch.equal(written[name], weight) for name, weight in wanted.items())
    idle = set(written) - set(wanted)
    assert idle and all(name.startswith("decoder.layers.1.gengram.") and not written[name].any() for name in idle)
    assert {n.replace("layers.1.", "layers.0.") for n in idle} == {n for n in wanted if "layers.0.gengram." in n}
    assert set(load_file(folder / "model.safetensors")) == set(wanted)
    args = vars(file["args"])
    for key, value in arguments(model.config).items():
        if key not in ("ffn_hidden_size", "moe_layer_freq", "params_dtype", "optimizer"):
            assert args[key] == value, key
    assert args["moe_ffn_hidden_size"] == 64 and args["gengram_use_short_conv"]


def test_arguments_that_contradict_the_config_we_wrote_are_refused(tmp_path):
    folder = genolm.convert("tiny-random", tmp_path / "out", layout="megatron")
    path = folder / "release/mp_rank_00/model_optim_rng.pt"
    with torch.serialization.safe_globals([argparse.Namespace]):
        file = torch.load(path, weights_only=True)
    file["args"].num_layers = 2
    torch.save(file, path)
    with pytest.raises(ModelError, match="num_layers is 2, but genolm_config has 3"):
        genolm.convert(folder / "release", tmp_path / "back")


@pytest.mark.parametrize("spelling", ["local", "engine", "stacked"])
def test_safetensors_in_megatrons_names_beside_another_programs_config(tmp_path, spelling):
    network = random_run(EXPERTS)
    source = genolm.save(genolm.Model(network, genolm.load("tiny-random").tokenizer, card()), tmp_path / "in")
    save_file(whole_state(network, spelling), source / "model.safetensors")
    (source / "card.json").unlink()
    assert converted(source, tmp_path / "out", source_layout="megatron").fingerprint == fingerprint(network)


@pytest.mark.parametrize("kernel", [0, 4])
@pytest.mark.parametrize("form", ["pickle", "safetensors"])
def test_without_arguments_the_tensors_still_settle_the_convolution(tmp_path, kernel, form):
    network = random_run(replace(GENGRAM, gengram=replace(GENGRAM.gengram, conv_kernel=kernel)))
    twin = tmp_path / "twin"
    genolm.save(genolm.Model(random_run(GENGRAM), genolm.load("tiny-random").tokenizer, card()), twin)
    run = tmp_path / "run"
    if form == "pickle":
        save_run(run, network, told={})
    else:
        run.mkdir()
        save_file(whole_state(network), run / "model.safetensors")
    model = converted(run, tmp_path / "out", source_layout="megatron", like=twin)
    assert model.config == network.config
    assert model.fingerprint == fingerprint(network)


def test_what_only_megatron_knows_is_not_looked_at(tmp_path):
    """Choices in its arguments, random states, state of quantised kernels, optimizer."""
    network = random_run(EXPERTS)
    with megatron_choice() as choice:

        def edit(file, rank):
            file["args"].model_type = choice
            file["rng_state"] = [{"np": np.random.get_state(), "python": random.getstate(), "torch": torch.zeros(4)}]
            file["model"]["decoder.layers.0.self_attention.linear_qkv._extra_state"] = None
            file["model"]["decoder.layers.1.self_attention.linear_qkv._extra_state"] = torch.zeros(3, dtype=torch.uint8)

        run = save_run(tmp_path / "run", network, edit=edit)
    assert converted(run, tmp_path / "out").fingerprint == fingerprint(network)


def test_to_transformers_by_way_of_megatron(tmp_path):
    transformers = pytest.importorskip("transformers")
    network = random_run(EXPERTS).eval()
    export = genolm.convert(save_run(tmp_path / "run", network, sizes=(2, 2, 2)), tmp_path / "export")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(export, dtype=torch.float32, attn_implementation="eager")
    ids = torch.randint(5, 10, (2, 30), generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        torch.testing.assert_close(network(ids).logits_BLV, theirs(ids).logits, atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gate": "open"}, "a Gengram gate 'open' cannot be expressed in the megatron layout"),
        ({"window": 1}, "a Gengram memory without a window cannot be expressed"),
        ({"table_rows": 20}, "a hashed Gengram table cannot be expressed"),
    ],
)
def test_a_memory_that_the_released_module_does_not_compute(tmp_path, change, message):
    config = replace(GENGRAM, gengram=replace(GENGRAM.gengram, **change))
    model = genolm.Model(random_decoder(config, 1), genolm.load("tiny-random").tokenizer, card())
    with pytest.raises(ModelError, match=message):
        genolm.save(model, tmp_path / "out", layout="megatron")
    assert list(tmp_path.iterdir()) == []


def test_a_kmer_table_cannot_be_expressed(tmp_path):
    with pytest.raises(ModelError, match=r"a k-mer table cannot be expressed in the megatron layout; pass to='genolm'"):
        genolm.convert("tiny-random-kmer", tmp_path / "out", layout="megatron")
    assert list(tmp_path.iterdir()) == []


def test_the_card_travels(tmp_path):
    folder = genolm.convert("tiny-random", tmp_path / "out", layout="megatron")
    assert json.loads((folder / "card.json").read_text())["licence"] == "Apache-2.0"
    assert genolm.describe(folder)["parameters"] == genolm.describe("tiny-random")["parameters"]
