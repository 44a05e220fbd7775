"""Checkpoints opened to be converted: config, tokenizer, card, and tensors that are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.adapters.megatron.megatron_config import read_arguments
from genolm.models.adapters.megatron.megatron_folder import is_checkpoint
from genolm.models.adapters.megatron.megatron_gengram import read_memory
from genolm.models.adapters.megatron.megatron_merge import merge
from genolm.models.adapters.megatron.megatron_ranks import open_ranks
from genolm.models.adapters.pickles import pickle_in, read_weights
from genolm.models.adapters.pieces import Held, build, grouped
from genolm.models.adapters.tokenizer_files import read_tokenizer
from genolm.models.card import Card, read_card, read_json
from genolm.models.checkpoints.config_file import CONFIG, Layout, read_config
from genolm.models.checkpoints.layouts import Fitted, fit
from genolm.models.checkpoints.load import card_of, file_sha256, folder_of, load, noted, with_token_rows
from genolm.models.checkpoints.model_names import locate
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.network import tensor_shapes, tensors_of
from genolm.models.networks.network_config import NetworkConfig
from genolm.models.weight_shards import has_weights, read_shards
from genolm.models.zoo.zoo import Entry
from genolm.tokens.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is written: our tensors, each made when it is asked for, and all that stands beside them.

    Block layouts are among the tensors.
    """

    config: NetworkConfig
    tokenizer: Tokenizer
    card: Card
    dtypes: Mapping[str, torch.dtype]
    tensor: Callable[[str], Tensor]


def open_checkpoint(source: str | Path, layout: Layout | None = None, like: str | Path | None = None) -> Checkpoint:
    """A model to be converted.

    Args:
        source: a name of the zoo, a model folder, a hub id, or the folder of a Megatron checkpoint. A folder whose
            weights are a pickle is read as plain data.
        layout: what it is in; None to find out.
        like: name or folder of a model of the same shape, for what a Megatron checkpoint does not say of itself.

    Raises:
        ModelError: nothing there, another layout, or a config, weights or tokenizer that cannot be used.
    """
    place = locate(source)
    if isinstance(place, Entry) and (layout is not None or like is not None):
        raise ModelError(f"{source}: a model known by name needs neither --from nor --like")
    if isinstance(place, Entry) and place.seed is not None:
        return _made_in_memory(str(source))
    folder, entry = folder_of(place)
    shaped = None if like is None else _config_of(like)
    if layout in (None, "megatron") and is_checkpoint(folder) and not has_weights(folder):
        return _open_ranks(folder, shaped, like)
    opened = _open_folder(folder, entry.card if entry else None, layout, shaped, like)
    return opened if entry is None else replace(opened, tokenizer=entry.told(opened.tokenizer))


def _made_in_memory(name: str) -> Checkpoint:
    model = load(name, device="cpu")
    tensors = tensors_of(model.network)
    dtypes = {name: tensor.dtype for name, tensor in tensors.items()}
    return Checkpoint(model.config, model.tokenizer, model.card, dtypes, tensors.__getitem__)


def _config_of(like: str | Path) -> DecoderConfig:
    place = locate(like)
    if isinstance(place, str):
        raise ModelError(f"{like}: --like takes a name of genolm models or a folder")
    if isinstance(place, Entry):
        config = place.config or read_config(place.installed_folder())[0]
    else:
        config = read_config(place)[0]
    if not isinstance(config, DecoderConfig):
        raise ModelError(f"{like}: is an encoder; what a Megatron checkpoint does not say is taken from a decoder")
    return config


