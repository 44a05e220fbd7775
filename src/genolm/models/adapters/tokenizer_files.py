"""``tokenizer.json`` of a model folder, in the format of fast tokenizers, read and written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genolm.errors import ModelError
from genolm.models.model_files import SETTINGS, TOKENIZER, read_json, read_optional_json
from genolm.models.networks.network_config import NetworkConfig
from genolm.tokens.bpe import POLICIES, BpeTokenizer
from genolm.tokens.nucleotide import NucleotideTokenizer
from genolm.tokens.tokenizer import CLS, MASK, SEP, Tokenizer

SpecialTokens = tuple[tuple[str, ...], tuple[str, ...]]
"""Names of the special tokens before a text, and of those after it."""

_END_OF_DOCUMENT = ("<EOD>", "</s>", "[SEP]")
_LARGEST_ID = 253  # of a NucleotideTokenizer


def read_tokenizer(folder: Path, config: NetworkConfig) -> Tokenizer:
    """Read the tokenizer of a model folder: single bases, or byte-pair encoding if the file has merges.

    A folder without one gets the Genos alphabet if its config looks like Genos (padding index 14). The padding token of
    a byte-pair vocabulary is the one that its own files name, else ``[PAD]``.

    Raises:
        ModelError: no tokenizer and no way to guess it, unsupported rules or pieces, missing letters, or ids beyond the
            embedding.
    """
    return tokenizer_of(read_optional_json(folder / TOKENIZER), folder, config)


def tokenizer_of(values: Mapping[str, Any] | None, folder: Path, config: NetworkConfig) -> Tokenizer:
    """Return the tokenizer of a folder as :func:`read_tokenizer` does, given the content of its ``tokenizer.json``."""
    path = folder / TOKENIZER
    if values is None:
        genos = NucleotideTokenizer()
        if config.vocab_size < genos.vocab_size or config.pad_id != genos.pad_id:
            raise ModelError(f"{folder}: {TOKENIZER} is missing, and its config is not that of Genos")
        return genos
    own = values.get("type") == "nucleotide"
    if not own and not _has_merges(values):
        tokenizer: Tokenizer = _from_symbols(one_base_symbols(values, path), config.pad_id, path)
    elif own:
        tokenizer = NucleotideTokenizer.from_json(json.dumps(values))
    else:
        tokenizer = BpeTokenizer.read(path)
    if tokenizer.vocab_size > config.vocab_size:
        raise ModelError(
            f"{path}: ids reach {tokenizer.vocab_size - 1}, but the embedding has {config.vocab_size} rows"
        )
    return tokenizer


def _has_merges(values: Mapping[str, Any]) -> bool:
    """Return whether the content of a ``tokenizer.json`` is a byte-pair vocabulary."""
    model = values.get("model")
    return isinstance(model, Mapping) and bool(model.get("merges"))


def one_base_symbols(values: Mapping[str, Any], path: Path) -> dict[str, int]:
    """Return the id of each symbol of a fast-tokenizer file whose pieces are single letters and special tokens.

    Raises:
        ModelError: the vocabulary has pieces of several bases, or a base is missing.
    """
    model = values.get("model") or {}
    vocab = model.get("vocab") or {}
    symbols = dict(vocab) if isinstance(vocab, Mapping) else {piece[0]: number for number, piece in enumerate(vocab)}
    symbols |= {token["content"]: token["id"] for token in values.get("added_tokens") or ()}
    longer = next((symbol for symbol in symbols if len(symbol) > 1 and set(symbol) <= set("ACGTN")), None)
    if longer:
        raise ModelError(f"{path}: has the piece {longer!r}, but no merges")
    if lacking := [base for base in "ACGTN" if base not in symbols]:
        raise ModelError(f"{path}: the vocabulary lacks {', '.join(lacking)}")
    return symbols


def _from_symbols(symbols: dict[str, int], pad_id: int, path: Path) -> NucleotideTokenizer:
    # Ids of padding rows may exceed a byte; no text contains them.
    kept = {symbol: number for symbol, number in symbols.items() if len(symbol) == 1 or number <= _LARGEST_ID}
    pad = next((symbol for symbol, number in kept.items() if number == pad_id), None)
    if pad is None:
        raise ModelError(f"{path}: no symbol has the padding id {pad_id} of the config")
    eod = next((symbol for symbol in _END_OF_DOCUMENT if symbol in kept), pad)
    try:
        return NucleotideTokenizer(kept, pad=pad, eod=eod)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def write_tokenizer(folder: Path, tokenizer: Tokenizer, special: SpecialTokens | None = None) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json``, with which transformers' AutoTokenizer returns our ids.

    The file of a byte-pair vocabulary is written as it was read, except for its rule for runs of N if the tokenizer
    has another one, and for the special tokens around a text. transformers adds these too,
    and reads unknown letters (with the published files also lower case) as ``[UNK]``, where our tokenizer raises an
    error. Runs of N as ``[MASK]`` tokens cannot be expressed: transformers then reads every N.

    Args:
        folder: folder to write to.
        tokenizer: tokenizer to write.
        special: special tokens that the model expects before and after a sequence; None keeps those in the file of a
            byte-pair vocabulary and adds none around single bases.

    Raises:
        ModelError: this kind of tokenizer has no such form.
    """
    if isinstance(tokenizer, BpeTokenizer):
        content = tokenizer.vocabulary.with_run(tokenizer.run if tokenizer.n == "gap" else 0)
        settings = _byte_pair_settings(tokenizer)
    elif isinstance(tokenizer, NucleotideTokenizer):
        content = (json.dumps(fast_tokenizer(tokenizer), indent=2) + "\n").encode()
        settings = _settings(tokenizer)
    else:
        raise ModelError(f"a {type(tokenizer).__name__} cannot be written as a tokenizer.json")
    if special is not None:
        ids = {name: tokenizer.special_id(name) for names in special for name in names}
        content = with_special_tokens(content, special, ids)
    (folder / TOKENIZER).write_bytes(content)
    (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def add_settings(folder: Path, tokenizer: BpeTokenizer) -> None:
    """Add the settings of ``tokenizer`` that :meth:`BpeTokenizer.read` needs to ``tokenizer_config.json``.

    Raises:
        ModelError: the existing file is not a JSON object.
    """
    path = folder / SETTINGS
    ours = _byte_pair_settings(tokenizer)
    values = read_json(path) if path.is_file() else ours
    added = {name: ours[name] for name in ("bases_per_token", "genolm")}
    path.write_text(json.dumps({**values, **added}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def fast_tokenizer(tokenizer: NucleotideTokenizer) -> dict[str, Any]:
    """Return the fast-tokenizer form of ``tokenizer``: byte-pair encoding without merges, one piece per letter.

    Lower case is read as upper case if our tokenizer does so. No special tokens are added to a text.
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
    """Return the symbols in the order of their ids."""
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


def with_special_tokens(content: bytes, special: SpecialTokens, ids: Mapping[str, int]) -> bytes:
    """Return the bytes of a ``tokenizer.json`` that puts special tokens around a text; unchanged if it already does.

    Args:
        content: the file.
        special: special tokens that the model expects around a sequence.
        ids: id of every special token.
    """
    values = json.loads(content)
    if special_tokens_of(values) == special:
        return content
    values["post_processor"] = _template(special, ids) if any(special) else None
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def special_tokens_of(values: Mapping[str, Any]) -> SpecialTokens | None:
    """Return the special tokens that a ``tokenizer.json`` puts around a text; None for an unknown rule."""
    rule = values.get("post_processor")
    if rule is None:
        return (), ()
    if rule["type"] == "BertProcessing":
        return (rule["cls"][0],), (rule["sep"][0],)
    if rule["type"] != "TemplateProcessing":
        return None
    text = next(number for number, step in enumerate(rule["single"]) if "Sequence" in step)
    return _names(rule["single"][:text]), _names(rule["single"][text + 1 :])


def _names(steps: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(step["SpecialToken"]["id"] for step in steps)


def _template(special: SpecialTokens, ids: Mapping[str, int]) -> dict[str, Any]:
    begin, end = special
    single = [*_special_steps(begin, 0), _text_step("A", 0), *_special_steps(end, 0)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, _text_step("B", 1), *_special_steps(end, 1)],
        "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in (*begin, *end)},
    }


def _special_steps(names: Sequence[str], kind: int) -> list[dict[str, Any]]:
    return [{"SpecialToken": {"id": name, "type_id": kind}} for name in names]


def _text_step(name: str, kind: int) -> dict[str, Any]:
    return {"Sequence": {"id": name, "type_id": kind}}
