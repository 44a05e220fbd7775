"""One kind of unusual input that must work: what to type, and what the output must hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.bad_inputs.case import MODEL

__all__ = ["MODEL", "Unusual"]


@dataclass(frozen=True, slots=True)
class Unusual:
    """Input that looks wrong, or is rare, and that genolm must read correctly.

    Attributes:
        kind: what is unusual, in the words of the documentation; unique.
        command: what is typed after ``genolm``, in a folder that has the files named here and the good ones that the
            command names (genome.fa, good.fa, variants.vcf.gz, regions.bed, model).
        outcome: what genolm does with it, in the words of the documentation.
        check: asserts on the folder that the outcome is right; gets the folder after the command.
        files: the unusual files by name; None makes a folder.
        make: whatever else it takes to make the input unusual.
        warning: text that standard error must contain; empty where nothing needs to be said.
        before: commands that run first and succeed.
        environment: variables for the command.
        unprivileged: run without the rights of root.
    """

    kind: str
    command: str
    outcome: str
    check: Callable[[Path], None]
    files: Mapping[str, str | bytes | None] = field(default_factory=dict)
    make: Callable[[Path], object] | None = None
    warning: str = ""
    before: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    unprivileged: bool = False

    def __str__(self) -> str:
        return self.kind
