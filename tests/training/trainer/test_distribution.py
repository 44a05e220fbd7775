"""Two processes started by torchrun give what one gives: replicated, sharded, and with every row cut in two."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from tests.training.conftest import toy_fasta, toy_masked, toy_ocean, toy_recipe, toy_vocabulary
from tests.training.finetune_data import OPTIMIZER, TRACKS, finetune_values
from tests.training.written_recipe import write_recipe

import genolm
from genolm.errors import InputError, RunError
from genolm.models.gengram.gengram_config import GengramConfig
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.encoder_config import BlockSparseConfig
from genolm.training.finetune import finetune
from genolm.training.pretrain import pretrain
from genolm.training.recipes.pretrain_recipe import OptimizerRecipe, Recipe
from genolm.training.trainer.optimizers import build_optimizer
from genolm.training.trainer.training_checkpoint import Checkpoints
from genolm.training.trainer.workers import Workers

# All runs in one start of the processes: starting costs more than training.
_PROGRAM = """
import sys
from genolm.training.finetune import finetune
from genolm.training.pretrain import pretrain
for folder in sys.argv[1:]:
    train = finetune if "head" in folder else pretrain
    train(folder + "/recipe.yaml", folder + "/whole")
    train(folder + "/recipe.yaml", folder + "/parts", steps=2)
    train(folder + "/recipe.yaml", folder + "/parts", resume=True)
