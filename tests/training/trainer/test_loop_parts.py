"""The loop's parts: the loss, accumulation, schedule and stages, throughput, recomputation."""

import json
import math
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import genolm
from genolm.errors import GenolmError, InputError
from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.networks.decoder import Decoder
from genolm.models.zoo.zoo import ZOO
from genolm.training.objectives.next_token import next_base_loss, router_losses
from genolm.training.objectives.token_prediction import CausalObjective
from genolm.training.pretrain import PretrainingTask, pretrain
from genolm.training.recipes.pretrain_recipe import OptimizerRecipe, Recipe, Stage
from genolm.training.rows import Rows
from genolm.training.trainer.evaluation import held_out
from genolm.training.trainer.optimizers import build_optimizer
from genolm.training.trainer.run_folder import RunLog
from genolm.training.trainer.schedule import schedule, stage_at, tokens_until
from genolm.training.trainer.throughput import Clock, Peak, device_peak, training_flops
from genolm.training.trainer.training_step import Recomputation, TrainingStep
from genolm.training.trainer.weights import initialise
from genolm.training.trainer.workers import Workers


def test_the_loss_counts_bases_within_their_document_only() -> None:
    ids = torch.tensor([[8, 5, 12, 6, 14]])  # A C <EOD> G <PAD>
    documents = torch.tensor([[0, 0, -1, 1, -1]])
    logits = torch.zeros(1, 4, 32)
    logits[0, 0, 5] = 3.0
    expected = -math.log(math.exp(3) / (math.exp(3) + 31))
    assert next_base_loss(logits, ids, documents, torch.tensor([5, 6, 7, 8])).item() == pytest.approx(expected)


def test_padding_has_no_part_in_the_router_losses(expert_recipe: Recipe) -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    counted = torch.tensor([[True, True, True], [True, False, False]])
    expected = router_losses([logits[:4]], expert_recipe.model, torch.ones(1, 4, dtype=torch.bool))
    for one, other in zip(router_losses([logits], expert_recipe.model, counted), expected, strict=True):
        torch.testing.assert_close(one, other)


def gradients(
    recipe: Recipe, micro_rows: int, ids: torch.Tensor, documents: torch.Tensor
) -> tuple[list[torch.Tensor], dict]:
    """The first step of plain descent shows the gradients, unclipped."""
    network = initialise(Decoder(recipe.model), 0)
    before = [weight.detach().clone() for weight in network.parameters()]
    optimizer = build_optimizer(network, recipe.optimizer)
    optimizer.parts = [torch.optim.SGD([{"params": list(network.parameters()), "peak": 1.0}])]
    step = TrainingStep(network, optimizer, 1e9, Workers())
    targets = torch.isin(torch.arange(32), torch.arange(5, 9))
    objective = CausalObjective(recipe.model, targets, torch.device("cpu"), False)
    step(objective, objective.batch(Rows(ids.numpy(), documents.numpy())), micro_rows, 1.0, 1)
    return [old - new for old, new in zip(before, network.parameters(), strict=True)], step.metrics()


