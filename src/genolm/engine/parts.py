"""A run's folder: ``OUT.parts`` with a manifest and, for every finished part, its rows and a seal.

The seal is a small JSON beside the rows, written after them: their SHA-256 and the run they belong to. A part without a
fitting seal was torn by a crash and counts as not done.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from genolm.engine.fingerprint import SCHEMA
from genolm.engine.plan import Plan
from genolm.errors import RunError
from genolm.files.atomic import atomic_file, write_text
from genolm.files.digests import sha256_of_file

if TYPE_CHECKING:
    import polars as pl

MANIFEST = "manifest.json"
ASSEMBLING = "assembling"  # says that the output, if it is there, is this run's own


class PartState(Enum):
    """What is on the disk of one part."""

    READY = "ready"
    MISSING = "missing"
    TORN = "torn"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a run is.

    Attributes:
        task: the task's settings (:func:`genolm.engine.settings.write_settings`).
        fingerprint: everything that decides the bytes (:func:`genolm.engine.fingerprint.fingerprint`).
        plan: the parts.
        token_budget: tokens of a batch as asked for, None for the default; a resumed run keeps to it unless told
            otherwise.
        overwrite: whether the run may replace an existing output.
    """

    task: dict[str, Any]
    fingerprint: dict[str, Any]
    plan: Plan
    token_budget: int | None
    overwrite: bool

    @property
    def run_id(self) -> str:
        """SHA-256 of fingerprint and plan; every part carries it, so parts of two runs never mix."""
        text = json.dumps([self.fingerprint, self.plan.to_json()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """Readable JSON."""
        values = {name: getattr(self, name) for name in ("task", "fingerprint", "token_budget", "overwrite")}
        return json.dumps({**values, "plan": self.plan.to_json()}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """The manifest that :meth:`to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "plan": Plan.from_json(values["plan"])})


@dataclass(frozen=True, slots=True)
class PartsFolder:
    """Manifest and parts of one run on the disk."""

    path: Path

    @classmethod
    def of(cls, out: Path) -> PartsFolder:
        """The folder beside the output: ``OUT.parts``."""
        return cls(out.with_name(f"{out.name}.parts"))

    @property
    def has_parts(self) -> bool:
        """Whether any part, whole or torn, is there."""
        return any(self.path.glob("part-*"))

    def manifest(self) -> Manifest | None:
        """The manifest; None when no run was started here.

        Raises:
            RunError: when it cannot be read as a manifest, or was written by another version of its format.
        """
        place = self.path / MANIFEST
        try:
            return _of_this_schema(Manifest.from_json(place.read_text(encoding="utf-8")), place)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise RunError(f"{place}: not a manifest of genolm ({error}); --overwrite starts the run anew") from None

    def clear(self) -> None:
        """Removes manifest, parts and what killed writers left; only for whoever holds the folder alone."""
        for pattern in ("part-*", ".partial-*", MANIFEST, ASSEMBLING):
            for place in self.path.glob(pattern):
                place.unlink()

    def write_manifest(self, manifest: Manifest) -> None:
        """Writes the manifest."""
        write_text(self.path / MANIFEST, manifest.to_json())

    def write(self, number: int, frame: pl.DataFrame, run_id: str) -> int:
        """Writes one part and then its seal; returns the bytes of the rows.

        Raises:
            ResourceError: when the disk is full; nothing half-written is left.
        """
        with atomic_file(self.rows_path(number)) as partial, partial.open("wb") as file:
            writer = _Digesting(file)
            writer.write_frame(frame)
        seal = {"run": run_id, "rows": frame.height, "sha256": writer.digest.hexdigest()}
        write_text(self.seal_path(number), json.dumps(seal))
        return writer.size

    def state(self, number: int, run_id: str) -> PartState:
        """Whether the part is there, whole and of this run; reads it through."""
        rows, seal = self.rows_path(number), self.seal_path(number)
        if not rows.exists() and not seal.exists():
            return PartState.MISSING
        try:
            digest = sha256_of_file(rows)
            values = json.loads(seal.read_text(encoding="utf-8"))
            whole = values["run"] == run_id and values["sha256"] == digest
        except (OSError, ValueError, KeyError, TypeError):
            whole = False
        return PartState.READY if whole else PartState.TORN

    def ready(self, numbers: Iterable[int], run_id: str) -> frozenset[int]:
        """Those of the parts that need no more work."""
        return frozenset(number for number in numbers if self.state(number, run_id) is PartState.READY)

    def missing(self, plan: Plan) -> tuple[int, ...]:
        """Parts without a seal; does not look into the others."""
        return tuple(number for number in range(plan.parts) if not self.seal_path(number).exists())

    def read(self, number: int) -> pl.DataFrame:
        """Rows of one part."""
        import polars as pl

        return pl.read_parquet(self.rows_path(number), glob=False, memory_map=False)

    def frames(self, plan: Plan) -> Iterator[pl.DataFrame]:
        """Rows of all parts, in order, one part in memory at a time."""
        return (self.read(number) for number in range(plan.parts))

    def rows_path(self, number: int) -> Path:
        """Where the rows of a part are."""
        return self.path / f"part-{number:05d}.parquet"

    def seal_path(self, number: int) -> Path:
        """Where the seal of a part is."""
        return self.path / f"part-{number:05d}.json"


def _of_this_schema(manifest: Manifest, place: Path) -> Manifest:
    """Return the manifest; raise an error for one whose parts this version of genolm cannot read."""
    schema = manifest.fingerprint["schema"]
    if schema == SCHEMA:
        return manifest
    if schema == 1:
        reason = "written by genolm 0.1, which named tasks by Python modules that have since moved"
        remedy = "resume or merge this run with genolm 0.1, or"
    else:
        reason = f"of format {schema}, and this version of genolm reads format {SCHEMA}"
        remedy = "resume or merge this run with the genolm that started it, or"
    raise RunError(f"{place}: {reason}; {remedy} start over with --overwrite")


class _Digesting(io.RawIOBase):
    """Passes bytes on and digests them. Keeps the error of a failed write, which polars would turn into text."""

    def __init__(self, file: BinaryIO) -> None:
        self.digest, self.size = hashlib.sha256(), 0
        self._file = file
        self._failure: BaseException | None = None

    def write_frame(self, frame: pl.DataFrame) -> None:
        try:
            frame.rechunk().write_parquet(cast(BinaryIO, self), compression="zstd", compression_level=1)
        except BaseException:
            if self._failure is not None:
                raise self._failure from None
            raise

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        try:
            self._file.write(data)
        except BaseException as error:
            self._failure = error
            raise
        self.digest.update(data)
        self.size += len(data)
        return len(data)
