"""Megatron checkpoints that cannot be read: damaged, incomplete, of another kind, or carrying code."""

import argparse
import pickle
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.models.adapters.megatron_runs import EXPERTS, GENGRAM, arguments, random_run, save_run

import genolm
from genolm.errors import ModelError

RANK = "iter_0000030/mp_rank_00"


@pytest.fixture(scope="module")
def network():
    return random_run(EXPERTS)


@pytest.fixture
def run(tmp_path, network):
    return save_run(tmp_path / "run", network)


def refused(run, message, out="out", **how):
    """The conversion fails with the message and leaves nothing behind."""
    before = sorted(run.parent.iterdir())
    with pytest.raises(ModelError, match=message):
        genolm.convert(run, run.parent / out, to="genolm", **how)
    assert sorted(run.parent.iterdir()) == before


def rewritten(run, edit) -> Path:
    path = run / RANK / "model_optim_rng.pt"
    with torch.serialization.safe_globals([argparse.Namespace]):
        file = torch.load(path, weights_only=True)
    edit(file)
    torch.save(file, path)
    return run


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, place: Path, function=None):
        self.place, self.function = place, function or Path.touch

    def __reduce__(self):
        return self.function, (self.place,)


def made(place):
    Path(place).touch()


@pytest.mark.parametrize("where", ["args", "optimizer", "model"])
@pytest.mark.parametrize(("function", "named"), [(exec, "builtins.exec"), (eval, "builtins.eval"), (made, "made")])
def test_code_in_a_pickle_never_runs(run, tmp_path, where, function, named):
    marker = tmp_path / "marker"
    code = f"open({str(marker)!r}, 'w')" if function is not made else str(marker)

    def edit(file):
        if where == "args":
            file["args"].hook = Touch(code, function)
        elif where == "optimizer":
            file["optimizer"] = Touch(code, function)
        else:
            file["model"]["decoder.layers.0.mlp.router._extra_state"] = Touch(code, function)

    rewritten(run, edit)
    refused(run, rf"{RANK}/model_optim_rng\.pt: names \S*{named}, which is not plain data; opening it could run code")
    assert not marker.exists()


@pytest.mark.parametrize("named", ["os.system", "posix.system", "subprocess.Popen", "torch.load", "numpyx.run"])
def test_a_hand_made_pickle_that_calls_a_program_is_refused(run, tmp_path, named):
    marker = tmp_path / "marker"
    hand_made(run, named, f"touch {marker}")
    refused(run, f"names {named}, which is not plain data")
    assert not marker.exists()


def test_a_name_of_megatron_is_never_looked_up(run, tmp_path, monkeypatch):
    """Not even if a module of that name lies about."""
    (tmp_path / "path/megatron").mkdir(parents=True)
    marker = tmp_path / "marker"
    (tmp_path / "path/megatron/__init__.py").write_text(f"def run(x): return open({str(marker)!r}, 'w')\nrun(1)\n")
    monkeypatch.syspath_prepend(tmp_path / "path")
    hand_made(run, "megatron.run", "x")
    refused(run, "does not contain a dictionary, so it is not a checkpoint")
    assert not marker.exists()


def hand_made(run: Path, named: str, text: str) -> None:
    """A file of torch.save whose pickle is a call of ``named`` with ``text``."""
    module, _, name = named.rpartition(".")
    call = f"c{module}\n{name}\nX".encode() + len(text).to_bytes(4, "little") + text.encode() + b"\x85R."
    with zipfile.ZipFile(run / RANK / "model_optim_rng.pt", "w") as archive:
        archive.writestr("model_optim_rng/data.pkl", b"\x80\x02" + call)
        archive.writestr("model_optim_rng/version", b"3\n")
        archive.writestr("model_optim_rng/byteorder", b"little")