@pytest.mark.parametrize("micro_rows", [1, 2, 3])
def test_accumulated_gradients_are_those_of_the_whole_batch(micro_rows: int, gengram_recipe: Recipe) -> None:
    # Rows of very different numbers of bases: a mean of means would be another number.
    recipe = replace(gengram_recipe, model=replace(gengram_recipe.model, router_aux_coef=0.0))
    ids = torch.randint(5, 9, (4, 33), generator=torch.Generator().manual_seed(1))
    documents = torch.zeros(4, 33, dtype=torch.int32)
    for row, length in enumerate((33, 4, 20, 2)):
        ids[row, length:], documents[row, length:] = 14, -1
    whole, report = gradients(recipe, 4, ids, documents)
    parts, report_of_parts = gradients(recipe, micro_rows, ids, documents)
    for one, other in zip(parts, whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
    assert report_of_parts["bits_per_base"] == pytest.approx(report["bits_per_base"], abs=2e-5)
    assert report_of_parts["expert_load"][0] == pytest.approx(report["expert_load"][0], abs=0.2)


def test_recomputed_layers_give_the_same_bits(gengram_recipe: Recipe, tmp_path: Path) -> None:
    kept = pretrain(replace(gengram_recipe, steps=3), tmp_path / "kept")
    again = pretrain(replace(gengram_recipe, steps=3, recompute=True), tmp_path / "again")
    assert (kept / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()
    network = Decoder(gengram_recipe.model)
    inside = []
    network.layers[0].ffn.register_forward_pre_hook(lambda *_: inside.append(1))
    switch = Recomputation(network)
    for on, times in ((True, 2), (False, 1)):
        switch.switch(on)
        inside.clear()
        network(torch.full((1, 8), 5)).logits_BLV.sum().backward()
        assert len(inside) == times


def test_the_schedule_warms_up_and_ends_low(recipe: Recipe) -> None:
    recipe = replace(recipe, steps=100, optimizer=OptimizerRecipe(1.0, warmup_steps=10, final_fraction=0.1))
    rates = [schedule(step, recipe) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)


def test_the_schedule_in_fractions_of_the_run(recipe: Recipe) -> None:
    plan = OptimizerRecipe(warmup_steps=0, warmup_fraction=0.1, decay_fraction=0.8, final_fraction=0.1)
    rates = [schedule(step, replace(recipe, steps=200, optimizer=plan)) for step in range(200)]
    assert rates[0] == pytest.approx(1 / 20)
    assert rates[20] == pytest.approx(1.0)
    assert rates[90] == pytest.approx(0.55)
    assert rates[160] == rates[199] == pytest.approx(0.1)


def test_stages_follow_each_other_with_their_own_rows(recipe: Recipe, tmp_path: Path) -> None:
    staged = recipe.staged((Stage(32, 4, 3), Stage(128, 2, 4, micro_rows=1)))
    assert (staged.steps, staged.context, staged.batch_rows) == (7, 128, 4)
    assert [(stage_at(step, staged).number, stage_at(step, staged).step) for step in (0, 2, 3, 6, 7)] == [
        (0, 0), (0, 2), (1, 0), (1, 3), (1, 4),
    ]  # fmt: skip
    assert tokens_until(4, staged) == 3 * 4 * 32 + 2 * 128
    feed = PretrainingTask(staged).feed
    assert [feed.rows(step, 0, 1).ids_RL.shape for step in (0, 3)] == [(4, 33), (2, 129)]
    assert feed.rows(6, 1, 2).ids_RL.tolist() == feed.rows(6, 0, 1).ids_RL[1:].tolist()
    feed.close()
    whole = pretrain(staged, tmp_path / "whole")
    pretrain(staged, tmp_path / "parts", steps=3)
    resumed = pretrain(staged, tmp_path / "parts", resume=True)
    assert (resumed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert genolm.load(whole).card.metrics["training_tokens"] == 3 * 4 * 32 + 4 * 2 * 128
    lines = [json.loads(line) for line in (tmp_path / "whole/log.jsonl").read_text().splitlines()]
    assert [line["context"] for line in lines if "stage" in line] == [32, 128]


def test_a_context_longer_than_held_out_sequence_is_refused_before_anything(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run of 1601 bases to evaluate on: the split 'test'"):
        pretrain(recipe.staged((Stage(32, 4, 3), Stage(1600, 2, 4))), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_flops_are_six_for_each_active_weight_and_attention() -> None:
    config = ZOO["genos-1.2b"].config
    inside = config.active_parameters - config.vocab_size * config.hidden_size  # look-ups cost nothing
    norms = (2 * config.num_layers + 1) * config.hidden_size
    attention = 6 * config.num_layers * config.num_heads * config.head_dim * 8192
    assert training_flops(config, 8192) == pytest.approx(6 * (inside - norms) + attention)
    memory = GengramConfig(layers=(3, 6, 10))
    more = training_flops(replace(config, gengram=memory), 8192) - training_flops(config, 8192)
    assert more == 3 * 6 * 2 * 6144 * config.hidden_size


def test_the_clock_leaves_evaluations_out(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("genolm.training.trainer.throughput.time.monotonic", lambda: now[0])
    clock = Clock(recipe, recipe.model, Peak(1e9, "a test"), 2, 3)
    now[0] = 106.0
    clock.without(4.0)
    report = clock.metrics(5)
    assert report["tokens_per_second"] == 2 * 4 * 64 / 2
    assert report["mfu"] == pytest.approx(256 * training_flops(recipe.model, 64) / 2e9, abs=1e-4)


def test_the_peak_of_a_processor_is_measured() -> None:
    peak = device_peak(torch.device("cpu"), False)
    assert peak.source.startswith("measured")
    assert 1e8 < peak.flops < 1e14


def test_a_torn_log_line_is_dropped_and_rewinding_is_whole(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log.jsonl")
    for step in (1, 2, 3):
        log.add(step=step)
    (tmp_path / "log.jsonl").open("a").write('{"step": 4, "bits')
    log.rewind(2)
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


def test_a_missing_tracker_is_reported_first(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genolm.training.trainer.workers.find_spec", lambda name: None)
    with pytest.raises(GenolmError, match="requires the package wandb: pip install wandb"):
        pretrain(replace(recipe, trackers=("wandb",)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_tensorboard_receives_the_metrics(recipe: Recipe, tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    pretrain(replace(recipe, trackers=("tensorboard",), report_every=2), tmp_path / "run")
    found = events.EventAccumulator(str(next((tmp_path / "run").rglob("events.out*")).parent))
    found.Reload()
    assert {"bits_per_base", "test_bits_per_base", "tokens_per_second"} <= set(found.Tags()["scalars"])
    assert [event.step for event in found.Scalars("bits_per_base")] == [1, 2, 4, 6, 8]


def test_evaluations_see_weights_that_changed_unseen(gengram_recipe: Recipe) -> None:
    network = initialise(Decoder(gengram_recipe.model), 0)
    targets = torch.isin(torch.arange(32), torch.arange(5, 9))
    objective = CausalObjective(gengram_recipe.model, targets, torch.device("cpu"), False)
    windows = torch.randint(5, 9, (4, 129), generator=torch.Generator().manual_seed(0)).numpy().astype("uint8")
    rows = Rows(windows, None)
    before = held_out(network, rows, objective, 2, Workers())
    # As FSDP writes what it gathered: the counter of a tensor's changes does not move.
    network.layers[0].gengram.value.weight.data.fill_(1.0)
    after = held_out(network, rows, objective, 2, Workers())
    assert after == held_out(deepcopy(network), rows, objective, 2, Workers()) != before
