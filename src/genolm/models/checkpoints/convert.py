"""Model folders written: a model saved, or a checkpoint put into another layout or precision."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from genolm.errors import ModelError, ResourceError, RunError
from genolm.files.disk import is_disk_full
from genolm.files.names import partial_path
from genolm.models.adapters.encoders import encoders
from genolm.models.adapters.megatron.megatron_release import write_release
from genolm.models.adapters.pieces import Piece, store, stored_together
from genolm.models.adapters.tokenizer_files import FILE as TOKENIZER
from genolm.models.adapters.tokenizer_files import write_tokenizer
from genolm.models.checkpoints.config_file import CONFIG, Layout, best_layout, config_values
from genolm.models.checkpoints.layouts import pieces_of
from genolm.models.checkpoints.load import file_sha256
from genolm.models.checkpoints.source_checkpoint import Checkpoint, open_checkpoint
from genolm.models.model import Model
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.models.networks.network import layout_shapes, tensor_shapes, tensors_of
from genolm.models.precision import parse_dtype
from genolm.models.weight_files import SINGLE
from genolm.models.weight_shards import Pending, read_shards, write_shards
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.nucleotide import NucleotideTokenizer

SHARD_BYTES = 5_000_000_000


def save(model: Model, out: str | Path, *, layout: Layout | None = None, max_shard_bytes: int = SHARD_BYTES) -> Path:
    """Write a model in memory to a folder that :func:`genolm.load` reads.

    Args:
        model: what to write, in the precision it is in.
        out: a folder that does not exist or is empty.
        layout: None for ``huggingface`` where a class of transformers computes the same as the model, else ``genolm``.
        max_shard_bytes: larger weights are split into several files.

    Raises:
        RunError: ``out`` has something in it, or cannot be written.
        ModelError: the layout cannot express the model.
    """
    tensors = tensors_of(model.network)
    dtypes = {name: tensor.dtype for name, tensor in tensors.items()}
    checkpoint = Checkpoint(model.config, model.tokenizer, model.card, dtypes, lambda name: tensors[name].cpu())
    chosen = layout or best_layout(model.config)
    return _write(checkpoint, Path(out), chosen, None, max_shard_bytes, overwrite=False)


def convert(
    source: str | Path,
    out: str | Path,
    *,
    layout: Layout = "huggingface",
    source_layout: Layout | None = None,
    like: str | Path | None = None,
    dtype: torch.dtype | str | None = None,
    max_shard_bytes: int = SHARD_BYTES,
    overwrite: bool = False,
) -> Path:
    """Write a model in another layout or precision; the same bits where the precision stays.

    Reads and writes one tensor after the other: the memory needed is that of one file (``max_shard_bytes``) and one
    tensor. The folder appears under its name when it is complete.

    Args:
        source: a name of the zoo, a model folder, a hub id, or the folder of a Megatron checkpoint. A folder whose
            weights are a pickle (``pytorch_model.bin``, or a trainer's .pth) is read as plain data; a pickle that names
            anything else is refused.
        out: the folder to write.
        layout: ``huggingface`` has the published names: of decoders, BigBird and ModernBERT it loads in transformers
            (of decoders in vLLM too), of GENA-LM's BERT in its authors' modelling file only; ``megatron`` has the names
            of Megatron-core, as safetensors and as a checkpoint for one process; ``genolm`` expresses every network of
            this package.
        source_layout: what ``source`` is in; None to find out.
        like: name or folder of a model of the same shape, for what a Megatron checkpoint does not say of itself.
        dtype: precision to store; None keeps the stored one.
        max_shard_bytes: larger weights are split into several files.
        overwrite: replace what is in ``out``.

    Raises:
        RunError: ``out`` has something in it and ``overwrite`` is not set, or it cannot be written.
        ModelError: the source cannot be used, or the layout cannot express it.
        ResourceError: no room on the disk.
    """
    wanted = None if dtype is None else parse_dtype(dtype)
    _refuse_existing(Path(out), overwrite)
    checkpoint = open_checkpoint(source, source_layout, like)
    return _write(checkpoint, Path(out), layout, wanted, max_shard_bytes, overwrite=overwrite)


def _write(
    checkpoint: Checkpoint, out: Path, layout: Layout, dtype: torch.dtype | None, limit: int, *, overwrite: bool
) -> Path:
    _refuse_existing(out, overwrite)
    first = dtype or next(kind for kind in checkpoint.dtypes.values() if kind.is_floating_point)
    values = config_values(checkpoint.config, layout, str(first).removeprefix("torch."))
    if layout == "huggingface" and isinstance(checkpoint.config, DecoderConfig):
        values |= _begin_and_end(checkpoint)
    with _appearing(out) as folder:
        (folder / CONFIG).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        _write_tokenizer(folder, checkpoint, layout)
        write_shards(folder, _pending(checkpoint, layout, dtype), limit)
        if layout == "megatron" and isinstance(checkpoint.config, DecoderConfig):
            write_release(folder, checkpoint.config, read_shards(folder))
        digest = file_sha256(folder / SINGLE) if (folder / SINGLE).is_file() else None
        replace(checkpoint.card, sha256=digest).write(folder)
    return out


def _begin_and_end(checkpoint: Checkpoint) -> dict[str, int | None]:
    """Ids that other programs begin a sequence of byte pairs with, if the model has one, and stop generation at."""
    tokenizer, card = checkpoint.tokenizer, checkpoint.card
    if not isinstance(tokenizer, BpeTokenizer):
        return {}
    begin, end = ([tokenizer.special_id(name) for name in names] for names in (card.begin, card.end))
    return {"bos_token_id": begin[-1] if begin else None, "eos_token_id": end[0] if end else tokenizer.eod_id}


def _write_tokenizer(folder: Path, checkpoint: Checkpoint, layout: Layout) -> None:
    tokenizer, card = checkpoint.tokenizer, checkpoint.card
    if layout == "huggingface" or not isinstance(tokenizer, NucleotideTokenizer):
        write_tokenizer(folder, tokenizer, (card.begin, card.end))
    else:
        (folder / TOKENIZER).write_text(tokenizer.to_json() + "\n", encoding="utf-8")


def _pending(checkpoint: Checkpoint, layout: Layout, dtype: torch.dtype | None) -> Iterator[Pending]:
    config = checkpoint.config
    shapes = tensor_shapes(config)
    table = pieces_of(config, layout)
    published = isinstance(config, EncoderConfig) and layout == "huggingface"
    if isinstance(config, EncoderConfig) and published:
        table = [*table, *encoders.copies(config)]
    for name, group in stored_together(table).items():
        kind = dtype or _one_type(checkpoint, name, group)
        shape = group[0].stored_shape(shapes)
        yield Pending(name, torch.Size(shape).numel() * kind.itemsize, _maker(checkpoint, group, shape, kind))
    if isinstance(config, EncoderConfig):
        yield from _beside_weights(checkpoint, config, published)


def _beside_weights(checkpoint: Checkpoint, config: EncoderConfig, published: bool) -> Iterator[Pending]:
    """Block layouts, int64 under their published names, and what published files hold although it can be computed."""
    names = encoders.layouts(config) if published else {name: name for name in layout_shapes(config)}
    kind = torch.int64 if published else torch.uint8
    for theirs, ours in names.items():
        size = torch.Size(layout_shapes(config)[ours]).numel() * kind.itemsize
        yield Pending(theirs, size, partial(_layout, checkpoint, ours, kind))
    for theirs, tensor in encoders.computed(config).items() if published else ():
        yield Pending(theirs, tensor.nbytes, tensor.clone)


def _layout(checkpoint: Checkpoint, name: str, kind: torch.dtype) -> Tensor:
    return checkpoint.tensor(name).to(kind)


def _one_type(checkpoint: Checkpoint, name: str, group: list[Piece]) -> torch.dtype:
    kinds = {checkpoint.dtypes[piece.ours] for piece in group}
    if len(kinds) > 1:
        raise ModelError(f"the parts of {name} are in different types; give one to store them in (--dtype)")
    return kinds.pop()


def _maker(
    checkpoint: Checkpoint, group: list[Piece], shape: tuple[int, ...], dtype: torch.dtype
) -> Callable[[], Tensor]:
    return lambda: store(group, checkpoint.tensor, shape, dtype)


def _refuse_existing(out: Path, overwrite: bool) -> None:
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() and not (overwrite and out.is_dir()):
        raise RunError(f"{out} exists; give another folder, or --overwrite to replace it")


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A folder to write into that takes its name ``out`` when the block ends well, and vanishes when it does not."""
    folder = partial_path(out)
    try:
        folder.mkdir(parents=True)
        yield folder
        _take_place(folder, out)
    except OSError as error:
        kind = ResourceError if is_disk_full(error) else RunError
        raise kind(f"{out}: cannot be written: {error.strerror or error}") from error
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
