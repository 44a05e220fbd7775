"""Published vocabularies shipped with genolm, verified by digest when they are read."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from genolm.errors import ModelError
from genolm.tokens.bpe import BpeTokenizer
from genolm.tokens.bpe_vocabulary import Vocabulary

PUBLISHED: Mapping[str, str] = MappingProxyType(
    {
        "t2t_1000h_multi_32k": "440cec76fcec5288d10f70b64f3f59289fe313dd1b6fc42bcf0fac319297dc3d",
        "BPE_32k": "2fdbfdf74f08e8b98acc63e5a36c36d2ef44cf688f9485d95dde76acb6bd3034",
    }
)
"""Names of the shipped vocabularies and the SHA-256 of their ``tokenizer.json``.

``t2t_1000h_multi_32k`` is the vocabulary of all T2T-generation GENA-LM models and of ModernGENA, ``BPE_32k`` that of
the first ``gena-lm-bert-base`` and ``gena-lm-bigbird-base-sparse``. Both have the MIT licence, included with the files.
"""

# Measured on 4 Mb of human chromosome 22 (46-50 Mb of GRCh38): 6.36 and 6.34.
HUMAN_BASES_PER_TOKEN: Mapping[str, float] = MappingProxyType({"t2t_1000h_multi_32k": 6.4, "BPE_32k": 6.3})
"""Mean number of bases per token in human DNA; tokens of random sequence are shorter (5.6)."""


def published(name: str, **policies: Any) -> BpeTokenizer:
    """Return a published tokenizer.

    Args:
        name: one of :data:`PUBLISHED`.
        policies: ``n``, ``unknown``, ``case`` and ``rna`` of :class:`BpeTokenizer`.

    Raises:
        ModelError: the vocabulary is unknown, or its file differs from the published one.
    """
    return BpeTokenizer(published_vocabulary(name), bases_per_token=HUMAN_BASES_PER_TOKEN[name], **policies)


@cache
def published_vocabulary(name: str) -> Vocabulary:
    """Return the vocabulary of a published tokenizer (cached).

    Raises:
        ModelError: the vocabulary is unknown, or its file differs from the published one.
    """
    if name not in PUBLISHED:
        raise ModelError(f"unknown published vocabulary {name!r}; expected one of {', '.join(PUBLISHED)}")
    file = files("genolm.tokens") / "vocabularies" / f"{name}.json.gz"
    try:
        content = gzip.decompress(file.read_bytes())
    except (OSError, EOFError) as error:
        raise ModelError(f"{file}: cannot be read: {error}") from None
    if hashlib.sha256(content).hexdigest() != PUBLISHED[name]:
        raise ModelError(f"{file}: the file differs from the published one; reinstall genolm")
    return Vocabulary.parse(content, name)
