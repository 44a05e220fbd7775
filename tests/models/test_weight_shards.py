"""Safetensors folders: reading one tensor at a time, writing shards, damage."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from genolm.errors import ModelError
from genolm.models.model_files import INDEX, SINGLE
from genolm.models.weight_shards import Pending, read_header, read_shards, write_shards


def pending(tensors):
    return [Pending(name, tensor.nbytes, lambda tensor=tensor: tensor) for name, tensor in tensors.items()]


TENSORS = {
    "a": torch.arange(6.0).view(2, 3),
    "b": torch.tensor([1.5, -2.0]).bfloat16(),
    "c": torch.tensor(3.0, dtype=torch.float16),
    "d": torch.zeros(0, 4),
}


def test_reads_what_safetensors_writes(tmp_path):
    save_file(TENSORS, tmp_path / SINGLE)
    held = read_shards(tmp_path)
    assert set(held) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert held[name].dtype == tensor.dtype
        assert held[name].shape == tuple(tensor.shape)
        assert torch.equal(held[name].read(), tensor)


def test_a_read_tensor_is_its_own_memory(tmp_path):
    save_file(TENSORS, tmp_path / SINGLE)
    held = read_shards(tmp_path)
    held["a"].read().fill_(9)
    assert torch.equal(held["a"].read(), TENSORS["a"])


@pytest.mark.parametrize(("limit", "files"), [(1000, 1), (24, 2), (4, 3), (1, 3)])
def test_shards_are_filled_up_to_the_limit(tmp_path, limit, files):
    write_shards(tmp_path, pending({name: TENSORS[name] for name in "abc"}), limit)
    found = sorted(tmp_path.glob("*.safetensors"))
    assert len(found) == files
    assert (tmp_path / INDEX).exists() == (files > 1)
    held = read_shards(tmp_path)
    assert all(torch.equal(held[name].read(), TENSORS[name]) for name in "abc")


def test_shards_are_those_of_the_published_format(tmp_path):
    write_shards(tmp_path, pending({name: TENSORS[name] for name in "ab"}), 1)
    index = json.loads((tmp_path / INDEX).read_text())
    assert index["weight_map"] == {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    assert index["metadata"]["total_size"] == 28
    assert torch.equal(load_file(tmp_path / "model-00001-of-00002.safetensors")["a"], TENSORS["a"])
    with safe_open(tmp_path / "model-00002-of-00002.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_only_one_shard_is_made_at_a_time(tmp_path):
    finished = []

    def make():
        finished.append(sum(path.stat().st_size > 0 for path in tmp_path.glob("model-*.safetensors")))
        return torch.zeros(10)

    write_shards(tmp_path, [Pending(str(n), 40, make) for n in range(4)], 40)
    assert finished == [0, 1, 2, 3]


def damaged(tmp_path, change):
    path = tmp_path / SINGLE
    save_file({"a": torch.arange(100.0)}, path)
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "bytes, but its header requires .*; truncated or damaged"),
        (lambda data: data + b"x", "truncated or damaged"),
        (lambda data: data[:20], "truncated within its header"),
        (lambda data: b"", "truncated within its header"),
        (lambda data: b"PK\x03\x04" + data, "not a safetensors file"),
        (lambda data: (4).to_bytes(8, "little") + b"\xff\xfe{}", "not a safetensors file"),
        (lambda data: (2).to_bytes(8, "little") + b"[]", "its header is not a JSON object"),
        (lambda data: data.replace(b'"F32"', b'"F99"'), "a has an unsupported type or shape"),
        (
            lambda data: data.replace(b"[100]", b"[101]"),
            r"a has 400 bytes, which does not match .* x \[101\]",
        ),
    ],
)
def test_damage_is_told_with_the_file(tmp_path, change, message):
    path = damaged(tmp_path, change)
    with pytest.raises(ModelError, match=message) as caught:
        read_header(path)
    assert str(path) in str(caught.value)


def test_a_file_cut_after_it_was_opened(tmp_path):
    path = damaged(tmp_path, lambda data: data)
    held = read_header(path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ModelError, match="ends inside a tensor"):
        held["a"].read()


def test_a_pickle_is_refused_with_the_reason(tmp_path):
    torch.save({"a": torch.ones(1)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"a pickle \(pytorch_model\.bin\).*code.*genolm convert .* OUT reads"):
        read_shards(tmp_path)


def test_an_empty_folder(tmp_path):
    with pytest.raises(ModelError, match=r"neither model\.safetensors nor model\.safetensors\.index\.json was found"):
        read_shards(tmp_path)


def indexed(tmp_path, places):
    save_file({"a": torch.ones(1)}, tmp_path / "one.safetensors")
    save_file({"b": torch.ones(1)}, tmp_path / "two.safetensors")
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": places}))
    return tmp_path


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"a": "one.safetensors", "b": "three.safetensors"}, r"names three\.safetensors, which is missing"),
        (
            {"a": "one.safetensors", "z": "two.safetensors"},
            r"places z in two\.safetensors, which does not contain it",
        ),
        ({"b": "two.safetensors", "a": "../one.safetensors"}, r"names '\.\./one\.safetensors', which is outside"),
        ({"a": 3}, "has no weight_map"),
        (None, "has no weight_map"),
    ],
)
def test_an_index_that_disagrees(tmp_path, places, message):
    with pytest.raises(ModelError, match=message):
        read_shards(indexed(tmp_path, places))


def test_a_tensor_that_the_index_forgot(tmp_path):
    save_file({"a": torch.ones(1), "stray": torch.ones(1)}, tmp_path / "one.safetensors")
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"a": "one.safetensors"}}))
    with pytest.raises(ModelError, match=r"one\.safetensors: contains stray, which .* does not place there"):
        read_shards(tmp_path)
