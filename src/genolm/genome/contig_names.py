"""Contigs under other names: with or without ``chr``, ``MT`` and ``M``, another case, accessions without version."""

from __future__ import annotations

import re
from collections.abc import Iterable

from genolm.errors import InputError

_VERSION = re.compile(r"\.\d+$")


class ContigNames:
    """The names of a file's contigs, looked up by whatever name another file has for them.

    The exact name always comes first. Without one, ``1``, ``chr1`` and ``CHR1`` mean the same contig, and so do ``M``,
    ``MT``, ``chrM`` and ``chrMT``. Last, an accession without its version means the one with it, and the other way
    round (``NC_000908`` and ``NC_000908.2``); two different versions are two different sequences.

    Args:
        names: the names that the file has.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._exact = dict.fromkeys(names)
        self._aliases: dict[str, list[str]] = {}
        self._accessions: dict[str, list[str]] = {}
        for name in self._exact:
            alias = contig_alias(name)
            self._aliases.setdefault(alias, []).append(name)
            self._accessions.setdefault(_VERSION.sub("", alias), []).append(name)

    def candidates(self, name: str) -> tuple[str, ...]:
        """Return the contigs that a name can mean: none, one, or several when it is ambiguous."""
        if name in self._exact:
            return (name,)
        alias = contig_alias(name)
        if alias in self._aliases:
            return tuple(self._aliases[alias])
        bare = _VERSION.sub("", alias)
        versions = self._accessions.get(bare, [])
        return tuple(versions) if bare == alias else tuple(one for one in versions if contig_alias(one) == bare)

    def find(self, name: str) -> str | None:
        """Return the contig that a name means, or None if the file has none.

        Raises:
            InputError: the name can mean several contigs.
        """
        found = self.candidates(name)
        if len(found) > 1:
            raise InputError(f"could be any of the contigs {', '.join(found)}", value=name)
        return found[0] if found else None


def contig_alias(name: str) -> str:
    """Return what 22, chr22 and CHR22, or MT, M and chrM have in common: ``22``, ``m``."""
    short = name.lower().removeprefix("chr")
    return "m" if short == "mt" else short
