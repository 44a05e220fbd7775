"""One line of the zoo: a model that genolm knows by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from genolm.errors import ModelError
from genolm.models.card import Card
from genolm.models.network_config import NetworkConfig
from genolm.tokens.bpe import RunPolicy


@dataclass(frozen=True, slots=True)
class Entry:
    """A named model; exactly one of the fields after ``vocabulary`` says where its weights come from.

    Attributes:
        card: what to know before using it.
        config: its shape; None where the folder says it.
        vocabulary: file of byte-pair tokens, inside this package, of weights made in memory; None for single bases.
        hub_id: repository on the Hugging Face hub.
        seed: seed of random weights, made in memory.
        folder: weights inside this package.
        runs_of_n: how its byte-pair tokenizer reads runs of N, where its files do not say.
        megatron_only: published as a checkpoint of Megatron, which has to be converted before it is used.
    """

    card: Card
    config: NetworkConfig | None = None
    vocabulary: Path | None = None
    hub_id: str | None = None
    seed: int | None = None
    folder: Path | None = None
    runs_of_n: RunPolicy | None = None
    megatron_only: bool = False

    @property
    def name(self) -> str:
        """The name that :func:`genolm.load` takes."""
        return self.card.name

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
