"""A model and tasks whose answers can be told by hand; also run as a program, to be killed."""

import os
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import polars as pl
import torch

from genolm.engine.batches import collate
from genolm.engine.run import Options, run
from genolm.engine.windows import tile
from genolm.errors import InputError
from genolm.files.atomic import atomic_file
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.tokens import NucleotideTokenizer

CONFIG = DecoderConfig(18, 8, 1, 2, 1, 4, 16)


@dataclass
class ToyModel:
    """Stands for a model: enough for the engine."""

    fingerprint: str = "w" * 64
    config: DecoderConfig = CONFIG
    tokenizer: NucleotideTokenizer = field(default_factory=NucleotideTokenizer)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    context: int = 64
    limit: int | None = None  # padded tokens of a batch beyond which memory runs out
    error: type[Exception] = torch.OutOfMemoryError
    shapes: list[tuple[int, int]] = field(default_factory=list)

    def sums(self, sequences):
        batch = collate(sequences, self.tokenizer)
        if self.limit is not None and batch.ids_BL.numel() > self.limit:
            raise self.error("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.")
        self.shapes.append(tuple(batch.ids_BL.shape))
        return (batch.ids_BL * batch.mask_BL).sum(dim=1).tolist()


@dataclass(frozen=True, slots=True)
class Summed:
    """The sum of the ids of every line of a text file, times a factor; windows of a few bases."""

    source: Path
    factor: int = 1
    window: int = 7
    name: ClassVar[str] = "summed"
    part_tokens: ClassVar[int] = 40

    def items(self):
        for line, text in enumerate(self.source.read_text().splitlines(), start=1):
            if not set(text) <= set("ACGTN"):
                raise InputError("not DNA", file=self.source, line=line, value=text)
            yield text

    def cost(self, item):
        return len(item)

    def windows(self, items, model):
        return [window for number, item in enumerate(items) for window in tile(item, self.window, origin=number)]

    def forward(self, model, windows):
        _die("forward")
        return model.sums([window.sequence for window in windows])

    def rows(self, items, windows, outputs):
        sums = Counter()
        for window, output in zip(windows, outputs):
            sums[window.origin] += output * self.factor
        values = {"sequence": items, "sum": [sums[number] for number in range(len(items))]}
        return pl.DataFrame(values, schema={"sequence": pl.String, "sum": pl.Int64})

    def assemble(self, frames, out):
        with atomic_file(out) as partial, partial.open("w") as file:
            for frame in frames:
                file.writelines(f"{sequence}\t{total}\n" for sequence, total in frame.iter_rows())
                _die("assemble")

    def collect(self, frames):
        return pl.concat(list(frames))

    def inputs(self):
        return (self.source,)


@dataclass(frozen=True, slots=True)
class Listed(Summed):
    """The same over values in memory."""

    source: tuple[str, ...] = ()
    name: ClassVar[str] = "listed"

    def items(self):
        return iter(self.source)

    def inputs(self):
        return ()


@dataclass(frozen=True, slots=True)
class Scaled(Summed):
    """The sums times a number that matters only when the output is made, and the length of a file next to it."""

    times: int = 1
    notes: Path | None = None
    name: ClassVar[str] = "scaled"
    analysis: ClassVar[tuple[str, ...]] = ("times", "notes")

    def assemble(self, frames, out):
        with atomic_file(out.with_name(f"{out.name}.total")) as partial:
            partial.write_text(str(self.times if self.notes is None else len(self.notes.read_text())))
        with atomic_file(out) as partial, partial.open("w") as file:
            for frame in frames:
                file.writelines(f"{sequence}\t{total * self.times}\n" for sequence, total in frame.iter_rows())
                _die("assemble")

    def side_files(self, out):
        return (out.with_name(f"{out.name}.total"), out.with_name(f"{out.name}.unwritten"))

    def inputs(self):
        return (self.source,) if self.notes is None else (self.source, self.notes)


@dataclass(frozen=True, slots=True)
class Other(Summed):
    """Another task with the same settings."""

    name: ClassVar[str] = "other"


def expected(lines, factor=1):
    ids = {"A": 8, "C": 5, "G": 6, "T": 7, "N": 9}
    return "".join(f"{line}\t{factor * sum(ids[base] for base in line)}\n" for line in lines)


_CALLS = Counter()


def _die(place):
    """Ends the process the hard way at the n-th call of a place, as told by TOY_DIE=place:n:signal."""
    wanted, count, number = (os.environ.get("TOY_DIE") or "none:0:0").split(":")
    _CALLS[place] += 1
    if place == wanted and _CALLS[place] == int(count):
        os.kill(os.getpid(), getattr(signal, number))


if __name__ == "__main__":
    settings = SimpleNamespace(source=Path(sys.argv[1]), out=Path(sys.argv[2]))
    try:
        run(Summed(settings.source), ToyModel(), settings.out, Options(resume="--resume" in sys.argv))
    except KeyboardInterrupt as stop:
        sys.exit(f"{type(stop).__name__}: {stop}")