def _open_folder(
    folder: Path, card: Card | None, wanted: Layout | None, shaped: DecoderConfig | None, like: str | Path | None
) -> Checkpoint:
    if wanted == "megatron" and shaped is not None and not (folder / CONFIG).is_file():
        return _open_names(folder, shaped)
    config, layout = read_config(folder)
    held, note = _tensors(folder)
    if (
        wanted == "megatron" and layout != "megatron" and isinstance(config, DecoderConfig)
    ):  # names of Megatron beside a config of another program
        layout, told = wanted, config.gengram or (None if shaped is None else shaped.gengram)
        config = replace(config, gengram=read_memory({}, held, str(folder), told))
    elif like is not None:
        raise ModelError(f"{folder}: its {layout} config says everything, so --like {like} has no use")
    if wanted not in (None, layout):
        raise ModelError(f"{folder}: is in the layout {layout}, not {wanted}")
    fitted = fit(held, config, layout, str(folder), read_json(folder / CONFIG))
    tokenizer = read_tokenizer(folder, config)
    fitted = replace(
        fitted,
        config=with_token_rows(fitted.config, layout, tokenizer, str(folder)),
        notes=(*fitted.notes, *((note,) if note else ())),
    )
    return _lazy(tokenizer, card_of(folder, config, card, tokenizer), fitted)


def _tensors(folder: Path) -> tuple[Mapping[str, Held], str | None]:
    """What a folder holds, and a note where that is a pickle."""
    pickled = None if has_weights(folder) else pickle_in(folder)
    if pickled is None:
        return read_shards(folder), None
    held = read_weights(pickled)
    return held, f"Converted from the pickle {pickled.name}, sha256 {file_sha256(pickled)}, read as plain data."


def _open_names(folder: Path, shaped: DecoderConfig) -> Checkpoint:
    """Safetensors in the names of Megatron and nothing beside them."""
    held = read_shards(folder)
    config = read_arguments({}, held, str(folder), shaped)
    fitted = fit(held, config, "megatron", str(folder))
    card = card_of(folder, config, Card(folder.resolve().name, family="megatron", precision=_precision(fitted)))
    return _lazy(read_tokenizer(folder, config), card, fitted)


def _precision(fitted: Fitted) -> str:
    return str(fitted.held[fitted.pieces[0].stored].dtype).removeprefix("torch.")


def _open_ranks(folder: Path, shaped: DecoderConfig | None, like: str | Path | None) -> Checkpoint:
    ranks = open_ranks(folder)
    held = merge(ranks)
    config = read_arguments(ranks.arguments, held, str(ranks.folder), shaped)
    fitted = fit(held, config, "megatron", str(ranks.folder))
    card = read_card(folder) or Card(folder.resolve().name, family="megatron", precision=_precision(fitted))
    notes = [f"Converted from the Megatron checkpoint {ranks.folder.name} of {_counted(ranks.sizes)}."]
    if like is not None:
        notes.append(f"What its arguments do not say is taken from {like}.")
    if config.gengram is not None:
        state = "on" if config.gengram.conv_kernel else "off"
        notes.append(f"The short convolution of Gengram is {state}, as the checkpoint's tensors say.")
    named = replace(card, context=card.context or config.max_positions, notes=(*card.notes, *notes))
    return _lazy(read_tokenizer(folder, config), named, fitted)


def _counted(sizes: tuple[int, int, int]) -> str:
    """How many ranks of which kind, in words."""
    return f"{sizes[0]} tensor-, {sizes[1]} pipeline- and {sizes[2]} expert-parallel ranks"


def _lazy(tokenizer: Tokenizer, card: Card, fitted: Fitted) -> Checkpoint:
    groups, shapes = grouped(fitted.pieces), tensor_shapes(fitted.config)
    dtypes = {name: fitted.held[group[0].stored].dtype for name, group in groups.items()}
    dtypes |= dict.fromkeys(fitted.layouts, torch.uint8)

    # Two, because the pieces of an expert alternate between the two stacked tensors of its layer.
    @lru_cache(maxsize=2)
    def tensor(name: str) -> Tensor:
        if name in fitted.layouts:
            return fitted.layouts[name].read().to(torch.uint8)
        return build(groups[name], fitted.held, shapes[name])

    return Checkpoint(fitted.config, tokenizer, noted(card, fitted.notes), dtypes, tensor)
