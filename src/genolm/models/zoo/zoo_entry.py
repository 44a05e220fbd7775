"""One line of the zoo: a model that genolm knows by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from genolm.errors import ModelError
from genolm.models.card import Card
from genolm.models.networks.network_config import NetworkConfig
from genolm.tokens.bpe import BpeTokenizer, RunPolicy
from genolm.tokens.tokenizer import Tokenizer

AnyTokenizer = TypeVar("AnyTokenizer", bound=Tokenizer)


@dataclass(frozen=True, slots=True)
class Entry:
    """A named model; one of ``hub_id``, ``seed``, ``folder`` and ``megatron_only`` says where its weights come from.

    Attributes:
        card: what to know before using it.
        config: its shape; None where the folder says it.
        vocabulary: file of byte-pair tokens, inside this package, of weights made in memory; None for single bases.
        hub_id: repository on the Hugging Face hub.
        mirrors: other repositories with the same files.
        seed: seed of random weights, made in memory.
        folder: weights inside this package.
        runs_of_n: how its byte-pair tokenizer reads runs of N, which its files do not say; None for what they say.
        bases_per_token: mean bases of a token in the sequence it was made for, which its files do not say; 0 for what
            they say.
        megatron_only: published as a checkpoint of Megatron, which has to be converted before it is used.
    """

    card: Card
    config: NetworkConfig | None = None
    vocabulary: Path | None = None
    hub_id: str | None = None
    mirrors: tuple[str, ...] = ()
    seed: int | None = None
    folder: Path | None = None
    runs_of_n: RunPolicy | None = None
    bases_per_token: float = 0.0
    megatron_only: bool = False

    @property
    def name(self) -> str:
        """The name that :func:`genolm.load` takes."""
        return self.card.name

    def is_at(self, hub_id: str) -> bool:
        """Whether its files are those of a repository on the hub, in whatever case that is written."""
        return hub_id.lower() in {place.lower() for place in (self.hub_id, *self.mirrors) if place is not None}

    def told(self, tokenizer: AnyTokenizer) -> AnyTokenizer:
        """The tokenizer of its files, told what they do not say."""
        if not isinstance(tokenizer, BpeTokenizer):
            return tokenizer
        settings: dict[str, Any] = {"n": self.runs_of_n, "bases_per_token": self.bases_per_token}
        return replace(tokenizer, **{name: value for name, value in settings.items() if value})

    def installed_folder(self) -> Path:
        """The folder inside this package that holds the weights.

        Raises:
            ModelError: this installation was made without them.
        """
        if self.folder is None or not (self.folder / "config.json").is_file():
            raise ModelError(f"{self.name}: its weights are not part of this installation ({self.folder} is empty)")
        return self.folder

    def refuse_unconverted(self) -> None:
        """Say how to get a model that is published in a form which cannot be loaded.

        Raises:
            ModelError: this is such a model.
        """
        if self.megatron_only:
            raise ModelError(
                f"{self.name}: published as a Megatron checkpoint only, which is not downloaded from here. Get it from"
                f" its authors, then genolm convert CHECKPOINT OUT --from megatron --like {self.name} --to genolm, and"
                " use the folder OUT"
            )
