"""The errors a user can meet, each with the exit code its command ends with."""

from __future__ import annotations

from pathlib import Path


class GenolmError(Exception):
    """Root of every error that genolm raises on purpose.

    Attributes:
        exit_code: what the command line exits with (usage errors are 2, Ctrl-C is 130).
    """

    exit_code = 1


class InputError(GenolmError):
    """Data that cannot be used: a malformed file, a wrong value, a coordinate off its contig.

    The message reads ``file:line: what is wrong (value 'x')``; parts that are unknown are left out.

    Args:
        message: what is wrong and, where there is one thing to do, what to do.
        file: the file in which it stands.
        line: 1-based line in that file.
        value: the offending value as it was read.
    """

    exit_code = 3

    def __init__(
        self, message: str, *, file: str | Path | None = None, line: int | None = None, value: object = None
    ) -> None:
        self.message, self.file, self.line, self.value = message, file, line, value
        super().__init__(self._text())

    def _text(self) -> str:
        file = "standard input" if str(self.file) == "-" else self.file
        place = ":".join(str(part) for part in (file, self.line) if part is not None)
        shown = "" if self.value is None else f" (value {_short(self.value)})"
        return f"{place}: {self.message}{shown}" if place else f"{self.message}{shown}"


def _short(value: object, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class ModelError(GenolmError):
    """A model that cannot be found, does not fit its config, or cannot do what is asked of it."""

    exit_code = 4


class NonFiniteError(ModelError):
    """A model whose numbers are NaN or infinite: its precision overflows, or its weights are damaged.

    Args:
        model: name of the model, and the precision that it computes in.
        remedy: what to do about it.
        row: number of the sequence concerned in its batch, from 0.
        part: number of the place concerned among those asked about in that sequence, from 0.
        subject: the sequence or site, in words; None where it is not known yet.
    """

    def __init__(self, model: str, remedy: str, *, row: int = 0, part: int = 0, subject: str | None = None) -> None:
        self.model, self.remedy, self.row, self.part, self.subject = model, remedy, row, part, subject
        place = f"sequence {row + 1} of a batch" if subject is None else subject
        super().__init__(f"{model} gives numbers that are not finite (NaN or infinity) for {place}: {remedy}")

    def about(self, subject: str) -> NonFiniteError:
        """Return the same error with the sequence or site in words."""
        return NonFiniteError(self.model, self.remedy, row=self.row, part=self.part, subject=subject)


class RunError(GenolmError):
    """A bulk run that must not go on: the output exists, the manifest differs, parts are missing."""

    exit_code = 5


class ResourceError(GenolmError):
    """Not enough memory or disk; what was finished stays usable."""

    exit_code = 6


class NetworkError(GenolmError):
    """A download that failed or did not match its checksum."""

    exit_code = 7


class DataWarning(UserWarning):
    """Input that was read without an error but is probably not what was meant, or a result that many items lack."""
