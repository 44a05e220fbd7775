"""``adapter_config.json`` of PEFT, read strictly and written. Needs no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genolm.errors import ModelError
from genolm.models.model_files import ADAPTER_CONFIG, read_json

# Options that say how an adapter was initialised or trained; its tensors and the options below are all that counts.
_WITHOUT_EFFECT = {
    *("auto_mapping", "ensure_weight_tying", "exclude_modules", "inference_mode", "init_lora_weights"),
    *("layers_pattern", "layers_to_transform", "lora_dropout", "megatron_config", "megatron_core", "modules_to_save"),
    *("peft_type", "peft_version", "qalora_group_size", "revision", "target_modules", "target_parameters"),
    *("corda_config", "eva_config", "loftq_config"),
}
_READ = {"alpha_pattern", "base_model_name_or_path", "bias", "lora_alpha", "r", "rank_pattern", "task_type"}
# Initialisations that also change the base weights.
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True, slots=True)
class PeftOptions:
    """What ``adapter_config.json`` says about the tensors of an adapter.

    Attributes:
        base: name or path of the base; empty if not recorded.
        alpha: numerator of the scale of the updates.
        alpha_pattern: other numerators, by a regular expression for the end of a module's name.
        task: PEFT's task type, such as ``SEQ_CLS``; empty if not recorded.
    """

    base: str
    alpha: float
    alpha_pattern: Mapping[str, float]
    task: str

    def scale(self, module: str, rank: int) -> float:
        """Return the scale of the update of a module."""
        patterns = self.alpha_pattern.items()
        alpha = next((value for key, value in patterns if re.match(rf"(.*\.)?({key})$", module)), self.alpha)
        return alpha / rank


def read_options(folder: Path) -> PeftOptions:
    """Read the ``adapter_config.json`` of a folder.

    Raises:
        ModelError: the adapter is not a LoRA, or has an option that genolm does not support.
    """
    path = folder / ADAPTER_CONFIG
    values = read_json(path)
    if values.get("peft_type") != "LORA":
        raise ModelError(f"{path}: peft_type {values.get('peft_type')!r} is not supported; expected LORA")
    _refuse_unsupported(values, path)
    alpha, patterns = values.get("lora_alpha"), values.get("alpha_pattern") or {}
    if not _is_number(alpha) or not isinstance(patterns, dict) or not all(map(_is_number, patterns.values())):
        raise ModelError(f"{path}: lora_alpha and the values of alpha_pattern must be numbers")
    base, task = values.get("base_model_name_or_path") or "", values.get("task_type") or ""
    return PeftOptions(str(base), float(alpha or 0), patterns, str(task))


def _refuse_unsupported(values: Mapping[str, Any], path: Path) -> None:
    start = values.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_CHANGES_BASE):
        raise ModelError(f"{path}: init_lora_weights {start!r} changes the base weights, which genolm does not support")
    if values.get("bias", "none") != "none":
        raise ModelError(f"{path}: bias {values['bias']!r} is not supported; expected none")
    for name, value in values.items():
        if value and name not in _WITHOUT_EFFECT | _READ:
            raise ModelError(f"{path}: the option {name} is not supported by genolm")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
