"""An entry of the zoo: a model that genolm knows by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from genolm.errors import ModelError
from genolm.models.card import Card
from genolm.models.model_files import CONFIG
from genolm.models.networks.network_config import NetworkConfig
from genolm.tokens.bpe import BpeTokenizer, RunPolicy
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import Tokenizer

AnyTokenizer = TypeVar("AnyTokenizer", bound=Tokenizer)


@dataclass(frozen=True, slots=True)
class Entry:
    """A named model. One of ``hub_id``, ``seed``, ``folder`` and ``megatron_only`` gives the origin of its weights.

    Attributes:
        card: its card.
        config: its network; None if the folder states it.
        vocabulary: file of byte-pair tokens inside this package, for random weights; None for single bases.
        hub_id: repository on the Hugging Face hub.
        mirrors: other repositories with the same files.
        seed: random seed of weights that are made in memory.
        folder: folder with weights inside this package.
        runs_of_n: how its byte-pair tokenizer reads runs of N, if its files do not say.
        bases_per_token: mean bases per token in its training sequence, if its files do not say; else 0.
        megatron_only: published as a Megatron checkpoint, which must be converted before use.
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
        """Name for :func:`genolm.load`."""
        return self.card.name

    @property
    def repositories(self) -> set[str]:
        """Repositories on the hub with the files of this model, in lower case."""
        return {name.lower() for name in (self.hub_id, *self.mirrors) if name is not None}

    def random_tokenizer(self) -> Tokenizer:
        """Return the tokenizer of random weights."""
        return NucleotideTokenizer() if self.vocabulary is None else BpeTokenizer.read(self.vocabulary)

    def with_settings(self, tokenizer: AnyTokenizer) -> AnyTokenizer:
        """Return the tokenizer with the settings that its files do not state."""
        if not isinstance(tokenizer, BpeTokenizer):
            return tokenizer
        settings: dict[str, Any] = {"n": self.runs_of_n, "bases_per_token": self.bases_per_token}
        return replace(tokenizer, **{name: value for name, value in settings.items() if value})

    def installed_folder(self) -> Path:
        """Return the folder inside this package that holds the weights.

        Raises:
            ModelError: this installation has no weights.
        """
        if self.folder is None or not (self.folder / CONFIG).is_file():
            raise ModelError(f"{self.name}: its weights are not part of this installation ({self.folder} is empty)")
        return self.folder

    def refuse_unconverted(self) -> None:
        """Explain how to get a model that is published only as a Megatron checkpoint.

        Raises:
            ModelError: this is such a model.
        """
        if self.megatron_only:
            raise ModelError(
                f"{self.name}: published only as a Megatron checkpoint, which genolm does not download. Get it from its"
                f" authors, convert it (genolm convert CHECKPOINT OUT --from megatron --like {self.name} --to genolm)"
                " and use the folder OUT"
            )
