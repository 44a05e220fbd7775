"""GENA-LM and ModernGENA: encoders with byte-pair tokens (Fishman et al., NAR 2025, and the ModernGENA preprint)."""

from __future__ import annotations

from dataclasses import replace

from genolm.models.card import Card
from genolm.models.networks.encoder_config import BlockSparseConfig, EncoderConfig
from genolm.models.zoo.zoo_entry import Entry
from genolm.tokens.published import HUMAN_BASES_PER_TOKEN
from genolm.tokens.tokenizer import CLS, SEP

BASE = EncoderConfig(
    vocab_size=32_000,
    hidden_size=768,
    num_layers=12,
    num_heads=12,
    ffn_size=3072,
    max_positions=512,
    norm="pre",
    final_norm=False,
)
_WITH_SENTENCES = replace(BASE, pooler="tanh", sentence_head=True)
_LARGE = replace(BASE, hidden_size=1024, num_layers=24, num_heads=16, ffn_size=4096, final_norm=True, norm_eps=1e-5)
DEEPSPEED = BlockSparseConfig("deepspeed", block=64, random=3)
STOCK_BLOCKS = BlockSparseConfig("bigbird", block=64, random=3, random_blocks="zero")
SPARSE = replace(
    _WITH_SENTENCES,
    max_positions=4096,
    positions="rotary",
    rotary_dim=32,
    sparse=DEEPSPEED,
)
SPARSE_T2T = replace(BASE, max_positions=4096, final_norm=True, norm_eps=1e-5, sparse=DEEPSPEED)
BIGBIRD = replace(
    BASE,
    max_positions=4096,
    norm="post",
    activation="gelu_tanh",
    head_activation="gelu_tanh",
    sparse=STOCK_BLOCKS,
    pooler="linear",
)
MODERN = EncoderConfig(
    vocab_size=32_768,
    token_rows=32_000,
    hidden_size=768,
    num_layers=22,
    num_heads=12,
    ffn_size=1152,
    max_positions=1024,
    first_norm=False,
    norm_eps=1e-5,
    norm_bias=False,
    bias=False,
    positions="rotary",
    token_types=0,
    gated=True,
    global_every=3,
    local_window=128,
)
_MODERN_LARGE = replace(MODERN, hidden_size=1024, num_layers=28, num_heads=16, ffn_size=2624)

_CITATION = (
    "GENA-LM: a family of open-source foundational DNA language models for long sequences. Nucleic Acids Research"
    " (2025). https://doi.org/10.1093/nar/gkae1310"
)
_MODERN_CITATION = "ModernGENA. Preprint. https://openreview.net/forum?id=8QsSDzYK97"
_PICKLE = "Published as a pickle: read as plain data when it is downloaded, and kept as safetensors."
_LICENCE = "MIT is the licence of the repository that names these weights."
_MIDDLE = (
    "Frozen, its middle layers make better embeddings than its last: layers 9 to 12 by the paper, 4 to 5 by an"
    " independent review."
)
_RAW = "Has no final norm: its last layer is the residual stream as it stands, with large magnitudes."
_SPANS = {
    512: "512 tokens are about 3.3 kb of human DNA (6.4 bases a token, measured); 4.5 kb is advertised.",
    4096: "4,096 tokens are about 26 kb of human DNA (6.4 bases a token, measured); 36 kb is advertised.",
    1024: "1,024 tokens are about 6.5 kb of human DNA (6.4 bases a token, measured).",
}
_FIRST_TOKENS = "Uses the first vocabulary, BPE_32k, which has no N: genolm reads N only where told how."
_SPECIES = (
    "Whether it has a final norm, and its epsilon, are read from its files; the shape shown is that of"
    " gena-lm-bert-base-t2t."
)
_LAYER_0 = "All layers attend by the layout stored with layer 0, as the published code does; each stores its own."
_ODD_BLOCK = "At exactly one block (64 tokens) the published kernels multiply by transposed keys; genolm does not."


