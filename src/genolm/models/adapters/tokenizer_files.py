"""``tokenizer.json`` of a model folder: the fast-tokenizer format, read and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genolm.errors import ModelError
from genolm.models.adapters.framing import Frame, framed
from genolm.models.card import is_present, read_json
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.encoder_config import EncoderConfig
from genolm.tokens.bpe import POLICIES, BpeTokenizer
from genolm.tokens.bpe_vocabulary import is_byte_pair
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import CLS, MASK, SEP, Tokenizer

FILE = "tokenizer.json"
SETTINGS = "tokenizer_config.json"
_END_OF_DOCUMENT = ("<EOD>", "</s>", "[SEP]")
_LARGEST_ID = 253  # of a NucleotideTokenizer


def read_tokenizer(folder: Path, config: DecoderConfig | EncoderConfig) -> Tokenizer:
    """The tokenizer of a model folder: of single bases, or byte-pair encoding where the file has merges.

    A folder without one gets the Genos alphabet if its config looks like Genos (padding index 14). The padding token of
    a byte-pair vocabulary is the one its own files name, ``[PAD]`` where they name none.

    Raises:
        ModelError: no tokenizer and no way to guess it, rules or pieces that genolm does not have, letters missing, or
            ids beyond the embedding.
    """
    path = folder / FILE
    if not is_present(path):
        return _guessed(folder, config)
    values = read_json(path)
    if values.get("type") == "nucleotide":
        tokenizer: Tokenizer = NucleotideTokenizer.from_json(json.dumps(values))
    elif is_byte_pair(values):
        tokenizer = BpeTokenizer.read(path)
    else:
        tokenizer = _from_symbols(one_base_symbols(values, path), config, path)
    if tokenizer.vocab_size > config.vocab_size:
        raise ModelError(f"{path}: has ids up to {tokenizer.vocab_size - 1}, the embedding {config.vocab_size} rows")
    return tokenizer


def _guessed(folder: Path, config: DecoderConfig | EncoderConfig) -> Tokenizer:
    genos = NucleotideTokenizer()
    if config.vocab_size < genos.vocab_size or config.pad_id != genos.pad_id:
        raise ModelError(f"{folder}: has no {FILE}, and its config is not that of Genos, so its letters are unknown")
    return genos


def one_base_symbols(values: Mapping[str, Any], path: Path) -> dict[str, int]:
    """Symbol to id out of a fast-tokenizer file whose pieces are single letters and special tokens.

    Raises:
        ModelError: the vocabulary has pieces of several bases, or lacks a base.
    """
    model = values.get("model") or {}
    vocab = model.get("vocab") or {}
    symbols = dict(vocab) if isinstance(vocab, Mapping) else {piece[0]: number for number, piece in enumerate(vocab)}
    symbols |= {token["content"]: token["id"] for token in values.get("added_tokens") or ()}
    longer = next((symbol for symbol in symbols if len(symbol) > 1 and set(symbol) <= set("ACGTN")), None)
    if longer:
        raise ModelError(f"{path}: has the piece {longer!r}, and no merges to make it with")
    if lacking := [base for base in "ACGTN" if base not in symbols]:
        raise ModelError(f"{path}: the vocabulary has no {', '.join(lacking)}")
    return symbols


def _from_symbols(symbols: dict[str, int], config: DecoderConfig | EncoderConfig, path: Path) -> NucleotideTokenizer:
    # Names of padding rows may go beyond what a byte can hold; no text contains them.
    kept = {symbol: number for symbol, number in symbols.items() if len(symbol) == 1 or number <= _LARGEST_ID}
    pad = next((symbol for symbol, number in kept.items() if number == config.pad_id), None)
    if pad is None:
        raise ModelError(f"{path}: no symbol has the padding id {config.pad_id} of the config")
    eod = next((symbol for symbol in _END_OF_DOCUMENT if symbol in kept), pad)
    try:
        return NucleotideTokenizer(kept, pad=pad, eod=eod)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def write_tokenizer(folder: Path, tokenizer: Tokenizer, frame: Frame | None = None) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` with which transformers' AutoTokenizer gives our ids.

    The file of a byte-pair vocabulary is written as it was read; only where the tokenizer reads runs of N otherwise
    than the file, or the frame is another, that rule changes. transformers also adds the special tokens of the frame,
    and reads unknown letters (with the published files also lower case) as ``[UNK]`` where our tokenizer raises. Runs
    of N as ``[MASK]`` tokens have no such rule: there transformers reads every N.

    Args:
        folder: where to write.
        tokenizer: what to write.
        frame: special tokens that the model expects before and after a sequence; None for those that the file of a
            byte-pair vocabulary puts there, and none around single bases.

    Raises:
        ModelError: a kind of tokenizer that has no such form.
    """
    if isinstance(tokenizer, BpeTokenizer):
        content = tokenizer.vocabulary.with_run(tokenizer.run if tokenizer.n == "gap" else 0)
        settings = _byte_pair_settings(tokenizer)
    elif isinstance(tokenizer, NucleotideTokenizer):
        content = (json.dumps(fast_tokenizer(tokenizer), indent=2) + "\n").encode()
        settings = _settings(tokenizer)
    else:
        raise ModelError(f"a {type(tokenizer).__name__} cannot be written as a tokenizer.json")
    if frame is not None:
        content = framed(content, frame, {name: tokenizer.special_id(name) for names in frame for name in names})
    (folder / FILE).write_bytes(content)
    (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def tell_settings(folder: Path, tokenizer: BpeTokenizer) -> None:
    """Add what :meth:`BpeTokenizer.read` needs to give ``tokenizer`` to the ``tokenizer_config.json`` in ``folder``.

    Raises:
        ModelError: the file there is no JSON object.
    """
    path = folder / SETTINGS
    ours = _byte_pair_settings(tokenizer)
    values = read_json(path) if path.is_file() else ours
    added = {name: ours[name] for name in ("bases_per_token", "genolm")}
    path.write_text(json.dumps({**values, **added}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def fast_tokenizer(tokenizer: NucleotideTokenizer) -> dict[str, Any]:
    """The fast-tokenizer form of ``tokenizer``: byte-pair encoding without merges, which is one piece per letter.

    Lower case is read as upper case where our tokenizer does so. No special token is added to a text.
    """
    letters = {symbol: number for symbol, number in tokenizer.symbols.items() if len(symbol) == 1}
    special = {symbol: number for symbol, number in tokenizer.symbols.items() if len(symbol) > 1}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    upper = [{"type": "Replace", "pattern": {"String": letter.lower()}, "content": letter} for letter in letters]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, "content": symbol, **flags} for symbol, number in sorted_items(special)],
        "normalizer": {"type": "Sequence", "normalizers": upper} if tokenizer.case == "upper" else None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": _unknown(tokenizer),
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": dict(sorted_items(tokenizer.symbols)),
            "merges": [],
        },
    }


def sorted_items(symbols: Mapping[str, int]) -> list[tuple[str, int]]:
    """Symbols in the order of their ids."""
    return sorted(symbols.items(), key=lambda item: item[1])


def _unknown(tokenizer: NucleotideTokenizer) -> str | None:
    return next((symbol for symbol in ("<UNK>", "[UNK]") if symbol in tokenizer.symbols), None)


def _byte_pair_settings(tokenizer: BpeTokenizer) -> dict[str, Any]:
    special = {"cls_token": CLS, "sep_token": SEP, "mask_token": MASK}
    unknown = tokenizer.vocabulary.unknown
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": tokenizer.pad,
        **({} if tokenizer.eod == SEP else {"eos_token": tokenizer.eod}),
        **({} if unknown is None else {"unk_token": unknown}),
        **{key: name for key, name in special.items() if name in tokenizer.vocabulary.special},
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "bases_per_token": tokenizer.bases_per_token,
        "genolm": {name: getattr(tokenizer, name) for name in POLICIES},
    }


def _settings(tokenizer: NucleotideTokenizer) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": tokenizer.pad,
        "eos_token": tokenizer.eod,
        "unk_token": _unknown(tokenizer),
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
    }
