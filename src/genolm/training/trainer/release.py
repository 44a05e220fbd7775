"""Release of a trained network as a model folder that :func:`genolm.load` reads."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genolm.models.card import Card
from genolm.models.checkpoints.convert import save
from genolm.models.model import Model
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.network import Network, make_network
from genolm.models.networks.network_config import NetworkConfig
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import Tokenizer
from genolm.training.trainer.run_folder import RunSettings
from genolm.training.trainer.training_plan import TrainingPlan

Lines = Sequence[Mapping[str, Any]]

_PRECISIONS = {"bf16": torch.bfloat16, "fp32": torch.float32}


def release_precision(plan: TrainingPlan) -> torch.dtype:
    """Return the precision of the released weights."""
    return _PRECISIONS[plan.release]


def write_model(
    folder: Path, config: NetworkConfig, weights: Mapping[str, Tensor], tokenizer: Tokenizer, card: Card
) -> Path:
    """Write a network with its card, replacing an earlier release of the same run in ``folder``.

    Args:
        folder: path of the model folder.
        config: config of the network.
        weights: weights by name, in the precision of the release.
        tokenizer: tokenizer of the model.
        card: card of the model.
    """
    network = restored_network(config, weights, tokenizer)
    shutil.rmtree(folder, ignore_errors=True)
    if isinstance(tokenizer, NucleotideTokenizer):
        tokenizer = replace(
            tokenizer, iupac=NucleotideTokenizer().iupac
        )  # that of a corpus reads every ambiguity code as N
    return save(Model(network, tokenizer, card), folder)


def restored_network(config: NetworkConfig, weights: Mapping[str, Tensor], tokenizer: Tokenizer) -> Network:
    """Return a network with these weights, which it shares.

    Args:
        config: config of the network.
        weights: weights by name.
        tokenizer: tokenizer of the model.
    """
    with torch.device("meta"):
        network = make_network(config, tokenizer.base_ids, tokenizer.n_id)
    shared = isinstance(config, DecoderConfig) and config.tied
    tied = {"head.weight": weights["embedding.weight"]} if shared else {}
    network.load_state_dict({**weights, **tied}, assign=True)
    return network


def last_step(log: Lines) -> int:
    """Return the last step that a log reports; 0 for an empty log."""
    return max((line["step"] for line in log), default=0)


def held_out_metrics(log: Lines) -> dict[str, float]:
    """Return the last held-out metrics of a log, by split and metric."""
    metrics: dict[str, float] = {}
    for line in log:
        for key, values in line.items():
            if key.startswith("held_out_"):
                metrics |= {f"{split}_{key.removeprefix('held_out_')}": value for split, value in values.items()}
    return metrics


def training_record(plan: TrainingPlan, settings: RunSettings, log: Lines, processes: int) -> dict[str, Any]:
    """Return everything that is needed to repeat the training.

    Args:
        plan: plan of the run.
        settings: settings of the run.
        log: reports of the run.
        processes: number of processes of the run.
    """
    return {
        "steps": last_step(log),
        "seed": plan.seed,
        "processes": processes,
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("genolm", "torch")},
        "commit": _commit(),
        # Through JSON, so that reading it back gives equal values: JSON has lists instead of tuples.
        "recipe": json.loads(json.dumps(dict(settings.every))),
    }


def _commit() -> str | None:
    """Return the commit of the source tree, with ``-dirty`` if it was modified; None for an installed package."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        tracked = subprocess.run(
            ["git", "-C", str(here), "ls-files", "--error-unmatch", Path(__file__).name],
            capture_output=True,
            check=False,
        )
        described = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return described.stdout.strip() or None if tracked.returncode == 0 and described.returncode == 0 else None
