"""Recurrent memory against the published classes: GENA-LM's two, and the one they come from in its three alignments."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.golden_sets.comparison import assert_close, existing, load
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.encoders.recurrent_memory_tensors import published_settings
from genolm.models.checkpoints.recurrent_memory_checkpoint import published_tensors, read_published
from genolm.models.networks.recurrent_memory import MemoryStep, RecurrentMemory
from genolm.models.networks.recurrent_memory_config import MemoryConfig
from genolm.training.objectives.label_losses import (
    recurrent_sequence_loss,
    recurrent_token_loss,
    sequence_loss,
    token_loss,
)

pytestmark = pytest.mark.golden

HIDDEN = {"atol": 5e-5}
LOGITS = {"atol": 1e-4}

RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "seqcls": ("seqcls", {"attended_padding": 0}),
    "tokcls": ("tokcls", {}),
    "upstream_right": ("seqcls", {"alignment": "right"}),
    "upstream_left": ("seqcls", {"alignment": "left"}),
    "upstream_center": ("seqcls", {"alignment": "center"}),
}
CLASSES = {"seqcls": "BertForSequenceClassification", "tokcls": "BertForTokenClassification"}


@pytest.fixture(scope="module")
def folder(golden_dir: Path) -> Path:
    return existing(golden_dir / "rmt")


def told(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text())


def bert_values(folder: Path, kind: str) -> dict[str, Any]:
    return {"model_type": "bert", "architectures": [CLASSES[kind]], **told(folder)["hf_config"]}


def read(folder: Path, kind: str, **settings: Any) -> RecurrentMemory:
    memory = published_settings(told(folder)["rmt_config"], **settings)
    return read_published(load(folder / f"model_{kind}.safetensors"), bert_values(folder, kind), memory)


def shape(folder: Path) -> MemoryConfig:
    return published_settings(told(folder)["rmt_config"])


def content_mask(folder: Path, run: dict[str, Tensor]) -> Tensor:
    """The tokens between [CLS] and [SEP]; the published classes cut a sequence to what all segments hold."""
    memory = shape(folder)
    assert memory.max_segments is not None
    kept = memory.content * memory.max_segments
    mask = run["in.attention_mask"].bool()
    places = torch.arange(mask.shape[1])
    return (places >= 1) & (places < torch.clamp(mask.sum(1, keepdim=True) - 1, max=kept + 1))


def segments(run: dict[str, Tensor]) -> list[int]:
    """The segments that hold a token of any sequence."""
    return sorted(int(name[3:].partition(".")[0]) for name in run if name.endswith(".input_ids") and name[:3] == "seg")


def same_step(step: MemoryStep, run: dict[str, Tensor], name: str) -> None:
    """Segmentation exactly; memory, hidden states and outputs within the published tolerance."""
    expected = {key.removeprefix(name): value for key, value in run.items() if key.startswith(name)}
    width, real = step.ids_RS.shape[1], step.mask_RS
    assert torch.equal(step.row_R, expected["non_empty"].nonzero()[:, 0])
    assert torch.equal(step.ids_RS, expected["input_ids"][:, :width])
    assert torch.equal(real, expected["attention_mask"][:, :width].bool())
    assert not expected["attention_mask"][:, width:].any()
    assert_close(step.read_RMD, expected["memory_in"], **HIDDEN)
    assert_close(step.written_RMD, expected["memory_out"], **HIDDEN)
    if "last_hidden" in expected:
        assert_close(
            step.output.hidden[max(step.output.hidden)][real], expected["last_hidden"][:, :width][real], **HIDDEN
        )
    labels = step.output.labels
    assert labels is not None
    if labels.ndim == 2:
        assert_close(labels, expected["logits"], **LOGITS)
        loss = sequence_loss(labels, run["in.labels"][step.row_R], "single")
    else:
        assert_close(labels[real], expected["logits"][:, :width][real], **LOGITS)
        weight = run["in.pos_weight"][0, 0]
        loss = token_loss(labels, expected["labels"][:, :width], expected["labels_mask"][:, :width], weight)
    assert_close(loss[None], expected["loss"], **LOGITS)


@pytest.mark.parametrize("name", RUNS)
def test_every_segment_is_the_published_one(folder: Path, name: str) -> None:
    kind, settings = RUNS[name]
    run, network = load(folder / f"run_{name}.safetensors"), read(folder, kind, **settings)
    with torch.inference_mode():
        steps = list(network.steps(run["in.input_ids"], content_mask(folder, run)))
        for step in steps:
            same_step(step, run, f"seg{step.index}.")
    assert [step.index for step in steps] == segments(run)


@pytest.mark.parametrize("name", [name for name in RUNS if name != "tokcls"])
def test_sequences_get_the_published_labels_and_loss(folder: Path, name: str) -> None:
    kind, settings = RUNS[name]
    run, network = load(folder / f"run_{name}.safetensors"), read(folder, kind, **settings)
    with torch.inference_mode():
        output = network(run["in.input_ids"], content_mask(folder, run))
        loss = recurrent_sequence_loss(output, run["in.labels"], "single", network.memory.loss)
        mean = recurrent_sequence_loss(output, run["in.labels"], "single", "mean")
    assert_close(output.labels, run["out.logits"], **LOGITS)
    assert_close(loss[None], run["out.loss"], **LOGITS)
    assert_close(mean[None], torch.stack([run[f"seg{i}.loss"] for i in segments(run)]).mean(0), **LOGITS)


def test_tokens_get_the_published_labels_in_their_own_rows(folder: Path) -> None:
    run, network = load(folder / "run_tokcls.safetensors"), read(folder, "tokcls")
    mask = content_mask(folder, run)
    with torch.inference_mode():
        output = network(run["in.input_ids"], mask)
        loss = recurrent_token_loss(output, run["in.labels"], run["in.labels_mask"], run["in.pos_weight"][0, 0])
    assert_close(loss[None], run["out.loss"], **LOGITS)
    assert output.labels is not None
    assert_close(compacted(output.labels, output.step_BL, run), compacted_published(run, shape(folder)), **LOGITS)


def compacted(labels_BLC: Tensor, step_BL: Tensor, run: dict[str, Tensor]) -> Tensor:
    """Ours, step after step and row after row, as the published rows stand once empty ones are left out."""
    return torch.cat([labels_BLC[step_BL == step] for step in segments(run)])


def compacted_published(run: dict[str, Tensor], memory: MemoryConfig) -> Tensor:
    """The content of every segment out of the concatenated logits, whose rows moved up to fill empty ones."""
    found: list[Tensor] = []
    for step, logits in zip(segments(run), run["out.logits"].split(memory.segment, 1), strict=True):
        lengths = run[f"seg{step}.attention_mask"].sum(1).tolist()
        found += [logits[row, memory.before : length - 1] for row, length in enumerate(lengths)]
    return torch.cat(found)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_published_state_dict_comes_back_bit_for_bit(folder: Path, kind: str) -> None:
    published = load(folder / f"model_{kind}.safetensors")
    written = published_tensors(read(folder, kind))
    assert set(written) == set(published)
    assert all(written[name].dtype == tensor.dtype for name, tensor in published.items())
    assert all(torch.equal(written[name], tensor) for name, tensor in published.items())


def test_the_second_name_of_the_embedding_has_to_be_the_embedding(folder: Path) -> None:
    tensors, values = load(folder / "model_seqcls.safetensors"), bert_values(folder, "seqcls")
    words, memory = tensors["model.bert.embeddings.word_embeddings.weight"], shape(folder)
    alias = {**tensors, "model.embeddings.weight": words}
    assert torch.equal(read_published(alias, values, memory).start, words[-memory.tokens :])
    with pytest.raises(ModelError, match=r"differs from model\.bert\.embeddings\.word_embeddings"):
        read_published({**alias, "model.embeddings.weight": words + 1}, values, memory)


Change = Callable[[int, MemoryConfig], dict[str, Tensor | None]]
"""Wrong tensors, given the rows of the embedding and the settings of the memory."""

REFUSED: list[tuple[Change, str]] = [
    (lambda rows, memory: {"cls_token": None}, "missing cls_token"),
    (
        lambda rows, memory: {"mem_token_ids": torch.arange(rows - memory.tokens - 1, rows - 1)},
        "not the last rows of an embedding of {rows}",
    ),
    (
        lambda rows, memory: {"mem_token_ids": torch.arange(rows - memory.tokens - 1, rows)},
        r"are \({more}, 1, 2\), but the settings state \({tokens}, 1, 2\)",
    ),
    (lambda rows, memory: {"sep_token": torch.tensor([3])}, r"are \({tokens}, 1, 3\), but the settings state"),
    (lambda rows, memory: {"sep_token": torch.tensor([2, 2])}, "must hold one id each"),
    (lambda rows, memory: {"mem_token_ids": torch.arange(float(rows - memory.tokens), rows)}, "not a list of ids"),
    (lambda rows, memory: {"optimizer": torch.zeros(1)}, "unexpected tensor optimizer in a recurrent memory"),
    (lambda rows, memory: {"model.extra": torch.zeros(1)}, "unexpected tensor extra"),
    (
        lambda rows, memory: {"model.bert.pooler.dense.bias": None},
        "missing tensor bert.pooler.dense.bias",
    ),
]


@pytest.mark.parametrize(("change", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_is_no_such_state_dict_is_refused(folder: Path, change: Change, reason: str) -> None:
    published, memory = load(folder / "model_seqcls.safetensors"), shape(folder)
    rows = len(published["model.bert.embeddings.word_embeddings.weight"])
    held = {name: tensor for name, tensor in {**published, **change(rows, memory)}.items() if tensor is not None}
    with pytest.raises(ModelError, match=reason.format(rows=rows, tokens=memory.tokens, more=memory.tokens + 1)):
        read_published(held, bert_values(folder, "seqcls"), memory)


def test_the_config_counts_the_memory_or_not_but_nothing_else(folder: Path) -> None:
    tensors, values, memory = load(folder / "model_seqcls.safetensors"), bert_values(folder, "seqcls"), shape(folder)
    rows = len(tensors["model.bert.embeddings.word_embeddings.weight"])
    words = rows - memory.tokens
    assert read_published(tensors, {**values, "vocab_size": rows}, memory).encoder.config.tokens == words
    wrong = f"{rows} rows, {memory.tokens} of them memory, but its config has vocab_size {words - 1}"
    with pytest.raises(ModelError, match=wrong):
        read_published(tensors, {**values, "vocab_size": words - 1}, memory)


def test_the_published_settings_are_understood(folder: Path) -> None:
    values = {**told(folder)["rmt_config"], "sum_loss": False, "bptt_depth": -1}
    sizes = values["num_mem_tokens"], values["input_size"], values["max_n_segments"]
    assert published_settings(values) == MemoryConfig(*sizes)
    more = {**values, "sum_loss": True, "bptt_depth": 2}
    assert published_settings(more) == MemoryConfig(*sizes, depth=2, loss="mean")
    with pytest.raises(ModelError, match="unknown settings of a recurrent memory: xl"):
        published_settings({**values, "xl": 1})
    with pytest.raises(ModelError, match="missing settings of a recurrent memory: input_size"):
        published_settings({"num_mem_tokens": 1, "max_n_segments": 1})
