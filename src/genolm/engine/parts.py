"""Folder of a run, ``OUT.parts``: a manifest and, for every finished part, its rows and a seal.

The seal is a small JSON file written after the rows, with their SHA-256 and the id of the run. A part without a
matching seal was interrupted by a crash and is computed again.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from genolm.engine.compute_settings import ComputeSettings
from genolm.engine.fingerprint import SCHEMA, changes
from genolm.engine.plan import Plan
from genolm.errors import RunError
from genolm.files.atomic import atomic_file, write_text
from genolm.files.digests import file_sha256
from genolm.remedies import Remedy

if TYPE_CHECKING:
    import polars as pl

MANIFEST = "manifest.json"
_OPTIONS = ("overwrite", "keep_parts")
ASSEMBLING = "assembling"  # marks that an existing output was written by this run


class PartState(Enum):
    """State of a part on disk."""

    READY = "ready"
    MISSING = "missing"
    TORN = "torn"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Identity of a run.

    Attributes:
        task: settings of the task (:func:`genolm.engine.settings.write_settings`).
        fingerprint: everything that determines the output (:func:`genolm.engine.fingerprint.fingerprint`).
        compute: settings of the computation.
        plan: division into parts.
        token_budget: requested tokens of a batch, None for the default; a resumed run uses the same unless another one
            is requested.
        overwrite: whether the run may replace an existing output.
        keep_parts: whether the parts stay when the output is complete.
    """

    task: dict[str, Any]
    fingerprint: dict[str, Any]
    compute: ComputeSettings
    plan: Plan
    token_budget: int | None
    overwrite: bool
    keep_parts: bool = False

    @property
    def run_id(self) -> str:
        """SHA-256 of fingerprint, settings and plan; in every seal, so that parts of two runs are never mixed.

        Without the kernels: a run has one selection, but shards on separate machines each have their own.
        """
        compute = {name: value for name, value in self.compute.to_json().items() if name != "kernels"}
        text = json.dumps([self.fingerprint, compute, self.plan.to_json()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def changes(self, now: Manifest) -> list[str]:
        """Describe the differences between two runs; empty if they are the same."""
        differences = changes(self.fingerprint, now.fingerprint) + self.compute.changes(now.compute)
        return differences or (["items of the input"] if self.plan != now.plan else [])

    def to_json(self) -> str:
        """Return the manifest as readable JSON."""
        values = {name: getattr(self, name) for name in ("task", "fingerprint", "token_budget", *_OPTIONS)}
        nested = {"compute": self.compute.to_json(), "plan": self.plan.to_json()}
        return json.dumps({**values, **nested}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Manifest:
        """Return the manifest whose JSON values :meth:`to_json` wrote."""
        nested = {"compute": ComputeSettings.from_json(values["compute"]), "plan": Plan.from_json(values["plan"])}
        return cls(**{**values, **nested})


@dataclass(frozen=True, slots=True)
class PartsFolder:
    """Manifest and parts of one run on disk."""

    path: Path

    @classmethod
    def of(cls, out: Path) -> PartsFolder:
        """Return the folder of an output: ``OUT.parts``."""
        return cls(out.with_name(f"{out.name}.parts"))

    @property
    def has_parts(self) -> bool:
        """Whether the folder contains any part, complete or not."""
        return any(self.path.glob("part-*"))

    def manifest(self) -> Manifest | None:
        """Return the manifest; None if no run was started here.

        Raises:
            RunError: the file is not a manifest, or its format version is not supported.
        """
        path = self.path / MANIFEST
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            _check_schema(values["fingerprint"]["schema"], path)
            return Manifest.from_json(values)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise RunError(
                f"{path}: not a manifest of genolm ({error})",
                code="damaged-parts",
                remedy=Remedy("overwrite", True, "start over"),
            ) from None

    def clear(self) -> None:
        """Remove manifest, parts and leftovers of killed writers; the caller must hold the folder's exclusive lock."""
        for pattern in ("part-*", ".partial-*", MANIFEST, ASSEMBLING):
            for path in self.path.glob(pattern):
                path.unlink()

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest."""
        write_text(self.path / MANIFEST, manifest.to_json())

    def complete(self) -> None:
        """Mark the run as complete: its parts stay, but they no longer allow an output to be replaced."""
        manifest = self.manifest()
        if manifest is not None:
            self.write_manifest(replace(manifest, overwrite=False, keep_parts=True))
        (self.path / ASSEMBLING).unlink(missing_ok=True)

    def copy(self, number: int, source: PartsFolder) -> None:
        """Copy one part, then its seal, from another folder of the same run."""
        for path, copied in ((self.rows_path, source.rows_path), (self.seal_path, source.seal_path)):
            with atomic_file(path(number)) as partial:
                shutil.copyfile(copied(number), partial)

    def write(self, number: int, frame: pl.DataFrame, run_id: str) -> int:
        """Write one part, then its seal; return the size of the rows in bytes.

        Raises:
            ResourceError: the disk is full; no partial file remains.
        """
        with atomic_file(self.rows_path(number)) as partial, partial.open("wb") as file:
            writer = _Digesting(file)
            writer.write_frame(frame)
        seal = {"run": run_id, "rows": frame.height, "sha256": writer.digest.hexdigest()}
        write_text(self.seal_path(number), json.dumps(seal))
        return writer.size

    def state(self, number: int, run_id: str) -> PartState:
        """Verify that the part is complete and belongs to this run (reads it fully)."""
        rows, seal = self.rows_path(number), self.seal_path(number)
        if not rows.exists() and not seal.exists():
            return PartState.MISSING
        try:
            digest = file_sha256(rows)
            values = json.loads(seal.read_text(encoding="utf-8"))
            complete = values["run"] == run_id and values["sha256"] == digest
        except (OSError, ValueError, KeyError, TypeError):
            complete = False
        return PartState.READY if complete else PartState.TORN

    def ready(self, numbers: Iterable[int], run_id: str) -> frozenset[int]:
        """Return the parts that are complete and belong to this run."""
        return frozenset(number for number in numbers if self.state(number, run_id) is PartState.READY)

    def missing(self, plan: Plan) -> tuple[int, ...]:
        """Return the parts without a seal; the others are not verified."""
        return tuple(number for number in range(plan.parts) if not self.seal_path(number).exists())

    def read(self, number: int) -> pl.DataFrame:
        """Return the rows of one part."""
        import polars as pl

        return pl.read_parquet(self.rows_path(number), glob=False, memory_map=False)

    def frames(self, plan: Plan) -> Iterator[pl.DataFrame]:
        """Yield the rows of all parts in order, one part in memory at a time."""
        return (self.read(number) for number in range(plan.parts))

    def rows_path(self, number: int) -> Path:
        """Return the path of a part's rows."""
        return self.path / f"part-{number:05d}.parquet"

    def seal_path(self, number: int) -> Path:
        """Return the path of a part's seal."""
        return self.path / f"part-{number:05d}.json"


def _check_schema(schema: object, path: Path) -> None:
    """Raise an error if this version of genolm cannot read parts of this format."""
    if schema == SCHEMA:
        return
    if schema == 1:
        reason = "written by genolm 0.1, which named tasks by Python modules that have since moved"
        remedy = "resume or merge this run with genolm 0.1"
    else:
        reason = f"format {schema}, but this version of genolm reads format {SCHEMA}"
        remedy = "resume or merge this run with the genolm that started it"
    raise RunError(f"{path}: {reason}", code="other-version", remedy=(remedy, Remedy("overwrite", True, "start over")))


class _Digesting(io.RawIOBase):
    """Writer that computes a digest, and keeps the error of a failed write, which polars would convert to text."""

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
