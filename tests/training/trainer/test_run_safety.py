"""What a training run must never do: move weights by NaN, lose a log, forget a buffer, refuse a harmless change."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import genolm
from genolm.errors import InputError, RunError
from genolm.models.networks.network import stored_buffers
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.training.pretrain import PretrainingTask, pretrain
from genolm.training.recipes.pretrain_recipe import Recipe
from genolm.training.rows import Rows
from genolm.training.trainer.optimizers import Optimizers
from genolm.training.trainer.run_folder import CHANGEABLE, describe_run
from genolm.training.trainer.selection import Selection
from genolm.training.trainer.training_checkpoint import Checkpoints
from genolm.training.trainer.training_loop import Trainer
from genolm.training.trainer.weights import gathered_weights
from genolm.training.trainer.workers import Workers


def started(recipe: Recipe, folder: Path) -> Trainer:
    folder.mkdir()
    return PretrainingTask(recipe).trainer(folder, Workers())


def snapshot(run: Trainer) -> dict[str, torch.Tensor]:
    moments = {f"{i}.{key}": v.clone() for i, state in run.optimizer.state().items() for key, v in state.items()}
    return {name: weight.detach().clone() for name, weight in run.network.named_parameters()} | moments


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", ["recipe", "masked_recipe", "expert_recipe"])
def test_a_batch_in_which_nothing_counts_moves_nothing_and_reports_no_loss(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    recipe: Recipe = request.getfixturevalue(kind)
    run = started(recipe, tmp_path / "run")
    objective = run.objectives[1]
    full = objective.batch(run.feed.rows(0, 0, 1))
    run.take_step(objective, full, 2, 1.0, 1)
    before = snapshot(run)
    empty = full._replace(counted_BL=torch.zeros_like(full.counted_BL))
    run.take_step(objective, empty, 2, 1.0, 1)
    assert equal(snapshot(run), before)
    assert run.take_step.metrics()["bits_per_base"] is None
    json.dumps(run.take_step.metrics(), allow_nan=False)
    run.take_step(objective, full, 2, 1.0, 1)
    assert not equal(snapshot(run), before) and run.take_step.metrics()["bits_per_base"] > 0
    run.feed.close()


def test_rows_of_n_alone_count_nowhere(recipe: Recipe, tmp_path: Path) -> None:
    run = started(recipe, tmp_path / "run")
    objective = run.objectives[1]
    n_id = NucleotideTokenizer().n_id
    rows = Rows(np.full((2, recipe.context), n_id, np.uint8), None)
    before = snapshot(run)
    run.take_step(objective, objective.batch(rows), 2, 1.0, 1)
    assert equal(snapshot(run), before)
    run.feed.close()


def poison(at: int, name: str, value: float):
    """A listener that puts a value into a weight after a step."""

    def listen(report: dict) -> None:
        if report["step"] == at and "gradient_norm" in report:
            with torch.no_grad():
                dict(RUNS[-1].network.named_parameters())[name].flatten()[0] = value

    return listen


RUNS: list[Trainer] = []


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that is going on, for a listener to damage."""
    begin = Trainer._begin

    def remembered(self: Trainer, *settings: object) -> None:
        RUNS.append(self)
        begin(self, *settings)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "_begin", remembered)


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", ["recipe", "masked_recipe", "muon_recipe"])
def test_a_loss_that_is_not_finite_stops_before_a_checkpoint_with_it(
    kind: str, value: float, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    recipe = replace(request.getfixturevalue(kind), report_every=1, checkpoint_every=2, evaluate_every=100)
    name = "layers.0.attention.value.weight"
    with pytest.raises(RunError) as caught:
        pretrain(recipe, tmp_path / "run", log=poison(5, name, value))
    text = str(caught.value)
    assert text.startswith(
        f"step 6: the loss is nan and the gradient norm nan; not finite: the weight {name}; training"
    )
    assert f"the newest checkpoint is {tmp_path / 'run/checkpoints/step-4'}" in text
    assert "lower optimizer.learning_rate" in text
    assert sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir()) == ["step-2", "step-4"]
    assert not (tmp_path / "run/model").exists()
    whole = pretrain(recipe, tmp_path / "whole")
    again = pretrain(recipe, tmp_path / "run", resume=True)
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("seen")
def test_a_held_out_loss_that_is_not_finite_stops_before_the_checkpoint(recipe: Recipe, tmp_path: Path) -> None:
    recipe = replace(recipe, report_every=1, evaluate_every=3, checkpoint_every=3)
    wrong = r"step 3: the held-out loss of 'test' is not finite: the weight norm\.weight; .*no checkpoint was written"
    with pytest.raises(RunError, match=wrong):
        pretrain(recipe, tmp_path / "run", log=poison(3, "norm.weight", float("nan")))
    assert not list((tmp_path / "run").glob("checkpoints/step-*"))


