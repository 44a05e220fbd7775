"""Small byte-pair vocabularies in the form of a ``tokenizer.json``, for tests."""

import json
from collections.abc import Sequence
from typing import Any

from genolm.tokens import BpeTokenizer, Vocabulary

SPECIAL = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")


def toy_file(letters: str = "ACGNT", merges: Sequence[str] = (), gap_run: int = 0, **changes: Any) -> dict[str, Any]:
    """Values of a file: special tokens 0 to 4, the gap sign if any, letters, then a piece for each merge ``A C``."""
    gap = ["-"] if gap_run else []
    pieces = [*SPECIAL, *gap, *letters, *dict.fromkeys(merge.replace(" ", "") for merge in merges)]
    rule = {"type": "Replace", "pattern": {"Regex": f"N{{{gap_run},}}"}, "content": "-"}
    split = {"type": "Split", "pattern": {"String": "-"}, "behavior": "Isolated", "invert": False}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    model = {"type": "BPE", "unk_token": "[UNK]", "fuse_unk": False, "dropout": None}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, "content": name, **flags} for number, name in enumerate([*SPECIAL, *gap])],
        "normalizer": rule if gap_run else None,
        "pre_tokenizer": split if gap_run else None,
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
        "decoder": None,
        "model": {**model, "vocab": {piece: number for number, piece in enumerate(pieces)}, "merges": list(merges)},
        **changes,
    }


def toy_bytes(**settings: Any) -> bytes:
    """The bytes of :func:`toy_file`."""
    return json.dumps(toy_file(**settings)).encode()


def toy_tokenizer(
    letters: str = "ACGNT", merges: Sequence[str] = (), gap_run: int = 0, **policies: Any
) -> BpeTokenizer:
    """A tokenizer with such a vocabulary."""
    content = toy_bytes(letters=letters, merges=merges, gap_run=gap_run)
    return BpeTokenizer(Vocabulary.parse(content, "toy"), **policies)
