"""Errors and warnings: classes with the exit code of the command line, stable codes and remedies."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from genolm.remedies import Advice, Notice, Remedy, Style, alternatives, with_advice

Code = Literal[
    "error", "missing-package",
    "invalid-input", "missing-argument", "inapplicable-argument", "file-not-found", "unreadable-file", "damaged-file",
    "unknown-format", "empty-input", "duplicate-name", "invalid-letter", "ambiguous-letter", "unknown-contig",
    "off-contig", "ref-mismatch",
    "invalid-model", "unknown-model", "model-not-found", "damaged-model", "other-model",
    "unsupported-by-model", "context-exceeded", "device-unavailable", "not-finite",
    "invalid-run", "output-exists", "foreign-output", "unwritable-output", "output-is-input", "parts-exist",
    "parts-missing", "damaged-parts", "no-run", "other-run", "other-version", "folder-in-use", "training-diverged",
    "cancelled",
    "insufficient-resources", "out-of-memory", "disk-full",
    "network", "offline", "request-refused", "checksum-mismatch",
]  # fmt: skip
"""Stable identifiers of problems; a code is never renamed, and a new one may refine that of a class."""

Json = str | int | float | bool | None | list[dict[str, Any]]

_Error = TypeVar("_Error", bound="GenolmError")
_LONGEST_VALUE = 60


class GenolmError(Exception):
    """Base class of all errors that genolm raises on purpose.

    The text has the form ``file:line: problem (value 'x'); remedy``; unknown parts are omitted. ``str`` writes the
    remedy as an argument in Python, the command line as an option. Errors can be pickled.

    Args:
        message: the problem, without file, value and remedy.
        file: the file with the problem.
        line: 1-based line in that file.
        value: the invalid value as it was read.
        code: stable identifier of the problem. Default: that of the class.
        remedy: what helps: an argument, advice in words, or several alternatives.

    Attributes:
        code: stable identifier of the problem, for programs; see the list of codes.
        remedy: alternatives, each an argument (`Remedy`) or advice in words; may be empty.
        exit_code: exit code of the command line (usage errors exit with 2, Ctrl-C with 130).
    """

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[Code] = "error"

    def __init__(
        self,
        message: str = "",
        *,
        file: str | Path | None = None,
        line: int | None = None,
        value: object = None,
        code: Code | None = None,
        remedy: Advice | Sequence[Advice] = (),
    ) -> None:
        super().__init__(message)
        self.message, self.file, self.line, self.value = message, file, line, value
        self.code: Code = code or self.default_code
        self.remedy = alternatives(remedy)

    def __str__(self) -> str:
        return self.written(Remedy.argument)

    def __reduce__(self) -> tuple[Callable[..., GenolmError], tuple[object, ...]]:
        return _restored, (type(self), self.args, {**self.__dict__, "value": _picklable(self.value)})

    def written(self, style: Style) -> str:
        """Return the text of the error, with arguments in the given form."""
        file = "standard input" if str(self.file) == "-" else self.file
        location = ":".join(str(part) for part in (file, self.line) if part is not None)
        problem = self.message if self.value is None else f"{self.message} (value {_short(self.value)})"
        return with_advice(f"{location}: {problem}" if location else problem, self.remedy, style)

    def at(self: _Error, *, file: str | Path | None = None, line: int | None = None, value: object = None) -> _Error:
        """Return the same error with its location, and with another value if one is given."""
        located = copy.copy(self)
        located.file, located.line = file, line
        located.value = self.value if value is None else value
        return located

    def to_json(self) -> dict[str, Json]:
        """Return code, message, file, line, value and remedy; long values are shortened.

        ``remedy`` is a list of alternatives: ``{"option": "overwrite", "value": true, "purpose": "replace it"}``, or
        ``{"text": "choose another folder"}``.
        """
        return {
            "code": self.code,
            "message": self.message,
            "file": None if self.file is None else str(self.file),
            "line": self.line,
            "value": _plain(self.value),
            "remedy": [{"text": one} if isinstance(one, str) else one.to_json() for one in self.remedy],
        }


class InputError(GenolmError):
    """Invalid input: a malformed file, an invalid value, a coordinate beyond its contig."""

    exit_code = 3
    default_code: ClassVar[Code] = "invalid-input"


class ModelError(GenolmError):
    """A model that cannot be found, does not match its config, or does not support the request."""

    exit_code = 4
    default_code: ClassVar[Code] = "invalid-model"


class NonFiniteError(ModelError):
    """Model outputs that are NaN or infinite: the precision overflows, or the weights are damaged.

    Args:
        model: name of the model and its precision.
        cause: likely cause, with its remedy.
        row: index of the affected sequence in its batch, 0-based.
        part: index of the affected position among those requested in that sequence, 0-based.
        subject: description of the sequence or site; None if it is not known yet.
    """

    default_code: ClassVar[Code] = "not-finite"

    def __init__(self, model: str, cause: Notice, *, row: int = 0, part: int = 0, subject: str | None = None) -> None:
        self.model, self.cause, self.row, self.part, self.subject = model, cause, row, part, subject
        where = f"sequence {row + 1} of a batch" if subject is None else subject
        text = f"{model} gives numbers that are not finite (NaN or infinity) for {where}: {cause.text}"
        super().__init__(text, remedy=cause.remedy)

    def about(self, subject: str) -> NonFiniteError:
        """Return the same error with a description of the sequence or site."""
        return NonFiniteError(self.model, self.cause, row=self.row, part=self.part, subject=subject)


class RunError(GenolmError):
    """A run that cannot start or continue: the output exists, the manifest differs, parts are missing."""

    exit_code = 5
    default_code: ClassVar[Code] = "invalid-run"


class ResourceError(GenolmError):
    """Insufficient memory or disk space; finished parts remain usable."""

    exit_code = 6
    default_code: ClassVar[Code] = "insufficient-resources"


class NetworkError(GenolmError):
    """A download that failed or does not match its checksum."""

    exit_code = 7
    default_code: ClassVar[Code] = "network"


class _Shown(str):
    """The short form of a value that cannot be pickled."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _restored(kind: type[_Error], args: tuple[object, ...], state: Mapping[str, object]) -> _Error:
    """Return an error from its pickled state; the constructor of its class may have any signature."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _picklable(value: object) -> object:
    try:
        pickle.dumps(value)
    except Exception:  # any object may refuse, in any way
        return _Shown(_short(value))
    return value


def _plain(value: object) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | int | float):
        return value
    return value if isinstance(value, str) and len(value) <= _LONGEST_VALUE else _short(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
