"""The one door to a model: ``genolm.load`` of a name, a folder or a hub id."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from genolm.errors import ModelError, ResourceError
from genolm.models import zoo
from genolm.models.adapters.pieces import assemble
from genolm.models.adapters.tokenizers import read_tokenizer
from genolm.models.card import Card, read_card, read_json
from genolm.models.config import DecoderConfig
from genolm.models.config_file import CONFIG, Layout, read_config
from genolm.models.decoder import Decoder
from genolm.models.layouts import open_weights, tensor_shapes
from genolm.models.model import Model
from genolm.models.naming import locate
from genolm.models.precision import default_device, default_dtype, parse_device, parse_dtype
from genolm.models.random_weights import random_decoder
from genolm.models.shards import SINGLE, read_header
from genolm.tokens.nucleotide import NucleotideTokenizer


def load(
    name: str | Path, *, device: torch.device | str | None = None, dtype: torch.dtype | str | None = None
) -> Model:
    """A model, ready for inference.

    Args:
        name: a name of the zoo (``genolm models`` lists them), a model folder, or a hub id ``ORGANISATION/NAME``,
            which is downloaded once and kept in the Hugging Face cache.
        device: where to compute; by default the first CUDA device, else the CPU.
        dtype: precision of the weights, as ``float32``, ``bfloat16`` or ``float16``. By default what the card says
            on an accelerator; on a CPU float32, except bfloat16 for a model of 100 million parameters or more that
            was trained in it, where the processor multiplies it natively.

    Raises:
        ModelError: nothing of that name, or a folder whose config, weights or tokenizer cannot be used.
        NetworkError: a download that failed.
        ResourceError: no memory for the weights.
    """
    target = default_device() if device is None else parse_device(device)
    wanted = None if dtype is None else parse_dtype(dtype)
    try:
        return _load(name, target, wanted)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ResourceError(f"no memory for the weights of {name} on {target}: {error}") from error


def _load(name: str | Path, device: torch.device, dtype: torch.dtype | None) -> Model:
    place = locate(name)
    if isinstance(place, Path):
        return load_folder(place, device=device, dtype=dtype)
    if isinstance(place, str):
        from genolm.models.hub import snapshot

        return load_folder(snapshot(place), device=device, dtype=dtype)
    return _load_entry(place, device, dtype)


def _load_entry(entry: zoo.Entry, device: torch.device, dtype: torch.dtype | None) -> Model:
    if entry.seed is not None and entry.config is not None:
        network = random_decoder(entry.config, entry.seed)
        return Model(network, NucleotideTokenizer(), entry.card).to(device, dtype or torch.float32)
    if entry.folder is not None:
        return load_folder(entry.installed_folder(), device=device, dtype=dtype, card=entry.card)
    entry.refuse_unconverted()
    from genolm.models.hub import snapshot

    return load_folder(snapshot(str(entry.hub_id)), device=device, dtype=dtype, card=entry.card)


def load_folder(
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    card: Card | None = None,
) -> Model:
    """The model in ``folder``, in the layout of Hugging Face, of Megatron (as safetensors) or our own.

    Memory stays at the weights plus one stored tensor: the network is built without storage and its tensors are read
    one by one.

    Args:
        folder: with ``config.json``, safetensors, and optionally ``tokenizer.json`` and ``card.json``.
        device: where to put the weights.
        dtype: their precision; None as in :func:`load`.
        card: what to know about it where the folder has no ``card.json``.

    Raises:
        ModelError: the config, the weights or the tokenizer cannot be used; the file or tensor is named.
    """
    folder, target = Path(folder), torch.device(device)
    config, layout = read_config(folder)
    tokenizer = read_tokenizer(folder, config)
    known = card_of(folder, config, card)
    _verify(folder, known)
    wanted = dtype or default_dtype(known.precision, config.parameters, target)
    network = read_network(folder, config, layout, tokenizer.base_ids, tokenizer.n_id, device=target, dtype=wanted)
    return Model(network, tokenizer, known)


def read_network(
    folder: Path,
    config: DecoderConfig,
    layout: Layout,
    base_ids: tuple[int, int, int, int] = (8, 5, 6, 7),
    n_id: int = 9,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> Decoder:
    """The decoder of a folder; with ``dtype`` None its weights keep the type in which they are stored, bit for bit."""
    pieces, held, _ = open_weights(folder, config, layout)
    with torch.device("meta"):
        network = Decoder(config, base_ids, n_id)
    assemble(pieces, held, tensor_shapes(config), lambda name, weight: _put(network, name, weight), dtype, device)
    if config.tied:
        network.head.weight = network.embedding.weight
    return network.eval()


def _put(network: Decoder, name: str, weight: Tensor) -> None:
    path, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(path), leaf, nn.Parameter(weight))


def card_of(folder: Path, config: DecoderConfig, card: Card | None = None) -> Card:
    """The folder's card; else ``card``; else what its config tells."""
    written = read_card(folder) or card
    if written is None:
        values = read_json(folder / CONFIG)
        precision = values.get("torch_dtype") or values.get("dtype") or "float32"
        written = Card(folder.resolve().name, family=str(values["model_type"]), precision=str(precision))
    return written if written.context else replace(written, context=config.max_positions)


def _verify(folder: Path, card: Card) -> None:
    path = folder / SINGLE
    if card.sha256 is None or not path.is_file():
        return
    read_header(path)  # tells a file that is cut off from one that was changed, and at once
    found = file_sha256(path)
    if found != card.sha256:
        raise ModelError(f"{path}: sha256 is {found}, its card says {card.sha256}; the file was changed or damaged")


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
