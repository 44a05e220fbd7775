"""Provenance of outputs: model, settings and versions, without anything that depends on time or place."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from genolm.engine.summary import provenance_path
from genolm.files.version import __version__

if TYPE_CHECKING:
    from genolm.models.model import Model


_VERSION = "genolm_version"


class _Lazy:
    """A field that is computed when it is first read: hashing the weights of a large model takes a minute."""

    def __get__(self, owner: Provenance | None, kind: type[Provenance]) -> str:
        if owner is None:
            raise AttributeError("fingerprint has no default")
        value = owner.__dict__["fingerprint"]
        if callable(value):
            value = owner.__dict__["fingerprint"] = value()
        return str(value)

    def __set__(self, owner: Provenance, value: str | Callable[[], str]) -> None:
        owner.__dict__["fingerprint"] = value


@dataclass(frozen=True)
class Provenance:
    """The model of a result.

    Attributes:
        model: name of the model.
        fingerprint: SHA-256, in hex, of its config and weights in their precision; computed when first read, so that a
            run without an output does not wait for it.
        precision: precision of the weights, such as ``float32``.
        version: version of genolm.
    """

    model: str
    fingerprint: _Lazy = _Lazy()  # a descriptor, not a default
    precision: str  # type: ignore[misc]  # mypy takes the descriptor for a default
    version: str  # type: ignore[misc]

    @classmethod
    def of(cls, model: Model) -> Provenance:
        """Return the provenance of a model."""
        precision = str(model.dtype).removeprefix("torch.")
        return cls(model.card.name, lambda: model.fingerprint, precision, __version__)

    @classmethod
    def weak(cls, model: Model) -> Provenance:
        """Return the provenance of a model without keeping it in memory; once it is gone, the fingerprint is empty."""
        reference = weakref.ref(model)

        def fingerprint() -> str:
            existing = reference()
            return "" if existing is None else existing.fingerprint

        return replace(cls.of(model), fingerprint=fingerprint)

    def entries(self, **settings: object) -> dict[str, str]:
        """Return the entries of a provenance record by name: those of the model, then the settings of the task."""
        model = {_VERSION: self.version, "model": self.model, "model_fingerprint": self.fingerprint}
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
        return {**model, "precision": self.precision, **texts}

    def to_dict(self) -> dict[str, str]:
        """Return the four values by name."""
        return asdict(self)


def provenance_files(out: Path) -> tuple[Path, ...]:
    """Return the provenance file of ``out``, unless an existing file was written by genolm.

    Such a file can outlive its output and may be replaced; a file of another origin must not be.
    """
    path = provenance_path(out)
    return () if _is_ours(path) else (path,)


def _is_ours(path: Path) -> bool:
    try:
        return _VERSION in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


__all__ = ["Provenance", "provenance_files", "provenance_path"]
