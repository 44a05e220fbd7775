"""The published vocabularies that genolm ships, checked byte for byte when they are read."""

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
"""Name of every shipped vocabulary and the SHA-256 of its ``tokenizer.json``.

``t2t_1000h_multi_32k`` belongs to all GENA-LM models of the T2T generation and to ModernGENA, ``BPE_32k`` to the first
``gena-lm-bert-base`` and ``gena-lm-bigbird-base-sparse``. Both are MIT; their licence stands beside the files.
"""

# Measured on 4 Mb of human chromosome 22 (46-50 Mb of GRCh38): 6.36 and 6.34.
HUMAN_BASES_PER_TOKEN: Mapping[str, float] = MappingProxyType({"t2t_1000h_multi_32k": 6.4, "BPE_32k": 6.3})
"""Mean bases of a token of human DNA; random bases, with their rare words, come in shorter ones (5.6)."""


def published(name: str, **policies: Any) -> BpeTokenizer:
    """A published tokenizer.

    Args:
        name: one of :data:`PUBLISHED`.
        policies: ``n``, ``unknown``, ``case`` and ``rna`` of :class:`BpeTokenizer`.

    Raises:
        ModelError: no such vocabulary, or its file is not what was published.
    """
    return BpeTokenizer(published_vocabulary(name), bases_per_token=HUMAN_BASES_PER_TOKEN[name], **policies)


@cache
def published_vocabulary(name: str) -> Vocabulary:
    """The vocabulary of a published tokenizer; read once.

    Raises:
        ModelError: no such vocabulary, or its file is not what was published.
    """
    if name not in PUBLISHED:
        raise ModelError(f"no published vocabulary {name!r}; there are {', '.join(PUBLISHED)}")
    file = files("genolm.tokens") / "vocabularies" / f"{name}.json.gz"
    try:
        content = gzip.decompress(file.read_bytes())
    except (OSError, EOFError) as error:
        raise ModelError(f"{file}: cannot be read: {error}") from None
    if hashlib.sha256(content).hexdigest() != PUBLISHED[name]:
        raise ModelError(f"{file}: is not the file that was published; install genolm anew")
    return Vocabulary.parse(content, name)
