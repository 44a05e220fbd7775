"""Estimated need, free memory, and recognition of out-of-memory errors."""

import pytest
import torch

from genolm.engine import free_memory as memory
from genolm.models.checkpoints.load import load
from genolm.models.footprint import activation_bytes
from genolm.models.networks.decoder_config import DecoderConfig

GENOS = DecoderConfig(128, 1024, 12, 16, 8, 64, 4096, 8, 2)


def test_estimate_by_hand():
    stream = 100 * (4 * 1024 + 2 * 1024 + 4 * 512) * 2
    inner = 100 * 3 * 4096 * 2 * 2
    logits = 100 * 2 * 128 * 4
    assert activation_bytes(GENOS, 100, 2) == 64 * 2**20 + stream + inner + logits


def test_estimate_grows_linearly_in_the_tokens():
    small, middle, large = (activation_bytes(GENOS, tokens, 2) for tokens in (2**14, 2**15, 2**16))
    assert large - middle == 2 * (middle - small) > 0


def test_a_dense_model_counts_its_one_block():
    dense = DecoderConfig(128, 1024, 12, 16, 8, 64, 4096)
    less = activation_bytes(GENOS, 10, 4) - activation_bytes(dense, 10, 4)
    assert less == 10 * 3 * 4096 * 4


def test_free_memory_of_this_machine_is_below_all_of_it():
    free = memory.available("cpu")
    assert free is None or 0 < free < 2**50
    assert memory.available(torch.device("meta")) is None


@pytest.mark.parametrize(("limit", "free"), [("1000", 350), ("max", None), ("100", 0), ("junk", None)])
def test_a_container_limits_what_is_free(tmp_path, limit, free):
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 600\ninactive_file 50\nactive_file 50\n")
    assert memory._cgroup_memory(tmp_path) == free


def test_no_control_group_no_limit(tmp_path):
    assert memory._cgroup_memory(tmp_path) is None


@pytest.mark.parametrize(
    ("error", "out"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: not enough memory: you tried"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("not enough memory"), False),
        (KeyError("x"), False),
    ],
)
def test_words_for_out_of_memory(error, out):
    assert memory.is_out_of_memory(error) is out


def test_torch_itself_says_it_in_these_words():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert memory.is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    ("size", "text"), [(12, "12 B"), (1500, "1.5 kB"), (2.49e9, "2.49 GB"), (96 * 2**40, "106 TB"), (0, "0 B")]
)
def test_sizes_for_people(size, text):
    assert memory.format_bytes(size) == text


def test_a_request_is_estimated_before_it_is_computed(monkeypatch):
    model = load("tiny-random-dense", device="cpu")
    need = memory.request_memory(model, 1000)
    assert need.bytes == activation_bytes(model.config, 1000, 4)
    assert memory.request_memory(model, 1000, logits=False).bytes < need.bytes
    generating = memory.request_memory(model, 1000, new_bases=500)
    assert generating.bytes == need.bytes + model.config.cache_bytes(1500, 4)
    for free, fits in ((need.bytes, True), (need.bytes - 1, False), (None, True)):
        monkeypatch.setattr(memory, "available", lambda device, free=free: free)
        assert memory.request_memory(model, 1000).fits is fits


def test_a_recurrent_memory_needs_the_memory_of_one_segment():
    model = load("tiny-random-rmt", device="cpu")
    long, longer = (memory.request_memory(model, bases).bytes for bases in (10_000, 100_000))
    assert long == longer
