"""The check of generated sequences that `generate` can run afterwards."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genolm.engine.interrupt import Interrupted, stoppable
from genolm.engine.parts import PartsFolder
from genolm.engine.target import check_target
from genolm.errors import InputError, RunError
from genolm.genome.labelled.fragments import as_paths
from genolm.remedies import Remedy
from genolm.tasks.generation.check_generated import check, check_packages


@dataclass(frozen=True, slots=True)
class FollowUpCheck:
    """A check to run after generation, or none.

    Attributes:
        generated: FASTA file that generation writes; None for no check.
        folder: output folder of the report; None for no check.
        natural: natural genomes.
        training: genomes that novelty is measured against; empty for the natural genomes.
        overwrite: whether to replace an earlier report.
    """

    generated: Path | None
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
    ) -> FollowUpCheck:
        """Plan the check; fail now if it would fail after generation.

        Raises:
            InputError: there is no complete output to check, a file does not exist, or training genomes are given
                without natural ones.
            RunError: the report exists, or the resumed run had finished and only its check was interrupted: the check
                is run again by its own command.
            GenolmError: a package that the check needs is not installed.
        """
        genomes, training_genomes = as_paths(natural), as_paths(training)
        if training_genomes and not genomes:
            raise InputError(
                "training genomes are compared only in a check with natural genomes",
                code="missing-argument",
                remedy=Remedy("check"),
            )
        if not genomes:
            return cls(None, None, (), (), overwrite)
        if out is None or shard is not None:
            raise InputError(
                "a check needs the complete output: a file, and no shard",
                code="inapplicable-argument",
                remedy="run `genolm check` after merging",
            )
        for path in (*genomes, *training_genomes):
            if not path.is_file():
                raise InputError("no such file", file=path, code="file-not-found")
        folder = out.with_name(f"{out.name}.check")
        check_target(folder, overwrite=overwrite)
        check_packages()
        planned = cls(out, folder, genomes, training_genomes, overwrite)
        if resume and not overwrite and out.exists() and PartsFolder.of(out).manifest() is None:
            raise RunError(planned._interrupted_message())
        return planned

    def run(self) -> None:
        """Check the written output of generation.

        Raises:
            Interrupted: Ctrl-C or SIGTERM; the message has the command that runs the check alone.
        """
        if self.generated is None:
            return
        try:
            with stoppable():
                check(
                    self.generated,
                    self.folder,
                    reference=self.natural,
                    training=self.training,
                    overwrite=self.overwrite,
                )
        except KeyboardInterrupt:
            raise Interrupted(self._interrupted_message()) from None

    def _interrupted_message(self) -> str:
        options = [("--reference", path) for path in self.natural] + [("--training", path) for path in self.training]
        words = ["genolm", "check", self.generated, self.folder, *(word for option in options for word in option)]
        words += ["--overwrite"] if self.overwrite else []
        command = shlex.join(map(str, words))
        return f"{self.generated} is complete, but its check was not run; to run it: {command}"
