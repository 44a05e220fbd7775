"""Model folders written: a model saved, or a checkpoint put into another layout or precision."""

from __future__ import annotations

import errno
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from genolm.errors import ModelError, ResourceError, RunError
from genolm.models.adapters.huggingface_config import expressible
from genolm.models.adapters.pieces import Piece, build, grouped, part_shape
from genolm.models.adapters.tokenizers import FILE as TOKENIZER
from genolm.models.adapters.tokenizers import read_tokenizer, write_tokenizer
from genolm.models.card import Card
from genolm.models.config import DecoderConfig
from genolm.models.config_file import CONFIG, Layout, config_values, read_config
from genolm.models.layouts import open_weights, pieces_of, tensor_shapes
from genolm.models.loading import card_of, file_sha256, load
from genolm.models.model import Model
from genolm.models.naming import locate
from genolm.models.precision import parse_dtype
from genolm.models.shards import SINGLE, Pending, write_shards
from genolm.models.zoo import Entry
from genolm.tokens.tokenizer import Tokenizer

SHARD_BYTES = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is written: our tensors, each made when it is asked for, and all that stands beside them."""

    config: DecoderConfig
    tokenizer: Tokenizer
    card: Card
    dtypes: Mapping[str, torch.dtype]
    tensor: Callable[[str], Tensor]


def save(model: Model, out: str | Path, *, layout: Layout | None = None, max_shard_bytes: int = SHARD_BYTES) -> Path:
    """Write a model in memory to a folder that :func:`genolm.load` reads.

    Args:
        model: what to write, in the precision it is in.
        out: a folder that does not exist or is empty.
        layout: None for ``huggingface`` where that can express the model, else ``genolm``.
        max_shard_bytes: larger weights are split into several files.

    Raises:
        RunError: ``out`` has something in it.
        ModelError: the layout cannot express the model.
    """
    chosen = layout or ("huggingface" if expressible(model.config) else "genolm")
    weights = dict(model.network.named_parameters())
    dtypes = {name: weight.dtype for name, weight in weights.items()}
    checkpoint = Checkpoint(
        model.config, model.tokenizer, model.card, dtypes, lambda name: weights[name].detach().cpu()
    )
    return _write(checkpoint, Path(out), chosen, None, max_shard_bytes, overwrite=False)


def convert(
    source: str | Path,
    out: str | Path,
    *,
    layout: Layout = "huggingface",
    dtype: torch.dtype | str | None = None,
    max_shard_bytes: int = SHARD_BYTES,
    overwrite: bool = False,
) -> Path:
    """Write a model in another layout or precision; the same bits where the precision stays.

    Reads and writes one tensor after the other: the memory needed is that of one file
    (``max_shard_bytes``) and one tensor. The folder
    appears under its name when it is complete.

    Args:
        source: a name of the zoo, a model folder or a hub id.
        out: the folder to write.
        layout: ``huggingface`` loads in transformers and vLLM; ``genolm`` expresses every decoder of this package.
        dtype: precision to store; None keeps the stored one.
        max_shard_bytes: larger weights are split into several files.
        overwrite: replace what is in ``out``.

    Raises:
        RunError: ``out`` has something in it and ``overwrite`` is not set.
        ModelError: the source cannot be used, or the layout cannot express it.
        ResourceError: no room on the disk.
    """
    wanted = None if dtype is None else parse_dtype(dtype)
    _refuse_existing(Path(out), overwrite)
    return _write(_open(source), Path(out), layout, wanted, max_shard_bytes, overwrite=overwrite)


def _open(source: str | Path) -> Checkpoint:
    place = locate(source)
    if isinstance(place, Entry) and place.seed is not None:
        model = load(source, device="cpu")
        weights = dict(model.network.named_parameters())
        dtypes = {name: weight.dtype for name, weight in weights.items()}
        return Checkpoint(model.config, model.tokenizer, model.card, dtypes, lambda name: weights[name].detach())
    return _open_folder(*_folder_of(place))


def _folder_of(place: Entry | Path | str) -> tuple[Path, Card | None]:
    if isinstance(place, Path):
        return place, None
    if isinstance(place, Entry) and place.folder is not None:
        return place.installed_folder(), place.card
    from genolm.models.hub import snapshot

    return (snapshot(place), None) if isinstance(place, str) else (snapshot(str(place.hub_id)), place.card)


def _open_folder(folder: Path, card: Card | None) -> Checkpoint:
    config, layout = read_config(folder)
    tokenizer = read_tokenizer(folder, config)
    pieces, held = open_weights(folder, config, layout)
    groups, shapes = grouped(pieces), tensor_shapes(config)
    dtypes = {name: held[group[0].stored].dtype for name, group in groups.items()}

    # Two, because the pieces of an expert alternate between the two stacked tensors of its layer.
    @lru_cache(maxsize=2)
    def tensor(name: str) -> Tensor:
        return build(groups[name], held, shapes[name])

    return Checkpoint(config, tokenizer, card_of(folder, config, card), dtypes, tensor)


def _write(
    checkpoint: Checkpoint, out: Path, layout: Layout, dtype: torch.dtype | None, limit: int, *, overwrite: bool
) -> Path:
    _refuse_existing(out, overwrite)
    first = dtype or checkpoint.dtypes["embedding.weight"]
    values = config_values(checkpoint.config, layout, str(first).removeprefix("torch."))
    with _appearing(out) as folder:
        (folder / CONFIG).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        _write_tokenizer(folder, checkpoint.tokenizer, layout)
        write_shards(folder, _pending(checkpoint, layout, dtype), limit)
        digest = file_sha256(folder / SINGLE) if (folder / SINGLE).is_file() else None
        replace(checkpoint.card, sha256=digest).write(folder)
    return out


def _write_tokenizer(folder: Path, tokenizer: Tokenizer, layout: Layout) -> None:
    if layout == "huggingface":
        write_tokenizer(folder, tokenizer)
    else:
        (folder / TOKENIZER).write_text(tokenizer.to_json() + "\n", encoding="utf-8")


def _pending(checkpoint: Checkpoint, layout: Layout, dtype: torch.dtype | None) -> Iterator[Pending]:
    shapes = tensor_shapes(checkpoint.config)
    for piece in pieces_of(checkpoint.config, layout):
        stored = dtype or checkpoint.dtypes[piece.ours]
        count = torch.Size(part_shape(shapes[piece.ours], piece.place)).numel()
        yield Pending(piece.stored, count * stored.itemsize, _maker(checkpoint, piece, stored))


def _maker(checkpoint: Checkpoint, piece: Piece, dtype: torch.dtype) -> Callable[[], Tensor]:
    return lambda: checkpoint.tensor(piece.ours)[piece.place].to(dtype=dtype, copy=True)


def _refuse_existing(out: Path, overwrite: bool) -> None:
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() and not (overwrite and out.is_dir()):
        raise RunError(f"{out} exists; give another folder, or --overwrite to replace it")


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A folder to write into that takes its name ``out`` when the block ends well, and vanishes when it does not."""
    folder = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        folder.mkdir(parents=True)
        yield folder
        _take_place(folder, out)
    except OSError as error:
        kind = ResourceError if error.errno == errno.ENOSPC else ModelError
        raise kind(f"{out}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take_place(folder: Path, out: Path) -> None:
    """Rename ``folder`` to ``out``; what was there goes only when the new one has its place."""
    if not out.exists():
        folder.replace(out)
        return
    old = out.with_name(f"{folder.name}.old")
    out.replace(old)
    folder.replace(out)
    shutil.rmtree(old)