def _gena(name: str, config: EncoderConfig, *notes: str, precision: str = "float32") -> Entry:
    context = config.max_positions
    raw = () if config.final_norm or config.norm == "post" else (_RAW,)
    card = Card(
        name=name,
        family="gena-lm",
        objective="masked",
        context=context,
        precision=precision,
        begin=(CLS,),
        end=(SEP,),
        licence="MIT",
        source=f"https://huggingface.co/AIRI-Institute/{name}",
        citation=_CITATION,
        notes=(_SPANS[context], *raw, *notes, _MIDDLE, _LICENCE, _PICKLE),
    )
    tokens = HUMAN_BASES_PER_TOKEN["BPE_32k" if _FIRST_TOKENS in notes else "t2t_1000h_multi_32k"]
    return Entry(card, config, hub_id=f"AIRI-Institute/{name}", bases_per_token=tokens)


def _modern(name: str, config: EncoderConfig) -> Entry:
    card = Card(
        name=name,
        family="moderngena",
        objective="masked",
        context=config.max_positions,
        precision="bfloat16",
        begin=(CLS,),
        end=(SEP,),
        licence="Apache-2.0",
        source=f"https://huggingface.co/AIRI-Institute/{name}",
        citation=_MODERN_CITATION,
        notes=(
            _SPANS[1024],
            "The embedding has 32,768 rows and the vocabulary 32,000 tokens; the logits of the others are minus"
            " infinity.",
            "Its README asks for remote code, which is not needed and never run.",
            "Trained with GELU in its head; if its config.json says silu as classifier_activation, that is what its"
            " export script wrote, and what transformers and genolm compute.",
        ),
    )
    tokens = HUMAN_BASES_PER_TOKEN["t2t_1000h_multi_32k"]
    return Entry(card, config, hub_id=f"AIRI-Institute/{name}", bases_per_token=tokens)


GENA = (
    _gena("gena-lm-bert-base", _WITH_SENTENCES, _FIRST_TOKENS, "Trained on T2T-CHM13 but chromosomes 22 and Y."),
    _gena("gena-lm-bert-base-t2t", BASE, "Trained on T2T-CHM13 and SNPs of 1000 Genomes but chromosomes 7 and 10."),
    _gena("gena-lm-bert-base-lastln-t2t", replace(BASE, final_norm=True)),
    _gena("gena-lm-bert-base-t2t-multi", BASE, "Continued from gena-lm-bert-base-t2t on many species."),
    _gena("gena-lm-bert-large-t2t", _LARGE),
    _gena("gena-lm-bigbird-base-sparse", SPARSE, _FIRST_TOKENS, _LAYER_0, _ODD_BLOCK),
    _gena(
        "gena-lm-bigbird-base-sparse-t2t",
        SPARSE_T2T,
        "Its positions are a table, though README and supplement say rotary: the size of its file tells.",
        _LAYER_0,
        _ODD_BLOCK,
    ),
    _gena(
        "gena-lm-bigbird-base-t2t",
        BIGBIRD,
        "Random blocks are those of transformers since 4.30 (block 0 counts four times); it was trained, and its"
        " published figures probably made, with seeded ones: set random_blocks in the genolm layout for these.",
        "Its config says 66 as the id of [SEP]; it is 2.",
    ),
    _gena("gena-lm-bert-base-yeast", BASE, _SPECIES, "Trained on 142 strains of Saccharomyces cerevisiae."),
    _gena("gena-lm-bert-base-fly", BASE, _SPECIES, "Trained on 298 drosophilids."),
    _gena("gena-lm-bert-base-athaliana", BASE, _SPECIES, "Trained on 32 ecotypes of Arabidopsis thaliana."),
    _modern("moderngena-base", MODERN),
    _modern("moderngena-large", _MODERN_LARGE),
)
"""Published by AIRI."""
