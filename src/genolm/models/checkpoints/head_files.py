"""Files of heads in a model folder: ``heads/NAME.safetensors``, described in ``card.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from genolm.errors import ModelError
from genolm.files.digests import file_sha256
from genolm.models.card import StoredHead
from genolm.models.heads.headed_network import Head, build_head
from genolm.models.model_files import HEADS
from genolm.models.networks.network import load_tensors, tensors_of
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.weight_shards import read_header, write_tensors

_SUFFIX = ".safetensors"


def write_heads(folder: Path, heads: Mapping[str, Head]) -> dict[str, StoredHead]:
    """Write each head into a file of a model folder; return what its card says about them."""
    stored = {}
    for name, head in heads.items():
        path = folder / HEADS / f"{name}{_SUFFIX}"
        path.parent.mkdir(exist_ok=True)
        write_tensors(path, tensors_of(head))
        stored[name] = StoredHead(head.config, file_sha256(path))
    return stored


def read_heads(folder: Path, stored: Mapping[str, StoredHead], backbone: NetworkConfig) -> dict[str, Head]:
    """Read the heads of a model folder, in the precision in which they are stored, in evaluation mode.

    Args:
        folder: the folder.
        stored: what its card says about them.
        backbone: config of its backbone.

    Raises:
        ModelError: a file is missing, damaged or unknown to the card, or its tensors do not match its config or are
            not finite.
    """
    present = {path.name.removesuffix(_SUFFIX) for path in (folder / HEADS).glob(f"*{_SUFFIX}")}
    if unknown := sorted(present - set(stored)):
        raise ModelError(f"{folder / HEADS / unknown[0]}{_SUFFIX}: the card describes no head of this name")
    return {name: _read(folder / HEADS / f"{name}{_SUFFIX}", head, backbone) for name, head in stored.items()}


def _read(path: Path, stored: StoredHead, backbone: NetworkConfig) -> Head:
    if not path.is_file():
        raise ModelError(f"{path}: the card describes this head, but the file is missing", code="damaged-model")
    header = read_header(path)
    if (actual := file_sha256(path)) != stored.sha256:
        raise ModelError(
            f"{path}: its SHA-256 is {actual}, but the card states {stored.sha256}; the file was changed or damaged",
            code="damaged-model",
        )
    tensors = {name: tensor.read() for name, tensor in header.items()}
    if broken := [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]:
        raise ModelError(f"{path}: {broken[0]} holds NaN or infinity", code="damaged-model")
    head = build_head(stored.config, backbone)
    kinds = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    if len(kinds) == 1:
        head.to(kinds.pop())
    load_tensors(head, tensors, str(path))
    return head.eval()
