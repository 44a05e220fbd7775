"""Writing of model folders: a model in memory, or a checkpoint in another layout or precision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from genolm.errors import ModelError, ResourceError, RunError
from genolm.files.atomic import atomic_file
from genolm.files.digests import file_sha256
from genolm.files.disk import is_disk_full
from genolm.files.names import is_file, is_folder
from genolm.models.adapters.configs import Layout, best_layout, config_values
from genolm.models.adapters.megatron.megatron_release import write_release
from genolm.models.adapters.pieces import Piece, StoredTensor, build, grouped, store, stored_together
from genolm.models.adapters.tensor_names import extra_tensors, pieces_of
from genolm.models.adapters.tokenizer_files import write_tokenizer
from genolm.models.checkpoints.adapter_source import split_adapter
from genolm.models.checkpoints.checkpoint import Checkpoint
from genolm.models.checkpoints.conversion_source import open_source
from genolm.models.checkpoints.head_files import write_heads
from genolm.models.model import Model
from genolm.models.model_files import CONFIG, HEADS, SINGLE, TOKENIZER, write_json
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.precision import Precision, parse_dtype
from genolm.models.weight_shards import Pending, read_shards, write_shards
from genolm.models.zoo.zoo import find_model
from genolm.notes import note
from genolm.parameters import Completed, OutputFolder, PythonOnly, Shown
from genolm.remedies import Remedy
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.verbs import verb

SHARD_BYTES = 5_000_000_000

Groups = Mapping[str, list[Piece]]


def save(model: Model, out: str | Path, *, layout: Layout | None = None, max_shard_bytes: int = SHARD_BYTES) -> Path:
    """Write a model in memory to a folder that :func:`genolm.load` reads.

    Args:
        model: model to write, in its present precision.
        out: folder that does not exist or is empty.
        layout: layout of the folder; None for ``huggingface`` if a class of transformers computes the same as the
            model, else ``genolm``.
        max_shard_bytes: largest size of a weight file (default 5 GB); larger weights are split into several files.

    Raises:
        RunError: ``out`` is not empty or cannot be written.
        ModelError: the layout cannot express the model.
    """
    path = Path(out)
    _refuse_existing(path, overwrite=False)
    checkpoint = Checkpoint.of_network(model.network, model.tokenizer, model.card, model.added_heads)
    return _write(checkpoint, path, layout or best_layout(model.config), None, max_shard_bytes)


@verb(example="genolm convert tiny-random exported --to huggingface")
def convert(
    model: Annotated[str | Path, Completed("model")],
    out: OutputFolder,
    *,
    to: Layout = "huggingface",
    from_: Layout | None = None,
    like: Annotated[str | Path | None, Completed("model"), Shown("MODEL")] = None,
    dtype: torch.dtype | Precision | None = None,
    max_shard_bytes: Annotated[int, PythonOnly()] = SHARD_BYTES,
    overwrite: bool = False,
) -> Path:
    """Convert a model to another checkpoint layout.

    The weights stay bitwise identical unless `dtype` changes their precision.

    Tensors are read and written one after the other: the memory needed is that of one weight file
    (``max_shard_bytes``) and one tensor. The folder appears under its name when it is complete. Weights in a pickle
    (``pytorch_model.bin``, or a trainer's .pth) are read as plain data; a pickle that names anything else is refused.

    ``huggingface`` has the published names: decoders, BigBird and ModernBERT load in transformers (decoders also in
    vLLM), GENA-LM's BERT only in its authors' modelling file; ``megatron`` has the names of Megatron-core, as
    safetensors and as a checkpoint for one process; ``genolm`` expresses every network of this package.

    Args:
        model: Model: a name from `genolm models`, a model folder, a Hugging Face Hub id, or the folder of a Megatron
            checkpoint.
        out: Output folder; it appears when it is complete.
        to: Layout to write; huggingface can be loaded by transformers and vLLM.
        from_: Layout of the model. Default: detected automatically.
        like: Model of the same architecture, for settings that a Megatron checkpoint does not record.
        dtype: Precision to store. Default: that of the model.
        max_shard_bytes: largest size of a weight file (default 5 GB); larger weights are split into several files.
        overwrite: Overwrite an existing model folder.

    Raises:
        RunError: ``out`` exists and ``overwrite`` is not set, is not a model folder, is the source, or cannot be
            written.
        ModelError: the source cannot be used, or the layout cannot express it.
        ResourceError: the disk is full.
    """
    path, precision = Path(out), None if dtype is None else parse_dtype(dtype)
    _refuse_existing(path, overwrite)
    _refuse_source(path, model)
    checkpoint = open_source(model, from_, like)
    if checkpoint.heads and to != "genolm":
        note(
            f"the {to} layout holds the backbone only; these heads are kept in {path / HEADS} for genolm:"
            f" {', '.join(checkpoint.heads)}"
        )
    return _write(checkpoint, path, to, precision, max_shard_bytes)


def _write(checkpoint: Checkpoint, out: Path, layout: Layout, dtype: torch.dtype | None, limit: int) -> Path:
    config, groups, stored = checkpoint.config, grouped(checkpoint.tensors.pieces), checkpoint.tensors.stored
    dtypes = {name: stored[group[0].stored].dtype for name, group in groups.items()}
    first = dtype or next(kind for kind in dtypes.values() if kind.is_floating_point)
    values = config_values(config, layout, str(first).removeprefix("torch."))
    if layout == "huggingface" and config.causal:
        values |= _begin_and_end(checkpoint)
    pending = _pending(checkpoint, layout, dtype, dtypes, groups)
    with _new_folder(out) as folder:
        write_json(folder / CONFIG, values)
        _write_tokenizer(folder, checkpoint, layout)
        write_shards(folder, pending, limit)
        if layout == "megatron" and isinstance(config, DecoderConfig):
            write_release(folder, config, read_shards(folder))
        digest = file_sha256(folder / SINGLE) if (folder / SINGLE).is_file() else None
        replace(checkpoint.card, sha256=digest, heads=write_heads(folder, checkpoint.heads)).write(folder)
    return out


def _begin_and_end(checkpoint: Checkpoint) -> dict[str, int | None]:
    """Return the ids that begin a sequence and stop generation in other programs, for byte-pair tokenizers."""
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


def _pending(
    checkpoint: Checkpoint, layout: Layout, dtype: torch.dtype | None, dtypes: Mapping[str, torch.dtype], groups: Groups
) -> list[Pending]:
    """Return the tensors to write, which are read when their turn comes.

    Args:
        checkpoint: model to write.
        layout: layout of the names.
        dtype: precision to store; None keeps the stored precision.
        dtypes: stored type of each of our weights.
        groups: pieces of each of our weights.
    """
    config, tensors = checkpoint.config, checkpoint.tensors

    # Two, because the pieces of an expert alternate between the two stacked tensors of its layer.
    @lru_cache(maxsize=2)
    def read(name: str) -> Tensor:
        return build(groups[name], tensors.stored, tensors.shapes[name])

    table, extra = pieces_of(config, layout, tensors.shapes), extra_tensors(config, layout)
    pending = []
    for name, group in stored_together([*table, *extra.copies]).items():
        kind = dtype or _common_dtype(dtypes, name, group)
        shape = group[0].stored_shape(tensors.shapes)
        size = torch.Size(shape).numel() * kind.itemsize
        pending.append(Pending(name, size, partial(store, group, read, shape, kind)))
    # Block layouts are int64 under their published names.
    kind = torch.int64 if layout == "huggingface" else torch.uint8
    for theirs, ours in extra.layouts.items():
        stored = tensors.layouts[ours]
        size = torch.Size(stored.shape).numel() * kind.itemsize
        pending.append(Pending(theirs, size, partial(_read_layout, stored, kind)))
    return pending + [Pending(name, tensor.nbytes, tensor.clone) for name, tensor in extra.computed.items()]


def _read_layout(stored: StoredTensor, kind: torch.dtype) -> Tensor:
    return stored.read().to("cpu", torch.uint8).to(kind)


def _common_dtype(dtypes: Mapping[str, torch.dtype], name: str, group: list[Piece]) -> torch.dtype:
    kinds = {dtypes[piece.ours] for piece in group}
    if len(kinds) > 1:
        raise ModelError(
            f"the parts of {name} have different types",
            code="missing-argument",
            remedy=Remedy("dtype", purpose="choose the type to store"),
        )
    return kinds.pop()


def _refuse_existing(out: Path, overwrite: bool) -> None:
    """Raise an error if ``out`` must not be written: it is not empty, or to be replaced but not a model folder."""
    with _errors_named(out):
        if not (is_folder(out) or is_file(out)) or (out.is_dir() and not any(out.iterdir())):
            return
        if not overwrite or not out.is_dir():
            raise RunError(
                f"{out} exists",
                code="output-exists",
                remedy=("choose another folder", Remedy("overwrite", True, "replace it")),
            )
        if not (out / CONFIG).is_file():
            raise RunError(
                f"{out} is not a model folder ({CONFIG} is missing); refusing to overwrite it", code="foreign-output"
            )


def _refuse_source(out: Path, source: str | Path) -> None:
    """Raise an error if ``out`` is the source or the base of an adapter, or a folder around it."""
    if not (is_folder(out) and is_folder(source)):
        return
    base, _ = split_adapter(find_model(source))
    for folder in (Path(source).resolve(), (base.folder or Path(source)).resolve()):
        if out.resolve() in (folder, *folder.parents):
            raise RunError(f"{out} holds the source of the conversion; choose another folder", code="output-is-input")


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Yield a folder to fill; it is renamed to ``out`` on success and removed on an error."""
    with _errors_named(out), atomic_file(out) as folder, _errors_named(out):
        folder.mkdir(parents=True)
        yield folder


@contextmanager
def _errors_named(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = ResourceError if is_disk_full(error) else RunError
        raise kind(f"{out}: cannot be written: {error.strerror or error}") from error
