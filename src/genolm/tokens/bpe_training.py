"""Training of byte-pair vocabularies (Sennrich et al. 2016) in the format of the published ones."""

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
"""Minimum run of N for the gap token of a trained vocabulary, as in GENA-LM."""

_MIN_FREQUENCY = 2  # a pair that occurs once is not a pattern
_TICK_S = 0.1


def train_vocabulary(
    chunks: Iterable[str], vocab_size: int, *, max_length: int = 64, n: NPolicy = "none"
) -> Vocabulary:
    """Train a vocabulary by repeatedly merging the most frequent pair of tokens.

    Equal chunks give equal bytes. Tokens do not cross chunks, so chunks should be longer than ``max_length``.

    Args:
        chunks: upper-case sequences of A, C, G and T.
        vocab_size: number of tokens, including five special tokens and the letters.
        max_length: maximum token length in bases.
        n: ``none``: N is not in the vocabulary; ``letter``: it is a token of its own; ``gap``: in addition, a gap token
            represents runs of at least 10 N.

    Returns:
        The vocabulary; its ``content`` is the ``tokenizer.json`` to write. Order of ids: special tokens 0 to 4, the gap
        token if there is one, letters, merged tokens in the order of the merges.

    Raises:
        ModelError: ``vocab_size`` or ``max_length`` is too small.
        InputError: there is no sequence, or too little for a vocabulary of this size.
    """
    special, letters = _fixed(n)
    if max_length < 2:
        raise ModelError(f"invalid max_length {max_length}: must be at least 2")
    if vocab_size <= (least := len(special) + len(letters)):
        reason = f"must be more than {least}, the number of special tokens and letters"
        raise ModelError(f"invalid vocab_size {vocab_size}: {reason}")
    model = _train(chunks, vocab_size, max_length, special, letters)
    values = _tokenizer_json(model, special, letters, n)
    if (size := len(values["model"]["vocab"])) < vocab_size:
        raise InputError(
            f"not enough sequence for {vocab_size:,} tokens: only {size:,} tokens of at most {max_length} bases occur"
            " at least twice; reduce the vocabulary size, or provide more sequence"
        )
    return Vocabulary.parse((json.dumps(values, indent=1) + "\n").encode(), "the trained vocabulary")


def _fixed(n: NPolicy) -> tuple[list[str], list[str]]:
    if n not in get_args(NPolicy):
        raise ModelError(f"invalid n {n!r}: expected one of {', '.join(get_args(NPolicy))}")
    return [*SPECIAL, *([GAP_SIGN] if n == "gap" else [])], list("ACGT" if n == "none" else "ACGNT")


def _train(
    chunks: Iterable[str], vocab_size: int, max_length: int, special: list[str], letters: list[str]
) -> dict[str, Any]:
    """Train with the library and return its model as plain values."""
    tokenizer = Tokenizer(BPE(unk_token=UNK))
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=_MIN_FREQUENCY,
        special_tokens=special,
        initial_alphabet=letters,
        max_token_length=max_length,
        show_progress=False,
    )
    texts = list(chunks)
    if not texts:
        raise InputError("no sequence to train on")
    _interruptibly(tokenizer, texts, trainer)
    model: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    return model


def _interruptibly(tokenizer: Tokenizer, texts: list[str], trainer: BpeTrainer) -> None:
    """Train in a thread so that Ctrl-C works: the library does not handle signals for minutes."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            tokenizer.train_from_iterator(texts, trainer)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="byte-pair training", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_TICK_S)
    if errors:
        raise errors[0]


def _tokenizer_json(model: dict[str, Any], special: list[str], letters: list[str], n: NPolicy) -> dict[str, Any]:
    """Return a ``tokenizer.json`` that reads lower case as upper case and adds ``[CLS]`` and ``[SEP]``."""
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
