"""Byte-pair vocabularies trained on sequence (Sennrich et al. 2016), in the form of the published ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Any, Literal, get_args

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from genolm.errors import InputError, ModelError
from genolm.tokens.bpe_vocabulary import Vocabulary
from genolm.tokens.tokenizer import CLS, MASK, PAD, SEP, UNK

NPolicy = Literal["none", "letter", "gap"]

SPECIAL = (UNK, CLS, SEP, PAD, MASK)
"""Special tokens in the order of their ids, 0 to 4, as in the vocabularies of GENA-LM and GenomeOcean."""

GAP_SIGN = "-"
GAP_RUN = 10
"""Shortest run of N that the gap token of a trained vocabulary stands for, as in GENA-LM's."""

_SEEN = 2  # a pair that stands once in a corpus is no regularity of it
_TICK_S = 0.1


def train_vocabulary(
    chunks: Iterable[str], vocab_size: int, *, max_length: int = 64, n: NPolicy = "none"
) -> Vocabulary:
    """A vocabulary of the pieces that joining the most frequent pair, again and again, makes of the chunks.

    The same chunks give the same bytes. No piece goes beyond a chunk, so chunks should be longer than ``max_length``.

    Args:
        chunks: upper-case sequence of nothing but A, C, G and T.
        vocab_size: tokens to make: five special ones, the letters, and pieces.
        max_length: longest piece in bases.
        n: ``none``: N is no letter; ``letter``: it is one that no piece contains; ``gap``: and a gap token stands for
            a run of 10 and more.

    Returns:
        The vocabulary; its ``content`` is the ``tokenizer.json`` to write. Ids: special tokens 0 to 4, the gap sign
        where there is one, letters, pieces in the order in which they were made.

    Raises:
        ModelError: sizes that contradict each other.
        InputError: no sequence, or too little for so many pieces.
    """
    special, letters = _fixed(n)
    if max_length < 2:
        raise ModelError(f"pieces have at least 2 bases, so their longest cannot have {max_length}")
    if vocab_size <= (least := len(special) + len(letters)):
        raise ModelError(f"{vocab_size} tokens: {least} are special tokens and letters, so there must be more")
    model = _trained(chunks, vocab_size, max_length, special, letters)
    values = _file(model, special, letters, n)
    if (made := len(values["model"]["vocab"])) < vocab_size:
        raise InputError(
            f"the sequence gives {made:,} tokens of at most {max_length} bases whose parts stand together at least"
            f" twice, not {vocab_size:,}: ask for fewer, or give more sequence"
        )
    return Vocabulary.parse((json.dumps(values, indent=1) + "\n").encode(), "the trained vocabulary")


def _fixed(n: NPolicy) -> tuple[list[str], list[str]]:
    if n not in get_args(NPolicy):
        raise ModelError(f"n must be one of {', '.join(get_args(NPolicy))}, not {n!r}")
    return [*SPECIAL, *([GAP_SIGN] if n == "gap" else [])], list("ACGT" if n == "none" else "ACGNT")


def _trained(
    chunks: Iterable[str], vocab_size: int, max_length: int, special: list[str], letters: list[str]
) -> dict[str, Any]:
    """The library's trained model as plain values."""
    tokenizer = Tokenizer(BPE(unk_token=UNK))
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=_SEEN,
        special_tokens=special,
        initial_alphabet=letters,
        max_token_length=max_length,
        show_progress=False,
    )
    texts = list(chunks)
    if not texts:
        raise InputError("there is no sequence to train on")
    _interruptibly(tokenizer, texts, trainer)
    model: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    return model


def _interruptibly(tokenizer: Tokenizer, texts: list[str], trainer: BpeTrainer) -> None:
    """Trains in a thread: the library answers no signal for minutes, and this one waits for Ctrl-C meanwhile."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            tokenizer.train_from_iterator(texts, trainer)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="byte-pair training", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_TICK_S)
    if failed:
        raise failed[0]


def _file(model: dict[str, Any], special: list[str], letters: list[str], n: NPolicy) -> dict[str, Any]:
    """A ``tokenizer.json`` that reads lower case as upper case and puts ``[CLS]`` and ``[SEP]`` around a text."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    rules = [{"type": "Replace", "pattern": {"String": letter.lower()}, "content": letter} for letter in letters]
    if n == "gap":
        rules.append({"type": "Replace", "pattern": {"Regex": f"N{{{GAP_RUN},}}"}, "content": GAP_SIGN})
    split = {"type": "Split", "pattern": {"String": GAP_SIGN}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, "content": name, **flags} for number, name in enumerate(special)],
        "normalizer": {"type": "Sequence", "normalizers": rules},
        "pre_tokenizer": split if n == "gap" else None,
        "post_processor": {
            "type": "BertProcessing",
            "sep": [SEP, special.index(SEP)],
            "cls": [CLS, special.index(CLS)],
        },
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": UNK,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": dict(sorted(model["vocab"].items(), key=lambda item: item[1])),
            "merges": [list(merge) if isinstance(merge, list) else merge.split(" ") for merge in model["merges"]],
        },
    }