def test_the_environment_cannot_switch_the_guard_off(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    rewritten(run, lambda file: file.update(hook=Touch(str(tmp_path / "marker"), made)))
    refused(run, "which is not plain data")
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("content", [b"", b"hello", pickle.dumps({"model": 1}), b"PK\x03\x04" + b"\0" * 40])
def test_a_file_that_is_no_checkpoint(run, content):
    (run / RANK / "model_optim_rng.pt").write_bytes(content)
    refused(run, r"model_optim_rng\.pt: not a complete file of torch\.save")


def test_a_file_that_is_cut_off(run):
    path = run / RANK / "model_optim_rng.pt"
    path.write_bytes(path.read_bytes()[:-2000])
    refused(run, r"model_optim_rng\.pt: not a complete file of torch\.save: truncated")


def test_an_archive_of_something_else(run):
    with zipfile.ZipFile(run / RANK / "model_optim_rng.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(run, r"model_optim_rng\.pt: not readable as a file of torch\.save: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"apply_layernorm_1p": True}, "apply_layernorm_1p True is not supported; apply_layernorm_1p must be False"),
        ({"attention_output_gate": True}, "attention_output_gate True is not supported"),
        ({"rotary_percent": 0.25}, r"rotary_percent 0\.25 is not supported; rotary_percent must be 1\.0"),
        ({"mtp_num_layers": 1}, "mtp_num_layers 1 is not supported"),
        ({"moe_shared_expert_intermediate_size": 512}, "moe_shared_expert_intermediate_size 512 is not supported"),
        ({"moe_router_pre_softmax": True}, "moe_router_pre_softmax True is not supported"),
        ({"moe_layer_freq": [0, 1, 1, 1]}, "moe_layer_freq .* is not supported; every layer must have experts"),
        ({"normalization": "LayerNorm"}, "normalization 'LayerNorm' is not supported"),
        ({"hidden_size": None}, "hidden_size must be a whole number, not None"),
        ({"hidden_size": "16"}, "hidden_size must be a whole number, not '16'"),
        ({"rotary_base": -1}, "rotary_base must be a number, not -1"),
        ({"num_query_groups": 3}, "num_heads .4. must be a multiple of num_kv_heads .3."),
        (
            {"num_layers": 5},
            r"missing tensor decoder\.layers\.4\.self_attention\.linear_qkv\.layer_norm_weight \(and",
        ),
        ({"num_layers": 3}, r"unexpected tensor decoder\.layers\.3\."),
        ({"kv_channels": 4}, r"linear_qkv\.weight has the shape \[48, 16\]; its config expects \[32, 16\]"),
        ({"num_experts": 2}, r"unexpected tensor decoder\.layers\.0\.mlp\.experts\.local_experts\.2\."),
        (
            {"expert_tensor_parallel_size": 2},
            "expert_tensor_parallel_size must equal .* 1, not 2",
        ),
        ({"gengram_enabled": True}, "gengram_enabled is set, but there are no tensors of a Gengram module"),
    ],
)
def test_arguments_that_we_do_not_compute_or_that_do_not_fit(tmp_path, network, change, message):
    refused(save_run(tmp_path / "run", network, told=arguments(EXPERTS, **change)), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gengram_ngram_sizes": [1, 2]}, r"gengram_ngram_sizes is \[1, 2\], its tensors say \[1, 2, 3\]"),
        ({"gengram_embed_dim_per_ngram": 8}, "gengram_embed_dim_per_ngram is 8, its tensors say 4"),
        ({"gengram_token_ids": [5, 6, 7, 8, 9]}, r"gengram_token_ids \[5, 6, 7, 8, 9\] is not supported"),
        ({"gengram_layer_ids": [2, 4]}, "layer 4 should have a Gengram module, but has none of its tensors"),
        ({"gengram_layer_ids": "3"}, "gengram_layer_ids must be a list of whole numbers, not '3'"),
        ({"gengram_window_size": 2}, "gengram window 2 is shorter than the longest k-mer, 3"),
        ({"gengram_window_size": None}, "the window of its Gengram module is not stated"),
    ],
)
def test_gengram_arguments_that_contradict_the_tensors(tmp_path, change, message):
    refused(save_run(tmp_path / "run", random_run(GENGRAM), told=arguments(GENGRAM, **change)), message)


def test_a_convolution_in_one_layer_only(tmp_path):
    def edit(file, rank):
        del file["model"]["decoder.layers.2.gengram.short_conv.conv.weight"]

    run = save_run(tmp_path / "run", random_run(GENGRAM), edit=edit)
    refused(run, r"missing tensor decoder\.layers\.2\.gengram\.short_conv\.conv\.weight")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "decoder.layers.1.self_attention.linear_qkv.bias",
            r"unexpected tensor decoder\.layers\.1\.self_att.*bias",
        ),
        (
            "decoder.layers.1.mlp.router.expert_bias",
            r"unexpected tensor decoder\.layers\.1\.mlp\.router\.expert_bias",
        ),
        ("mtp.layers.0.weight", r"unexpected tensor mtp\.layers\.0\.weight"),
    ],
)
def test_a_tensor_too_many(run, name, message):
    refused(rewritten(run, lambda file: file["model"].update({name: torch.ones(3)})), message)


