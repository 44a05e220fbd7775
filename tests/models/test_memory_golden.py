"""Recurrent memory against the published classes: GENA-LM's two, and the one they come from in its three alignments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.remembering import published_settings
from genolm.models.heads import remembered_sequence_loss, remembered_token_loss, sequence_loss, token_loss
from genolm.models.memory import MemoryStep, RecurrentMemory
from genolm.models.memory_checkpoint import published_tensors, read_published
from genolm.models.memory_config import MemoryConfig

pytestmark = pytest.mark.golden

HIDDEN = {"atol": 5e-5, "rtol": 0.0}
LOGITS = {"atol": 1e-4, "rtol": 0.0}

RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "seqcls": ("seqcls", {"attended_padding": 0}),
    "tokcls": ("tokcls", {}),
    "upstream_right": ("seqcls", {"alignment": "right"}),
    "upstream_left": ("seqcls", {"alignment": "left"}),
    "upstream_center": ("seqcls", {"alignment": "center"}),
}
CLASSES = {"seqcls": "BertForSequenceClassification", "tokcls": "BertForTokenClassification"}
KEPT = 100  # the published classes cut the longest sequence to what four segments hold


@pytest.fixture(scope="module")
def folder(golden_dir: Path) -> Path:
    return golden_dir / "rmt"


def told(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text())


def bert_values(folder: Path, kind: str) -> dict[str, Any]:
    return {"model_type": "bert", "architectures": [CLASSES[kind]], **told(folder)["hf_config"]}


def read(folder: Path, kind: str, **settings: Any) -> RecurrentMemory:
    memory = published_settings(told(folder)["rmt_config"], **settings)
    return read_published(load_file(folder / f"model_{kind}.safetensors"), bert_values(folder, kind), memory)


def content_mask(run: dict[str, Tensor]) -> Tensor:
    """The tokens between [CLS] and [SEP], as many as four segments hold."""
    mask = run["in.attention_mask"].bool()
    places = torch.arange(mask.shape[1])
    return (places >= 1) & (places < torch.clamp(mask.sum(1, keepdim=True) - 1, max=KEPT + 1))


def same_step(step: MemoryStep, run: dict[str, Tensor], name: str) -> None:
    """Segmentation exactly; memory, hidden states and outputs within the published tolerance."""
    expected = {key.removeprefix(name): value for key, value in run.items() if key.startswith(name)}
    width, real = step.ids_RS.shape[1], step.mask_RS
    assert torch.equal(step.row_R, expected["non_empty"].nonzero()[:, 0])
    assert torch.equal(step.ids_RS, expected["input_ids"][:, :width])
    assert torch.equal(real, expected["attention_mask"][:, :width].bool())
    assert not expected["attention_mask"][:, width:].any()
    torch.testing.assert_close(step.read_RMD, expected["memory_in"], **HIDDEN)
    torch.testing.assert_close(step.written_RMD, expected["memory_out"], **HIDDEN)
    if "last_hidden" in expected:
        torch.testing.assert_close(step.output.hidden[2][real], expected["last_hidden"][:, :width][real], **HIDDEN)
    labels = step.output.labels
    assert labels is not None
    if labels.ndim == 2:
        torch.testing.assert_close(labels, expected["logits"], **LOGITS)
        loss = sequence_loss(labels, run["in.labels"][step.row_R], "single")
    else:
        torch.testing.assert_close(labels[real], expected["logits"][:, :width][real], **LOGITS)
        weight = run["in.pos_weight"][0, 0]
        loss = token_loss(labels, expected["labels"][:, :width], expected["labels_mask"][:, :width], weight)
    torch.testing.assert_close(loss[None], expected["loss"], **LOGITS)


@pytest.mark.parametrize("name", RUNS)
def test_every_segment_is_the_published_one(folder: Path, name: str) -> None:
    kind, settings = RUNS[name]
    run, network = load_file(folder / f"run_{name}.safetensors"), read(folder, kind, **settings)
    with torch.inference_mode():
        steps = list(network.steps(run["in.input_ids"], content_mask(run)))
        for step in steps:
            same_step(step, run, f"seg{step.index}.")
    assert len(steps) == 4


@pytest.mark.parametrize("name", [name for name in RUNS if name != "tokcls"])
def test_sequences_get_the_published_labels_and_loss(folder: Path, name: str) -> None:
    kind, settings = RUNS[name]
    run, network = load_file(folder / f"run_{name}.safetensors"), read(folder, kind, **settings)
    with torch.inference_mode():
        output = network(run["in.input_ids"], content_mask(run))
        loss = remembered_sequence_loss(output, run["in.labels"], "single", network.memory.loss)
        mean = remembered_sequence_loss(output, run["in.labels"], "single", "mean")
    torch.testing.assert_close(output.labels, run["out.logits"], **LOGITS)
    torch.testing.assert_close(loss[None], run["out.loss"], **LOGITS)
    torch.testing.assert_close(mean[None], torch.stack([run[f"seg{i}.loss"] for i in range(4)]).mean(0), **LOGITS)


def test_tokens_get_the_published_labels_in_their_own_rows(folder: Path) -> None:
    run, network = load_file(folder / "run_tokcls.safetensors"), read(folder, "tokcls")
    mask = content_mask(run)
    with torch.inference_mode():
        output = network(run["in.input_ids"], mask)
        loss = remembered_token_loss(output, run["in.labels"], run["in.labels_mask"], run["in.pos_weight"][0, 0])
    torch.testing.assert_close(loss[None], run["out.loss"], **LOGITS)
    assert output.labels is not None
    torch.testing.assert_close(compacted(output.labels, output.step_BL), compacted_published(run), **LOGITS)


def compacted(labels_BLC: Tensor, step_BL: Tensor) -> Tensor:
    """Ours, step after step and row after row, as the published rows stand once empty ones are left out."""
    return torch.cat([labels_BLC[step_BL == step] for step in range(4)])


def compacted_published(run: dict[str, Tensor]) -> Tensor:
    """The content of every segment out of the concatenated logits, whose rows moved up to fill empty ones."""
    found = []
    for step, logits in enumerate(run["out.logits"].split(32, 1)):
        lengths = run[f"seg{step}.attention_mask"].sum(1).tolist()
        found += [logits[row, 6 : length - 1] for row, length in enumerate(lengths)]
    return torch.cat(found)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_published_state_dict_comes_back_bit_for_bit(folder: Path, kind: str) -> None:
    published = load_file(folder / f"model_{kind}.safetensors")
    written = published_tensors(read(folder, kind))
    assert set(written) == set(published)
    assert all(written[name].dtype == tensor.dtype for name, tensor in published.items())
    assert all(torch.equal(written[name], tensor) for name, tensor in published.items())


def test_the_second_name_of_the_embedding_has_to_be_the_embedding(folder: Path) -> None:
    tensors, values = load_file(folder / "model_seqcls.safetensors"), bert_values(folder, "seqcls")
    words = tensors["model.bert.embeddings.word_embeddings.weight"]
    memory = published_settings(told(folder)["rmt_config"])
    alias = {**tensors, "model.embeddings.weight": words}
    assert torch.equal(read_published(alias, values, memory).start, words[60:])
    with pytest.raises(ModelError, match=r"differs from model\.bert\.embeddings\.word_embeddings"):
        read_published({**alias, "model.embeddings.weight": words + 1}, values, memory)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cls_token": None}, "it lacks cls_token"),
        ({"mem_token_ids": torch.arange(59, 63)}, "not the last rows of an embedding of 64"),
        ({"mem_token_ids": torch.arange(61, 64)}, r"are \(3, 1, 2\), its settings say \(4, 1, 2\)"),
        ({"sep_token": torch.tensor([3])}, r"are \(4, 1, 3\), its settings say"),
        ({"sep_token": torch.tensor([2, 2])}, "hold one id each"),
        ({"mem_token_ids": torch.arange(60.0, 64.0)}, "not a list of ids"),
        ({"optimizer": torch.zeros(1)}, "a recurrent memory has no tensor optimizer"),
        ({"model.extra": torch.zeros(1)}, "no place for the tensor extra"),
        ({"model.bert.pooler.dense.bias": None}, "lacks the tensor bert.pooler.dense.bias"),
    ],
)
def test_what_is_no_such_state_dict_is_refused(folder: Path, change: dict[str, Tensor | None], reason: str) -> None:
    tensors: dict[str, Tensor | None] = {**load_file(folder / "model_seqcls.safetensors"), **change}
    held = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    with pytest.raises(ModelError, match=reason):
        read_published(held, bert_values(folder, "seqcls"), published_settings(told(folder)["rmt_config"]))


def test_the_config_counts_the_memory_or_not_but_nothing_else(folder: Path) -> None:
    tensors, values = load_file(folder / "model_seqcls.safetensors"), bert_values(folder, "seqcls")
    memory = published_settings(told(folder)["rmt_config"])
    assert read_published(tensors, {**values, "vocab_size": 64}, memory).encoder.config.tokens == 60
    with pytest.raises(ModelError, match="64 rows, 4 of them memory, but its config says vocab_size 61"):
        read_published(tensors, {**values, "vocab_size": 61}, memory)


def test_the_published_settings_are_understood(folder: Path) -> None:
    values = told(folder)["rmt_config"]
    assert published_settings(values) == MemoryConfig(4, 32, 4)
    assert published_settings({**values, "sum_loss": True, "bptt_depth": 2}) == MemoryConfig(
        4, 32, 4, depth=2, loss="mean"
    )
    with pytest.raises(ModelError, match="unknown settings of a recurrent memory: xl"):
        published_settings({**values, "xl": 1})
    with pytest.raises(ModelError, match="missing: input_size"):
        published_settings({"num_mem_tokens": 1, "max_n_segments": 1})
