"""The one door to a model: ``genolm.load`` of a name, a folder or a hub id."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from genolm.errors import ModelError, ResourceError
from genolm.models.adapters.pieces import assemble
from genolm.models.adapters.tokenizer_files import read_tokenizer
from genolm.models.card import Card, read_card, read_json
from genolm.models.checkpoints.config_file import CONFIG, Layout, read_config
from genolm.models.checkpoints.layouts import Fitted, open_weights
from genolm.models.checkpoints.model_names import cached_entry, locate
from genolm.models.model import Model
from genolm.models.networks.decoder import Decoder
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network import Network, make_network, tensor_shapes
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.networks.random_weights import random_network
from genolm.models.precision import default_device, default_dtype, parse_device, parse_dtype
from genolm.models.weight_files import SINGLE
from genolm.models.weight_shards import read_header
from genolm.models.zoo import zoo
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import CLS, SEP, Tokenizer


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
    if isinstance(place, zoo.Entry) and place.seed is not None and place.config is not None:
        tokenizer = NucleotideTokenizer() if place.vocabulary is None else BpeTokenizer.read(place.vocabulary)
        network = random_network(place.config, place.seed)
        return Model(network, tokenizer, place.card).to(device, dtype or torch.float32)
    folder, entry = folder_of(place)
    if entry is None:
        return load_folder(folder, device=device, dtype=dtype)
    model = load_folder(folder, device=device, dtype=dtype, card=entry.card)
    model.tokenizer = entry.told(model.tokenizer)
    return model


def folder_of(place: zoo.Entry | Path | str) -> tuple[Path, zoo.Entry | None]:
    """The folder that holds what :func:`locate` found, downloaded where it has to be, and which entry that is.

    Raises:
        ModelError: an entry whose weights are not to be had as they are.
        NetworkError: a download that failed.
    """
    if isinstance(place, Path):
        return place, cached_entry(place)
    if isinstance(place, zoo.Entry):
        place.refuse_unconverted()
        if place.folder is not None:
            return place.installed_folder(), place
    from genolm.models.checkpoints.download import snapshot

    return (snapshot(place), None) if isinstance(place, str) else (snapshot(str(place.hub_id)), place)


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
    known = card_of(folder, config, card, tokenizer)
    _verify(folder, known)
    fitted = open_weights(folder, config, layout)
    fitted = replace(fitted, config=with_token_rows(fitted.config, layout, tokenizer, str(folder)))
    wanted = dtype or default_dtype(known.precision, fitted.config.parameters, target)
    network = _assembled(fitted, tokenizer.base_ids, tokenizer.n_id, device=target, dtype=wanted)
    return Model(network, tokenizer, noted(known, fitted.notes))


def read_network(
    folder: Path,
    config: NetworkConfig,
    layout: Layout,
    base_ids: tuple[int, int, int, int] = (8, 5, 6, 7),
    n_id: int = 9,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> Network:
    """The network of a folder; with ``dtype`` None its weights keep the type in which they are stored, bit for bit."""
    return _assembled(open_weights(folder, config, layout), base_ids, n_id, device=device, dtype=dtype)


def _assembled(
    fitted: Fitted,
    base_ids: tuple[int, int, int, int],
    n_id: int,
    *,
    device: torch.device | str,
    dtype: torch.dtype | None,
) -> Network:
    config = fitted.config
    with torch.device("meta"):
        network = make_network(config, base_ids, n_id)
    shapes = tensor_shapes(config)
    assemble(fitted.pieces, fitted.held, shapes, lambda name, weight: _put(network, name, weight), dtype, device)
    for name, layout in fitted.layouts.items():
        path, _, leaf = name.rpartition(".")
        network.get_submodule(path).register_buffer(leaf, layout.read().to(device=device, dtype=torch.uint8))
    if isinstance(network, Decoder) and network.config.tied:
        network.head.weight = network.embedding.weight
    return network.eval()


def _put(network: Network, name: str, weight: Tensor) -> None:
    path, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(path), leaf, nn.Parameter(weight))


def with_token_rows(config: NetworkConfig, layout: Layout, tokenizer: Tokenizer, where: str) -> NetworkConfig:
    """An encoder whose embedding has more rows than its tokenizer has tokens, told so.

    Published configs do not say it; our own do.

    Raises:
        ModelError: the tokenizer has more tokens than the config says.
    """
    if not isinstance(config, EncoderConfig):
        return config
    tokens = tokenizer.vocab_size
    if tokens > config.tokens:
        raise ModelError(f"{where}: its tokenizer has {tokens} tokens, its config says token_rows {config.token_rows}")
    fewer = layout != "genolm" and not config.token_rows and tokens < config.vocab_size
    return replace(config, token_rows=tokens) if fewer else config


def noted(card: Card, notes: tuple[str, ...]) -> Card:
    """The card with notes that it does not have yet."""
    return replace(card, notes=(*card.notes, *(note for note in notes if note not in card.notes)))


def card_of(folder: Path, config: NetworkConfig, card: Card | None = None, tokenizer: Tokenizer | None = None) -> Card:
    """The folder's card; else ``card``; else what its config and its tokenizer tell."""
    written = read_card(folder) or card
    if written is None:
        values = read_json(folder / CONFIG)
        precision = values.get("torch_dtype") or values.get("dtype") or "float32"
        written = Card(folder.resolve().name, family=str(values["model_type"]), precision=str(precision))
        written = _framed(written, config, tokenizer)
    return written if written.context else replace(written, context=config.max_positions)


def _framed(card: Card, config: NetworkConfig, tokenizer: Tokenizer | None) -> Card:
    """What BERT-like and GenomeOcean-like models were trained with: a token before and one after the sequence."""
    objective = "causal" if isinstance(config, DecoderConfig) else "masked"
    if tokenizer is None or isinstance(tokenizer, NucleotideTokenizer) or not _has(tokenizer, CLS, SEP):
        return replace(card, objective=objective)
    return replace(card, objective=objective, begin=(CLS,), end=(SEP,))


def _has(tokenizer: Tokenizer, *names: str) -> bool:
    try:
        return all(tokenizer.special_id(name) >= 0 for name in names)
    except ModelError:
        return False


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
