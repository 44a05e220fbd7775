"""One kind of bad input: what to type, what is said, and what may be left on the disk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MODEL = "tiny-random-dense"


@dataclass(frozen=True, slots=True)
class Case:
    """A wrong file or argument and what a user sees of it.

    Nothing that was there may change, and nothing may be new.

    Attributes:
        kind: what is wrong, in the words of the documentation; unique.
        command: what is typed after ``genolm``, in a folder that has the files named here and the good ones that the
            command names (genome.fa, variants.vcf.gz, regions.bed, model).
        message: all of standard error, without ``error: `` (of a usage error: the last line, without ``Error: ``).
        code: exit code.
        files: bad files by name; None makes a folder.
        make: whatever else it takes to make the folder bad.
        before: commands that run first and succeed.
        environment: variables for the command.
        hidden: packages that seem not to be installed.
        unprivileged: run without the rights of root.
    """

    kind: str
    command: str
    message: str
    code: int
    files: Mapping[str, str | bytes | None] = field(default_factory=dict)
    make: Callable[[Path], object] | None = None
    before: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    unprivileged: bool = False

    def __str__(self) -> str:
        return self.kind

    @property
    def stderr(self) -> str:
        """All of standard error, the usage lines of a usage error left out."""
        return f"Error: {self.message}\n" if self.code == 2 else f"error: {self.message}\n"
