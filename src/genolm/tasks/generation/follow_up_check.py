"""The check of generated sequences that `generate` was asked to make when it is done."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genolm.engine.interrupt import Interrupted, stoppable
from genolm.engine.parts import PartsFolder
from genolm.engine.target import check_target
from genolm.errors import InputError, RunError
from genolm.genome.labelled.fragments import listed
from genolm.tasks.generation.check_generated import check_generated, check_packages


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
        resume: bool,
    ) -> FollowingCheck:
        """The check, refused beforehand where it would fail when all is generated.

        Raises:
            InputError: no whole output to check, a file that is not there, training genomes without natural ones.
            RunError: the report exists, or a run that was stopped in its check is resumed: the check starts anew, by a
                command of its own.
            GenolmError: a package that the check needs is not installed.
        """
        genomes, learned = listed(natural), listed(training)
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
        planned = cls(folder, genomes, learned, overwrite)
        if resume and not overwrite and out.exists() and PartsFolder.of(out).manifest() is None:
            raise RunError(planned._left(out))
        return planned

    def after(self, result: Any) -> Any:
        """Writes the report of what was written, and gives that back.

        Raises:
            Interrupted: on Ctrl-C or SIGTERM; the text holds the command that makes the check alone.
        """
        if self.folder is None:
            return result
        try:
            with stoppable():
                check_generated(
                    result, self.natural, self.folder, training=self.training or None, overwrite=self.overwrite
                )
        except KeyboardInterrupt:
            raise Interrupted(self._left(result)) from None
        return result

    def _left(self, out: Path) -> str:
        named = [("--reference", path) for path in self.natural] + [("--training", path) for path in self.training]
        told = ["genolm", "check", out, *(word for pair in named for word in pair), "--out", self.folder]
        command = shlex.join([*map(str, told), *(["--overwrite"] if self.overwrite else [])])
        return f"{out} is whole and its check is not made yet; {command} makes it"
