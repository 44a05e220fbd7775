"""``tokenizer.json`` with a byte-pair vocabulary: what genolm takes from it, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genolm.errors import ModelError

# These split or drop white space alone, and white space is no letter of a sequence.
_WHITE_SPACE_RULES = ("Whitespace", "WhitespaceSplit")
_SPECIAL = re.compile(r"\[[^\]]+\]|<[^>]+>")
_RUN = re.compile(r"N\{(\d+),\}")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Pieces of sequence, the merges that make them, and the special tokens, as one ``tokenizer.json`` says.

    Two vocabularies are equal when their pieces, merges and special tokens are; how their files are laid out does not
    matter, nor do their rules about runs of N, which are the tokenizer's to follow or not.

    Attributes:
        digest: SHA-256 over all below but ``content`` and ``gap_run``, in hexadecimal.
        content: the bytes of the file, to write it again as it was.
        pieces: every piece and special token and its id.
        merges: pairs of pieces in the order in which they are joined.
        special: names and ids of the special tokens; the gap token is none of them.
        unknown: name of the token for an unknown letter, None where there is none.
        gap: name of the token that stands for a run of N, None where there is none.
        gap_run: the shortest run of N that the file replaces by the gap token, 0 where it replaces none.
        strips: the file drops white space around a text.
        joins_unknown: the file reads neighbouring unknown letters as one token.
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
        """The vocabulary of a ``tokenizer.json``.

        Raises:
            ModelError: it cannot be read, or :meth:`parse` refuses it.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
        return cls.parse(content, str(path))

    @classmethod
    def parse(cls, content: bytes, source: str) -> Vocabulary:
        """The vocabulary in the bytes of a ``tokenizer.json``; ``source`` names them in errors.

        Raises:
            ModelError: not JSON, no byte-pair vocabulary, or one that follows a rule that genolm does not have.
        """
        try:
            values = json.loads(content)
            return _vocabulary(values, content)
        except (ValueError, TypeError, KeyError, AttributeError, UnicodeDecodeError) as error:
            raise ModelError(f"{source}: no tokenizer.json of a byte-pair vocabulary: {error}") from None
        except ModelError as error:
            raise ModelError(f"{source}: {error}") from None

    def with_run(self, run: int) -> bytes:
        """The file with the rule that runs of ``run`` N and more become the gap token; 0 for no such rule.

        Byte for byte as it was read where that is its rule already.
        """
        if run == self.gap_run:
            return self.content
        values = json.loads(self.content)
        rules = [rule for rule in _rules(values.get("normalizer")) if _run_of(rule) is None]
        if run:
            rules.append({"type": "Replace", "pattern": {"Regex": f"N{{{run},}}"}, "content": self.gap})
        values["normalizer"] = {"type": "Sequence", "normalizers": rules} if rules else None
        return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def is_byte_pair(values: Mapping[str, Any]) -> bool:
    """Whether the values of a ``tokenizer.json`` have pieces of several letters."""
    model = values.get("model")
    return isinstance(model, Mapping) and bool(model.get("merges"))


def _vocabulary(values: dict[str, Any], content: bytes) -> Vocabulary:
    model = values["model"]
    _check_model(model)
    added = {token["content"]: token["id"] for token in values.get("added_tokens") or ()}
    pieces = {**model["vocab"], **added}
    if moved := next((name for name in added if model["vocab"].get(name, added[name]) != added[name]), None):
        raise ModelError(f"{moved!r} is {model['vocab'][moved]} in its vocab and {added[moved]} in its added_tokens")
    gap, run = _gap_rule(values, pieces)
    special = {name: pieces[name] for name in pieces if name != gap and (name in added or _SPECIAL.fullmatch(name))}
    merges = tuple(_pair(merge) for merge in model["merges"])
    _check_pieces(pieces, special, merges)
    if (unknown := model.get("unk_token")) is not None and unknown not in pieces:
        raise ModelError(f"its unk_token {unknown!r} is no token")
    found: dict[str, Any] = {
        "pieces": pieces,
        "merges": merges,
        "special": special,
        "unknown": unknown,
        "gap": gap,
        "strips": any(rule["type"] == "Strip" for rule in _rules(values.get("normalizer"))),
        "joins_unknown": bool(model.get("fuse_unk")),
    }
    digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
    return Vocabulary(digest=digest, content=content, gap_run=run, **found)


def _check_model(model: Mapping[str, Any]) -> None:
    if model.get("type", "BPE") != "BPE" or not isinstance(model["vocab"], Mapping):
        raise ModelError(f"its model is {model.get('type')}, not byte-pair encoding")
    for rule in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges"):
        if model.get(rule):
            raise ModelError(f"genolm does not read vocabularies with {rule}")


def _check_pieces(pieces: Mapping[str, int], special: Mapping[str, int], merges: tuple[tuple[str, str], ...]) -> None:
    if len(set(pieces.values())) < len(pieces) or min(pieces.values()) < 0:
        raise ModelError("two pieces have the same id, or an id is negative")
    if lacking := [base for base in "ACGT" if base not in pieces]:
        raise ModelError(f"the vocabulary has no {', '.join(lacking)}")
    if wrong := next((name for name in special if name.isalpha()), None):
        raise ModelError(f"its special token {wrong!r} is written like sequence")
    for first, second in merges:
        if not {first, second, first + second} <= pieces.keys():
            raise ModelError(f"the merge of {first!r} and {second!r} makes no piece of the vocabulary")


def _pair(merge: Any) -> tuple[str, str]:
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return str(first), str(second)


def _rules(stage: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """The single steps of a normaliser or pre-tokeniser, sequences taken apart."""
    if stage is None:
        return
    inner = stage.get("normalizers", stage.get("pretokenizers"))
    if inner is None:
        yield dict(stage)
    for step in inner or ():
        yield from _rules(step)


def _gap_rule(values: Mapping[str, Any], pieces: Mapping[str, int]) -> tuple[str | None, int]:
    """The gap token and the shortest run it stands for; refuses every other rule that could change a token."""
    gap, run = ("-" if "-" in pieces else None), 0
    for rule in _rules(values.get("normalizer")):
        if (found := _run_of(rule)) is not None:
            gap, run = rule["content"], found
        elif rule["type"] != "Strip" and not _raises_case(rule):
            raise ModelError(f"genolm does not have the rule {json.dumps(rule)} of its normalizer")
    if gap is not None and gap not in pieces:
        raise ModelError(f"runs of N become {gap!r}, which is no token")
    for rule in _rules(values.get("pre_tokenizer")):
        isolates_gap = rule["type"] == "Split" and rule["pattern"] == {"String": gap} and rule["behavior"] == "Isolated"
        if rule["type"] not in _WHITE_SPACE_RULES and not isolates_gap:
            raise ModelError(f"genolm does not have the rule {json.dumps(rule)} of its pre_tokenizer")
    return gap, run


def _run_of(rule: Mapping[str, Any]) -> int | None:
    if rule["type"] != "Replace" or not (match := _RUN.fullmatch(rule["pattern"].get("Regex", ""))):
        return None
    return int(match[1])


def _raises_case(rule: Mapping[str, Any]) -> bool:
    """A rule that reads one lower-case letter as upper case; upper-casing is the tokenizer's to do."""
    letter = rule["pattern"].get("String", "") if rule["type"] == "Replace" else ""
    return len(letter) == 1 and letter.islower() and rule["content"] == letter.upper()
