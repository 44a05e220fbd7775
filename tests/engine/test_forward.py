"""Batches that do not fit are halved, in the words of every allocator; a window that does not fit is told."""

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from engine_toys import CONFIG, Listed, Summed, ToyModel, expected

from genolm.engine import free_memory as memory
from genolm.engine.events import Advanced, BatchHalved, Observer
from genolm.engine.forward import Batcher
from genolm.engine.run import Options, run
from genolm.engine.windows import Window
from genolm.engine.work import Work
from genolm.errors import ResourceError
from genolm.models.footprint import activation_bytes
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.recurrent_memory_config import MemoryConfig

ENCODER = EncoderConfig(vocab_size=1000, hidden_size=2048, num_layers=2, num_heads=8, ffn_size=64)


@dataclass(frozen=True, slots=True)
class Lean(Listed):
    """Never has the logits of a batch."""

    logits: ClassVar[bool] = False


class Notes:
    """Receiver of events that keeps finished bases and reasons for smaller batches."""

    def __init__(self):
        self.notes, self.bases = [], []

    def __call__(self, event):
        match event:
            case BatchHalved(reason=text):
                self.notes.append(text)
            case Advanced(bases):
                self.bases.append(bases)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_running_out_of_memory_halves_the_batch_and_changes_nothing_else(source, out, lines, error):
    model, notes = ToyModel(limit=20, error=error), Notes()
    result = run(Summed(source), model, out, progress=notes)
    assert out.read_text() == expected(lines)
    assert all(rows * columns <= 20 for rows, columns in model.shapes)
    assert result.token_budget <= 20
    assert notes.notes[-1] == f"out of memory: continuing with batches of {result.token_budget:,} tokens"


def test_the_smaller_batch_is_kept_for_the_rest_of_the_run(source, out):
    notes = Notes()
    result = run(Summed(source), ToyModel(limit=20), out, progress=notes)
    assert 1 <= len(notes.notes) <= 3 < result.parts


def test_a_single_window_that_does_not_fit_is_told_with_an_estimate(source, out):
    with pytest.raises(
        ResourceError, match=r"a window of 7 tokens does not fit into memory \(about .* MB beyond the w"
    ):
        run(Summed(source), ToyModel(limit=3), out)


def test_another_error_is_no_reason_to_halve(source, out):
    model = ToyModel(limit=20, error=ValueError)
    with pytest.raises(ValueError, match="not enough memory"):
        run(Summed(source), model, out)
    assert model.shapes == []


def test_finished_parts_survive_a_window_that_does_not_fit(out):
    task = Listed(("ACGT",) * 50 + ("A" * 100,), window=200)
    with pytest.raises(ResourceError):
        run(task, ToyModel(limit=90), out)
    result = run(task, ToyModel(), out, Options(resume=True))
    assert result.computed == 1
    assert result.parts > 3


def test_outputs_come_in_the_order_of_the_windows():
    windows = [Window("ACGT"[number % 4] * (number * 7 % 11 + 1)) for number in range(40)]
    batcher = Batcher(Work(Listed(()), ToyModel(limit=30), Observer()), 64)
    ids = {"A": 8, "C": 5, "G": 6, "T": 7}
    assert batcher.outputs(windows, 0) == [sum(ids[base] for base in window.sequence) for window in windows]


def test_progress_adds_up_to_the_bases_of_the_part():
    notes = Notes()
    Batcher(Work(Listed(()), ToyModel(), Observer((notes,))), 8).outputs([Window("ACGTA") for _ in range(7)], 1001)
    assert sum(notes.bases) == 1001
    assert len(notes.bases) == 7
    assert min(notes.bases) >= 0


def test_no_windows_no_forward():
    notes = Notes()
    assert Batcher(Work(Listed(()), ToyModel(limit=0), Observer((notes,))), 8).outputs([], 12) == []
    assert sum(notes.bases) == 12


def test_a_window_beyond_the_budget_is_refused_when_the_estimate_says_so(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda device: activation_bytes(CONFIG, 2000, 4))
    batcher = Batcher(Work(Listed(()), ToyModel(), Observer()), 1000)
    assert len(batcher.outputs([Window("A" * 2000)], 0)) == 1
    with pytest.raises(ResourceError, match=r"a window of 3,000 tokens .* 6\d.\d MB free\); use a shorter context"):
        batcher.outputs([Window("A" * 3000)], 0)


def test_rows_that_do_not_fit_are_told(source, out):
    with pytest.raises(ResourceError, match="not enough memory for the rows of one part"):
        run(_Wide(source), ToyModel(), out)


def test_gradients_are_off(source):
    with pytest.raises(AssertionError, match="inference is on"):
        run(_Watching(source), ToyModel())


@dataclass(frozen=True, slots=True)
class _Wide(Summed):
    def rows(self, items, windows, outputs):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


@dataclass(frozen=True, slots=True)
class _Watching(Summed):
    def forward(self, model, windows):
        raise AssertionError(f"inference is {'on' if torch.is_inference_mode_enabled() else 'off'}")


def test_the_budget_shrinks_to_the_free_memory(monkeypatch):
    notes = Notes()
    model = ToyModel(config=replace(CONFIG, hidden_size=4096))
    need = activation_bytes(model.config, 4096, 4)
    monkeypatch.setattr(memory, "available", lambda device: need)
    assert Work(Listed(()), model, Observer((notes,)), 32_768).fitting_budget() == 4096
    assert notes.notes == ["little free memory: batches of 4,096 instead of 32,768 tokens"]


def test_the_default_budget_follows_the_device_kind(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda device: None)
    assert Work(Listed(()), ToyModel(), Observer()).fitting_budget() == 16_384
    assert Work(Listed(()), ToyModel(device=torch.device("cuda:1")), Observer()).fitting_budget() == 131_072


def test_the_logits_of_a_batch_count_unless_a_task_never_has_them():
    for config in (CONFIG, ENCODER):
        model, width = ToyModel(config=config), torch.float32.itemsize
        with_logits, without = (Work(task, model, Observer()).memory(1000).bytes for task in (Listed(()), Lean(())))
        assert with_logits - without == 1000 * 2 * config.vocab_size * width
        assert with_logits == activation_bytes(config, 1000, 4)


def test_an_encoder_is_fitted_like_a_decoder(monkeypatch):
    notes, model = Notes(), ToyModel(config=ENCODER)
    monkeypatch.setattr(memory, "available", lambda device: activation_bytes(ENCODER, 4096, 4))
    assert Work(Listed(()), model, Observer((notes,)), 16_384).fitting_budget() == 4096
    with pytest.raises(ResourceError, match="a window of 9,000 tokens does not fit into memory"):
        Batcher(Work(Listed(()), model, Observer()), 4096).outputs([Window("A" * 9000)], 0)


def test_a_recurrent_memory_needs_no_more_for_longer_windows(monkeypatch):
    config = replace(ENCODER, vocab_size=1008, token_rows=1000, memory=MemoryConfig(8, 64))
    monkeypatch.setattr(memory, "available", lambda device: activation_bytes(config, 64, 4))
    model = ToyModel(config=config)
    assert len(Batcher(Work(Listed(()), model, Observer()), 16).outputs([Window("A" * 90_000)], 0)) == 1
