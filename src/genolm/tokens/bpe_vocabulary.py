"""Byte-pair vocabularies in ``tokenizer.json`` files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genolm.errors import ModelError

# These affect white space only, which sequences do not contain.
_WHITE_SPACE_RULES = ("Whitespace", "WhitespaceSplit")
_SPECIAL = re.compile(r"\[[^\]]+\]|<[^>]+>")
_RUN = re.compile(r"N\{(\d+),\}")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens, merges and special tokens of a ``tokenizer.json``.

    Two vocabularies are equal if their tokens, merges and special tokens are equal. The layout of the files and their
    rules for runs of N, which a tokenizer may ignore, do not matter.

    Attributes:
        digest: SHA-256 of all other attributes except ``content`` and ``gap_run``, in hexadecimal.
        content: bytes of the file, to write it unchanged.
        pieces: all tokens, special ones included, and their ids.
        merges: pairs of tokens in the order of merging.
        special: names and ids of the special tokens, without the gap token.
        unknown: name of the unknown token; None if there is none.
        gap: name of the token for a run of N; None if there is none.
        gap_run: minimum run of N that the file replaces by the gap token; 0 if it replaces none.
        strips: whether the file strips white space around a text.
        joins_unknown: whether the file reads adjacent unknown letters as one token.
    """

    digest: str
    content: bytes = field(repr=False, compare=False)
    pieces: Mapping[str, int] = field(repr=False, compare=False)
    merges: tuple[tuple[str, str], ...] = field(repr=False, compare=False)
    special: Mapping[str, int] = field(compare=False)
    unknown: str | None = field(compare=False)
    gap: str | None = field(compare=False)
    gap_run: int = field(compare=False)
    strips: bool = field(compare=False)
    joins_unknown: bool = field(repr=False, compare=False)

    @classmethod
    def read(cls, path: str | Path) -> Vocabulary:
        """Read the vocabulary of a ``tokenizer.json``.

        Raises:
            ModelError: the file cannot be read, or as :meth:`parse`.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
        return cls.parse(content, str(path))

    @classmethod
    def parse(cls, content: bytes, source: str) -> Vocabulary:
        """Parse the content of a ``tokenizer.json``; errors mention ``source``.

        Raises:
            ModelError: the content is not JSON, not a byte-pair vocabulary, or has a rule that is not supported.
        """
        try:
            values = json.loads(content)
            return _vocabulary(values, content)
        except (ValueError, TypeError, KeyError, AttributeError, UnicodeDecodeError) as error:
            raise ModelError(f"{source}: not a tokenizer.json of a byte-pair vocabulary: {error}") from None
        except ModelError as error:
            raise ModelError(f"{source}: {error}") from None

    def with_run(self, run: int) -> bytes:
        """Return the content of the file with the rule that runs of at least ``run`` N become the gap token.

        The content is unchanged if the file has this rule already. With 0 the rule is removed.
        """
        if run == self.gap_run:
            return self.content
        values = json.loads(self.content)
        rules = [rule for rule in _rules(values.get("normalizer")) if _run_of(rule) is None]
        if run:
            rules.append({"type": "Replace", "pattern": {"Regex": f"N{{{run},}}"}, "content": self.gap})
        values["normalizer"] = {"type": "Sequence", "normalizers": rules} if rules else None
        return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def _vocabulary(values: dict[str, Any], content: bytes) -> Vocabulary:
    model = values["model"]
    _check_model(model)
    added = {token["content"]: token["id"] for token in values.get("added_tokens") or ()}
    pieces = {**model["vocab"], **added}
    if wrong := next((name for name in added if model["vocab"].get(name, added[name]) != added[name]), None):
        ids = f"{model['vocab'][wrong]} in vocab and {added[wrong]} in added_tokens"
        raise ModelError(f"conflicting ids of {wrong!r}: {ids}")
    gap, run = _gap_rule(values, pieces)
    special = {name: pieces[name] for name in pieces if name != gap and (name in added or _SPECIAL.fullmatch(name))}
    merges = tuple(_pair(merge) for merge in model["merges"])
    _check_pieces(pieces, special, merges)
    if (unknown := model.get("unk_token")) is not None and unknown not in pieces:
        raise ModelError(f"unk_token {unknown!r} is not in the vocabulary")
    attributes: dict[str, Any] = {
        "pieces": pieces,
        "merges": merges,
        "special": special,
        "unknown": unknown,
        "gap": gap,
        "strips": any(rule["type"] == "Strip" for rule in _rules(values.get("normalizer"))),
        "joins_unknown": bool(model.get("fuse_unk")),
    }
    digest = hashlib.sha256(json.dumps(attributes, sort_keys=True).encode()).hexdigest()
    return Vocabulary(digest=digest, content=content, gap_run=run, **attributes)


def _check_model(model: Mapping[str, Any]) -> None:
    if model.get("type", "BPE") != "BPE" or not isinstance(model["vocab"], Mapping):
        raise ModelError(f"unsupported model type {model.get('type')}: expected BPE")
    for rule in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges"):
        if model.get(rule):
            raise ModelError(f"vocabularies with {rule} are not supported")


def _check_pieces(pieces: Mapping[str, int], special: Mapping[str, int], merges: tuple[tuple[str, str], ...]) -> None:
    if len(set(pieces.values())) < len(pieces) or min(pieces.values()) < 0:
        raise ModelError("duplicate or negative token id")
    if missing := [base for base in "ACGT" if base not in pieces]:
        raise ModelError(f"missing bases in the vocabulary: {', '.join(missing)}")
    if wrong := next((name for name in special if name.isalpha()), None):
        raise ModelError(f"invalid special token {wrong!r}: it looks like sequence")
    for first, second in merges:
        if not {first, second, first + second} <= pieces.keys():
            reason = "a part or the result is not a token"
            raise ModelError(f"invalid merge of {first!r} and {second!r}: {reason}")


def _pair(merge: Any) -> tuple[str, str]:
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return str(first), str(second)


def _rules(stage: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield the single steps of a normaliser or pre-tokeniser."""
    if stage is None:
        return
    inner = stage.get("normalizers", stage.get("pretokenizers"))
    if inner is None:
        yield dict(stage)
    for step in inner or ():
        yield from _rules(step)


