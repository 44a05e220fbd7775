"""The models that genolm knows by name: configs, cards, and where their weights come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from genolm.errors import ModelError
from genolm.models.card import Card
from genolm.models.config import DecoderConfig
from genolm.models.gengram_config import GengramConfig

WEIGHTS = Path(__file__).parent / "weights"
MILLION_BASES = 1_048_576


@dataclass(frozen=True, slots=True)
class Entry:
    """A named model; exactly one of the fields after ``config`` says where its weights come from.

    Attributes:
        card: what to know before using it.
        config: its shape; None where the folder says it.
        hub_id: repository on the Hugging Face hub.
        seed: seed of random weights, made in memory.
        folder: weights inside this package.
        megatron_only: published as a checkpoint of Megatron, which has to be converted before it is used.
    """

    card: Card
    config: DecoderConfig | None = None
    hub_id: str | None = None
    seed: int | None = None
    folder: Path | None = None
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


_SMALL_GENOS = DecoderConfig(
    vocab_size=128,
    hidden_size=1024,
    num_layers=12,
    num_heads=16,
    num_kv_heads=8,
    head_dim=64,
    ffn_size=4096,
    num_experts=8,
    experts_per_token=2,
    rope_theta=5e7,
    max_positions=MILLION_BASES,
    initial_std=0.01,
)
_LARGE_GENOS = DecoderConfig(
    vocab_size=256,
    hidden_size=4096,
    num_layers=12,
    num_heads=16,
    num_kv_heads=8,
    head_dim=256,
    ffn_size=8192,
    num_experts=8,
    experts_per_token=2,
    rope_theta=5e7,
    max_positions=MILLION_BASES,
    initial_std=0.01,
)
_GENGRAM = replace(_LARGE_GENOS, gengram=GengramConfig(layers=(3, 6, 10), compat="released-bf16", init="reference"))
_TINY_EXPERTS = DecoderConfig(
    vocab_size=128,
    hidden_size=48,
    num_layers=3,
    num_heads=8,
    num_kv_heads=4,
    head_dim=8,
    ffn_size=64,
    num_experts=8,
    experts_per_token=2,
    rope_theta=5e7,
    max_positions=MILLION_BASES,
)
_TINY_DENSE = DecoderConfig(
    vocab_size=32,
    hidden_size=48,
    num_layers=3,
    num_heads=6,
    num_kv_heads=2,
    head_dim=16,
    ffn_size=96,
    rope_theta=1e6,
    max_positions=32_768,
)
_TINY_GENGRAM = replace(
    _TINY_EXPERTS, gengram=GengramConfig(layers=(1, 3), orders=(1, 2, 3, 4), dim=16, window=9, conv_dilation=4)
)
_TINY_KMER = replace(_TINY_DENSE, tied=True, kmer_orders=(2, 3, 5), kmer_dims=(8, 16, 4), kmer_rows=300)

_LICENCE_NOTE = (
    "The licence texts disagree: MIT in the first repository, Apache-2.0 in the second;"
    " the stricter one, Apache-2.0, is taken as binding."
)
_CITATION = (
    "Genos: a human-centric genomic foundation model. GigaScience (2025). https://doi.org/10.1093/gigascience/giaf132"
)
_GENGRAM_CARD = Card(
    name="gengram-10b",
    family="gengram",
    context=32_768,
    precision="bfloat16",
    licence="Apache-2.0",
    source="code BGI-HangzhouAI/Gengram, paper arXiv 2601.22203",
    citation=(
        "Beyond Conditional Computation: Retrieval-Augmented Genomic Foundation Models with Gengram. (2026)."
        " https://arxiv.org/abs/2601.22203"
    ),
    notes=(
        "Published in Megatron format only: convert the checkpoint before use.",
        "The short convolution is settled from the checkpoint's keys when it is converted; this entry has it on.",
        "The released code averages its windows with running sums in bf16, which drift: an exact average (compat none)"
        " does not match this checkpoint beyond a few hundred bases. compat released-bf16 does as it was trained,"
        " across document borders too.",
        "Trained on windows of 8,192, then 32,768 bases.",
    ),
)
_RANDOM = ("Random weights: for tests, examples and timing; its scores and embeddings mean nothing.",)


def _genos(name: str, hub_id: str, config: DecoderConfig, *notes: str) -> Entry:
    card = Card(
        name=name,
        family="genos",
        context=MILLION_BASES,
        precision="bfloat16",
        licence="Apache-2.0",
        source=f"https://huggingface.co/{hub_id}",
        citation=_CITATION,
        notes=(_LICENCE_NOTE, *notes),
    )
    return Entry(card, config, hub_id=hub_id)


def _random(name: str, config: DecoderConfig, seed: int) -> Entry:
    card = Card(
        name=name,
        family="genolm",
        context=config.max_positions,
        licence="Apache-2.0",
        source="made in memory from a seed",
        notes=_RANDOM,
    )
    return Entry(card, config, seed=seed)


_FP32_SHARDS = "Stored as nine fp32 shards (about 41 GB), computed in bf16."
_NANO = Card(
    name="genolm-nano", family="genolm", licence="Apache-2.0", source="shipped with genolm, trained by its own recipe"
)
_ENTRIES = (
    Entry(_NANO, folder=WEIGHTS / "genolm-nano"),
    _genos("genos-1.2b", "BGI-HangzhouAI/Genos-1.2B", _SMALL_GENOS),
    _genos("genos-10b", "BGI-HangzhouAI/Genos-10B", _LARGE_GENOS, _FP32_SHARDS),
    _genos(
        "genos-10b-v2",
        "BGI-HangzhouAI/Genos-10B-v2",
        _LARGE_GENOS,
        _FP32_SHARDS,
        "Trained further on primates and other mammals; shape as genos-10b.",
    ),
    Entry(_GENGRAM_CARD, _GENGRAM, megatron_only=True),
    _random("tiny-random", _TINY_EXPERTS, seed=1),
    _random("tiny-random-dense", _TINY_DENSE, seed=2),
    _random("tiny-random-kmer", _TINY_KMER, seed=3),
    _random("tiny-random-gengram", _TINY_GENGRAM, seed=4),
)
ZOO: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def entry(name: str) -> Entry:
    """The zoo's entry of ``name``; upper and lower case are the same.

    Raises:
        ModelError: no such name; the message lists the names and the one that was probably meant.
    """
    found = ZOO.get(name.lower())
    if found is None:
        close = get_close_matches(name.lower(), ZOO, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        known = f"known are {', '.join(ZOO)}; a folder or a hub id ORGANISATION/NAME will do as well"
        raise ModelError(f"no model named {name!r}: {meant}{known}")
    return found