@pytest.mark.parametrize("name", ["decoder.layers.1.mlp.router.weight", "decoder.final_layernorm.weight"])
def test_copies_that_differ_between_ranks(tmp_path, network, name):
    def edit(file, rank):
        if rank[0] == 1:
            file["model"][name] = file["model"][name] + 1

    refused(save_run(tmp_path / "run", network, sizes=(2, 1, 1), edit=edit), f"{name}: differs between ranks")


def test_a_rank_that_is_missing(tmp_path, network):
    run = save_run(tmp_path / "run", network, sizes=(2, 2, 2))
    shutil.rmtree(run / "iter_0000030/mp_rank_01_000_001")
    refused(run, "1 of 8 ranks are missing; the first is tensor rank 1, pipeline rank 0, expert rank 1")


def test_fewer_folders_than_the_arguments_say(tmp_path, network):
    run = save_run(tmp_path / "run", network, sizes=(2, 1, 1))
    shutil.rmtree(run / "iter_0000030/mp_rank_01")
    refused(run, "tensor_model_parallel_size is 2, but there are folders for 1")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda file: file.update(checkpoint_version=2.0),
            r"checkpoint_version 2\.0 is not supported; it must be 3\.0",
        ),
        (lambda file: file.pop("checkpoint_version"), "checkpoint_version None is not supported"),
        (lambda file: file.pop("model"), "contains no model"),
        (lambda file: file.update(model=3), "its model is a int, not tensors by name"),
        (lambda file: file.update(model={"language_model": {}}), "has the names of legacy Megatron models"),
        (lambda file: file["model"].update(x=3), "x is a int, not a tensor"),
        (lambda file: file.update(args={"num_layers": 2}), "args is a dict, not the arguments of a run"),
    ],
)
def test_files_of_another_kind(run, edit, message):
    refused(rewritten(run, edit), message)


def test_trackers(run):
    tracker = run / "latest_checkpointed_iteration.txt"
    tracker.write_text("40")
    refused(run, "names iter_0000040, which is missing")
    tracker.write_text("best")
    refused(run, "expected an iteration or release, not 'best'")
    tracker.unlink()
    refused(run, "not a model folder: config.json is missing")
    refused(run, "not a model folder: config.json is missing", from_="megatron")


def test_a_distributed_checkpoint_says_what_to_do(run):
    shutil.rmtree(run / RANK)
    (run / "iter_0000030/.metadata").touch()
    (run / "iter_0000030/__0_0.distcp").touch()
    refused(run, r"a distributed checkpoint \(torch_dist\); save it with Megatron in the format torch first")


def test_folders_of_other_names(run):
    (run / "iter_0000030/mp_rank_0").mkdir()
    refused(run, "invalid name of a rank's folder")
    (run / "iter_0000030/mp_rank_0").rename(run / "iter_0000030/mp_rank_01")
    refused(run, "mp_rank_01: has no model_optim_rng.pt")


def test_one_iteration_is_named_by_its_folder(run, network):
    shutil.copytree(run / "iter_0000030", run / "iter_0000040")
    genolm.convert(run / "iter_0000040", run.parent / "out")
    assert genolm.load(run.parent / "out").config == EXPERTS


def test_a_checkpoint_is_not_used_as_it_stands(run):
    with pytest.raises(ModelError, match=rf"convert it first: genolm convert {run} OUT --from megatron --to genolm"):
        genolm.load(run)
    with pytest.raises(ModelError, match="convert it first"):
        genolm.info(run)


def test_a_layout_that_it_is_not_in(tmp_path, run):
    genolm.convert(run, tmp_path / "hub")
    refused(tmp_path / "hub", "has the layout huggingface, not genolm", from_="genolm")
    refused(
        tmp_path / "hub",
        "the similar model tiny-random is not applicable: the huggingface config is complete",
        like="tiny-random",
    )
    with pytest.raises(ModelError, match="apply to checkpoints only, not to a model known by name"):
        genolm.convert("tiny-random", tmp_path / "out", from_="megatron")
    with pytest.raises(ModelError, match="the similar model must be a name of genolm models or a folder"):
        genolm.convert(run, tmp_path / "out", like="some/where")


def test_a_vocabulary_whose_letters_are_unknown(tmp_path):
    config = replace(EXPERTS, vocab_size=16, pad_id=0)
    refused(
        save_run(tmp_path / "run", random_run(config)),
        r"tokenizer\.json is missing, and its config is not",
    )