def _gap_rule(values: Mapping[str, Any], pieces: Mapping[str, int]) -> tuple[str | None, int]:
    """Return the gap token and its minimum run of N; raise `ModelError` for any other rule that affects tokens."""
    gap, run = ("-" if "-" in pieces else None), 0
    for rule in _rules(values.get("normalizer")):
        if (length := _run_of(rule)) is not None:
            gap, run = rule["content"], length
        elif rule["type"] != "Strip" and not _raises_case(rule):
            raise ModelError(f"unsupported normalizer rule {json.dumps(rule)}")
    if gap is not None and gap not in pieces:
        raise ModelError(f"the replacement of runs of N, {gap!r}, is not in the vocabulary")
    for rule in _rules(values.get("pre_tokenizer")):
        isolates_gap = rule["type"] == "Split" and rule["pattern"] == {"String": gap} and rule["behavior"] == "Isolated"
        if rule["type"] not in _WHITE_SPACE_RULES and not isolates_gap:
            raise ModelError(f"unsupported pre_tokenizer rule {json.dumps(rule)}")
    return gap, run


def _run_of(rule: Mapping[str, Any]) -> int | None:
    if rule["type"] != "Replace" or not (match := _RUN.fullmatch(rule["pattern"].get("Regex", ""))):
        return None
    return int(match[1])


def _raises_case(rule: Mapping[str, Any]) -> bool:
    """Whether a rule only reads a lower-case letter as upper case, which the tokenizer does itself."""
    letter = rule["pattern"].get("String", "") if rule["type"] == "Replace" else ""
    return len(letter) == 1 and letter.islower() and rule["content"] == letter.upper()
