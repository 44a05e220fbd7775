"""Optional dependencies (extras) of the installed package, and which of them are missing."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement

from genolm.errors import GenolmError

PACKAGE = "genolm"
NOT_FOR_USERS = frozenset({"all", "dev", "docs", "studies"})
"""Extras that no command needs."""


def extras_for_users() -> list[str]:
    """Return the names of the extras that commands need, in alphabetical order."""
    return sorted(set(metadata(PACKAGE).get_all("Provides-Extra") or ()) - NOT_FOR_USERS)


def required_by(extra: str) -> Iterator[Requirement]:
    """Yield the requirements that an extra adds, including those of nested extras."""
    for text in requires(PACKAGE) or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or marker.evaluate({"extra": ""}) or not marker.evaluate({"extra": extra}):
            continue
        if requirement.name == PACKAGE:
            for inner in sorted(requirement.extras):
                yield from required_by(inner)
        else:
            yield requirement


def missing_packages(extra: str) -> list[str]:
    """Return the missing packages of an extra, e.g. ``logomaker`` or ``zarr>=2.18 (2.10 is installed)``."""
    return [problem for requirement in required_by(extra) if (problem := _problem(requirement))]


def require_extra(extra: str, feature: str) -> None:
    """Check that an extra is installed.

    Raises:
        GenolmError: packages are missing; the message names the feature that needs them and how to install them.
    """
    if missing := missing_packages(extra):
        raise GenolmError(f"{feature} needs {', '.join(missing)}: {install_command(extra)}", code="missing-package")


def install_command(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install '{PACKAGE}[{extra}]'"


def _problem(requirement: Requirement) -> str | None:
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return requirement.name
    if requirement.specifier.contains(installed, prereleases=True):
        return None
    return f"{requirement.name}{requirement.specifier} ({installed} is installed)"
