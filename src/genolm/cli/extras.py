"""The extras of the installed package, as its metadata lists them, and what each still lacks."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement

from genolm.errors import GenolmError

PACKAGE = "genolm"
NOT_FOR_USERS = frozenset({"all", "dev", "docs", "studies"})
"""Extras that no verb needs: the sum of the others, and those of genolm's developers."""


def extras_for_users() -> list[str]:
    """Return the names of the extras that verbs need, in alphabetical order."""
    return sorted(set(metadata(PACKAGE).get_all("Provides-Extra") or ()) - NOT_FOR_USERS)


def required_by(extra: str) -> Iterator[Requirement]:
    """Yield the packages that an extra adds to those of genolm itself, those of extras within it included."""
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


def lacking(extra: str) -> list[str]:
    """Return what an extra lacks, such as ``logomaker`` or ``zarr>=2.18 (2.10 is installed)``."""
    return [problem for requirement in required_by(extra) if (problem := _problem(requirement))]


def require_extra(extra: str, what: str) -> None:
    """Raise `GenolmError`, saying how to install the extra, where ``what`` needs it and it is not complete."""
    if missing := lacking(extra):
        raise GenolmError(f"{what} needs {', '.join(missing)}: {installing(extra)}")


def installing(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install '{PACKAGE}[{extra}]'"


def _problem(requirement: Requirement) -> str | None:
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return requirement.name
    if requirement.specifier.contains(found, prereleases=True):
        return None
    return f"{requirement.name}{requirement.specifier} ({found} is installed)"