"""
_KINDS = {
    "replicated": {},
    "sharded": {"sharding": "fsdp", "recompute": True},
    "cut": {"context_parallel": 2},
    "sharded and cut": {"sharding": "fsdp", "context_parallel": 2},
    "replicated tokens": {},
    "sharded tokens": {"sharding": "fsdp", "recompute": True},
    "replicated masks": {},
    "sharded masks": {"sharding": "fsdp", "recompute": True},
}


_GENOS = {"start": "tiny-random"}
_HEADS = {
    "labels head": {},
    "tracks head": {},
    "lora head": {},
    "sharded tracks head": {"sharding": "fsdp"},
    "experts labels head": _GENOS,
    "experts tracks head": _GENOS,
    "sharded experts labels head": {**_GENOS, "sharding": "fsdp"},
}
"""Fine-tuning runs, with a row of a step on each of two processes; those with experts start from a small Genos."""


def torchrun(processes: int, *words: str) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ACCELERATE_")}
    settings = {**clean, "OMP_NUM_THREADS": "1"}
    return subprocess.run([*launcher, *words], capture_output=True, text=True, timeout=280, check=False, env=settings)


def curve(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    bits = [line["bits_per_base"] for line in lines if "bits_per_base" in line]
    norms = [line["gradient_norm"] for line in lines if "gradient_norm" in line]
    return bits + norms + [line["held_out_bits_per_base"]["test"] for line in lines if "held_out_bits_per_base" in line]


def two_recipe(folder: Path) -> Recipe:
    recipe = toy_recipe(toy_fasta(folder))
    memory = GengramConfig(layers=(1, 2), orders=(1, 2, 3), dim=4, window=5, conv_dilation=2)
    experts = {"num_experts": 4, "experts_per_token": 2, "gengram": memory, "router_aux_coef": 0.0}
    lengths = {"steps": 3, "report_every": 1, "evaluate_every": 2, "evaluate_windows": 6, "checkpoint_every": 2}
    return replace(recipe, model=replace(recipe.model, **experts), precision="fp32", **lengths)


def recipe_of(kind: str, folder: Path) -> Recipe:
    """The recipe of a kind of run, for one process."""
    recipe = two_recipe(folder)
    vocabulary = folder / "vocabulary"
    if "tokens" in kind:
        return toy_ocean(recipe, vocabulary)
    if "masks" in kind:
        sparse = BlockSparseConfig("deepspeed", block=4, random=1)
        masked = toy_masked(recipe, vocabulary)
        return replace(masked, model=replace(masked.model, sparse=sparse), micro_rows=2)
    return recipe


def alone(kind: str) -> str:
    """Name of the run of one process."""
    return f"alone {kind.split()[-1]}" if kind.split()[-1] in ("tokens", "masks") else "alone"


def write_head_recipe(kind: str, folder: Path, **settings: object) -> None:
    """A recipe of two rows a step: without dropout, which depends on how they are divided.

    The biases before norms are frozen: norms subtract them, so that their gradient is the noise of rounding.
    """
    name = kind.split()[-2]
    values = {**finetune_values(name, folder), "steps": 3, "checkpoint_every": 1, "evaluate_every": 2, **settings}
    if name == "tracks":
        frozen = {"heads.coverage.conv1.bias": 0.0, "heads.coverage.conv2.bias": 0.0}
        values |= {"heads": {"coverage": {**TRACKS, "dropout": 0.0}}, "optimizer": {**OPTIMIZER, "rates": frozen}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(values))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each kind of run on two processes, and ``alone`` of one process."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "vocabulary").mkdir()
    toy_vocabulary(folder / "vocabulary")
    for kind, settings in _KINDS.items():
        (folder / kind).mkdir()
        write_recipe(replace(recipe_of(kind, folder), **settings), folder / kind / "recipe.yaml")
    for kind, settings in _HEADS.items():
        (folder / kind).mkdir()
        write_head_recipe(kind, folder / kind, **settings)
    program = folder / "program.py"
    program.write_text(_PROGRAM)
    done = torchrun(2, str(program), *(str(folder / kind) for kind in (*_KINDS, *_HEADS)))
    assert done.returncode == 0, done.stderr
    for kind in (name for name in _HEADS if not name.startswith("sharded")):
        finetune(folder / kind / "recipe.yaml", folder / f"alone {kind}")
    for kind in ("replicated", "replicated tokens", "replicated masks"):
        pretrain(recipe_of(kind, folder), folder / alone(kind))
    return folder


@pytest.mark.parametrize("kind", _KINDS)
def test_two_processes_equal_one(kind: str, runs: Path) -> None:
    # Without the loss for expert balance, which is of the tokens that one process sees.
    assert curve(runs / kind / "whole") == pytest.approx(curve(runs / alone(kind)), abs=1e-3)
    weights = genolm.load(runs / kind / "whole/model").network.state_dict()
    for name, expected in genolm.load(runs / alone(kind) / "model").network.state_dict().items():
        # As a whole: Adam turns the noise of a vanishing gradient into a step; keys' biases have no gradient at all.
        difference = weights[name].float() - expected.float()  # also of block layouts
        assert difference.norm() <= 1e-5 + 0.02 * expected.float().norm(), name


@pytest.mark.parametrize("kind", _KINDS)
def test_two_processes_resume_to_the_bit(kind: str, runs: Path) -> None:
    whole, parts = (runs / kind / name / "model/model.safetensors" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    assert curve(runs / kind / "whole") == curve(runs / kind / "parts")
    files = {path.name for path in (runs / kind / "parts/checkpoints/step-3").iterdir()}
    shares = {"state-1-of-2.safetensors", "state-2-of-2.safetensors"}
    assert files == {"state.json"} | (shares if "sharded" in kind else {"state.safetensors"})


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    held_out = [line["held_out_loss"]["test"] for line in lines if "held_out_loss" in line]
    return [line["loss"] for line in lines if "loss" in line] + held_out


def tensors(model: Path) -> dict[str, torch.Tensor]:
    files = sorted(model.rglob("*.safetensors"))
    return {f"{path.name} {name}": value for path in files for name, value in load_file(path).items()}


@pytest.mark.parametrize("kind", _HEADS)
def test_one_row_on_each_of_two_processes_equals_two_rows_on_one(kind: str, runs: Path) -> None:
    single = runs / f"alone {kind.removeprefix('sharded ')}"
    assert losses(runs / kind / "whole") == pytest.approx(losses(single), abs=1e-4)
    found, expected = tensors(runs / kind / "whole/model"), tensors(single / "model")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        difference = found[name].double() - value.double()
        assert difference.norm() <= 1e-4 + 0.01 * value.double().norm(), name
    assert any("bn1.running_mean" in name for name in expected) == ("tracks" in kind)


@pytest.mark.parametrize("kind", _HEADS)
def test_two_processes_resume_heads_to_the_bit(kind: str, runs: Path) -> None:
    whole, parts = (tensors(runs / kind / name / "model") for name in ("whole", "parts"))
    assert whole.keys() == parts.keys() and all(torch.equal(parts[name], whole[name]) for name in whole)
    assert losses(runs / kind / "whole") == losses(runs / kind / "parts")


def test_another_number_of_processes_does_not_resume_shares(runs: Path) -> None:
    fingerprint = json.loads((runs / "sharded/whole/recipe.json").read_text())["fingerprint"]
    network = Decoder(two_recipe(runs).model)
    alone = Checkpoints(runs / "sharded/whole/checkpoints", fingerprint, Workers(), sharded=True)
    with pytest.raises(
        RunError, match=r"step-3 is sharded over 2 processes, but this run has 1: resume with the same number"
    ):
        alone.load(network, build_optimizer(network, OptimizerRecipe()))


def test_sharding_and_cutting_need_a_launcher(tmp_path: Path) -> None:
    recipe = two_recipe(tmp_path)
    with pytest.raises(InputError, match="start the run with torchrun"):
        pretrain(replace(recipe, sharding="fsdp"), tmp_path / "run")
    with pytest.raises(InputError, match="context_parallel must divide the 1 processes"):
        pretrain(replace(recipe, context_parallel=2), tmp_path / "run")
    assert not (tmp_path / "run").exists()
