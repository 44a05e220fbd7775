"""GenomeOcean: decoders with byte-pair tokens for microbial genomes (bioRxiv 10.1101/2025.01.30.635558)."""

from __future__ import annotations

from dataclasses import replace

from genolm.models.card import Card
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.zoo.zoo_entry import Entry
from genolm.tokens.tokenizer import CLS, SEP

_100M = DecoderConfig(
    vocab_size=4096,
    hidden_size=768,
    num_layers=12,
    num_heads=8,
    num_kv_heads=8,
    head_dim=96,
    ffn_size=3072,
    rope_theta=1e6,
    max_positions=32_768,
    pad_id=3,
)
_500M = replace(_100M, hidden_size=1536, num_layers=14, num_heads=12, num_kv_heads=12, head_dim=128, ffn_size=6144)
_4B = replace(_100M, hidden_size=3072, num_layers=24, num_heads=12, num_kv_heads=4, head_dim=256, ffn_size=16_384)

_CITATION = (
    "GenomeOcean: an efficient genome foundation model trained on large-scale metagenomic assemblies. bioRxiv (2025)."
    " https://doi.org/10.1101/2025.01.30.635558"
)
_LICENCE = "The licence text is of BSD-3 style (LBNL), for code and weights."
_SPANS = {
    1024: "Trained on 1,024 tokens, about 5 kb of microbial DNA (4.9 bases a token).",
    10_240: "Trained on 10,240 tokens, about 50 kb of microbial DNA (4.9 bases a token).",
}
_BASES_PER_TOKEN = 4.9  # of metagenomes
_MIDDLE = "Its middle layers make better embeddings than its last, by an independent test of clusters."
_HEADS = "The number of its heads is not published here: config.json decides; 12 is shown."
_VIRAL = (
    "Trained further with viral genomes, which changed what special tokens mean: [CLS] marks viral sequence, so no"
    " prompt begins with it here; [SEP] separates records; runs of 10 N and more are [MASK] tokens. Its files do"
    " not say so: loaded by this name, by its hub id, or from a folder that genolm download made, it is known."
)


def _ocean(
    name: str, hub: str, config: DecoderConfig, context: int, *notes: str, begin: tuple[str, ...], viral: bool = False
) -> Entry:
    card = Card(
        name=name,
        family="genomeocean",
        context=context,
        precision="bfloat16",
        begin=begin,
        end=(SEP,),
        licence="BSD-3-Clause-LBNL",
        source=f"https://huggingface.co/pGenomeOcean/{hub}",
        citation=_CITATION,
        notes=(_SPANS[context], *notes, _MIDDLE, _LICENCE),
    )
    return Entry(
        card,
        config,
        hub_id=f"pGenomeOcean/{hub}",
        mirrors=(f"DOEJGI/{hub}",),
        runs_of_n="mask" if viral else None,
        bases_per_token=_BASES_PER_TOKEN,
    )


OCEAN = (
    _ocean("genomeocean-100m", "GenomeOcean-100M", _100M, 1024, begin=(CLS,)),
    _ocean("genomeocean-500m", "GenomeOcean-500M", _500M, 1024, _HEADS, begin=(CLS,)),
    _ocean("genomeocean-4b", "GenomeOcean-4B", _4B, 10_240, begin=(CLS,)),
    _ocean(
        "genomeocean-4b-bgcfm",
        "GenomeOcean-4B-bgcFM",
        _4B,
        10_240,
        "Trained further on biosynthetic gene clusters; its authors generate from [CLS] alone.",
        begin=(CLS,),
    ),
    _ocean("genomeocean-4b-v1.2", "GenomeOcean-4B-v1.2", _4B, 10_240, _VIRAL, begin=(), viral=True),
    _ocean("genomeocean-100m-v1.2", "GenomeOcean-100M-v1.2", _100M, 10_240, _VIRAL, begin=(), viral=True),
)
"""Published by the Joint Genome Institute under two owners of the hub."""
