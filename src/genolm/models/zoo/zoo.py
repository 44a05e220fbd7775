"""The models that genolm knows by name: configs, cards, and where their weights come from."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from genolm.errors import ModelError
from genolm.models.card import Card
from genolm.models.zoo.gena_entries import GENA
from genolm.models.zoo.genomeocean_entries import OCEAN
from genolm.models.zoo.genos_entries import GENOS
from genolm.models.zoo.tiny_entries import TINY
from genolm.models.zoo.zoo_entry import Entry as Entry

WEIGHTS = Path(__file__).parent / "weights"

_NANO = Card(
    name="genolm-nano", family="genolm", licence="Apache-2.0", source="shipped with genolm, trained by its own recipe"
)
_ENTRIES = (Entry(_NANO, folder=WEIGHTS / "genolm-nano"), *GENOS, *GENA, *OCEAN, *TINY)
ZOO: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def entry(name: str) -> Entry:
    """The zoo's entry of ``name``; upper and lower case are the same.

    Raises:
        ModelError: no such name; the message says which one was probably meant.
    """
    found = ZOO.get(name.lower())
    if found is None:
        close = get_close_matches(name.lower(), ZOO, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        known = "genolm models lists the names; a folder or a hub id ORGANISATION/NAME will do as well"
        raise ModelError(f"no model named {name!r}: {meant}{known}")
    return found
