"""Safetensors folders, read one tensor at a time and written in shards of bounded size.

A tensor is read directly into its own memory rather than mapped, so that a process holds the weights once and not a
second time as pages of the file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from genolm.errors import ModelError
from genolm.files.digests import file_sha256
from genolm.files.pointers import LONGEST, REMEDY, is_pointer
from genolm.models.model_files import INDEX, SINGLE, is_present, read_optional_json

DTYPES: Mapping[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_HEADER_LIMIT = 100_000_000
_NUMBERED = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")


@dataclass(frozen=True, slots=True)
class FileTensor:
    """A tensor in a file: type, shape, and offset and number of its bytes."""

    file: Path
    dtype: torch.dtype
    shape: tuple[int, ...]
    offset: int
    size: int

    def read(self) -> Tensor:
        """Read the tensor."""
        buffer = torch.empty(self.size, dtype=torch.uint8)
        with self.file.open("rb") as stream:
            stream.seek(self.offset)
            if self.size and stream.readinto(buffer.numpy().data) != self.size:
                raise ModelError(
                    f"{self.file}: ends inside a tensor; it is truncated or being written", code="damaged-model"
                )
        return buffer.view(self.dtype).view(self.shape)


def read_shards(folder: Path) -> dict[str, FileTensor]:
    """Find the tensors in a folder: those of ``model.safetensors``, or of the files that its index names.

    Numbered shards without an index are read too, if none is missing.

    Raises:
        ModelError: no safetensors (pickles are refused), a missing or truncated shard, an index that contradicts it, or
            both a single file and shards.
    """
    index = read_optional_json(folder / INDEX)
    single = index is None and is_present(folder / SINGLE)
    if index is not None:
        return _read_index(folder, index)
    if single:
        return read_header(folder / SINGLE)
    if numbered := _numbered(folder):
        return _read_numbered(numbered)
    raise ModelError(_absence(folder))


def read_verified(folder: Path, sha256: str | None) -> dict[str, FileTensor]:
    """Read the tensors of a folder as :func:`read_shards` does; verify a single file against its SHA-256.

    Raises:
        ModelError: as for :func:`read_shards`, or the file was changed.
    """
    tensors = read_shards(folder)  # reports a truncated file at once, before it is hashed
    path = folder / SINGLE
    if sha256 is not None and path.is_file() and (actual := file_sha256(path)) != sha256:
        raise ModelError(
            f"{path}: its SHA-256 is {actual}, but its card states {sha256}; the file was changed or damaged",
            code="damaged-model",
        )
    return tensors


def has_weights(folder: Path) -> bool:
    """Return whether a folder has safetensors for :func:`read_shards`."""
    return (folder / SINGLE).is_file() or (folder / INDEX).is_file() or bool(_numbered(folder))


def _numbered(folder: Path) -> list[Path]:
    """Return the files that are named like shards, in order."""
    return sorted(path for path in folder.glob("model-*-of-*.safetensors") if _NUMBERED.fullmatch(path.name))


def _read_numbered(shards: list[Path]) -> dict[str, FileTensor]:
    """Return the tensors of numbered shards that have no index."""
    counts = {path.name.split("-of-")[1] for path in shards}
    if len(counts) > 1:
        raise ModelError(f"{shards[0].parent}: has no {INDEX}, but shards of {len(counts)} sets of weights; keep one")
    total = int(counts.pop().removesuffix(".safetensors"))
    present = {int(path.name.split("-")[1]) for path in shards}
    if missing := sorted(set(range(1, total + 1)) - present):
        name = f"model-{missing[0]:05d}-of-{total:05d}.safetensors"
        raise ModelError(
            f"{shards[0].parent}: missing {name}, one of {total} shards; copy or download it again",
            code="damaged-model",
        )
    tensors: dict[str, FileTensor] = {}
    for path in shards:
        for name, stored in read_header(path).items():
            if name in tensors:
                raise ModelError(f"{path}: {name} is also in {tensors[name].file.name}; keep one set of weights")
            tensors[name] = stored
    return tensors


def _absence(folder: Path) -> str:
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in {".bin", ".pt", ".pth", ".ckpt", ".pkl"})
    if pickles:
        return (
            f"{folder}: its weights are a pickle ({pickles[0]}). A pickle can contain code, so genolm loads only"
            f" safetensors; genolm convert {folder} OUT reads it once, as plain data, and writes them"
        )
    return f"{folder}: neither {SINGLE} nor {INDEX} was found"


def _read_index(folder: Path, index: Mapping[str, Any]) -> dict[str, FileTensor]:
    path = folder / INDEX
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(file, str) for file in weight_map.values()):
        raise ModelError(f"{path}: has no weight_map from tensor names to files")
    if SINGLE not in weight_map.values() and (folder / SINGLE).is_file():
        raise ModelError(f"{folder}: has two sets of weights, {SINGLE} and the shards of {INDEX}; remove one of them")
    headers = {file: read_header(_shard(folder, file)) for file in sorted(set(weight_map.values()))}
    for name, file in weight_map.items():
        if name not in headers[file]:
            raise ModelError(f"{path}: places {name} in {file}, which does not contain it")
    stray = next(((name, file) for file in headers for name in headers[file] if weight_map.get(name) != file), None)
    if stray:
        raise ModelError(f"{folder / stray[1]}: contains {stray[0]}, which {INDEX} does not place there")
    return {name: headers[file][name] for name, file in weight_map.items()}


def _shard(folder: Path, file: str) -> Path:
    if Path(file).name != file:
        raise ModelError(f"{folder / INDEX}: names {file!r}, which is outside the folder")
    if not (folder / file).is_file():
        raise ModelError(
            f"{folder / INDEX}: names {file}, which is missing; copy or download it again", code="damaged-model"
        )
    return folder / file


def stored(folder: Path) -> tuple[int, int]:
    """Return the number of tensors in the safetensors files of a folder, and the size of the files in bytes."""
    paths = sorted(folder.glob("*.safetensors"))
    return sum(len(read_header(path)) for path in paths), sum(path.stat().st_size for path in paths)


def read_header(path: Path) -> dict[str, FileTensor]:
    """Read the header of a safetensors file; return its tensors by name.

    Raises:
        ModelError: not a safetensors file, truncated, or a tensor has an unsupported type.
    """
    total = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(LONGEST)
        if is_pointer(start):
            raise ModelError(f"{path}: {REMEDY}", code="damaged-model")
        stream.seek(8)
        length = int.from_bytes(start[:8], "little")
        if total < 8 or length > min(total - 8, _HEADER_LIMIT):
            raise ModelError(
                f"{path}: not a safetensors file, or truncated within its header ({total} bytes)", code="damaged-model"
            )
        entries = _entries(path, stream.read(length))
    tensors = {
        name: _stored(path, name, entry, 8 + length) for name, entry in entries.items() if name != "__metadata__"
    }
    _check_disjoint(path, tensors, 8 + length)
    expected = 8 + length + sum(item.size for item in tensors.values())
    if total != expected:
        raise ModelError(
            f"{path}: {total} bytes, but its header requires {expected}; truncated or damaged", code="damaged-model"
        )
    return tensors


def _check_disjoint(path: Path, tensors: Mapping[str, FileTensor], start: int) -> None:
    """Raise an error if two tensors share bytes. A truncated file is detected by its length instead."""
    for name, stored in sorted(tensors.items(), key=lambda item: (item[1].offset, item[1].size)):
        if stored.offset != start:
            raise ModelError(
                f"{path}: {name} does not begin at the end of the tensor before it; the header is damaged",
                code="damaged-model",
            )
        start += stored.size


def _entries(path: Path, header: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(header)
    except ValueError as error:
        raise ModelError(f"{path}: not a safetensors file: {error}", code="damaged-model") from error
    if not isinstance(entries, dict):
        raise ModelError(f"{path}: not a safetensors file: its header is not a JSON object", code="damaged-model")
    return entries


def _stored(path: Path, name: str, entry: Any, start: int) -> FileTensor:
    try:
        dtype, shape, (first, last) = DTYPES[entry["dtype"]], tuple(map(int, entry["shape"])), entry["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: {name} has an unsupported type or shape: {entry}") from error
    if min(shape, default=0) < 0 or first < 0 or last - first != math.prod(shape) * dtype.itemsize:
        raise ModelError(
            f"{path}: {name} has {last - first} bytes, which does not match {dtype} x {list(shape)}",
            code="damaged-model",
        )
    return FileTensor(path, dtype, shape, start + first, last - first)


@dataclass(frozen=True, slots=True)
class Pending:
    """A tensor to write: its name, its size in bytes, and a function that makes it when its shard is written."""

    name: str
    size: int
    make: Callable[[], Tensor]


def write_shards(folder: Path, tensors: Iterable[Pending], max_shard_bytes: int) -> None:
    """Write ``tensors`` into ``folder`` as ``model.safetensors``, or as numbered shards with an index.

    One shard at a time is held in memory. A tensor larger than ``max_shard_bytes`` gets a shard of its own.
    """
    shards = _split(tensors, max_shard_bytes)
    if len(shards) == 1:
        _write(folder / SINGLE, shards[0])
        return
    names = [f"model-{number:05d}-of-{len(shards):05d}.safetensors" for number in range(1, len(shards) + 1)]
    for name, shard in zip(names, shards, strict=True):
        _write(folder / name, shard)
    weight_map = {item.name: name for name, shard in zip(names, shards, strict=True) for item in shard}
    total = sum(item.size for shard in shards for item in shard)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _split(tensors: Iterable[Pending], limit: int) -> list[list[Pending]]:
    shards: list[list[Pending]] = [[]]
    filled = 0
    for item in tensors:
        if shards[-1] and filled + item.size > limit:
            shards.append([])
            filled = 0
        shards[-1].append(item)
        filled += item.size
    return shards


def _write(path: Path, shard: list[Pending]) -> None:
    write_tensors(path, {item.name: item.make() for item in shard})


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file that transformers and PEFT read as well."""
    path.touch()
    mode = path.stat().st_mode  # by the user's umask; safetensors makes files that only the user can read
    stored = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    save_file(stored, path, metadata={"format": "pt"})
    path.chmod(mode)
