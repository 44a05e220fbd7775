"""Random networks of ``transformers`` and their tensors under the names of the published files."""

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

TIED = ("cls.predictions.decoder.", "decoder.weight")


def randomised(network: nn.Module, seed: int) -> nn.Module:
    """The network in evaluation mode with every parameter drawn anew, norms and biases too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(_scaled(name, noise))
    return network.eval()


def _scaled(name: str, noise: Tensor) -> Tensor:
    if noise.ndim == 1:
        return 0.2 * noise if name.endswith("bias") else 1 + 0.2 * noise
    return noise if "embed" in name else 1.2 * noise / noise.shape[-1] ** 0.5


def published_tensors(network: Any) -> dict[str, Tensor]:
    """The state dict as the network's own class saves it, without tensors that are tied to another."""
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        tensors = load_file(Path(folder) / "model.safetensors")
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(TIED)}


def write(path: Path, tensors: dict[str, Tensor]) -> None:
    """A safetensors file of tensors that share no memory."""
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, path)


def write_config(folder: Path, values: dict[str, Any]) -> None:
    """The ``config.json`` of a topic, whose folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values, indent=1))
