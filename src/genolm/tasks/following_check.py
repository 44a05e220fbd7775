"""The check of generated sequences that `generate` was asked to make when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genolm.engine.target import check_target
from genolm.errors import InputError
from genolm.tasks.generated_check import check_generated, check_packages


@dataclass(frozen=True, slots=True)
class FollowingCheck:
    """What is checked beside what; nothing where no check was asked for.

    Attributes:
        folder: where the report goes; None for no check.
        natural: natural genomes.
        training: what novelty is measured against; none for the natural genomes.
        overwrite: whether an earlier report is replaced.
    """

    folder: Path | None
    natural: tuple[Path, ...]
    training: tuple[Path, ...]
    overwrite: bool

    @classmethod
    def planned(
        cls,
        out: Path | None,
        natural: Path | str | Sequence[Path | str],
        training: Path | str | Sequence[Path | str],
        shard: object,
        *,
        overwrite: bool,
    ) -> FollowingCheck:
        """The check, refused beforehand where it would fail when all is generated.

        Raises:
            InputError: no whole output to check, a file that is not there, training genomes without natural ones.
            RunError: the report exists.
            GenolmError: a package that the check needs is not installed.
        """
        genomes, learned = _listed(natural), _listed(training)
        if learned and not genomes:
            raise InputError("what novelty is measured against belongs to a check: name natural genomes too (--check)")
        if not genomes:
            return cls(None, (), (), overwrite)
        if out is None or shard is not None:
            raise InputError("a check reads the whole output: give one and no shard, or run genolm check after merging")
        for path in (*genomes, *learned):
            if not path.is_file():
                raise InputError("no such file", file=path)
        folder = out.with_name(f"{out.name}.check")
        check_target(folder, overwrite=overwrite)
        check_packages()
        return cls(folder, genomes, learned, overwrite)

    def after(self, result: Any) -> Any:
        """Writes the report of what was written, and gives that back."""
        if self.folder is not None:
            check_generated(result, self.natural, self.folder, training=self.training or None, overwrite=self.overwrite)
        return result


def _listed(given: Path | str | Sequence[Path | str]) -> tuple[Path, ...]:
    return (Path(given),) if isinstance(given, str | Path) else tuple(map(Path, given))
