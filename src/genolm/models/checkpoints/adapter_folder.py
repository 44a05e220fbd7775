"""Folders of adapters in the layout of PEFT: ``adapter_config.json`` and ``adapter_model.safetensors``.

genolm adds ``card.json``, with the SHA-256 of the base, and ``heads/``, which PEFT does not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genolm.errors import ModelError, RunError
from genolm.files.atomic import atomic_file
from genolm.models.card import Card, read_card
from genolm.models.checkpoints.head_files import write_heads
from genolm.models.heads.headed_network import HeadedNetwork
from genolm.models.lora.lora_config import LoraConfig
from genolm.models.lora.peft_options import PeftOptions, read_options
from genolm.models.lora.peft_tensors import WrittenAdapter, adapter_tensors
from genolm.models.model_files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, write_json
from genolm.models.networks.network import Backbone
from genolm.models.weight_shards import FileTensor, read_header, write_tensors


@dataclass(frozen=True, slots=True)
class AdapterFolder:
    """Files of an adapter; its weights are still on disk.

    Attributes:
        path: the folder.
        options: what ``adapter_config.json`` says.
        tensors: stored tensors by the names of PEFT.
        card: ``card.json``; None for adapters of other programs.
    """

    path: Path
    options: PeftOptions
    tensors: Mapping[str, FileTensor]
    card: Card | None

    @property
    def weights(self) -> Path:
        """File of the tensors."""
        return self.path / ADAPTER_WEIGHTS


def is_adapter(folder: Path) -> bool:
    """Return whether a folder holds an adapter, alone or beside its base."""
    return (folder / ADAPTER_CONFIG).is_file()


def read_adapter(folder: Path) -> AdapterFolder:
    """Read the files of an adapter.

    Raises:
        ModelError: a file is missing or damaged, or the adapter is of a kind that genolm does not support.
    """
    if not is_adapter(folder):
        raise ModelError(f"{folder}: not the folder of an adapter: {ADAPTER_CONFIG} is missing")
    options, path = read_options(folder), folder / ADAPTER_WEIGHTS
    if not path.is_file():
        others = sorted(file.name for file in folder.glob("adapter_model*"))
        found = f"; {others[0]} is not read" if others else ""
        raise ModelError(f"{folder}: {ADAPTER_WEIGHTS} is missing{found}", code="damaged-model")
    return AdapterFolder(folder, options, read_header(path), read_card(folder))


def write_adapter(
    out: str | Path, network: HeadedNetwork | Backbone, config: LoraConfig, card: Card, base: str
) -> Path:
    """Write the updates of a network, the modules that were trained in full, and its added heads.

    Args:
        out: folder that does not exist or is empty.
        network: network to which :func:`genolm.models.lora.lora_linear.add_lora` added updates.
        config: config of the adapter.
        card: card of the adapter; its ``base_sha256`` must be that of the base before training
            (:func:`genolm.models.lora.base_weights.base_sha256`).
        base: name, folder or hub id of the base.

    Raises:
        RunError: ``out`` is not empty.
        ModelError: the card has no ``base_sha256``, or the modules to save cannot be named in the layout of PEFT.
    """
    path = Path(out)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(f"{path} exists", code="output-exists", remedy="choose another folder")
    if card.base_sha256 is None:
        raise ModelError("the card of an adapter must have the base_sha256 of its base")
    heads = network.added if isinstance(network, HeadedNetwork) else {}
    written = adapter_tensors(network.root, config)
    with atomic_file(path) as folder:
        folder.mkdir(parents=True)
        write_json(folder / ADAPTER_CONFIG, _options(written, config, base))
        write_tensors(folder / ADAPTER_WEIGHTS, written.tensors)
        replace(card, sha256=None, heads=write_heads(folder, heads)).write(folder)
    return path


def _options(written: WrittenAdapter, config: LoraConfig, base: str) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": base,
        "inference_mode": True,
        "r": config.rank,
        "lora_alpha": config.alpha,
        "lora_dropout": config.dropout,
        "rank_pattern": dict(written.ranks),
        "alpha_pattern": {name: config.scale * rank for name, rank in written.ranks.items()},
        "target_modules": written.targets,
        "modules_to_save": written.saved or None,
        "bias": "none",
        "fan_in_fan_out": False,
        "use_dora": False,
        "use_rslora": False,
    }
