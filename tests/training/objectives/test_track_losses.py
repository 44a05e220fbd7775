"""Losses of tracks: the reference values, and how sums and correlations add up over batches."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from genolm.models.heads.head_config import TrackHeadConfig
from genolm.training.objectives.head_objective import mean_correlation, moments
from genolm.training.objectives.tracks import TRACK_LOSSES, TrackObjective
from genolm.training.rows import Rows

GOLDEN = Path(os.environ.get("GENOLM_GOLDEN", "../shared/golden")) / "rna-head"


@pytest.mark.golden
@pytest.mark.skipif(not GOLDEN.is_dir(), reason="no reference vectors")
@pytest.mark.parametrize("name", TRACK_LOSSES)
def test_losses_and_gradients_are_those_of_the_reference(name: str) -> None:
    stored = load_file(GOLDEN / "losses.safetensors")
    expected = json.loads((GOLDEN / "config.json").read_text())["losses"]
    predicted, target = (
        next(value for key, value in stored.items() if key.endswith(part)) for part in ("pred", "target")
    )
    loss = TRACK_LOSSES[name]
    assert loss(predicted, target).mean().item() == pytest.approx(expected["fp32"][name], rel=1e-5)
    assert loss(predicted.double(), target.double()).mean().item() == pytest.approx(expected["fp64"][name], rel=1e-9)
    moved = (predicted.double() + 0.01).requires_grad_()
    value = loss(moved, target.double()).mean()
    assert value.item() == pytest.approx(expected["fp64_at_pred_plus_0.01"][name], rel=1e-9)
    value.backward()
    gradient = stored[f"grad_at_pred_plus_0.01.{name}"]
    torch.testing.assert_close(moved.grad, gradient.double(), rtol=1e-4, atol=1e-7)


def test_correlations_add_up_over_batches() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(50, 2, generator=generator) for _ in range(2))
    whole = moments(x, y)["moments"]
    parts = moments(x[:20], y[:20])["moments"] + moments(x[20:], y[20:])["moments"]
    torch.testing.assert_close(parts, whole)
    each = [torch.corrcoef(torch.stack([x[:, track], y[:, track]]))[0, 1].item() for track in range(2)]
    assert mean_correlation({"moments": whole.tolist()}) == pytest.approx(sum(each) / 2, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 123.4])
def test_the_correlation_with_equal_values_is_undefined(value: float) -> None:
    equal, other = torch.full((1000, 1), value), torch.rand(1000, 1, generator=torch.Generator().manual_seed(0))
    for x, y in ((equal, other), (other, equal), (equal, equal)):
        assert mean_correlation({"moments": moments(x, y)["moments"].tolist()}) is None


def test_only_counted_bases_have_weight() -> None:
    config = TrackHeadConfig(("a", "b"))
    objective = TrackObjective("coverage", config, "mse", torch.device("cpu"), False)
    ids = torch.full((2, 5), 6).numpy()
    targets = torch.zeros(2, 5, 2).numpy()
    counted = torch.tensor([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], dtype=torch.bool).numpy()
    batch = objective.batch(Rows(ids, None, targets, torch.tensor([5, 3]).numpy(), counted_RL=counted))
    assert int(batch.weight) == 8 and int(batch.rows(slice(1, 2)).weight) == 2
    assert int(batch.without_targets().weight) == 0 and batch.without_targets().size == 1