@pytest.mark.parametrize("left", ["none", "torn", "no state"])
def test_resume_without_a_complete_checkpoint_is_refused_and_the_log_stays(
    left: str, recipe: Recipe, tmp_path: Path
) -> None:
    pretrain(recipe, tmp_path / "run", steps=1)
    checkpoint = tmp_path / "run/checkpoints/step-1"
    if left == "torn":
        (checkpoint / "state.safetensors").write_bytes(b"half")
    elif left == "no state":
        (checkpoint / "state.json").unlink()
    else:
        checkpoint.rename(tmp_path / "elsewhere")
    log = (tmp_path / "run/log.jsonl").read_bytes()
    with pytest.raises(RunError, match=r"contains no complete checkpoint.*start the run again") as caught:
        pretrain(recipe, tmp_path / "run", resume=True)
    assert ("step-1 damaged or incomplete" in str(caught.value)) == (left != "none")
    assert (tmp_path / "run/log.jsonl").read_bytes() == log


def test_resume_where_no_run_is_leaves_nothing(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="contains no run to resume; start a new one"):
        pretrain(recipe, tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


CHANGES = {
    "name": "other",
    "card": "text",
    "trackers": (),
    "compile": True,
    "report_every": 3,
    "evaluate_every": 5,
    "evaluate_windows": 3,
    "checkpoint_every": 3,
    "release": "fp32",
}


def test_every_setting_that_does_not_decide_the_weights_is_tried() -> None:
    assert set(CHANGES) == set(CHANGEABLE)


@pytest.mark.parametrize("name", [name for name in CHANGEABLE if name not in ("compile", "trackers", "release")])
def test_settings_that_do_not_decide_the_weights_may_change_on_resume(
    name: str, recipe: Recipe, tmp_path: Path
) -> None:
    whole = pretrain(recipe, tmp_path / "whole")
    pretrain(recipe, tmp_path / "run", steps=4)
    again = pretrain(replace(recipe, **{name: CHANGES[name]}), tmp_path / "run", resume=True)
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_the_precision_of_the_release_may_change_on_resume(recipe: Recipe, tmp_path: Path) -> None:
    rounded = load_file(pretrain(recipe, tmp_path / "whole") / "model.safetensors")
    pretrain(recipe, tmp_path / "run", steps=4)
    precise = load_file(pretrain(replace(recipe, release="fp32"), tmp_path / "run", resume=True) / "model.safetensors")
    assert {value.dtype for value in precise.values()} == {torch.float32}
    assert all(torch.equal(value.bfloat16(), rounded[name]) for name, value in precise.items())


def test_a_setting_that_decides_the_weights_is_named_when_it_differs(recipe: Recipe, tmp_path: Path) -> None:
    pretrain(recipe, tmp_path / "run", steps=1)
    slower = replace(recipe, optimizer=replace(recipe.optimizer, learning_rate=0.005), seed=3, report_every=7)
    with pytest.raises(RunError) as caught:
        pretrain(slower, tmp_path / "run", resume=True)
    assert "(optimizer.learning_rate was 0.01 and is 0.005; seed was 0 and is 3)" in str(caught.value)
    assert "report_every was" not in str(caught.value) and "report_every, evaluate_every" in str(caught.value)


@pytest.mark.parametrize("place", ["file/run", "x" * 300])
def test_a_folder_that_cannot_be_made_is_a_run_error(place: str, recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be created") as caught:
        pretrain(recipe, tmp_path / place)
    assert caught.value.exit_code == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_a_run_error(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(RunError, match="cannot be created or used"):
        pretrain(recipe, tmp_path / "closed/run")


class Normed(nn.Module):
    """A head with running statistics, and a buffer that is made anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.BatchNorm1d(4)])
        self.register_buffer("ramp", torch.arange(4.0), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def trained(steps: int, start: Normed | None = None, seed: int = 0) -> Normed:
    torch.manual_seed(seed)
    module = start or Normed()
    for _ in range(steps):
        module(torch.randn(8, 4) + 3)
    return module


def test_running_statistics_are_stored_and_passing_buffers_are_not() -> None:
    assert sorted(stored_buffers(Normed())) == [
        "layers.1.num_batches_tracked",
        "layers.1.running_mean",
        "layers.1.running_var",
    ]


def test_running_statistics_come_back_from_a_checkpoint(tmp_path: Path) -> None:
    module, other = trained(3), Normed()
    optimizers = [Optimizers([torch.optim.AdamW(one.parameters())]) for one in (module, other)]
    checkpoints = Checkpoints(tmp_path, "print", Workers(), sharded=False)
    checkpoints.save(3, module, optimizers[0])
    assert not torch.equal(other.layers[1].running_mean, module.layers[1].running_mean)
    assert checkpoints.load(other, optimizers[1]) == (3, Selection())
    assert all(torch.equal(one, other.state_dict()[name]) for name, one in module.state_dict().items())
    assert other.layers[1].num_batches_tracked.item() == 3


def test_running_statistics_are_part_of_the_weights_that_a_run_writes() -> None:
    module = trained(2)
    found = gathered_weights(module, keep=True)
    assert torch.equal(found["layers.1.running_var"], module.layers[1].running_var)
    assert found["layers.1.num_batches_tracked"].dtype == torch.int64
    assert "ramp" not in found and gathered_weights(module, keep=False) == {}
    Normed().load_state_dict(found)


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize("rate", [float("nan"), float("inf")])
def test_a_learning_rate_that_is_not_finite_never_reaches_a_checkpoint(
    rate: float, recipe: Recipe, tmp_path: Path
) -> None:
    def plant(report: dict) -> None:
        if report["step"] == 5 and "gradient_norm" in report:
            for group in RUNS[-1].optimizer.param_groups:
                group["peak"] = rate

    recipe = replace(recipe, report_every=1, checkpoint_every=2, evaluate_every=100)
    with pytest.raises(
        RunError, match=r"step 6: not finite: the weight \S+; .*newest checkpoint is \S+step-4"
    ) as caught:
        pretrain(recipe, tmp_path / "run", log=plant)
    assert caught.value.code == "training-diverged"
    assert sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir()) == ["step-2", "step-4"]
    with pytest.raises(InputError, match="learning_rate must be above 0 and finite"):
        replace(recipe.optimizer, learning_rate=rate)


@pytest.mark.parametrize("evaluate_every", [4, 100])
def test_a_signal_in_the_last_step_does_not_lose_its_evaluation(
    evaluate_every: int, recipe: Recipe, tmp_path: Path
) -> None:
    recipe = replace(recipe, report_every=1, evaluate_every=evaluate_every)
    whole = genolm.load(pretrain(recipe, tmp_path / "whole"))

    def stop(report: dict) -> None:
        if report["step"] == recipe.steps - 1 and "gradient_norm" in report:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt, match=f"stopped after step {recipe.steps}"):
        pretrain(recipe, tmp_path / "run", log=stop)
    resumed = genolm.load(pretrain(recipe, tmp_path / "run", resume=True))
    assert resumed.card.metrics == whole.card.metrics
    assert describe_run(tmp_path / "run", recipe) == describe_run(tmp_path / "whole", recipe)
