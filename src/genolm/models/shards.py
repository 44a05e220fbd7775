"""Safetensors folders: tensors read one at a time, and written in shards of bounded size.

A tensor is read straight into its own memory rather than mapped, so that a process holds the weights once and not a
second time as pages of the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from genolm.errors import ModelError
from genolm.models.card import read_json
from genolm.models.weight_files import INDEX, SINGLE

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


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor in a file: its type, its shape and where its bytes stand."""

    file: Path
    dtype: torch.dtype
    shape: tuple[int, ...]
    offset: int
    size: int

    def read(self) -> Tensor:
        """A fresh tensor with the stored bytes."""
        buffer = torch.empty(self.size, dtype=torch.uint8)
        with self.file.open("rb") as stream:
            stream.seek(self.offset)
            if self.size and stream.readinto(buffer.numpy().data) != self.size:
                raise ModelError(f"{self.file}: ends inside a tensor; it was cut or is being written")
        return buffer.view(self.dtype).view(self.shape)


def read_shards(folder: Path) -> dict[str, Stored]:
    """Every tensor of the safetensors files in ``folder``: of ``model.safetensors``, or of the files its index names.

    Raises:
        ModelError: no safetensors (pickles are refused), a missing or truncated shard, an index that disagrees with it.
    """
    if (folder / INDEX).is_file():
        return _read_index(folder)
    if (folder / SINGLE).is_file():
        return read_header(folder / SINGLE)
    raise ModelError(_absence(folder))


def _absence(folder: Path) -> str:
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in {".bin", ".pt", ".pth", ".ckpt", ".pkl"})
    if pickles:
        return (
            f"{folder}: holds its weights as a pickle only ({pickles[0]}). A pickle can carry code, so genolm computes"
            f" with safetensors only; genolm convert {folder} OUT reads it once, as plain data, and writes them"
        )
    return f"{folder}: neither {SINGLE} nor {INDEX} is there"


def _read_index(folder: Path) -> dict[str, Stored]:
    path = folder / INDEX
    places = read_json(path).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(file, str) for file in places.values()):
        raise ModelError(f"{path}: has no weight_map from tensor names to files")
    headers = {file: read_header(_shard(folder, file)) for file in sorted(set(places.values()))}
    for name, file in places.items():
        if name not in headers[file]:
            raise ModelError(f"{path}: says that {name} is in {file}, which does not hold it")
    stray = next(((name, file) for file, held in headers.items() for name in held if places.get(name) != file), None)
    if stray:
        raise ModelError(f"{folder / stray[1]}: holds {stray[0]}, which {INDEX} does not place there")
    return {name: headers[file][name] for name, file in places.items()}


def _shard(folder: Path, file: str) -> Path:
    if Path(file).name != file:
        raise ModelError(f"{folder / INDEX}: names {file!r}, which is outside the folder")
    if not (folder / file).is_file():
        raise ModelError(f"{folder / INDEX}: names {file}, which is missing; copy or download it again")
    return folder / file


def stored(folder: Path) -> tuple[int, int]:
    """How many tensors the safetensors files of a folder hold, and how many bytes the files have."""
    paths = sorted(folder.glob("*.safetensors"))
    return sum(len(read_header(path)) for path in paths), sum(path.stat().st_size for path in paths)


def read_header(path: Path) -> dict[str, Stored]:
    """What the safetensors file ``path`` holds, by name.

    Raises:
        ModelError: not a safetensors file, truncated, or with a type that no model has.
    """
    total = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if total < 8 or length > min(total - 8, _HEADER_LIMIT):
            raise ModelError(f"{path}: not a safetensors file, or truncated within its header ({total} bytes)")
        entries = _entries(path, stream.read(length))
    held = {name: _stored(path, name, entry, 8 + length) for name, entry in entries.items() if name != "__metadata__"}
    expected = 8 + length + sum(item.size for item in held.values())
    if total != expected:
        raise ModelError(f"{path}: {total} bytes where its header asks for {expected}; truncated or damaged")
    return held


def _entries(path: Path, header: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(header)
    except ValueError as error:
        raise ModelError(f"{path}: not a safetensors file: {error}") from error
    if not isinstance(entries, dict):
        raise ModelError(f"{path}: not a safetensors file: its header is no JSON object")
    return entries


def _stored(path: Path, name: str, entry: Any, start: int) -> Stored:
    try:
        dtype, shape, (first, last) = DTYPES[entry["dtype"]], tuple(map(int, entry["shape"])), entry["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: {name} has a type or shape that is not known: {entry}") from error
    if min(shape, default=0) < 0 or first < 0 or last - first != math.prod(shape) * dtype.itemsize:
        raise ModelError(f"{path}: {name} has {last - first} bytes, which is not {dtype} x {list(shape)}")
    return Stored(path, dtype, shape, start + first, last - first)


@dataclass(frozen=True, slots=True)
class Pending:
    """A tensor to be written: its name, its size in bytes, and how to make it when its shard's turn comes."""

    name: str
    size: int
    make: Callable[[], Tensor]


def write_shards(folder: Path, tensors: Iterable[Pending], max_shard_bytes: int) -> None:
    """Write ``tensors`` into ``folder`` as ``model.safetensors``, or as numbered shards with an index.

    Holds one shard in memory at a time. A tensor larger than ``max_shard_bytes`` gets a shard of its own.
    """
    shards = _split(tensors, max_shard_bytes)
    if len(shards) == 1:
        _write(folder / SINGLE, shards[0])
        return
    names = [f"model-{number:05d}-of-{len(shards):05d}.safetensors" for number in range(1, len(shards) + 1)]
    for name, shard in zip(names, shards, strict=True):
        _write(folder / name, shard)
    places = {item.name: name for name, shard in zip(names, shards, strict=True) for item in shard}
    total = sum(item.size for shard in shards for item in shard)
    index = {"metadata": {"total_size": total}, "weight_map": places}
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
    path.touch()
    mode = path.stat().st_mode  # what the user's umask asks for; safetensors makes files that nobody else may read
    save_file({item.name: item.make().contiguous() for item in shard}, path, metadata={"format": "pt"})
    path.chmod(mode)
