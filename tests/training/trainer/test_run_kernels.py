"""Kernels of a training run are selected once, and used when it is resumed."""

import json

import pytest

from genolm.errors import RunError
from genolm.models.kernels.kernels import Kernels, current_kernels
from genolm.training.pretrain import pretrain
from genolm.training.trainer import run_kernels, training_step

CHOSEN = Kernels((("trained_attention", "expanded"),))


@pytest.fixture
def used(monkeypatch):
    """Kernels of every step."""
    found, take_step = [], training_step.TrainingStep.__call__

    def recorded(self, *arguments):
        found.append(current_kernels())
        return take_step(self, *arguments)

    monkeypatch.setattr(training_step.TrainingStep, "__call__", recorded)
    return found


def test_the_selection_is_kept_in_the_folder_and_used_on_resume(recipe, tmp_path, used, monkeypatch):
    monkeypatch.setattr(run_kernels, "select_kernels", lambda *arguments, **settings: CHOSEN)
    pretrain(recipe, tmp_path / "run", steps=2)
    assert json.loads((tmp_path / "run" / "kernels.json").read_text()) == dict(CHOSEN.choices)
    monkeypatch.setattr(run_kernels, "select_kernels", lambda *arguments, **settings: Kernels())
    pretrain(recipe, tmp_path / "run", steps=3, resume=True)
    assert used == [CHOSEN] * 3


def test_pinned_kernels_are_recorded(recipe, tmp_path, used, monkeypatch):
    monkeypatch.setenv("GENOLM_KERNELS", "attention=fused")
    pretrain(recipe, tmp_path / "run", steps=1)
    assert [kernels.choices for kernels in used] == [(("attention", "fused"),)]


def test_a_run_without_a_record_is_resumed_with_the_defaults(recipe, tmp_path, used):
    pretrain(recipe, tmp_path / "run", steps=1)
    (tmp_path / "run" / "kernels.json").unlink()
    pretrain(recipe, tmp_path / "run", steps=2, resume=True)
    assert used[-1] == Kernels()


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_record_is_an_error(recipe, tmp_path, content):
    pretrain(recipe, tmp_path / "run", steps=1)
    (tmp_path / "run" / "kernels.json").write_text(content)
    with pytest.raises(RunError, match=r"kernels\.json: not a record of kernels"):
        pretrain(recipe, tmp_path / "run", steps=2, resume=True)
