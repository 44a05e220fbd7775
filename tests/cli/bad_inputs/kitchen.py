"""Folders with good and bad files in them, and commands run there as a user would."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.bad_inputs.case import MODEL, Case

GOOD = ("genome.fa", "good.fa", "variants.vcf.gz", "regions.bed", "model")
NOBODY = 65534


def stock(folder: Path) -> Path:
    """Makes one of each good file."""
    import genolm.tasks.score  # noqa: F401  nobody may be unable to read the folder that it lies in
    from genolm.genome.simulation.simulate import simulate
    from genolm.models.checkpoints.convert import convert

    simulate(folder, length=20_900, contigs=2)
    convert(MODEL, folder / "model")
    (folder / "good.fa").write_text("".join(f">read{number}\n{'ACGTTGCAAC' * 20}\n" for number in range(3)))
    return folder


def lay_out(case: Case, pantry: Path, folder: Path) -> None:
    """The good files that the case names, then its bad ones."""
    named = " ".join((case.command, *case.before, *(text for text in case.files.values() if isinstance(text, str))))
    for name in GOOD:
        if name in named.replace("/", " ").split() or f"[{name}]" in named:
            take(pantry, folder, name)
    for name, content in case.files.items():
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def take(pantry: Path, folder: Path, name: str) -> None:
    """Copies a good file, with its index."""
    if (pantry / name).is_dir():
        shutil.copytree(pantry / name, folder / name)
        return
    for index in ("", ".fai", ".tbi"):
        if (pantry / f"{name}{index}").exists():
            shutil.copy2(pantry / f"{name}{index}", folder)


def run(command: str) -> int:
    """Exit code of ``genolm COMMAND``, in this process."""
    from genolm.cli.main import app

    try:
        app(args=shlex.split(command), prog_name="genolm")
    except SystemExit as end:
        return int(end.code or 0)
    raise AssertionError("the command line must end with an exit code")


def listing(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its content, every folder with None."""
    places = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {name: _content(path) for name, path in sorted(places.items())}


def _content(path: Path) -> bytes | None:
    if path.is_dir():
        return None
    return b"" if path.suffix == ".lock" else path.read_bytes()  # a lock names the process that held it last


@contextmanager
def without_rights(folder: Path) -> Iterator[None]:
    """Runs the block as nobody when we are root, in a folder that nobody may write."""
    if os.getuid() != 0:
        yield
        return
    folder.chmod(0o777)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def hide(modules: tuple[str, ...], monkeypatch) -> None:
    """Lets packages seem not to be installed."""
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)


def plain(err: str, hub: str) -> str:
    """Standard error without what differs from machine to machine.

    Address of the test's hub, digests of random weights, and around usage errors the lines that say how to get help
    (which the parser words) and its ``Value error``, which some versions of it put there.
    """
    err = re.sub(r"\b[0-9a-f]{64}\b", "<sha256>", err.replace(hub, "https://huggingface.co"))
    err = re.sub(r"'[0-9a-f]{30,}…", "'<digest>…", err)
    if err.startswith("Usage: genolm"):
        usage, _, err = err.partition("\n\n")
        assert len(usage.splitlines()) == 2 and "for help" in usage
    return err.replace("Value error, ", "")
