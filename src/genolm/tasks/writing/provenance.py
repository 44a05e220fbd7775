"""Where a result comes from: written into every artefact, and the same for the same run whenever it is made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from genolm.engine.summary import provenance_path
from genolm.files.version import __version__

if TYPE_CHECKING:
    from genolm.models.model import Model


_VERSION = "genolm_version"


class _WhenRead:
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
    """The model behind a result.

    Attributes:
        model: its name.
        fingerprint: sha256, in hex, of its config and weights as they were computed with; hashed when it is first read,
            so that a run without an output does not wait for it.
        precision: of the weights, as ``float32``.
        version: of genolm.
    """

    model: str
    fingerprint: _WhenRead = _WhenRead()  # a descriptor, not a default
    precision: str  # type: ignore[misc]  # mypy takes the descriptor for a default
    version: str  # type: ignore[misc]

    @classmethod
    def of(cls, model: Model) -> Provenance:
        """What there is to say about a model."""
        precision = str(model.dtype).removeprefix("torch.")
        return cls(model.card.name, lambda: model.fingerprint, precision, __version__)

    def described(self, **settings: object) -> dict[str, str]:
        """Name and text of everything to write down: the model's, then the task's own settings."""
        written = {_VERSION: self.version, "model": self.model, "model_fingerprint": self.fingerprint}
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
        return {**written, "precision": self.precision, **texts}

    def to_dict(self) -> dict[str, str]:
        """The four values."""
        return asdict(self)


def records_beside(out: Path) -> tuple[Path, ...]:
    """Return the file beside ``out`` that holds its provenance, where somebody else may have written it.

    None where genolm wrote the one that exists: such a record outlives its output where that alone is removed or
    renamed, and is replaced without a word.
    """
    path = provenance_path(out)
    return () if _is_ours(path) else (path,)


def _is_ours(path: Path) -> bool:
    try:
        return _VERSION in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


__all__ = ["Provenance", "provenance_path", "records_beside"]
