"""Errors and warnings, with the exit code of each error on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


class GenolmError(Exception):
    """Base class of all errors that genolm raises on purpose.

    Attributes:
        exit_code: exit code of the command line (usage errors exit with 2, Ctrl-C with 130).
    """

    exit_code = 1

    def __reduce__(self) -> tuple[Callable[..., GenolmError], tuple[object, ...]]:
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[GenolmError], args: tuple[object, ...], state: dict[str, object]) -> GenolmError:
    """Return an error from its pickled state; the constructor of its class may have any signature."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InputError(GenolmError):
    """Invalid input: a malformed file, an invalid value, a coordinate beyond its contig.

    The message has the form ``file:line: problem (value 'x')``; unknown parts are omitted.

    Args:
        message: the problem and, where possible, the remedy.
        file: the file with the problem.
        line: 1-based line in that file.
        value: the invalid value as it was read.
    """

    exit_code = 3

    def __init__(
        self, message: str, *, file: str | Path | None = None, line: int | None = None, value: object = None
    ) -> None:
        self.message, self.file, self.line, self.value = message, file, line, value
        super().__init__(self._text())

    def _text(self) -> str:
        file = "standard input" if str(self.file) == "-" else self.file
        location = ":".join(str(part) for part in (file, self.line) if part is not None)
        value = "" if self.value is None else f" (value {_short(self.value)})"
        return f"{location}: {self.message}{value}" if location else f"{self.message}{value}"


def _short(value: object, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class ModelError(GenolmError):
    """A model that cannot be found, does not match its config, or does not support the request."""

    exit_code = 4


class NonFiniteError(ModelError):
    """Model outputs that are NaN or infinite: the precision overflows, or the weights are damaged.

    Args:
        model: name of the model and its precision.
        remedy: suggested remedy.
        row: index of the affected sequence in its batch, 0-based.
        part: index of the affected position among those requested in that sequence, 0-based.
        subject: description of the sequence or site; None if it is not known yet.
    """

    def __init__(self, model: str, remedy: str, *, row: int = 0, part: int = 0, subject: str | None = None) -> None:
        self.model, self.remedy, self.row, self.part, self.subject = model, remedy, row, part, subject
        where = f"sequence {row + 1} of a batch" if subject is None else subject
        super().__init__(f"{model} gives numbers that are not finite (NaN or infinity) for {where}: {remedy}")

    def about(self, subject: str) -> NonFiniteError:
        """Return the same error with a description of the sequence or site."""
        return NonFiniteError(self.model, self.remedy, row=self.row, part=self.part, subject=subject)


class RunError(GenolmError):
    """A run that cannot start or continue: the output exists, the manifest differs, parts are missing."""

    exit_code = 5


class ResourceError(GenolmError):
    """Insufficient memory or disk space; finished parts remain usable."""

    exit_code = 6


class NetworkError(GenolmError):
    """A download that failed or does not match its checksum."""

    exit_code = 7
